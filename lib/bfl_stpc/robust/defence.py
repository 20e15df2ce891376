"""What a server may do about poisoning, as values; and its thresholds, fixed on clean rounds of other hospitals."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from enum import Enum

import numpy as np
from numpy.typing import NDArray

from bfl_stpc.errors import ConfigError
from bfl_stpc.robust.groups import Groups, group_means
from bfl_stpc.robust.tracing import Decoder, first_round, stand_out

MARGIN = 1.2  # how far beyond the farthest clean value a threshold lies; chosen on cohorts that no result reports


class Trace(Enum):
    """How attackers are identified over rounds."""

    NONE = "none"
    INTERSECT = "flagged groups intersected"
    DECODE = "group sums decoded"


@dataclass(frozen=True)
class Defence:
    """What the server sees and does.

    Attributes:
        size: members of a group whose sum is opened; 1 is a server without secure aggregation, 0 opens only the total.
        rule: name of the rule over the opened means (`rules.RULES`).
        bounded: whether opened means are clipped to the announced bound.
        trace: how attackers are identified, to be excluded.
        assumed: share of the opened means that the rule takes to be bad.
    """

    size: int
    rule: str = "mean"
    bounded: bool = False
    trace: Trace = Trace.NONE
    assumed: float = 0.3

    def __post_init__(self) -> None:
        if self.size < 1 and self.trace is not Trace.NONE:
            raise ConfigError("the total alone traces nobody: open sums of groups")


def defences(size: int) -> dict[str, Defence]:
    """Return the compared defences by name; groups have `size` members.

    The first needs nothing; those named `sums` fit secure aggregation; those named `single` do not: they need every
    update in the clear.
    """
    return {
        "no defence": Defence(0),
        "sums: bound on the total": Defence(0, bounded=True),
        "sums: median of groups": Defence(size, "median", bounded=True),
        "sums: groups intersected": Defence(size, "median", bounded=True, trace=Trace.INTERSECT),
        "sums: groups decoded": Defence(size, "median", bounded=True, trace=Trace.DECODE),
        "single: median": Defence(1, "median"),
        "single: trimmed mean": Defence(1, "trimmed mean"),
        "single: Krum": Defence(1, "Krum"),
        "single: multi-Krum": Defence(1, "multi-Krum"),
        "single: decoded": Defence(1, "median", bounded=True, trace=Trace.DECODE),
    }


@dataclass(frozen=True)
class Thresholds:
    """Where clean rounds end, for one size of groups.

    Attributes:
        bound: largest norm of an opened mean in each round (R,); the server announces it.
        distance: of an opened mean from the median of its round's, in bounds, beyond which its group is flagged.
        low, high: where `stand_out` is no longer clean after each round (R,); a hospital outside is accused.
        chance: largest chance of innocence at which intersected groups accuse.
    """

    bound: NDArray[np.float64]
    distance: float
    low: NDArray[np.float64]
    high: NDArray[np.float64]
    chance: float = 1e-3

    def flags(self, means: NDArray[np.float64], number: int) -> NDArray[np.bool_]:
        """Return which opened means (G, p) of round `number` stand out."""
        return spread(means, self.bound[number - 1]) > self.distance


def spread(means: NDArray[np.float64], bound: float) -> NDArray[np.float64]:
    """Return the distance of each opened mean (G, p) from their median, in bounds, float64 (G,)."""
    return np.linalg.norm(means - np.median(means, axis=0), axis=1) / bound


Draw = Callable[[int, int], Groups]  # (repetition, round number from 1) → groups


def calibrate(updates: Sequence[NDArray[np.float64]], draw: Draw, *, repetitions: int = 1) -> Thresholds:
    """Return the thresholds `MARGIN` beyond everything that clean rounds show.

    Args:
        updates: of each clean run, float64 (R, K, p); of other hospitals than those that the thresholds will judge.
        draw: the groups; drawn anew for each run and repetition.
        repetitions: draws for each run.
    """
    runs = [(r * len(updates) + k, rounds) for k, rounds in enumerate(updates) for r in range(repetitions)]
    opened = [[(draw(n, t), rounds[t - 1]) for t in range(1, len(rounds) + 1)] for n, rounds in runs]
    means = [[(groups, group_means(each, groups)) for groups, each in run] for run in opened]
    norms = np.array([[np.linalg.norm(m, axis=1).max() for _, m in run] for run in means])
    bound = MARGIN * norms.max(0)
    far = max(spread(m, bound[t]).max() for run in means for t, (_, m) in enumerate(run))
    hospitals = updates[0].shape[1]
    scores = np.array([list(_scores(run, bound, hospitals)) for run in means])
    return Thresholds(bound, MARGIN * far, scores.min((0, 2)) / MARGIN, MARGIN * scores.max((0, 2)))


def _scores(
    run: Sequence[tuple[Groups, NDArray[np.float64]]], bound: NDArray[np.float64], hospitals: int
) -> Iterator[NDArray[np.float64]]:
    decoder = Decoder(hospitals, run[0][1].shape[1])
    for t, (groups, means) in enumerate(run):
        decoder.add(groups, means / bound[t])
        yield stand_out(decoder.profiles())


def accused(scores: NDArray[np.float64], thresholds: Thresholds, number: int, groups: int) -> NDArray[np.bool_]:
    """Return which hospitals `scores` (K,) of `stand_out` accuse after round `number`: none before it can be known."""
    if number < first_round(scores.size, groups):
        return np.zeros(scores.size, bool)
    return (scores > thresholds.high[number - 1]) | (scores < thresholds.low[number - 1])
