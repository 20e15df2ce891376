"""What a reader sees while notebooks run: notebook, cell, elapsed, expected."""

from __future__ import annotations

import time
from pathlib import Path
from types import TracebackType
from typing import Any, TextIO

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn


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
    """Shows one notebook's progress on `console` and writes its log; a context manager around the execution."""

    def __init__(self, console: Console, log: Path, name: str, cells: int, expected: float | None) -> None:
        self.cell = 0
        self._console = console
        self._name = name
        self._cells = cells
        self._log_path = log
        self._log: TextIO | None = None
        self._started = time.monotonic()
        self._cell_started = self._started
        self._expected = f"expected {clock(expected)}" if expected else "no earlier time"
        columns = (TextColumn("{task.description}"), BarColumn(bar_width=24), TextColumn("{task.fields[status]}"))
        self._bar = Progress(*columns, console=console, transient=True, disable=not console.is_terminal)
        self._task = self._bar.add_task(name, total=cells, status=self._status())

    def _status(self) -> str:
        return f"cell {self.cell}/{self._cells}  {clock(self.elapsed)} elapsed, {self._expected}"

    @property
    def elapsed(self) -> float:
        """Seconds since the notebook began."""
        return time.monotonic() - self._started

    def __enter__(self) -> Watch:
        self._log_path.parent.mkdir(parents=True, exist_ok=True)
        self._log = self._log_path.open("w", encoding="utf-8")
        if not self._console.is_terminal:
            self._console.print(f"{self._name}: {self._cells} cells, {self._expected}")
        self._bar.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self._bar.stop()
        if self._log:
            end = f"stopped by {kind.__name__}" if kind else "finished"
            self._log.write(f"# {end} after {clock(self.elapsed)}\n")
            self._log.close()

    def cell_start(self, index: int) -> None:
        """Note that the cell `index` (from 0) begins."""
        self.cell = index + 1
        self._cell_started = time.monotonic()
        self._bar.update(self._task, completed=index, status=self._status())

    def cell_done(self, cell: Any) -> None:
        """Note that the current cell ended, and log its text output."""
        seconds = time.monotonic() - self._cell_started
        self._bar.update(self._task, completed=self.cell, status=self._status())
        if self._log and cell["cell_type"] == "code":
            self._log.write(f"# cell {self.cell}/{self._cells}  {seconds:.2f} s\n{cell_text(cell)}")
            self._log.flush()
