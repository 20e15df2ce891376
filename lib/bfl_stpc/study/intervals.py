"""Intervals over seeds, and of shares."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from bfl_stpc.errors import ConfigError
from bfl_stpc.lazy import Lazy

if TYPE_CHECKING:
    from scipy import stats
else:
    stats = Lazy("scipy.stats")


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


def wilson_interval(successes: int, trials: int, *, level: float = 0.95) -> tuple[float, float]:
    """Return Wilson's score interval of a share: sound at 0 and 1, where the usual one has no width.

    >>> low, high = wilson_interval(50, 50)
    >>> round(low, 3), high
    (0.929, 1.0)
    """
    if not 0 <= successes <= trials or trials == 0:
        raise ConfigError(f"{successes} of {trials} is no share")
    interval = stats.binomtest(successes, trials).proportion_ci(level, "wilson")
    return float(interval.low), float(interval.high)
