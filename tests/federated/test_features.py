import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bfl_stpc import federated
from bfl_stpc.errors import FederatedError
from bfl_stpc.federated import Inputs, hospital_statistics, logarithms

RNG = np.random.default_rng(3)
X = RNG.lognormal(size=(200, 4)).astype(np.float32)
X[RNG.random(X.shape) < 0.2] = np.nan
SKEWED = np.array([True, False, False, True])


def inputs(expand):
    scaler = federated.Scaler.from_statistics(hospital_statistics(X, SKEWED))
    added = {} if expand else {"thresholds": (), "squares": False}
    return Inputs(scaler, SKEWED, measured=np.array([0, 1]), marked=np.array([0, 3]), **added)


@given(st.integers(0, 200), st.integers(0, 200))
def test_the_statistics_of_parts_add_up(a, b):
    a, b = sorted((a, b))
    parts = federated.statistics(X[:a]) + federated.statistics(X[a:b]) + federated.statistics(X[b:])
    np.testing.assert_allclose(parts, federated.statistics(X))


def test_the_scaler_equals_numpy_on_the_pooled_records():
    scaler = federated.Scaler.from_statistics(federated.statistics(X[:50]) + federated.statistics(X[50:]))
    np.testing.assert_allclose(scaler.mean, np.nanmean(X, 0), rtol=1e-5)
    np.testing.assert_allclose(scaler.deviation, np.nanstd(X, 0), rtol=1e-4)


def test_missing_values_become_zero_and_are_marked():
    scaled = inputs(expand=False).transform(X)
    missing = np.isnan(X)
    assert (scaled[:, :4][missing] == 0).all()
    np.testing.assert_array_equal(scaled[:, 4:], missing[:, [0, 3]])


def test_expansion_adds_squares_and_hinges():
    plain, wide = inputs(expand=False).transform(X), inputs(expand=True).transform(X)
    assert wide.shape == (200, inputs(expand=True).width) == (200, 4 + 2 + 2 * 9)
    np.testing.assert_array_equal(wide[:, :6], plain)
    z = plain[:, 0]
    np.testing.assert_allclose(wide[:, 6], z**2 / 3)
    np.testing.assert_allclose(wide[:, 8], np.maximum(z - 0.5, 0))


def test_an_input_recorded_nowhere_is_named():
    empty = X.copy()
    empty[:, 2] = np.nan
    with pytest.raises(FederatedError, match=r"\[2\]"):
        federated.Scaler.from_statistics(federated.statistics(empty))


def test_a_constant_input_does_not_blow_up():
    scaler = federated.Scaler.from_statistics(federated.statistics(np.full((9, 1), 7, np.float32)))
    assert scaler.transform(np.full((1, 1), 7.0, np.float32))[0, 0] == 0


def test_the_logarithm_refuses_what_has_none():
    with pytest.raises(FederatedError, match="input 0"):
        logarithms(np.array([[0.0, 1.0]], np.float32), np.array([True, False]))


def test_shared_inputs_read_the_training_rows_only():
    hospital, rows = np.arange(200) % 4, np.arange(0, 150)
    measured = np.array([0, 1])
    made = federated.shared_inputs(X, hospital, rows, skewed=SKEWED, measured=measured)
    np.testing.assert_allclose(made.scaler.mean, np.nanmean(logarithms(X[:150], SKEWED), 0), rtol=1e-5)
    changed = X.copy()
    changed[150:] = 1e3
    again = federated.shared_inputs(changed, hospital, rows, skewed=SKEWED, measured=measured)
    np.testing.assert_array_equal(made.scaler.mean, again.scaler.mean)
