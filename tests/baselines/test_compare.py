"""The tests between systems, held to independent computations."""

import numpy as np
import pytest
from scipy import stats

from bfl_stpc.baselines.compare import holm, paired
from bfl_stpc.errors import ConfigError


def test_the_corrected_test_is_students_with_a_larger_variance():
    a, b = np.array([0.97, 0.98, 0.96, 0.975, 0.97]), np.array([0.96, 0.97, 0.965, 0.96, 0.96])
    t = stats.ttest_rel(a, b).statistic / np.sqrt((1 / 5 + 2 / 7) / (1 / 5))
    found = paired(a, b)
    assert found.p == pytest.approx(2 * stats.t.sf(abs(t), 4))
    assert found.difference == pytest.approx(np.mean(a - b))
    assert found.interval[0] < found.difference < found.interval[1]


def test_the_interval_excludes_zero_when_the_test_rejects():
    rng = np.random.default_rng(3)
    for _ in range(50):
        found = paired(rng.normal(0.6, 1, 5), rng.normal(0, 1, 5))
        assert (found.p < 0.05) == (found.interval[0] > 0 or found.interval[1] < 0)


def test_one_seed_shows_nothing_and_equal_values_are_equal():
    assert paired([0.9], [0.1]).p == 1
    assert paired([0.9, 0.8], [0.9, 0.8]).p == 1
    assert paired([0.9, 0.8], [0.8, 0.7]).p < 1e-6
    with pytest.raises(ConfigError):
        paired([1, 2], [1])


def test_splits_of_one_cohort_need_the_correction():
    """Two equal systems on overlapping test sets: the plain test rejects too often, the corrected one does not."""
    rng = np.random.default_rng(5)
    plain = corrected = 0
    for _ in range(400):
        lead = rng.choice([-1, 0, 1], size=700)  # of one system on each patient; none on average in the population
        seeds = [rng.permutation(700) for _ in range(5)]
        # what the training set has by chance helps a system on its test set, too
        d = np.array([lead[s[:200]].mean() + 0.7 * lead[s[200:]].mean() for s in seeds])
        plain += stats.ttest_1samp(d, 0).pvalue < 0.05
        corrected += paired(d, np.zeros(5)).p < 0.05
    assert plain > 1.5 * corrected


def test_holm_by_hand():
    assert holm({"a": 0.01, "b": 0.02, "c": 0.03, "d": 0.04}) == pytest.approx(
        {"a": 0.04, "b": 0.06, "c": 0.06, "d": 0.06}
    )
    assert holm({"x": 0.9, "y": 0.8}) == {"x": 1.0, "y": 1.0}
