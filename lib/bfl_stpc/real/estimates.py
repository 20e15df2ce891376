"""Scores of predictions with intervals over patients: with a few hundred of them, chance is most of what one sees.

Patients are resampled (Efron's bootstrap, percentiles); hospitals and trained models stay as they are. Where a study
has several seeds, a score is the mean over them, and every seed sees the same resample, so that the interval is of the
patients and not of the seeds. All scores are computed from counts: how often a resample holds each patient.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from bfl_stpc.errors import DataError
from bfl_stpc.seeds import generator

Vector = NDArray[np.float64]
# (predicted probabilities (n,), outcomes (n,), counts (b, n)) -> scores (b,), NaN where a resample has none.
Metric = Callable[[Vector, NDArray, Vector], Vector]
DRAWS = 1000


@dataclass(frozen=True)
class Scored:
    """Predictions for patients that the predicting model has not seen.

    Attributes:
        p: predicted probabilities float64 (s, n), one row a seed.
        y: outcomes (n,).
        hospital: (n,) index of each patient's hospital.
        rows: (n,) the patients' rows in the table.

    Raises:
        DataError: parts disagree in length, or a prediction is no probability.
    """

    p: Vector = field(repr=False)
    y: NDArray = field(repr=False)
    hospital: NDArray = field(repr=False)
    rows: NDArray[np.int64] = field(repr=False)

    def __post_init__(self) -> None:
        n = len(self.y)
        if self.p.ndim != 2 or {self.p.shape[1], len(self.hospital), len(self.rows)} != {n} or not self.p.size:
            raise DataError(f"predictions {self.p.shape} for {n} patients: one for each under every seed")
        if not ((self.p >= 0) & (self.p <= 1)).all():
            raise DataError("a prediction is no probability")

    def only(self, kept: NDArray[np.bool_]) -> Scored:
        """Return the patients that bool (n,) `kept` marks."""
        return Scored(self.p[:, kept], self.y[kept], self.hospital[kept], self.rows[kept])


@dataclass(frozen=True)
class Estimate:
    """A score with its 95 % interval over patients; NaN where it is not defined, as the AUC of equal outcomes."""

    value: float
    low: float
    high: float
    patients: int

    @property
    def interval(self) -> tuple[float, float]:
        """The ends of the interval."""
        return self.low, self.high

    def __str__(self) -> str:
        if np.isnan(self.value):
            return "–"
        return f"{self.value:.3f} [{self.low:.3f}, {self.high:.3f}]"


def accuracy(p: Vector, y: NDArray, counts: Vector) -> Vector:
    """Return the share answered rightly at probability ½."""
    return counts @ ((p >= 0.5) == y) / counts.sum(1)


def balanced_accuracy(p: Vector, y: NDArray, counts: Vector) -> Vector:
    """Return the mean of sensitivity and specificity at probability ½: a constant answer has ½, whatever the shares."""
    with np.errstate(invalid="ignore"):
        rates = [counts @ (((p >= 0.5) == y) * (y == label)) / (counts @ (y == label)) for label in (0, 1)]
    return np.mean(rates, axis=0)


def brier(p: Vector, y: NDArray, counts: Vector) -> Vector:
    """Return the mean squared error of the probabilities (Brier 1950); lower is better."""
    return counts @ ((p - y) ** 2) / counts.sum(1)


def log_loss(p: Vector, y: NDArray, counts: Vector) -> Vector:
    """Return the mean negative log-likelihood, in nats; lower is better."""
    likelihood = np.clip(np.where(y == 1, p, 1 - p), 1e-7, 1)
    return counts @ -np.log(likelihood) / counts.sum(1)


def auc(p: Vector, y: NDArray, counts: Vector) -> Vector:
    """Return the area under the ROC curve, ties counting half."""
    order = np.argsort(p, kind="stable")
    starts = np.flatnonzero(np.append(True, np.diff(p[order]) > 0))
    sick = np.add.reduceat(counts[:, order] * (y[order] == 1), starts, axis=1)
    well = np.add.reduceat(counts[:, order] * (y[order] == 0), starts, axis=1)
    concordant = (sick * (np.cumsum(well, axis=1) - well / 2)).sum(1)
    with np.errstate(invalid="ignore"):
        return concordant / (sick.sum(1) * well.sum(1))


def net_benefit(threshold: float) -> Metric:
    """Return the net benefit of treating whoever's risk is at least `threshold` t (Vickers and Elkin 2006).

    True positives less false positives at the exchange rate t / (1 − t), a patient: whoever would treat at a risk of
    10 % accepts nine needless treatments for one that was needed. Treating nobody has 0.
    """

    def benefit(p: Vector, y: NDArray, counts: Vector) -> Vector:
        treated = p >= threshold
        gained = treated * ((y == 1) - (y == 0) * threshold / (1 - threshold))
        return counts @ gained / counts.sum(1)

    return benefit


def sensitivity(threshold: float) -> Metric:
    """Return the share of the ill whose predicted risk is at least `threshold`."""

    def found(p: Vector, y: NDArray, counts: Vector) -> Vector:
        with np.errstate(invalid="ignore"):
            return counts @ ((p >= threshold) * (y == 1)) / (counts @ (y == 1))

    return found


def excess_risk(p: Vector, y: NDArray, counts: Vector) -> Vector:
    """Return the mean predicted risk less the share of the ill: 0 is calibrated in the large."""
    return counts @ (p - y) / counts.sum(1)


def estimate(metric: Metric, scored: Scored, *, draws: int = DRAWS) -> Estimate:
    """Return the mean score over seeds with its interval over patients; one patient or none has no interval."""
    return _estimate([metric], [scored], draws, lambda scores: scores[0])


def difference(metric: Metric, one: Scored, other: Scored, *, draws: int = DRAWS) -> Estimate:
    """Return the score of `one` less that of `other` on the same patients, which chance hits alike.

    Raises:
        DataError: they are of other patients.
    """
    if not np.array_equal(one.rows, other.rows):
        raise DataError("the two sets of predictions are of other patients: there is no difference between them")
    return _estimate([metric, metric], [one, other], draws, lambda scores: scores[0] - scores[1])


def _estimate(
    metrics: list[Metric], parts: list[Scored], draws: int, combine: Callable[[list[Vector]], Vector]
) -> Estimate:
    n = len(parts[0].y)
    drawn = generator("real", "bootstrap", n).multinomial(n, np.full(n, 1 / n), size=draws).astype(np.float64)
    counts = np.concatenate([np.ones((1, n)), drawn])
    means = [np.mean([m(p, s.y, counts) for p in s.p], axis=0) for m, s in zip(metrics, parts)]
    scores = combine(means)
    known = scores[1:][~np.isnan(scores[1:])]
    # Where most resamples have no score, the percentiles of the rest are of another population.
    if np.isnan(scores[0]) or known.size < draws / 2:
        return Estimate(float(scores[0]), np.nan, np.nan, n)
    low, high = np.percentile(known, [2.5, 97.5])
    return Estimate(float(scores[0]), float(low), float(high), n)


def verdict(discrimination: Estimate) -> str:
    """Return what an AUC says: whether there is anything to learn, as far as these patients can tell."""
    if np.isnan(discrimination.low):
        return "Too few patients, or one outcome only: whether there is anything to learn cannot be told."
    if discrimination.low <= 0.5:
        return f"There is nothing to learn here, as far as can be told: AUC {discrimination} includes a coin's 0.5."
    return f"There is something to learn: AUC {discrimination} lies above a coin's 0.5."
