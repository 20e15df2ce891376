"""Statistics of all hospitals, through the secure sum."""

import numpy as np
import pytest

from bfl_stpc.errors import UpdateError
from bfl_stpc.seeds import generator
from bfl_stpc.system.preparation import BOUND, secure_total


def test_the_total_is_that_of_the_plain_sums_over_twelve_orders_of_magnitude():
    rng = generator("statistics in tests")
    parts = {f"hospital-{k}": rng.normal(size=30) * 10.0 ** rng.integers(-2, 11, 30) for k in range(4)}
    expected = np.sum(list(parts.values()), axis=0)
    found = secure_total(parts)
    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-8)
    assert not np.allclose(found, expected - parts["hospital-0"], rtol=1e-6)


def test_the_total_repeats_bit_for_bit_under_fresh_keys():
    parts = {name: np.array([1.5, -2e6, 3e-3]) for name in "abc"}
    assert secure_total(parts).tobytes() == secure_total(parts).tobytes()


@pytest.mark.parametrize("bad", [np.nan, np.inf, 2 * BOUND])
def test_a_statistic_that_cannot_be_added_is_refused(bad):
    with pytest.raises(UpdateError, match="b: a statistic is not finite"):
        secure_total({"a": np.zeros(2), "b": np.array([1.0, bad]), "c": np.zeros(2)})
