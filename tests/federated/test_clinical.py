from dataclasses import replace

import numpy as np
import pytest

from bfl_stpc import federated
from bfl_stpc.errors import FederatedError

NAMES = ("spo2", "crp", "copd")
SKEWED = np.array([False, True, False])
RNG = np.random.default_rng(5)


def reading(**changes):
    settings = {"margins": (), "limits": False, "related": (), "absence": False} | changes
    return federated.Reading(NAMES, SKEWED, **settings)


def records(n=400):
    X = np.stack([RNG.normal(96, 3, n), RNG.lognormal(1.5, 1, n), RNG.integers(0, 2, n)], 1).astype(np.float32)
    X[RNG.random(n) < 0.2, 1] = np.nan
    return X


def test_a_value_is_read_in_half_widths_of_its_interval():
    X = np.array([[96, 0.3, 0], [98, np.sqrt(3), 0], [100, 10, 1], [np.nan, np.nan, 1]], np.float32)
    spo2, spo2_squared, crp, _, copd = reading().columns(X).T
    np.testing.assert_allclose(spo2, [-1, 0, 1, 0], atol=1e-6)  # middle 98, half 2; missing is presumed normal
    np.testing.assert_allclose(spo2_squared, spo2**2)
    np.testing.assert_allclose(crp, [-1, 0, 1, 0], atol=1e-5)  # on the logarithmic scale
    np.testing.assert_array_equal(copd, [0, 0, 1, 1])


def test_limits_count_what_lies_beyond_them():
    low, high = np.array([[89, 3, 0]], np.float32), np.array([[99, 60, 0]], np.float32)
    below = [max(cut - 89, 0) / 2 for cut in federated.LIMITS["spo2"][1]]
    found = reading(limits=True).columns(low)[0]
    np.testing.assert_allclose(found[2:8], below, atol=1e-6)
    above = reading(limits=True).columns(high)[0]
    assert (above[2:8] == 0).all()
    assert (above[10:14] > 0).tolist() == [True, True, True, False]  # CRP of 60 is above 5, 10 and 50, not 100


def test_a_diagnosis_changes_what_a_value_means():
    X = np.array([[90, 3, 0], [90, 3, 1]], np.float32)
    columns = reading(related=(("copd", "spo2"),)).columns(X)
    np.testing.assert_allclose(columns[:, -2:], [[0, 0], [-4, 16]], atol=1e-5)


def test_absence_is_marked_and_margins_are_two_sided():
    X = np.array([[np.nan, 3, 0], [94, 3, 0]], np.float32)
    columns = reading(margins=(1.0,), absence=True).columns(X)
    np.testing.assert_allclose(columns[:, :5], [[0, 0, 0, 0, 1], [-2, 4, 0, 1, 0]], atol=1e-6)


def test_what_cannot_be_read_is_named():
    with pytest.raises(FederatedError, match="albumin"):
        reading(related=(("copd", "albumin"),))
    X = records(5)
    X[0, 2] = np.nan
    with pytest.raises(FederatedError, match="copd is missing for 1"):
        reading().columns(X)


def test_every_quantity_has_limits_on_the_side_that_alarms_and_every_relation_exists():
    for (low, high), alarms in federated.LIMITS.values():
        assert low < high
        assert list(alarms) == sorted(alarms)
    assert {q for quantities in federated.RELATED.values() for q in quantities} <= set(federated.LIMITS)


def test_the_parts_of_hospitals_make_the_inputs_of_the_whole():
    X, hospital = records(), np.arange(400) % 3
    rows = np.arange(300)
    apart = federated.clinical_inputs(reading(limits=True), X, hospital, rows)
    whole = federated.clinical_inputs(reading(limits=True), X, np.zeros(400), rows)
    np.testing.assert_allclose(apart.transform(X), whole.transform(X), atol=1e-4)
    changed = X.copy()
    changed[300:, 0] = 60
    again = federated.clinical_inputs(reading(limits=True), changed, hospital, rows)
    np.testing.assert_array_equal(apart.rotation, again.rotation)  # other rows are not read


def test_a_small_ridge_decorrelates_and_a_large_one_leaves_the_columns():
    X, hospital, rows = records(2000), np.zeros(2000), np.arange(2000)
    made = federated.clinical_inputs(reading(), X, hospital, rows, ridge=1e-6)
    correlation = np.cov(made.transform(X).T)
    np.testing.assert_allclose(correlation, np.eye(5), atol=0.02)
    loose = federated.clinical_inputs(reading(), X, hospital, rows, ridge=1e6)
    plain = replace(loose, rotation=np.eye(5, dtype=np.float32)).transform(X)
    np.testing.assert_allclose(1e3 * loose.transform(X), plain, atol=1e-3)
    assert made.width == 5
    with pytest.raises(FederatedError, match="ridge"):
        federated.clinical_inputs(reading(), X, hospital, rows, ridge=0.0)
