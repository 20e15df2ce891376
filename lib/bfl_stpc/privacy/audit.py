"""Audits: what an attacker who sees the model learns about a record, and the ε that this disproves.

Two attacks. LiRA (Carlini et al. 2022) scores membership of real patients by the likelihood ratio of the model's
confidence when trained with and without them. The canary audit (after Nasr et al. 2023 and Steinke et al. 2023) plants
records made to be remembered, and turns the attack's success into a lower bound on ε by Clopper and Pearson's interval.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from bfl_stpc.errors import PrivacyError
from bfl_stpc.lazy import Lazy

if TYPE_CHECKING:
    from scipy import stats
else:
    stats = Lazy("scipy.stats")


def confidence(p: NDArray, y: NDArray) -> NDArray[np.float64]:
    """Return the logit of the probability given to the true label: LiRA's statistic, near normal over models."""
    right = np.clip(np.where(y == 1, p, 1 - p), 1e-9, 1 - 1e-9)
    return np.log(right) - np.log1p(-right)


def lira(scores: NDArray[np.float64], member: NDArray[np.bool_], target: int) -> NDArray[np.float64]:
    """Return LiRA's membership score of every record against model `target`, float64 (n,); larger means member.

    Args:
        scores: `confidence` of each record under each model, (models, n).
        member: whether the record was in that model's training data, (models, n), at random, half of them.
        target: the attacked model; all others are the attacker's shadow models.

    Raises:
        PrivacyError: a record has fewer than two shadow models with it or without it.
    """
    shadows = np.arange(len(scores)) != target
    inside, outside = member & shadows[:, None], ~member & shadows[:, None]
    if min(inside.sum(0).min(), outside.sum(0).min()) < 2:
        raise PrivacyError("LiRA needs two shadow models with and two without every record: train more of them")

    def fit(mask: NDArray[np.bool_]) -> tuple[NDArray, NDArray]:
        count = mask.sum(0)
        mean = np.where(mask, scores, 0).sum(0) / count
        # One variance for all records: with few shadow models, each record's own is too uncertain.
        return mean, np.sqrt(np.where(mask, (scores - mean) ** 2, 0).sum() / (count.sum() - count.size))

    (mean_in, sd_in), (mean_out, sd_out) = fit(inside), fit(outside)
    x = scores[target]
    return stats.norm.logpdf(x, mean_in, sd_in) - stats.norm.logpdf(x, mean_out, sd_out)


def tpr_at(scores: NDArray[np.float64], member: NDArray[np.bool_], fpr: float = 0.01) -> float:
    """Return the true-positive rate at the largest threshold whose false-positive rate is at most `fpr`.

    Raises:
        PrivacyError: there are no members, or too few others to measure such a rate.
    """
    others = np.sort(scores[~member])[::-1]
    allowed = math.floor(fpr * others.size)
    if not member.any() or allowed < 1:
        raise PrivacyError(f"{others.size} non-members cannot show a false-positive rate of {fpr:g}: use more records")
    return float(np.mean(scores[member] > others[allowed]))


@dataclass(frozen=True)
class Bound:
    """A lower bound on ε from an attack.

    Attributes:
        epsilon: with probability `level` the mechanism is not (ε, δ)-DP for any smaller ε; 0 where nothing is shown.
        level: confidence.
        threshold: the score above which a canary is called a member.
        true_positives, false_positives: counts among `trials` canaries each, planted and not.
        trials: number of canaries planted, and of canaries left out.
    """

    epsilon: float
    level: float
    threshold: float
    true_positives: int
    false_positives: int
    trials: int


def epsilon_bound(
    planted: NDArray[np.float64],
    left_out: NDArray[np.float64],
    delta: float,
    *,
    threshold: float,
    level: float = 0.95,
) -> Bound:
    """Return the lower bound on ε that follows from an attack's scores with and without the canary.

    (ε, δ)-DP implies TPR ≤ e^ε FPR + δ and 1 − FPR ≤ e^ε (1 − TPR) + δ for every test (Kairouz et al. 2015). Both
    rates are bounded by Clopper and Pearson at `level` together.

    Args:
        planted: scores (m,) of independent trainings with the canary.
        left_out: scores (m,) of independent trainings without it.
        delta: δ of the claim under audit.
        threshold: scores above it say "member"; fixed before looking at these scores (see `best_threshold`).
        level: confidence of the bound.

    Raises:
        PrivacyError: the two have different lengths, or none.
    """
    trials = planted.size
    if trials < 1 or left_out.size != trials:
        raise PrivacyError(f"{trials} trainings with the canary, {left_out.size} without: give equally many")
    tp, fp = int((planted > threshold).sum()), int((left_out > threshold).sum())
    bad = (1 - level) / 2  # half for each rate
    tpr, tnr = _lower(tp, trials, bad), _lower(trials - fp, trials, bad)
    fpr, fnr = 1 - tnr, 1 - tpr
    found = [math.log((rate - delta) / against) for rate, against in ((tpr, fpr), (tnr, fnr)) if rate > delta]
    return Bound(max([0.0, *found]), level, threshold, tp, fp, trials)


def best_threshold(planted: NDArray[np.float64], left_out: NDArray[np.float64], delta: float) -> float:
    """Return the threshold with the highest bound on these scores; bound it on other trials than these."""
    values = np.unique(np.concatenate([planted, left_out]))
    cuts = (values[:-1] + values[1:]) / 2 if values.size > 1 else values
    bounds = [epsilon_bound(planted, left_out, delta, threshold=float(cut)).epsilon for cut in cuts]
    return float(cuts[int(np.argmax(bounds))])


def largest_bound(trials: int, delta: float, level: float = 0.95) -> float:
    """Return the bound that a perfect attack would reach in so many trials: what the audit can show at most."""
    return epsilon_bound(np.ones(trials), np.zeros(trials), delta, threshold=0.5, level=level).epsilon


def _lower(successes: int, trials: int, bad: float) -> float:
    return float(stats.beta.ppf(bad, successes, trials - successes + 1)) if successes else 0.0
