"""Medians over hospitals from secure sums of counts: exact, and without anybody naming a range.

Non-negative floats are ordered as their bits are, read as integers, and negative ones the other way round. So the
median can be searched by halving among all float32 there are: 32 questions, each the same to every hospital, "how many
of your values are at most t?", whose answers add up. What becomes known is the 32 sums for each input, no hospital's.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from bfl_stpc.errors import FederatedError

LARGEST = 0x7F7FFFFF  # the bits of the largest finite float32
Counts = NDArray[np.int64]


def count_at_most(X: NDArray[np.float32], threshold: NDArray[np.float32]) -> Counts:
    """Return what a hospital answers, int64 (d,): how many recorded values of X (n, d) are at most threshold (d,)."""
    return (threshold >= X).sum(axis=0)  # a comparison with NaN is false: missing values count nowhere


def medians(ask: Callable[[NDArray[np.float32]], Counts], inputs: int) -> NDArray[np.float32]:
    """Return the lower median of each input over all hospitals, float32 (d,): a value that was recorded.

    Args:
        ask: told thresholds float32 (d,), returns the sums of all hospitals' `count_at_most`, (d,).
        inputs: d.

    Raises:
        FederatedError: an input is recorded nowhere, so that it has no median.
    """
    recorded = ask(np.full(inputs, np.finfo(np.float32).max, np.float32))
    if (recorded < 1).any():
        raise FederatedError(f"inputs {np.flatnonzero(recorded < 1).tolist()} are recorded nowhere: leave them out")
    half = (recorded + 1) // 2
    low, high = np.full(inputs, -LARGEST - 1, np.int64), np.full(inputs, LARGEST, np.int64)
    while (low < high).any():
        middle = (low + high) >> 1
        enough = ask(_value(middle)) >= half
        low, high = np.where(enough, low, middle + 1), np.where(enough, middle, high)
    return _value(low)


def _value(rank: NDArray[np.int64]) -> NDArray[np.float32]:
    """Return the float32 whose place among all of them is `rank`, counted from +0; -1 is -0."""
    bits = np.where(rank >= 0, rank, (-1 - rank) | 0x80000000)
    return bits.astype(np.uint32).view(np.float32)
