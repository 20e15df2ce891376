"""Scaling without seeing data: each hospital's sums add up, so the secure sum can carry them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bfl_stpc.errors import FederatedError


def statistics(X: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return a hospital's statistics float64 (3d,): counts, sums and sums of squares of its recorded values.

    Missing values (NaN) count nowhere. The statistics of two hospitals together are the sum of theirs.
    """
    known = np.isfinite(X)
    values = np.where(known, X, 0).astype(np.float64)
    return np.concatenate([known.sum(0), values.sum(0), (values**2).sum(0)])


@dataclass(frozen=True)
class Scaler:
    """Standardises inputs and marks what is missing.

    Attributes:
        mean: float64 (d,) of the recorded values.
        deviation: float64 (d,) standard deviation of the recorded values, 1 where there is none.
        filling: float64 (d,) what stands for a missing value; the mean where None.
    """

    mean: NDArray[np.float64]
    deviation: NDArray[np.float64]
    filling: NDArray[np.float64] | None = None

    @classmethod
    def from_statistics(cls, total: NDArray[np.float64]) -> Scaler:
        """Return the scaler of the hospitals whose `statistics` add up to `total`.

        Raises:
            FederatedError: no hospital recorded one of the inputs, or the statistics are not those of numbers.
        """
        if total.ndim != 1 or total.size % 3:
            raise FederatedError(f"statistics of shape {total.shape}; three for each input are needed")
        count, sums, squares = total.reshape(3, -1)
        if (count < 1).any():
            raise FederatedError(f"inputs {np.flatnonzero(count < 1).tolist()} are recorded nowhere: leave them out")
        mean = sums / count
        variance = np.maximum(squares / count - mean**2, 0.0)
        deviation = np.sqrt(variance)
        # A constant input carries nothing; rounding must not blow it up.
        return cls(mean, np.where(deviation > 1e-9 * (1 + np.abs(mean)), deviation, 1.0))

    def transform(self, X: NDArray[np.float32], marked: NDArray[np.int64] | None = None) -> NDArray[np.float32]:
        """Return float32 (n, d + m): standardised values, filled where missing; then 1 where a marked input is missing.

        Args:
            X: float32 (n, d), NaN where missing.
            marked: indices (m,) of the inputs whose absence is shown to the model; all by default.
        """
        missing = ~np.isfinite(X)
        filling = self.mean if self.filling is None else self.filling
        scaled = (np.where(missing, filling, X) - self.mean) / self.deviation
        shown = missing if marked is None else missing[:, marked]
        # Far outliers of an instrument would dominate a small hospital's gradient.
        return np.concatenate([np.clip(scaled, -8, 8), shown], axis=1).astype(np.float32)
