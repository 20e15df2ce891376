"""The ceiling: the best accuracy and AUC that any classifier can reach, computed exactly from p."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bfl_stpc.errors import DataError


@dataclass(frozen=True)
class Ceiling:
    """What the Bayes classifier reaches on patients whose outcomes are y ~ Bernoulli(p).

    Attributes:
        accuracy: expected share of right answers, mean(max(p, 1 − p)).
        accuracy_sd: standard deviation of the realised share, over redraws of y at these patients.
        auc: Σ_{i≠j} p_i (1 − p_j) (1[p_i > p_j] + ½·1[p_i = p_j]) ÷ Σ_{i≠j} p_i (1 − p_j): expected
            concordant pairs over expected pairs.
        majority: expected accuracy of the better constant answer, the negative control.
        prevalence: mean(p).
        patients: number of patients.
    """

    accuracy: float
    accuracy_sd: float
    auc: float
    majority: float
    prevalence: float
    patients: int


def ceiling(p: np.ndarray) -> Ceiling:
    """Return the exact ceiling for true probabilities p, float (n,), in O(n log n).

    Raises:
        DataError: p is empty, not one-dimensional or leaves [0, 1], or no pair of patients can
            differ in outcome.
    """
    p = _checked(p)
    values, inverse = np.unique(p, return_inverse=True)
    sick = np.bincount(inverse, weights=p, minlength=values.size)
    well = np.bincount(inverse, weights=1 - p, minlength=values.size)
    own = float((p * (1 - p)).sum())  # the pairs i = j, which are none
    pairs = float(sick.sum() * well.sum()) - own
    if pairs <= 0:
        raise DataError("no two patients can differ in outcome, so the AUC is undefined: give other probabilities")
    below = np.cumsum(well) - well
    concordant = float((sick * (below + well / 2)).sum()) - own / 2
    prevalence = float(p.mean())
    return Ceiling(
        accuracy=float(np.maximum(p, 1 - p).mean()),
        accuracy_sd=float(np.sqrt(own) / p.size),
        auc=concordant / pairs,
        majority=max(prevalence, 1 - prevalence),
        prevalence=prevalence,
        patients=int(p.size),
    )


def bayes_roc(p: np.ndarray, points: int | None = None) -> dict[str, np.ndarray]:
    """Return the Bayes ROC curve: expected rates at every distinct threshold, as float64 arrays.

    Keys: `fpr`, `tpr` (ratios of expectations) from (0, 0) to (1, 1), and `threshold` (answer yes
    where p is at least this). `points` thins the curve to at most so many, evenly along its length.

    Raises:
        DataError: as `ceiling`.
    """
    p = _checked(p)
    order = np.sort(p)[::-1]
    last = np.append(np.flatnonzero(np.diff(order)), order.size - 1)
    sick, well = np.cumsum(order)[last], np.cumsum(1 - order)[last]
    if sick[-1] <= 0 or well[-1] <= 0:
        raise DataError("only one outcome can occur, so there is no ROC curve: give other probabilities")
    fpr = np.append(0.0, well / well[-1])
    tpr = np.append(0.0, sick / sick[-1])
    threshold = np.append(np.inf, order[last])
    if points is not None and points < fpr.size:
        length = fpr + tpr
        keep = np.unique(np.searchsorted(length, np.linspace(0, length[-1], points)).clip(0, fpr.size - 1))
        fpr, tpr, threshold = fpr[keep], tpr[keep], threshold[keep]
    return {"fpr": fpr, "tpr": tpr, "threshold": threshold}


def _checked(p: np.ndarray) -> np.ndarray:
    p = np.asarray(p, dtype=np.float64)
    if p.ndim != 1 or p.size == 0:
        raise DataError(f"probabilities have shape {p.shape}; give one number a patient")
    bad = np.flatnonzero(~((p >= 0) & (p <= 1)))
    if bad.size:
        raise DataError(f"probability {p[bad[0]]} of patient {bad[0]} leaves [0, 1]")
    return p
