"""Robust rules: one update from many of which some lie. They run over group means, or over single updates.

Each takes rows float64 (n, p) and returns float64 (p,). Over single updates they are what a server without secure
aggregation could do; with it, no one sees the rows and only the groups' means are left.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from bfl_stpc.errors import ConfigError

Rows = NDArray[np.float64]


def mean(rows: Rows, bad: int = 0) -> Rows:
    """Return the mean: no defence."""
    return rows.mean(0)


def median(rows: Rows, bad: int = 0) -> Rows:
    """Return the median of each coordinate (Yin et al. 2018): right while fewer than half of the rows lie."""
    return np.median(rows, axis=0)


def trimmed_mean(rows: Rows, bad: int) -> Rows:
    """Return the mean of each coordinate without its `bad` lowest and highest values (Yin et al. 2018)."""
    cut = _fewer_than_half(len(rows), bad)
    return np.sort(rows, axis=0)[cut : len(rows) - cut].mean(0)


def krum_scores(rows: Rows, bad: int) -> NDArray[np.float64]:
    """Return Krum's score of each row (n,): its squared distances to its n − bad − 2 nearest, summed; low is good."""
    square = (rows**2).sum(1)
    distances = np.maximum(square[:, None] + square[None, :] - 2 * rows @ rows.T, 0)
    near = max(1, len(rows) - bad - 2)
    return np.sort(distances, axis=1)[:, 1 : 1 + near].sum(1)


def krum(rows: Rows, bad: int) -> Rows:
    """Return the one row with the lowest Krum score (Blanchard et al. 2017); with one or two rows their mean."""
    if len(rows) < 3:
        return mean(rows)
    return rows[np.argmin(krum_scores(rows, bad))]


def multi_krum(rows: Rows, bad: int) -> Rows:
    """Return the mean of the n − bad rows with the lowest Krum scores, at least one."""
    if len(rows) < 3:
        return mean(rows)
    kept = np.argsort(krum_scores(rows, bad), kind="stable")[: max(1, len(rows) - bad)]
    return rows[np.sort(kept)].mean(0)


RULES: dict[str, Callable[[Rows, int], Rows]] = {
    "mean": mean,
    "median": median,
    "trimmed mean": trimmed_mean,
    "Krum": krum,
    "multi-Krum": multi_krum,
}


def rule(name: str) -> Callable[[Rows, int], Rows]:
    """Return a rule by its name.

    Raises:
        ConfigError: there is none of that name.
    """
    if name not in RULES:
        raise ConfigError(f"no rule {name!r}: there are {', '.join(RULES)}")
    return RULES[name]


def _fewer_than_half(rows: int, bad: int) -> int:
    return max(0, min(bad, (rows - 1) // 2))
