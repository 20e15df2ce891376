"""Stop and continue a process with all that it started, so that another one can measure times alone."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterable
from pathlib import Path


def children() -> dict[int, list[int]]:
    """Return the process ids of all processes by that of their parent."""
    found: dict[int, list[int]] = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            # The name, in brackets, may hold anything; the state and the parent follow it.
            parent = int((folder / "stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()[1])
        except OSError:  # it ended meanwhile
            continue
        found.setdefault(parent, []).append(int(folder.name))
    return found


def _send(pid: int, number: int) -> bool:
    try:
        os.kill(pid, number)
    except ProcessLookupError:  # it ended meanwhile
        return False
    return True


def pause(pid: int) -> list[int]:
    """Stop the process `pid` and all its descendants; return the ids of those that were stopped.

    A parent is stopped before its children are looked for, so that it starts none meanwhile.
    """
    stopped, waiting = [], [pid]
    while waiting:
        one = waiting.pop()
        if _send(one, signal.SIGSTOP):
            stopped.append(one)
            waiting += children().get(one, [])
    return stopped


def resume(pids: Iterable[int]) -> None:
    """Let the processes `pids` continue; those that ended are passed over."""
    for pid in pids:
        _send(pid, signal.SIGCONT)
