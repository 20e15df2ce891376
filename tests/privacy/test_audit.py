import math

import numpy as np
import pytest

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


def test_lira_needs_shadow_models_and_non_members():
    scores, member = shadow(1.0, models=2)
    with pytest.raises(PrivacyError, match="shadow"):
        audit.lira(scores, member, 0)
    with pytest.raises(PrivacyError, match="non-members"):
        audit.tpr_at(np.zeros(20), np.arange(20) < 10)


def test_confidence_is_the_logit_of_the_true_label():
    np.testing.assert_allclose(audit.confidence(np.array([0.8, 0.8]), np.array([1, 0])), [math.log(4), -math.log(4)])
