"""What the cells of one column say: missing, a number, a date or text. Everything works on a block of rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

MISSING = ("", "NA", "N/A", "n/a", "NaN", "nan", "NULL", "null", "?", "-", ".")  # what exports write for "not recorded"
NUMBER = r"^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$"
DATES = ("%Y-%m-%d", "%Y/%m/%d", "%d.%m.%Y", "%d/%m/%Y", "%m/%d/%Y", "%d-%m-%Y", "%m-%d-%Y", "%Y%m%d")
YEAR = 365.2425  # days


@dataclass(frozen=True)
class Cells:
    """One column of one block.

    Attributes:
        text: trimmed text, null where missing; numbers of a typed column are written as text.
        missing: bool (n,).
        number: float64 (n,), NaN where missing or not a finite number.
    """

    text: pa.Array
    missing: NDArray[np.bool_]
    number: NDArray[np.float64]

    @property
    def junk(self) -> NDArray[np.bool_]:
        """Where something is recorded that is no finite number, bool (n,)."""
        return ~self.missing & np.isnan(self.number)


def read(column: pa.Array, missing: Sequence[str], decimal: str = ".") -> Cells:
    """Return the cells of a column: text as written, or the types of a Parquet file."""
    if pa.types.is_string(column.type) or pa.types.is_null(column.type):
        text = pc.utf8_trim_whitespace(column.cast(pa.string()))
        absent = pc.or_kleene(pc.is_null(text), pc.is_in(text, pa.array(missing, pa.string())))
        absent = pc.fill_null(absent, True)
        text = pc.if_else(absent, pa.scalar(None, pa.string()), text)
        return Cells(text, absent.to_numpy(zero_copy_only=False), _numbers(text, decimal))
    if pa.types.is_temporal(column.type):
        day = pc.strftime(column.cast(pa.timestamp("s")), "%Y-%m-%d")
        return Cells(day, _nulls(day), np.full(len(day), np.nan))
    if pa.types.is_boolean(column.type):
        column = column.cast(pa.int8())
    number = column.cast(pa.float64()).to_numpy(zero_copy_only=False).astype(np.float64)
    absent = np.isnan(number)
    text = pc.if_else(pa.array(absent), pa.scalar(None, pa.string()), column.cast(pa.string()))
    return Cells(text, absent, np.where(np.isfinite(number), number, np.nan))


def days(cells: Cells, form: str) -> NDArray[np.float64]:
    """Return days since 1970 float64 (n,) of dates in the `strptime` form `form`; NaN where missing or no such date.

    A time of day after a blank or a T is left out.
    """
    first = pc.replace_substring_regex(cells.text, r"[T ].*$", "")
    moment = pc.strptime(first, form, "s", error_is_null=True)
    seconds = moment.cast(pa.int64()).cast(pa.float64()).to_numpy(zero_copy_only=False)
    return np.floor(seconds / 86_400)


def _numbers(text: pa.Array, decimal: str) -> NDArray[np.float64]:
    if decimal != ".":
        # A point would then part thousands, and "1.234" mean two things: only the declared sign is read.
        pointed = pc.match_substring(text, ".")
        text = pc.if_else(pointed, pa.scalar(None, pa.string()), pc.replace_substring(text, decimal, "."))
    try:
        number = pc.cast(text, pa.float64())
    except pa.ArrowInvalid:  # some cell is no number: find those that are
        fits = pc.match_substring_regex(text, NUMBER)
        number = pc.cast(pc.if_else(fits, text, pa.scalar(None, pa.string())), pa.float64())
    values = number.to_numpy(zero_copy_only=False).astype(np.float64)
    return np.where(np.isfinite(values), values, np.nan)


def _nulls(column: pa.Array) -> NDArray[np.bool_]:
    return pc.is_null(column).to_numpy(zero_copy_only=False)
