"""Who is it? Group tests over rounds: each round regroups the hospitals, and the groups that stand out intersect.

Two readings of the same rounds. `intersect` counts flagged groups and asks whether chance would put one hospital into
so many of them. `Decoder` uses that group sums add up: rounds of different groups are linear equations for every
hospital's lasting deviation, solved by ridge regression. The second finds attackers in larger groups and with more of
them, and by the same power it profiles honest hospitals: it measures what regrouping costs in privacy.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from bfl_stpc.robust.groups import Groups


def intersect(groups: Sequence[Groups], flagged: Sequence[NDArray[np.bool_]], hospitals: int) -> NDArray[np.float64]:
    """Return for each hospital the chance, float64 (K,), that an innocent one sits in as many flagged groups.

    An innocent's seat is a uniform draw, so its group is flagged with the share of the other seats that are; over
    rounds the count is Poisson binomial. The draw alone makes this true, whatever the flags depend on, except the
    hospital's own update. A hospital that was never dealt has 1.

    Args:
        groups: of each round, indices below `hospitals`.
        flagged: of each round, whether each group stood out (G,).
        hospitals: K.
    """
    count = np.zeros(hospitals, np.int64)
    chances: list[list[float]] = [[] for _ in range(hospitals)]
    for dealt, flags in zip(groups, flagged):
        seats = sum(members.size for members in dealt)
        marked = sum(members.size for members, flag in zip(dealt, flags) if flag)
        for members, flag in zip(dealt, flags):
            for i in members:
                count[i] += flag
                chances[i].append(min(1.0, marked / (seats - 1)) if seats > 1 else 1.0)
    return np.array([_tail(p, int(n)) for p, n in zip(chances, count)])


def _tail(chances: Sequence[float], least: int) -> float:
    """Return P(at least `least` successes) of independent trials with these chances."""
    distribution = np.zeros(len(chances) + 1)
    distribution[0] = 1.0
    for p in chances:
        distribution[1:] = (1 - p) * distribution[1:] + p * distribution[:-1]
        distribution[0] *= 1 - p
    return float(min(1.0, distribution[least:].sum()))


class Decoder:
    """Solves the opened group sums of all rounds for each hospital's lasting deviation from the round's mean.

    Round t opens Σ_{i∈g} u_i for its groups g. With u_i = mean of the round + b_i + what does not last, the sums are
    linear equations in b, one for each group and round; after T rounds of G groups there are T·(G − 1) for K − 1
    unknown vectors.
    """

    def __init__(self, hospitals: int, parameters: int, *, ridge: float = 1.0) -> None:
        """Start with no round. `ridge` counts as so many rounds in which every deviation was zero."""
        self._normal = ridge * np.eye(hospitals)
        self._right = np.zeros((hospitals, parameters))

    def add(self, groups: Groups, means: NDArray[np.float64]) -> None:
        """Add the opened means float64 (G, p) of one round's groups."""
        sizes = np.array([members.size for members in groups], float)
        centre = sizes @ means / sizes.sum()
        y = sizes[:, None] * (means - centre)
        a = np.zeros((len(groups), len(self._normal)))
        for row, members in zip(a, groups):
            row[members] = 1.0
        a -= sizes[:, None] / sizes.sum() * (a.sum(0) > 0)
        self._normal += a.T @ a
        self._right += a.T @ y

    def profiles(self) -> NDArray[np.float64]:
        """Return the decoded deviation of each hospital, float64 (K, p)."""
        return np.linalg.solve(self._normal, self._right)


def stand_out(profiles: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return how far each decoded profile (K, p) lies from the middle one, in medians of that distance, float64 (K,).

    An attacker lies far out. A free rider lies suspiciously near: it has nothing of its own.
    """
    distance = np.linalg.norm(profiles - np.median(profiles, axis=0), axis=1)
    return distance / max(float(np.median(distance)), 1e-300)


def first_round(hospitals: int, groups: int) -> int:
    """Return the first round after which the opened sums determine every profile."""
    return -(-(hospitals - 1) // max(groups - 1, 1))
