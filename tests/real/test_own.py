"""A table of one's own: units by a secure sum, what a promise does not cover, medians, ROC bands."""

import numpy as np
import pytest

from bfl_stpc.ehr import Tabular
from bfl_stpc.real import Scored, shared_scaling
from bfl_stpc.real import own as mine


@pytest.fixture
def table():
    rng = np.random.default_rng(0)
    n = 90
    X = np.stack([rng.normal(250_000, 40_000, n), rng.integers(0, 2, n), rng.exponential(1e-4, n)], axis=1)
    X[::7, 0] = np.nan
    y = (rng.random(n) < 0.5).astype(np.int8)
    hospital = np.arange(n, dtype=np.int16) % 3
    names, columns = ("A", "B", "C"), ("platelets", "female", "trace")
    return Tabular("t", X.astype(np.float32), y, hospital, names, columns, "died", reference={"platelets": (3e5, 1e5)})


def test_units_are_the_smallest_powers_of_ten_that_hold_every_value(table):
    scaled, units = mine.common_units(table)
    largest = np.nanmax(np.abs(table.X), axis=0)
    np.testing.assert_allclose(units, 10.0 ** np.ceil(np.log10(largest)))
    np.testing.assert_allclose(scaled.X * units, table.X, rtol=1e-6)
    assert scaled.reference["platelets"] == (0.3, 0.1)


def test_what_the_promise_does_not_cover_is_named(table):
    scaled, _ = mine.common_units(table)
    scaling = shared_scaling(scaled, np.arange(90))
    known, uncovered = mine.referenced(scaled, scaling, mine.flags(scaled))
    assert uncovered == ("trace",)
    assert known.reference["platelets"] == (0.3, 0.1)
    assert known.reference["trace"] == (scaling.scaler.mean[2], scaling.scaler.deviation[2])
    np.testing.assert_array_equal(mine.flags(table), [False, True, False])


def test_missing_values_are_filled_by_the_median_of_all_hospitals(table):
    scaling = mine.median_scaling(table, np.arange(90))
    known = np.sort(table.X[np.isfinite(table.X[:, 0]), 0])
    assert scaling.scaler.filling[0] == known[(known.size - 1) // 2]
    filled = scaling(table.X)
    missing = np.isnan(table.X[:, 0])
    np.testing.assert_allclose(
        filled[missing, 0],
        (scaling.scaler.filling[0] - scaling.scaler.mean[0]) / scaling.scaler.deviation[0],
        rtol=1e-5,
    )
    np.testing.assert_array_equal(filled[:, 3], missing)


def test_roc_bands_hold_the_curve_and_know_the_extremes():
    rng = np.random.default_rng(1)
    y = rng.integers(0, 2, 200)
    rows = np.arange(200)
    coin = mine.roc_band(Scored(rng.random((2, 200)), y, rows % 2, rows), draws=50)
    assert abs(np.mean(coin["true"]) - 0.5) < 0.1
    assert np.mean(np.array(coin["low"]) <= coin["true"]) > 0.95
    assert np.mean(np.array(coin["high"]) >= coin["true"]) > 0.95
    oracle = mine.roc_band(Scored(y[None].astype(float), y, rows % 2, rows), draws=20)
    assert oracle["true"][0] == oracle["low"][0] == 1.0
    constant = mine.roc_band(Scored(np.full((1, 200), 0.3), y, rows % 2, rows), draws=5)
    np.testing.assert_allclose(constant["true"], constant["false"])
