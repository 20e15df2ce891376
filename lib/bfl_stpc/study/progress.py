"""What a reader sees while notebooks run: notebook, cell, elapsed, expected; and what stays in a notebook's log."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, TextIO

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn


def clock(seconds: float) -> str:
    """Return a duration as m:ss.

    >>> clock(75.2)
    '1:15'
    """
    return f"{int(seconds) // 60}:{int(seconds) % 60:02d}"


def cell_text(cell: Any) -> str:
    """Return what a cell printed, without pictures and display markup."""
    texts = []
    for output in cell.get("outputs", []):
        if output["output_type"] == "stream":
            texts.append(output["text"])
        elif output["output_type"] == "error":
            texts.append("\n".join(output["traceback"]))
        else:
            texts.append(output["data"].get("text/plain", ""))
    return "".join(text if text.endswith("\n") else text + "\n" for text in texts if text)


class Watch:
    """Writes the log of one notebook and reports each cell that begins; a context manager around the execution.

    Attributes:
        cell: number of the current cell, from 1; 0 before the first.
    """

    def __init__(self, log: Path, cells: int, report: Callable[[int], None]) -> None:
        self.cell = 0
        self._cells = cells
        self._report = report
        self._log_path = log
        self._log: TextIO | None = None
        self._started = time.monotonic()
        self._cell_started = self._started

    @property
    def elapsed(self) -> float:
        """Seconds since the notebook began."""
        return time.monotonic() - self._started

    def __enter__(self) -> Watch:
        self._log_path.parent.mkdir(parents=True, exist_ok=True)
        self._log = self._log_path.open("w", encoding="utf-8")
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        if self._log:
            end = f"stopped by {kind.__name__}" if kind else "finished"
            self._log.write(f"# {end} after {clock(self.elapsed)}\n")
            self._log.close()

    def cell_start(self, index: int) -> None:
        """Note that the cell `index` (from 0) begins."""
        self.cell = index + 1
        self._cell_started = time.monotonic()
        self._report(self.cell)

    def cell_done(self, cell: Any) -> None:
        """Note that the current cell ended, and log its text output."""
        seconds = time.monotonic() - self._cell_started
        if self._log and cell["cell_type"] == "code":
            self._log.write(f"# cell {self.cell}/{self._cells}  {seconds:.2f} s\n{cell_text(cell)}")
            self._log.flush()


class Board:
    """Shows the notebooks that run now: on a terminal a bar for each, else a line at the beginning of each."""

    def __init__(self, console: Console) -> None:
        self._console = console
        columns = (TextColumn("{task.description}"), BarColumn(bar_width=24), TextColumn("{task.fields[status]}"))
        self._bars = Progress(*columns, console=console, transient=True, disable=not console.is_terminal)
        self._tasks: dict[str, TaskID] = {}
        self._begun: dict[str, float] = {}
        self._cell: dict[str, int] = {}
        self._about: dict[str, tuple[int, str]] = {}

    def __enter__(self) -> Board:
        self._bars.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bars.stop()

    def say(self, line: str) -> None:
        """Print a line that stays."""
        self._console.print(line)

    def begin(self, name: str, cells: int, expected: float | None) -> None:
        """Show that the notebook `name` begins; `expected` is in seconds."""
        self._about[name] = cells, f"expected {clock(expected)}" if expected else "no earlier time"
        self._begun[name], self._cell[name] = time.monotonic(), 0
        if not self._console.is_terminal:
            self.say(f"{name}: {cells} cells, {self._about[name][1]}")
        self._tasks[name] = self._bars.add_task(name, total=cells, status=self._status(name))

    def _status(self, name: str) -> str:
        cells, expected = self._about[name]
        return f"cell {self._cell[name]}/{cells}  {clock(time.monotonic() - self._begun[name])} elapsed, {expected}"

    def cell(self, name: str, number: int) -> None:
        """Show that the cell `number` (from 1) of the notebook `name` begins."""
        self._cell[name] = number
        self.tick()

    def tick(self) -> None:
        """Show the time that has passed."""
        for name, task in self._tasks.items():
            self._bars.update(task, completed=max(self._cell[name] - 1, 0), status=self._status(name))

    def end(self, name: str) -> float:
        """Take the notebook `name` off the board; return the seconds since it began."""
        self._bars.remove_task(self._tasks.pop(name))
        return time.monotonic() - self._begun[name]
