"""Sums over small random groups: what lets robust rules run where single updates stay hidden, and what that costs.

Each round the hospitals are dealt anew into groups by a block hash that no one could foresee; secure aggregation opens
each group's sum by itself. A group sum hides one update among `size`, not among all hospitals.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from math import comb

import numpy as np
from numpy.typing import NDArray

from bfl_stpc.errors import ConfigError

Groups = tuple[NDArray[np.int64], ...]


def draw_groups(block: bytes, number: int, hospitals: Sequence[str], size: int) -> Groups:
    """Return the groups of round `number`: for each the indices int64 into `hospitals`, at least `size` of them.

    The hospitals are ordered by SHA-256 of block hash, round and name, and cut into as many groups as fit. Anyone can
    repeat the draw; no one can steer it without steering the block hash.

    Args:
        block: hash (32 bytes) of a block that is later than the round's registration.
        number: of the round.
        hospitals: distinct names.
        size: fewest members of a group; 1 shows every update, the number of hospitals only the total.

    Raises:
        ConfigError: fewer hospitals than `size`, a size below 1, or a name twice.
    """
    if not 1 <= size <= len(hospitals) or len(set(hospitals)) != len(hospitals):
        raise ConfigError(f"{len(hospitals)} hospitals in groups of {size}: give 1 to their number, each name once")
    ticket = block + number.to_bytes(8, "big")
    places = [hashlib.sha256(ticket + name.encode()).digest() for name in hospitals]
    order = np.array(sorted(range(len(hospitals)), key=lambda i: places[i]), np.int64)
    return tuple(np.sort(part) for part in np.array_split(order, len(hospitals) // size))


def group_means(updates: NDArray[np.float64], groups: Groups) -> NDArray[np.float64]:
    """Return the mean update of each group, float64 (G, p), of updates (K, p): the opened sum by its public size."""
    return np.stack([updates[members].mean(0) for members in groups])


def clip(rows: NDArray[np.float64], bound: float) -> NDArray[np.float64]:
    """Return rows float64 (n, p), none longer than `bound`.

    The norm of an opened group sum is public, so this bound needs no proof. A bound on a single masked update would
    need a zero-knowledge range proof (RoFL, Lycklama et al. 2023; ACORN, Bell et al. 2023), which is not built here.
    """
    norms = np.linalg.norm(rows, axis=1, keepdims=True)
    return rows * np.minimum(1.0, bound / np.maximum(norms, 1e-300))


def isolation_risk(hospitals: int, colluders: int, size: int, rounds: int = 1) -> float:
    """Return the chance that a given hospital is once in `rounds` the only one of its group that does not collude.

    Its group sum less the colluders' own updates is then its update in the clear. The other members of its group are
    a uniform draw without replacement: C(colluders, size − 1) ÷ C(hospitals − 1, size − 1) a round.

    >>> isolation_risk(20, 4, 2)
    0.21052631578947367
    """
    if not (0 <= colluders < hospitals and 1 <= size <= hospitals and rounds >= 1):
        raise ConfigError(f"{colluders} colluders of {hospitals}, groups of {size}, {rounds} rounds make no sense")
    once = comb(colluders, size - 1) / comb(hospitals - 1, size - 1)
    return 1 - (1 - once) ** rounds


def smallest_group(hospitals: int, colluders: int, rounds: int, risk: float) -> int:
    """Return the smallest group size at which `isolation_risk` over all rounds is at most `risk`.

    A size of `colluders` + 2 always suffices; where the hospitals are too few for that, groups hide nobody.

    Raises:
        ConfigError: no size does.
    """
    for size in range(2, hospitals + 1):
        if isolation_risk(hospitals, colluders, size, rounds) <= risk:
            return size
    raise ConfigError(f"{colluders} colluders of {hospitals} hospitals: every group size exposes one at risk {risk:g}")
