"""What an update says about facts that the attacker wonders about: a likelihood ratio between two answers.

Over m records a hospital's summed gradient is nearly normal: its mean is m times the mean gradient of patients like
these, its covariance m times theirs, both of which the attacker estimates on its own patients. A fact about a patient
or about the hospital shifts the mean, and the ratio of the two densities says which answer fits better. The attacker
estimates from the view itself how much further noise is in it. Where plain noise fits the view better than either
answer, it says nothing: neither should the attacker.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from bfl_stpc.federated import Mlp
from bfl_stpc.privacy.ghost import backpropagate

NOISE = np.geomspace(1e-9, 10, 41)  # of the view's own mean square: candidates for the variance of further noise


def gradients(
    spec: Mlp, weights: NDArray[np.float32], X: NDArray[np.float32], y: NDArray, clip: float = np.inf
) -> NDArray[np.float64]:
    """Return each record's own gradient, float64 (n, p), clipped to Euclidean norm `clip`."""
    inputs, deltas = backpropagate(spec, tf.constant(weights), tf.constant(X), tf.constant(y, tf.float32))
    parts = [np.einsum("ni,no->nio", a, d).reshape(len(X), -1) for a, d in zip(inputs, deltas)]
    wide = np.concatenate(parts, axis=1).astype(np.float64)
    norms = np.linalg.norm(wide, axis=1, keepdims=True)
    return wide * np.minimum(1.0, clip / np.maximum(norms, 1e-30))


@dataclass(frozen=True)
class Population:
    """Gradients of patients like the victims: their mean and the axes along which they vary.

    Attributes:
        mean: float64 (p,).
        axes: float64 (p, p), orthonormal columns.
        variances: float64 (p,), along them.
    """

    mean: NDArray[np.float64] = field(repr=False)
    axes: NDArray[np.float64] = field(repr=False)
    variances: NDArray[np.float64] = field(repr=False)

    @classmethod
    def of(cls, records: NDArray[np.float64]) -> Population:
        """Return the population of which the gradients (n, p) of `records` are a sample."""
        mean = records.mean(axis=0)
        variances, axes = np.linalg.eigh(np.cov(records, rowvar=False))
        return cls(mean, axes, np.maximum(variances, 0))


def evidence(
    views: NDArray[np.float64],
    no: NDArray[np.float64],
    yes: NDArray[np.float64],
    records: int,
    population: Population,
) -> NDArray[np.float64]:
    """Return log p(view | yes) − log p(view | no), float64 (v,), in nats; 0 where the view fits noise better.

    Args:
        views: summed gradients as seen, (v, p).
        no, yes: their expected values under either answer, (v, p).
        records: other records inside each view.
        population: of the gradients of those.
    """
    seen = (views - (no + yes) / 2) @ population.axes
    shift = (yes - no) @ population.axes
    expected = records * population.variances
    square = np.mean(seen**2, axis=1)
    best, noise = np.full(len(views), np.inf), np.zeros(len(views))
    for share in NOISE:
        total = expected + share * square[:, None]
        cost = np.mean(np.log(total) + seen**2 / total, axis=1)
        better = cost < best
        best[better], noise[better] = cost[better], (share * square)[better]
    ratio = (shift * seen / (expected + noise[:, None])).sum(axis=1)
    return np.where(best < np.log(np.mean(views**2, axis=1)) + 1, ratio, 0.0)
