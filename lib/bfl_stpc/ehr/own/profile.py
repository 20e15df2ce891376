"""One pass over a table: what each column holds, in memory that does not grow with the rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import pyarrow.compute as pc

from bfl_stpc.ehr.own import cells
from bfl_stpc.ehr.own.source import Source

LEVELS = 200  # more distinct values than this are not counted one by one
HEAD = 10_000  # rows in which repeated values are looked for
SAMPLE = 2_000  # cells of a block that are tried as dates


@dataclass
class Column:
    """What one column holds.

    Attributes:
        name: its name.
        rows, missing: how many, and how many of them hold nothing.
        numbers: cells that hold a finite number.
        whole: whether all numbers are whole.
        low, high: range of the numbers.
        values: count of each distinct value, or None where there are more than `LEVELS`.
        head, head_distinct: recorded cells among the first `HEAD` rows, and how many of them differ.
        first_junk: (row, text) of the first recorded cell that is no number.
        dates: forms of `cells.DATES` that every recorded cell tried so far fits.
    """

    name: str
    rows: int = 0
    missing: int = 0
    numbers: int = 0
    whole: bool = True
    low: float = np.inf
    high: float = -np.inf
    values: dict[str, int] | None = field(default_factory=dict)
    head: int = 0
    head_distinct: int = 0
    first_junk: tuple[int, str] | None = None
    dates: tuple[str, ...] = cells.DATES

    @property
    def recorded(self) -> int:
        """Cells that hold something."""
        return self.rows - self.missing

    @property
    def numeric(self) -> bool:
        """Whether every recorded cell is a number."""
        return self.recorded > 0 and self.numbers == self.recorded

    @property
    def unique(self) -> bool:
        """Whether (nearly) no value repeats, as in an identifier."""
        return self.head >= 10 and self.head_distinct >= 0.99 * self.head

    def add(self, block: cells.Cells, seen: set[str]) -> None:
        """Take in the next block; `seen` holds the distinct values of the first `HEAD` rows."""
        number = block.number[~np.isnan(block.number)]
        junk = np.flatnonzero(block.junk)
        if number.size:
            self.low, self.high = min(self.low, float(number.min())), max(self.high, float(number.max()))
            self.whole = self.whole and bool((number == np.floor(number)).all())
        if junk.size and self.first_junk is None:
            self.first_junk = (self.rows + int(junk[0]) + 2, block.text[int(junk[0])].as_py())
        if self.rows < HEAD:
            recorded = block.text.slice(0, HEAD - self.rows).drop_null().to_pylist()
            seen.update(recorded)
            self.head, self.head_distinct = self.head + len(recorded), len(seen)
        if self.values is not None:
            self._count(block)
        if self.dates:
            self._date(block)
        self.rows += len(block.text)
        self.missing += int(block.missing.sum())
        self.numbers += number.size

    def _count(self, block: cells.Cells) -> None:
        assert self.values is not None
        counted = pc.value_counts(block.text.drop_null())
        if len(counted) > LEVELS:
            self.values = None
            return
        for value, count in zip(counted.field("values").to_pylist(), counted.field("counts").to_pylist()):
            self.values[value] = self.values.get(value, 0) + count
        if len(self.values) > LEVELS:
            self.values = None

    def _date(self, block: cells.Cells) -> None:
        text = block.text.drop_null().slice(0, SAMPLE)
        if len(text):
            tried = cells.Cells(text, np.zeros(len(text), bool), np.zeros(len(text)))
            self.dates = tuple(form for form in self.dates if np.isfinite(cells.days(tried, form)).all())


def profile(source: Source, missing: Sequence[str] = cells.MISSING, decimal: str = ".") -> dict[str, Column]:
    """Return what each column of `source` holds, by name in the table's order.

    Raises:
        TableUnreadable: a row or page cannot be read.
    """
    columns = {name: Column(name) for name in source.names}
    seen: dict[str, set[str]] = {name: set() for name in source.names}
    for batch in source.batches():
        for name, values in zip(source.names, batch.columns):
            columns[name].add(cells.read(values, missing, decimal), seen[name])
    return columns
