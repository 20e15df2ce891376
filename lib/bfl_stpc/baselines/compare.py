"""Paired tests between systems over seeds, corrected for how many are made."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats

from bfl_stpc.ehr.splits import TRAIN, VALIDATION
from bfl_stpc.errors import ConfigError


@dataclass(frozen=True)
class Paired:
    """Ours less theirs over the same splits.

    Attributes:
        difference: mean, in the unit of the values.
        interval: 95 % interval of it; None for a single seed.
        p: two-sided, not yet corrected; 1 for a single seed, which shows nothing.
    """

    difference: float
    interval: tuple[float, float] | None
    p: float


def paired(ours: ArrayLike, theirs: ArrayLike, *, level: float = 0.95) -> Paired:
    """Return the paired comparison of two systems' values (k,), one a seed, by the corrected resampled t-test.

    The splits of several seeds share patients, so that their results are not independent: the variance of the mean
    is that of the differences times 1/k + n_test/n_train instead of 1/k (Nadeau and Bengio 2003).

    Raises:
        ConfigError: not one value of each for every seed.
    """
    a, b = np.asarray(ours, float), np.asarray(theirs, float)
    if a.shape != b.shape or a.ndim != 1 or not a.size:
        raise ConfigError(f"{a.shape} and {b.shape} values: give one of each for every seed")
    d, k = a - b, a.size
    mean = float(d.mean())
    if k < 2:
        return Paired(mean, None, 1.0)
    error = float(np.sqrt((1 / k + (1 - TRAIN - VALIDATION) / TRAIN) * d.var(ddof=1)))
    half = float(stats.t.ppf((1 + level) / 2, k - 1)) * error
    # Equal at every seed: no doubt is left about which is better.
    p = float(2 * stats.t.sf(abs(mean) / error, k - 1)) if error else float(mean == 0)
    return Paired(mean, (mean - half, mean + half), p)


def holm(p: Mapping[str, float]) -> dict[str, float]:
    """Return the p values corrected by Holm's step-down method (1979): each at most the family-wise error rate.

    >>> holm({"a": 0.01, "b": 0.04, "c": 0.03})
    {'a': 0.03, 'b': 0.06, 'c': 0.06}
    """
    corrected, so_far = {}, 0.0
    for rank, name in enumerate(sorted(p, key=p.__getitem__)):
        so_far = max(so_far, min(1.0, (len(p) - rank) * p[name]))
        corrected[name] = so_far
    return {name: corrected[name] for name in p}
