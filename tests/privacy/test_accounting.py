import math

import numpy as np
import pytest
from scipy import optimize, stats

from bfl_stpc import privacy
from bfl_stpc.errors import PrivacyError
from bfl_stpc.privacy import Accountant, Spent

DELTA = 1e-5


def gaussian_epsilon(sigma, steps, delta):
    """Closed form for unsampled Gaussians (Balle and Wang 2018): the steps act as one with σ/√steps."""
    mu = math.sqrt(steps) / sigma

    def excess(eps):
        return stats.norm.cdf(mu / 2 - eps / mu) - math.exp(eps) * stats.norm.cdf(-mu / 2 - eps / mu) - delta

    return optimize.brentq(excess, 0, 100)


@pytest.mark.parametrize(("sigma", "steps"), [(2.0, 1), (14.0, 100), (5.0, 50)])
def test_full_batches_agree_with_the_closed_form(sigma, steps):
    found = privacy.epsilon([Spent(1.0, sigma, steps)], DELTA)
    exact = gaussian_epsilon(sigma, steps, DELTA)
    assert exact <= found <= exact * 1.02


@pytest.mark.parametrize("spent", [Spent(0.01, 1.0, 1000), Spent(0.1, 2.5, 300), Spent(1.0, 14.0, 100)])
def test_rdp_proves_more_but_not_much_more_than_pld(spent):
    pld, rdp = (privacy.epsilon([spent], DELTA, accountant) for accountant in Accountant)
    assert pld < rdp < 1.4 * pld


def test_sampling_amplifies():
    assert privacy.epsilon([Spent(0.01, 1.0, 100)], DELTA) < privacy.epsilon([Spent(0.1, 1.0, 100)], DELTA) / 3


def test_no_noise_is_no_privacy_and_no_step_costs_nothing():
    assert privacy.epsilon([Spent(0.1, 0.0, 1)], DELTA) == math.inf
    assert privacy.epsilon([], DELTA) == privacy.epsilon([Spent(0.1, 0.0, 0)], DELTA) == 0


def test_the_run_as_it_happened_composes_in_any_order():
    parts = [Spent(0.1, 1.5, 10), Spent(0.2, 2.0, 5), Spent(0.1, 1.5, 7)]
    together = privacy.epsilon([Spent(0.1, 1.5, 17), Spent(0.2, 2.0, 5)], DELTA)
    assert privacy.epsilon(parts, DELTA) == together == privacy.epsilon(parts[::-1], DELTA)


@pytest.mark.parametrize(("target", "rate", "steps"), [(3.0, 1.0, 100), (1.0, 0.05, 200), (8.0, 0.5, 40)])
def test_calibration_meets_the_target_tightly(target, rate, steps):
    sigma = privacy.calibrate(target, DELTA, rate, steps)
    assert 0.99 * target < privacy.epsilon([Spent(rate, sigma, steps)], DELTA) <= target


def test_one_noise_for_all_gives_small_hospitals_less_privacy():
    records = np.array([200, 1000, 4000])
    spent = [privacy.epsilon([Spent(64 / n, 0.8, 200)], DELTA) for n in records]
    assert spent[0] > 3 * spent[2]


def test_a_budget_refuses_before_it_breaks_and_charges_nothing():
    budget = privacy.Budget("hospital-01", promised=1.0, delta=DELTA)
    step, rounds = Spent(1.0, 10.0, 1), 0
    while budget.allows(step):
        after = budget.spend(step)
        rounds += 1
        assert after <= 1.0
    spent = budget.spent
    with pytest.raises(PrivacyError, match="hospital-01 promised"):
        budget.spend(step)
    assert budget.spent == spent
    assert budget.epsilon() == after
    assert len(spent) == rounds > 1
    assert gaussian_epsilon(10.0, rounds + 2, DELTA) > 1.0  # it stopped at its last affordable step or just before


def test_what_makes_no_sense_is_refused():
    for delta in (0, 1):
        with pytest.raises(PrivacyError, match=f"δ is {delta}"):
            privacy.epsilon([Spent(0.1, 1.0, 1)], delta)
        with pytest.raises(PrivacyError, match=f"δ is {delta}"):
            privacy.calibrate(1.0, delta, 0.1, 10)
    for wrong in ((0.0, 1.0, 1), (1.1, 1.0, 1), (0.1, -1.0, 1), (0.1, 1.0, -1)):
        with pytest.raises(PrivacyError, match="sampling rate"):
            Spent(*wrong)
    for target, steps in ((0.0, 10), (-1.0, 10), (1.0, 0)):
        with pytest.raises(PrivacyError, match="must be positive"):
            privacy.calibrate(target, DELTA, 0.1, steps)


def test_a_target_that_no_noise_reaches_is_named():
    with pytest.raises(PrivacyError, match="no noise up to 10⁶"):
        privacy.calibrate(1e-12, 1e-12, 1.0, 10)
    assert privacy.calibrate(50.0, DELTA, 1.0, 1) < 0.2  # and one that little noise reaches is found below 1


def test_a_promise_may_be_spent_to_the_last_bit():
    steps = Spent(0.1, 1.0, 10)
    budget = privacy.Budget("H01", privacy.epsilon([steps], 1e-5), 1e-5)
    assert budget.allows(steps)
    assert budget.spend(steps) == budget.promised
    assert not budget.allows(steps)
