"""How good a model is on held-out patients."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, logit

from bfl_stpc.errors import FederatedError
from bfl_stpc.federated.model import Mlp
from bfl_stpc.lazy import Lazy

if TYPE_CHECKING:
    from sklearn import linear_model, metrics
else:
    linear_model = Lazy("sklearn.linear_model")
    metrics = Lazy("sklearn.metrics")


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
    auc = float(metrics.roc_auc_score(y, p)) if len(np.unique(y)) == 2 else float("nan")
    clipped = np.clip(p, 1e-7, 1 - 1e-7)
    return Metrics(float(np.mean((p >= 0.5) == y)), auc, float(metrics.log_loss(y, clipped, labels=[0, 1])), len(y))


def optimum(X: NDArray[np.float32], y: NDArray, penalty: float = 1.0) -> NDArray[np.float32]:
    """Return the flat weights float32 (d + 1,) of the logistic regression that fits pooled records best (L-BFGS).

    It minimises the sum of log losses plus penalty/2·‖w‖². No federation reaches more with this model: what a trained
    one lacks to it is the optimiser's fault.
    """
    fitted = linear_model.LogisticRegression(C=1 / penalty, tol=1e-6, max_iter=3000).fit(X, y)
    return np.concatenate([fitted.coef_[0], fitted.intercept_]).astype(np.float32)


def expected_gap(p: NDArray, truth: NDArray) -> float:
    """Return the points of expected accuracy that deciding by p > 1/2 loses to the Bayes rule.

    Where the decision differs from that by the true probability, it loses exactly |2·truth − 1| in expectation, so
    this does not wobble with the outcomes that happened to be drawn.

    Args:
        p: predicted probabilities (n,).
        truth: true probabilities (n,), which only a synthetic cohort knows.

    Raises:
        FederatedError: there are no patients, or not one truth for each prediction.
    """
    if p.shape != truth.shape or not p.size:
        raise FederatedError(f"{p.shape} predictions, {truth.shape} true probabilities: one each, at least one")
    return float(100 * np.mean(np.abs(2 * truth - 1) * ((p > 0.5) != (truth > 0.5))))


def roc(y: NDArray, p: NDArray, grid: NDArray) -> NDArray[np.float64]:
    """Return the true-positive rate, float64 like `grid`, at the false-positive rates `grid`, interpolated.

    Raises:
        FederatedError: all labels are equal, so that there is no curve.
    """
    if len(np.unique(y)) < 2:
        raise FederatedError("all labels are equal: there is no ROC curve")
    false, true, _ = metrics.roc_curve(y, p, drop_intermediate=False)
    return np.interp(grid, false, true)


EDGES = (0.001, 0.01, 0.05, 0.2, 0.5, 0.8, 0.95, 0.99, 0.999)  # of predicted risk; most patients lie at the ends


def calibration(y: NDArray, p: NDArray, edges: Sequence[float] = EDGES) -> dict[str, NDArray]:
    """Return the reliability of predictions p (n,) in groups of patients whose risk lies between two edges.

    Keys: `predicted` (mean p), `observed` (share of y = 1), `patients`, each (g,); empty groups are left out.

    Raises:
        FederatedError: there are no patients.
    """
    if len(y) == 0:
        raise FederatedError("there are no patients to calibrate on")
    group = np.digitize(p, edges)
    kept = [group == g for g in np.unique(group)]
    return {
        "predicted": np.array([np.mean(p[rows]) for rows in kept]),
        "observed": np.array([np.mean(y[rows]) for rows in kept]),
        "patients": np.array([rows.sum() for rows in kept]),
    }


def calibration_slope(y: NDArray, p: NDArray) -> float:
    """Return the slope of a logistic regression of y on the logit of p (Cox 1958).

    1 is calibrated; below 1 the predictions are too sure, above 1 too cautious.

    Raises:
        FederatedError: all labels are equal.
    """
    if len(np.unique(y)) < 2:
        raise FederatedError("all labels are equal: there is no slope")
    odds = logit(np.clip(p, 1e-9, 1 - 1e-9))[:, None]
    return float(linear_model.LogisticRegression(C=np.inf, tol=1e-8, max_iter=1000).fit(odds, y).coef_[0, 0])
