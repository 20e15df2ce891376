"""How good a model is on held-out patients."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray
from sklearn.metrics import log_loss, roc_auc_score

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
    logits = spec.logits(tf.constant(weights), tf.constant(X))
    return tf.sigmoid(logits).numpy().astype(np.float64)


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
