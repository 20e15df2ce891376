"""What the server does with the mean update: plain averaging, momentum, FedAdam or FedYogi."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from bfl_stpc.errors import FederatedError

Vector = NDArray[np.float64]


class ServerStep(Protocol):
    """A server optimiser as a value: `apply` returns the new weights and the optimiser of the next round."""

    def apply(self, weights: NDArray[np.float32], mean: Vector) -> tuple[NDArray[np.float32], ServerStep]:
        """Return new weights float32 (d,), and the optimiser with its state moved on."""


@dataclass(frozen=True)
class Averaging:
    """FedAvg (McMahan et al. 2017): add the mean update times `rate`.

    Attributes:
        rate: server learning rate; 1 replaces the weights by the mean of the hospitals' weights.
    """

    rate: float = 1.0

    def apply(self, weights: NDArray[np.float32], mean: Vector) -> tuple[NDArray[np.float32], Averaging]:
        """Return the new weights float32 (d,) and this optimiser, which has no state."""
        return apply_update(weights, self.rate * _checked(weights, mean)), self


@dataclass(frozen=True)
class Momentum:
    """FedAvgM (Hsu et al. 2019): the server keeps a velocity v ← βv + Δ and adds `rate`·v.

    Attributes:
        rate: server learning rate.
        beta: share of the velocity that is kept.
        velocity: float64 (d,), None before the first round.
    """

    rate: float = 1.0
    beta: float = 0.9
    velocity: Vector | None = field(default=None, repr=False)

    def apply(self, weights: NDArray[np.float32], mean: Vector) -> tuple[NDArray[np.float32], Momentum]:
        """Return the new weights float32 (d,) and the optimiser with the new velocity."""
        mean = _checked(weights, mean)
        velocity = mean if self.velocity is None else self.beta * self.velocity + mean
        return apply_update(weights, self.rate * velocity), replace(self, velocity=velocity)


@dataclass(frozen=True)
class FedAdam:
    """FedAdam (Reddi et al. 2021, algorithm 2): Adam on the mean update as if it were a gradient, bias-corrected.

    Attributes:
        rate: server learning rate η.
        beta1, beta2: shares of the first and second moment that are kept.
        adaptivity: τ, added to the root of the second moment.
        moments: (m, v, rounds so far), None before the first round.
    """

    rate: float = 0.01
    beta1: float = 0.9
    beta2: float = 0.99
    adaptivity: float = 1e-3
    moments: tuple[Vector, Vector, int] | None = field(default=None, repr=False)

    def apply(self, weights: NDArray[np.float32], mean: Vector) -> tuple[NDArray[np.float32], FedAdam]:
        """Return the new weights float32 (d,) and the optimiser with the new moments."""
        mean = _checked(weights, mean)
        m, v, t = self.moments or (np.zeros(mean.size), np.zeros(mean.size), 0)
        m, v, t = self.beta1 * m + (1 - self.beta1) * mean, self._second(v, mean**2), t + 1
        step = (m / (1 - self.beta1**t)) / (np.sqrt(v / (1 - self.beta2**t)) + self.adaptivity)
        return apply_update(weights, self.rate * step), replace(self, moments=(m, v, t))

    def _second(self, v: Vector, square: Vector) -> Vector:
        return self.beta2 * v + (1 - self.beta2) * square


@dataclass(frozen=True)
class FedYogi(FedAdam):
    """FedYogi (Reddi et al. 2021, algorithm 2): FedAdam whose second moment moves by a bounded amount.

    Where updates become small, Adam's second moment forgets the large ones quickly and steps grow; Yogi's shrinks by
    at most (1 − β₂)·Δ² a round.
    """

    def _second(self, v: Vector, square: Vector) -> Vector:
        return v - (1 - self.beta2) * square * np.sign(v - square)


def weighted_mean(updates: Sequence[NDArray[np.float32]], weights: Sequence[float]) -> Vector:
    """Return Σ wₖ Δₖ ÷ Σ wₖ, float64 (d,), in the clear; `stpc` computes the same without seeing a Δₖ.

    Raises:
        FederatedError: nothing to average, a weight for each is missing, or the weights do not add up to more than 0.
    """
    w = np.asarray(weights, np.float64)
    if not len(updates) or w.shape != (len(updates),) or (w < 0).any() or not w.sum() > 0:
        raise FederatedError(f"{len(updates)} updates and weights {w.tolist()}: one each, none negative, not all 0")
    return np.tensordot(w / w.sum(), np.asarray(updates, np.float64), axes=1)


def apply_update(weights: NDArray[np.float32], mean: Vector) -> NDArray[np.float32]:
    """Return the new global weights float32 (d,): federated averaging with server learning rate 1 (McMahan 2017).

    Raises:
        FederatedError: the mean update has another shape, or is not finite.
    """
    return (weights + _checked(weights, mean)).astype(np.float32)


def _checked(weights: NDArray[np.float32], mean: Vector) -> Vector:
    mean = np.asarray(mean, np.float64)
    if mean.shape != weights.shape or not np.isfinite(mean).all():
        raise FederatedError(f"mean update of shape {mean.shape} for weights {weights.shape}, or not finite")
    return mean
