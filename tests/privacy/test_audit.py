import math

import numpy as np
import pytest
from scipy import stats

from bfl_stpc.errors import PrivacyError
from bfl_stpc.privacy import audit

DELTA = 1e-5


def gaussian_scores(mu, trials, seed=1):
    """The best attack on a Gaussian mechanism of sensitivity/σ = mu sees exactly this."""
    rng = np.random.default_rng(seed)
    return rng.normal(mu, 1, trials), rng.normal(0, 1, trials)


def bound(mu, trials=2000, seed=1):
    a, b = gaussian_scores(mu, trials, seed)
    half = trials // 2
    threshold = audit.best_threshold(a[:half], b[:half], DELTA)
    return audit.epsilon_bound(a[half:], b[half:], DELTA, threshold=threshold)


def true_epsilon(mu):
    from bfl_stpc import privacy

    return privacy.epsilon([privacy.Spent(1.0, 1 / mu, 1)], DELTA)


@pytest.mark.parametrize("mu", [0.5, 1.0, 2.0])
def test_the_bound_stays_below_the_truth_of_a_gaussian_mechanism(mu):
    assert 0 < bound(mu).epsilon < true_epsilon(mu)


def test_the_bound_is_wrong_no_more_often_than_promised():
    """Against pure randomised response of known ε, at a fixed threshold, over 400 audits."""
    truth, wrong = 1.0, 0
    p = math.exp(truth) / (1 + math.exp(truth))
    rng = np.random.default_rng(3)
    for _ in range(400):
        planted, left_out = rng.random(300) < p, rng.random(300) < 1 - p
        found = audit.epsilon_bound(planted.astype(float), left_out.astype(float), 0.0, threshold=0.5)
        wrong += found.epsilon > truth
    assert wrong <= 400 * 0.05


def test_without_noise_the_audit_cries_out():
    assert bound(50.0).epsilon > 5


def test_without_a_signal_it_shows_nothing():
    assert bound(0.0).epsilon < 0.2


def test_what_few_trials_can_show_is_limited():
    assert audit.largest_bound(50, DELTA) < audit.largest_bound(500, DELTA)
    assert audit.largest_bound(100, DELTA) < math.log(100)


def test_trials_must_pair():
    with pytest.raises(PrivacyError, match="equally many"):
        audit.epsilon_bound(np.ones(3), np.ones(2), DELTA, threshold=0.5)


def shadow(signal, models=40, n=600, seed=2):
    rng = np.random.default_rng(seed)
    member = rng.random((models, n)) < 0.5
    return rng.normal(0, 1, n) * 3 + rng.normal(0, 1, (models, n)) + signal * member, member


def test_lira_finds_members_only_where_there_is_a_trace():
    for signal, low, high in ((0.0, 0.0, 0.05), (3.0, 0.5, 1.0)):
        scores, member = shadow(signal)
        found = [audit.tpr_at(audit.lira(scores, member, t), member[t]) for t in range(10)]
        assert low <= np.mean(found) <= high


def test_the_true_positive_rate_is_that_at_the_last_allowed_threshold():
    scores = np.concatenate([np.arange(100.0), [85, 95, 98, 99.5]])  # of a hundred non-members, then of members
    member = np.arange(104) >= 100
    assert audit.tpr_at(scores, member, 0.1) == 3 / 4  # ten others lie above 89
    assert audit.tpr_at(scores, member, 0.01) == 1 / 4  # one lies above 98, and a member as high as that is no hit
    with pytest.raises(PrivacyError, match="non-members"):
        audit.tpr_at(scores, member, 0.009)


def test_lira_needs_shadow_models_and_non_members():
    scores, member = shadow(1.0, models=2)
    with pytest.raises(PrivacyError, match="shadow"):
        audit.lira(scores, member, 0)
    with pytest.raises(PrivacyError, match="non-members"):
        audit.tpr_at(np.zeros(20), np.arange(20) < 10)


def test_confidence_is_the_logit_of_the_true_label():
    np.testing.assert_allclose(audit.confidence(np.array([0.8, 0.8]), np.array([1, 0])), [math.log(4), -math.log(4)])


def test_lira_is_the_log_ratio_of_two_normal_densities():
    """Computed again record by record, with the pooled variance of each group of shadow models."""
    rng = np.random.default_rng(5)
    scores, member = rng.normal(size=(9, 4)), np.stack([rng.permutation(9) < 5 for _ in range(4)], axis=1)
    groups = {yes: [scores[1:, j][member[1:, j] == yes] for j in range(4)] for yes in (True, False)}

    def log_density(yes, j):
        squares = sum(((group - group.mean()) ** 2).sum() for group in groups[yes])
        variance = squares / sum(len(group) - 1 for group in groups[yes])
        off = scores[0, j] - groups[yes][j].mean()
        return -(off**2) / (2 * variance) - math.log(variance) / 2

    expected = [log_density(True, j) - log_density(False, j) for j in range(4)]
    assert audit.lira(scores, member, 0) == pytest.approx(expected)


def test_lira_takes_two_shadow_models_with_and_without_a_record_and_no_fewer():
    member = np.array([[True], [True], [True], [False], [False]])
    audit.lira(np.arange(5.0)[:, None], member, 0)
    for short in (member[:4], member[[0, 1, 3, 4]]):
        with pytest.raises(PrivacyError, match="two shadow models"):
            audit.lira(np.arange(4.0)[:, None], short, 0)


@pytest.mark.parametrize(
    ("tp", "fp", "level"), [(40, 3, 0.95), (50, 0, 0.9), (30, 29, 0.95), (12, 1, 0.99), (50, 25, 0.95)]
)
def test_the_bound_on_epsilon_follows_from_two_exact_intervals(tp, fp, level):
    """Clopper and Pearson by another function of SciPy: each rate's bound errs with half of 1 − level."""
    n, delta = 50, 1e-3
    planted, left_out = np.arange(n) < tp, np.arange(n) < fp
    found = audit.epsilon_bound(planted * 2.0, left_out * 2.0, delta, threshold=1.0, level=level)
    tpr, tnr = (stats.binomtest(k, n).proportion_ci(level, method="exact").low for k in (tp, n - fp))
    expected = max(math.log((tpr - delta) / (1 - tnr)), math.log((tnr - delta) / (1 - tpr)), 0.0)
    assert found == audit.Bound(pytest.approx(expected), level, 1.0, tp, fp, n)


def test_the_best_threshold_lies_midway_between_two_scores():
    planted, left_out = np.arange(100.0, 130.0), np.arange(30.0)
    assert audit.best_threshold(planted, left_out, 1e-5) == (29 + 100) / 2


def test_scores_that_are_all_equal_have_a_threshold_and_show_nothing():
    threshold = audit.best_threshold(np.ones(5), np.ones(5), DELTA)
    assert audit.epsilon_bound(np.ones(5), np.ones(5), DELTA, threshold=threshold).epsilon == 0
    assert 1 < audit.best_threshold(np.full(5, 2.0), np.ones(5), DELTA) < 2


def test_the_largest_bound_depends_on_the_level():
    assert audit.largest_bound(100, 1e-5, 0.99) < audit.largest_bound(100, 1e-5, 0.95)
