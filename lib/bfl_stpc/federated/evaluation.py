"""How good a model is on held-out patients."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit
from sklearn.metrics import log_loss, roc_auc_score, roc_curve

from bfl_stpc.errors import FederatedError
from bfl_stpc.federated.model import Mlp


@dataclass(frozen=True)
class Metrics:
    """Metrics of one model on one set of patients.

    Attributes:
        accuracy: share classified correctly at probability 1/2.
        auc: area under the ROC curve; NaN where all labels are equal.
        log_loss: mean negative log-likelihood, in nats.
        patients: how many there were.
    """

    accuracy: float
    auc: float
    log_loss: float
    patients: int


def predict(weights: NDArray[np.float32], spec: Mlp, X: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return the predicted probabilities float64 (n,) for scaled inputs float32 (n, d)."""
    hidden = np.asarray(X, np.float64)
    layers = spec.unflatten(np.asarray(weights))
    for number, (kernel, bias) in enumerate(layers):
        hidden = hidden @ kernel.astype(np.float64) + bias
        if number < len(layers) - 1:
            hidden = np.maximum(hidden, 0)
    return expit(hidden[:, 0])


def evaluate(weights: NDArray[np.float32], spec: Mlp, X: NDArray[np.float32], y: NDArray) -> Metrics:
    """Return the metrics of a model on patients X float32 (n, d), y (n,).

    Raises:
        FederatedError: there are no patients.
    """
    if len(y) == 0:
        raise FederatedError("there are no patients to evaluate on")
    p = predict(weights, spec, X)
    auc = float(roc_auc_score(y, p)) if len(np.unique(y)) == 2 else float("nan")
    clipped = np.clip(p, 1e-7, 1 - 1e-7)
    return Metrics(float(np.mean((p >= 0.5) == y)), auc, float(log_loss(y, clipped, labels=[0, 1])), len(y))


def roc(y: NDArray, p: NDArray, grid: NDArray) -> NDArray[np.float64]:
    """Return the true-positive rate, float64 like `grid`, at the false-positive rates `grid`, interpolated.

    Raises:
        FederatedError: all labels are equal, so that there is no curve.
    """
    if len(np.unique(y)) < 2:
        raise FederatedError("all labels are equal: there is no ROC curve")
    false, true, _ = roc_curve(y, p, drop_intermediate=False)
    return np.interp(grid, false, true)


def calibration(y: NDArray, p: NDArray, bins: int = 10) -> dict[str, NDArray]:
    """Return the reliability of predictions p (n,) in `bins` groups of equal size, ordered by p.

    Keys: `predicted` (mean p), `observed` (share of y = 1), `patients`, each (bins,).

    Raises:
        FederatedError: fewer patients than bins.
    """
    if len(y) < bins:
        raise FederatedError(f"{len(y)} patients for {bins} bins: ask for fewer bins")
    groups = np.array_split(np.argsort(p, kind="stable"), bins)
    return {
        "predicted": np.array([np.mean(p[g]) for g in groups]),
        "observed": np.array([np.mean(y[g]) for g in groups]),
        "patients": np.array([g.size for g in groups]),
    }
