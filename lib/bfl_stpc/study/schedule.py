"""Which notebooks may run now: those that report times alone, the others side by side, the longest way first."""

from __future__ import annotations

import math
import os
from collections.abc import Collection, Mapping

from bfl_stpc.errors import ConfigError
from bfl_stpc.study.notebooks import Notebook


def jobs_from(text: str) -> int:
    """Return how many notebooks run at once: the number in `text`, or this process's cores where it is empty.

    Raises:
        ConfigError: not a whole number above zero.
    """
    if not text:
        return len(os.sched_getaffinity(0))
    if not (text.isascii() and text.isdigit() and int(text)):
        raise ConfigError(f"JOBS={text} is not a number of notebooks: give a whole number from 1, or leave it out")
    return int(text)


def ways(notebooks: Mapping[str, Notebook], seconds: Mapping[str, float | None]) -> dict[str, float]:
    """Return for each notebook the seconds from its begin to the end of the longest chain that needs it.

    One whose time is not known (None) counts as endless, so that it does not begin last.

    Args:
        notebooks: in an order in which each comes after those that it needs.
        seconds: how long each takes.
    """
    way = dict.fromkeys(notebooks, 0.0)
    for name in reversed(list(notebooks)):
        known = seconds.get(name)
        way[name] += math.inf if known is None else known
        for need in notebooks[name].needs:
            if need in way:
                way[need] = max(way[need], way[name])
    return way


def startable(
    notebooks: Mapping[str, Notebook],
    waiting: Collection[str],
    running: Collection[str],
    way: Mapping[str, float],
    jobs: int,
) -> list[str]:
    """Return the notebooks to start now.

    A notebook waits for those that it needs. One that reports times starts only when nothing runs, and nothing
    starts beside it; of those that could start then, the first in reading order. The others fill up to `jobs`.

    Args:
        notebooks: all that this run is about.
        waiting: those that have not begun.
        running: those that run now.
        way: from `ways`.
        jobs: how many may run at once.
    """
    if any(notebooks[name].timed for name in running):
        return []
    unfinished = {*waiting, *running}
    ready = [name for name in waiting if not unfinished.intersection(notebooks[name].needs)]
    timed = sorted(name for name in ready if notebooks[name].timed)
    if timed and not running:
        return timed[:1]
    others = sorted((name for name in ready if not notebooks[name].timed), key=lambda name: (-way[name], name))
    return others[: max(jobs - len(running), 0)]
