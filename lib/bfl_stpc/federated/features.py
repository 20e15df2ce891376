"""Model inputs from recorded values: logarithms, squares and hinges, as a clinician reads a chart.

A value far from normal, on either side, is what alarms. Each measured quantity therefore enters as itself (its
logarithm where it is skewed), as its square, and as its excess over four thresholds on each side of the mean. The
thresholds are the same for all quantities and count in standard deviations, so that nothing is fitted to the outcome.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bfl_stpc.errors import FederatedError
from bfl_stpc.federated.scaling import Scaler, statistics

THRESHOLDS = (0.5, 1.0, 2.0, 3.0)  # standard deviations from the mean


def logarithms(X: NDArray[np.float32], skewed: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Return X float32 (n, d) with the natural logarithm in the columns marked by `skewed` (d,); NaN stays NaN.

    Raises:
        FederatedError: a skewed input holds a value that is not positive.
    """
    bad = np.flatnonzero(skewed & (np.nanmin(np.where(np.isnan(X), np.inf, X), axis=0, initial=np.inf) <= 0))
    if bad.size:
        raise FederatedError(f"input {bad[0]} is marked as skewed but holds values that are not positive")
    result = X.astype(np.float32, copy=True)
    result[:, skewed] = np.log(result[:, skewed])
    return result


@dataclass(frozen=True)
class Inputs:
    """How recorded values become model inputs; the same at every hospital.

    Attributes:
        scaler: of the recorded values, after logarithms.
        skewed: bool (d,), inputs of which the logarithm is taken.
        measured: indices of the inputs that are expanded; the others are flags and counts.
        marked: indices of the inputs whose absence is shown to the model.
        thresholds: of the hinges, in standard deviations from the mean, on both sides; empty for none.
        squares: whether squares are added.
    """

    scaler: Scaler
    skewed: NDArray[np.bool_]
    measured: NDArray[np.int64]
    marked: NDArray[np.int64]
    thresholds: tuple[float, ...] = THRESHOLDS
    squares: bool = True

    @property
    def width(self) -> int:
        """Number of model inputs."""
        extra = self.measured.size * (self.squares + 2 * len(self.thresholds))
        return self.skewed.size + self.marked.size + extra

    def transform(self, X: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the model's inputs float32 (n, width) for recorded values X float32 (n, d), NaN where missing."""
        scaled = self.scaler.transform(logarithms(X, self.skewed), self.marked)
        z = scaled[:, self.measured]
        hinges = [np.maximum(sign * z - t, 0) for sign in (1, -1) for t in self.thresholds]
        # A third, so that the square of a common z does not outweigh z itself.
        squares = [z**2 / 3] if self.squares else []
        return np.concatenate([scaled, *squares, *hinges], axis=1).astype(np.float32)


def shared_inputs(
    X: NDArray[np.float32],
    hospital: NDArray,
    rows: NDArray[np.int64],
    *,
    skewed: NDArray[np.bool_],
    measured: NDArray[np.int64],
    thresholds: tuple[float, ...] = THRESHOLDS,
    squares: bool = True,
) -> Inputs:
    """Return the inputs that all hospitals share, scaled by the sum of their statistics over `rows`.

    Args:
        X: recorded values float32 (n, d), NaN where missing.
        hospital: (n,) whose patient each row is.
        rows: training rows, the only ones that are read.
        skewed, measured, thresholds, squares: as in `Inputs`; absence is marked for the measured inputs.

    Raises:
        FederatedError: an input is recorded nowhere, or a skewed one is not positive.
    """
    parts = [hospital_statistics(X[rows[hospital[rows] == k]], skewed) for k in np.unique(hospital[rows])]
    return Inputs(Scaler.from_statistics(np.sum(parts, axis=0)), skewed, measured, measured, thresholds, squares)


def hospital_statistics(X: NDArray[np.float32], skewed: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Return what a hospital adds to the secure sum of `Scaler.from_statistics`, float64 (3d,), after logarithms."""
    return statistics(logarithms(X, skewed))
