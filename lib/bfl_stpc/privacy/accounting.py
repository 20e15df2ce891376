"""Privacy accounting by dp-accounting: the privacy-loss distribution (PLD), with Rényi DP (RDP) as second witness.

Throughout: (ε, δ)-DP at the level of one record, under addition or removal of one record at a hospital
(dp_accounting's ADD_OR_REMOVE_ONE). Hospitals hold disjoint patients, so the ε of one hospital is that of its own
mechanism alone (parallel composition), whatever the others do.
"""

from __future__ import annotations

import enum
import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from bfl_stpc.errors import PrivacyError
from bfl_stpc.lazy import Lazy

if TYPE_CHECKING:
    import dp_accounting
    from dp_accounting import rdp
    from dp_accounting.pld import privacy_loss_distribution as distributions
else:
    dp_accounting = Lazy("dp_accounting")
    rdp = Lazy("dp_accounting.rdp")
    distributions = Lazy("dp_accounting.pld.privacy_loss_distribution")

ORDERS = [1 + x / 10 for x in range(1, 100)] + list(range(11, 64)) + [80, 96, 128, 192, 256, 512, 1024]
DISCRETISATION = 1e-3  # width of the PLD's grid; dp_accounting rounds up, so ε is never understated


class Accountant(enum.Enum):
    """How ε is bounded. PLD is tight to its grid; RDP is looser and older."""

    PLD = "pld"
    RDP = "rdp"


@dataclass(frozen=True)
class Spent:
    """Steps that a hospital has taken.

    Attributes:
        sampling_rate: q of the Poisson sampling; 1 takes every record.
        noise_multiplier: σ.
        steps: how many.
    """

    sampling_rate: float
    noise_multiplier: float
    steps: int

    def __post_init__(self) -> None:
        if not 0 < self.sampling_rate <= 1 or self.noise_multiplier < 0 or self.steps < 0:
            raise PrivacyError(
                f"sampling rate {self.sampling_rate} must lie in (0, 1]; noise multiplier {self.noise_multiplier} "
                f"and steps {self.steps} must not be negative"
            )


def epsilon(spent: Sequence[Spent], delta: float, accountant: Accountant = Accountant.PLD) -> float:
    """Return the least ε that the accountant proves at δ for all steps together; infinite without noise.

    Raises:
        PrivacyError: δ is not between 0 and 1.
    """
    _check_delta(delta)
    merged: dict[tuple[float, float], int] = {}
    for part in spent:
        if part.steps:
            kind = (part.sampling_rate, part.noise_multiplier)
            merged[kind] = merged.get(kind, 0) + part.steps
    if any(sigma == 0 for _, sigma in merged):
        return math.inf
    return _epsilon(tuple(sorted((q, s, n) for (q, s), n in merged.items())), delta, accountant) if merged else 0.0


@lru_cache(maxsize=4096)
def _epsilon(merged: tuple[tuple[float, float, int], ...], delta: float, accountant: Accountant) -> float:
    if accountant is Accountant.PLD:
        total = distributions.identity(DISCRETISATION)
        for rate, sigma, steps in merged:
            if rate == 1:  # n Gaussian steps are one, of σ / √n: no grid is composed with itself
                part = _distribution(rate, sigma / math.sqrt(steps))
            else:
                part = _distribution(rate, sigma).self_compose(steps)
            total = total.compose(part)
        return float(total.get_epsilon_for_delta(delta))
    made = rdp.RdpAccountant(ORDERS, dp_accounting.NeighboringRelation.ADD_OR_REMOVE_ONE)
    for rate, sigma, steps in merged:
        step: dp_accounting.DpEvent = dp_accounting.GaussianDpEvent(sigma)
        if rate < 1:
            step = dp_accounting.PoissonSampledDpEvent(rate, step)
        made.compose(dp_accounting.SelfComposedDpEvent(step, steps))
    return float(made.get_epsilon(delta))


@lru_cache(maxsize=64)
def _distribution(rate: float, sigma: float) -> distributions.PrivacyLossDistribution:
    """Return the privacy-loss distribution of one step: the same in every round, and most of the accountant's time."""
    grid = {"value_discretization_interval": DISCRETISATION}
    return distributions.from_gaussian_mechanism(sigma, sampling_prob=rate, **grid)


@lru_cache(maxsize=1024)
def calibrate(target: float, delta: float, sampling_rate: float, steps: int) -> float:
    """Return the smallest noise multiplier σ, to 0.1 %, with which `steps` steps cost at most ε = `target` (PLD).

    Raises:
        PrivacyError: the target is not positive, or δ, q or the steps make no sense.
    """
    _check_delta(delta)
    if not target > 0 or steps < 1:
        raise PrivacyError(f"target ε {target} must be positive, steps {steps} at least 1")

    def cost(sigma: float) -> float:
        return epsilon([Spent(sampling_rate, sigma, steps)], delta)

    low, high = 0.05, 1.0
    while cost(high) > target:
        low, high = high, 2 * high
        if high > 1e6:
            raise PrivacyError(f"no noise up to 10⁶ reaches ε = {target}: take fewer steps")
    while high / low > 1.001:
        middle = math.sqrt(low * high)
        low, high = (middle, high) if cost(middle) > target else (low, middle)
    return high


def _check_delta(delta: float) -> None:
    if not 0 < delta < 1:
        raise PrivacyError(f"δ is {delta}; give a number between 0 and 1, well below 1 / records")
