"""Intervals over seeds."""

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats


def mean_interval(values: ArrayLike, *, level: float = 0.95) -> tuple[float, tuple[float, float] | None]:
    """Return the mean of `values` (n,) over seeds and its interval by Student's t; no interval for one seed.

    >>> mean_interval([1.0, 2.0, 3.0])[0]
    2.0
    """
    sample = np.asarray(values, dtype=float)
    mean = float(sample.mean())
    if sample.size < 2:
        return mean, None
    quantile = stats.t.ppf((1 + level) / 2, sample.size - 1)
    half = float(quantile * sample.std(ddof=1) / np.sqrt(sample.size))
    return mean, (mean - half, mean + half)
