"""Results held against a reference: bit for bit, or within a tolerance that comes from the spread over seeds."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from rich.console import Console
from rich.table import Table

from bfl_stpc.errors import ReferenceDiffers
from bfl_stpc.study import reference
from bfl_stpc.study.store import read_json

EQUAL = "bit for bit"
WITHIN = "within tolerance"
BITS = "digest differs"
BEYOND = "beyond tolerance"
UNREPEATED = "does not repeat"
GONE = "not recorded now"
NEW = "new"
UNJUDGED = "time, not judged"
ABSENT = "data absent, not judged"
FAILING = (BEYOND, UNREPEATED, GONE)

# Where no spread over seeds is known: what rounding in another order did to results of one seed stays far below.
SHARE, LEAST = 0.01, 1e-3
HEX_DIGEST = re.compile(r"(0x)?[0-9a-f]{64}")
MISSING = object()


@dataclass(frozen=True)
class Change:
    """One number or word of a result beside that of the reference.

    Attributes:
        name: notebook/result, and the path inside the result.
        before: the reference's value; None where there was none.
        after: the value now; None where there is none.
        unit: SI symbol, or `1`.
        tolerance: largest difference that counts as equal on another processor; None for a word.
        verdict: one of the verdicts of this module.
    """

    name: str
    before: Any
    after: Any
    unit: str
    tolerance: float | None
    verdict: str


def is_number(value: Any) -> bool:
    """Tell whether `value` is a number; True and False are words."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def tolerance(entry: Mapping[str, Any], value: Any) -> float | None:
    """Return half of the entry's interval over seeds, or where there is none `SHARE` of the size plus `LEAST`."""
    if not is_number(value):
        return None
    if entry.get("interval") and entry["value"] == value:
        low, high = entry["interval"]
        return (high - low) / 2
    return SHARE * abs(value) + LEAST


def same(one: Any, other: Any) -> bool:
    """Tell whether two scalars are the same value of the same kind; NaN is NaN."""
    if isinstance(one, float) and isinstance(other, float) and math.isnan(one) and math.isnan(other):
        return True
    return isinstance(one, bool) == isinstance(other, bool) and one == other


def judge(before: Any, after: Any, allowed: float | None, *, must_repeat: bool) -> str:
    """Return the verdict on one value; with `must_repeat` every bit counts."""
    if before is MISSING or after is MISSING:
        return NEW if before is MISSING else GONE
    if same(before, after):
        return EQUAL
    if is_number(before) and is_number(after) and allowed is not None and abs(after - before) <= allowed:
        return UNREPEATED if must_repeat else WITHIN
    digests = all(isinstance(value, str) and HEX_DIGEST.fullmatch(value) for value in (before, after))
    if digests:
        return UNREPEATED if must_repeat else BITS
    return BEYOND


def compare(before: Mapping[str, Any], after: Mapping[str, Any], *, prefix: str, must_repeat: bool) -> list[Change]:
    """Return every scalar of the results of one notebook beside that of the reference.

    Args:
        before: result entries of the reference by name.
        after: those of now.
        prefix: the notebook's name.
        must_repeat: whether nothing that they depend on differs, so that each bit counts.
    """
    changes = []
    for name in dict.fromkeys([*before, *after]):
        old, new = before.get(name, {}), after.get(name, {})
        entry = old or new
        olds = reference.leaves(old["value"], f"{prefix}/{name}") if old else {}
        news = reference.leaves(new["value"], f"{prefix}/{name}") if new else {}
        for path in dict.fromkeys([*olds, *news]):
            one, other = olds.get(path, MISSING), news.get(path, MISSING)
            allowed = tolerance(entry, one)
            timed = entry["timing"] or new.get("timing", False)
            verdict = UNJUDGED if timed else judge(one, other, allowed, must_repeat=must_repeat)
            shown, now = (None if value is MISSING else value for value in (one, other))
            changes.append(Change(path, shown, now, entry["unit"], allowed, verdict))
    return changes


def causes(before: Mapping[str, Any], after: Mapping[str, Any], *, other_processor: bool) -> list[str]:
    """Return what a notebook's results depend on and what differs from the reference, as words."""
    found = []
    for key, says in (("lock", "other package versions (lock hash)"), ("source", "other source files (source hash)")):
        if before.get(key) != after.get(key):
            found.append(f"{says} {str(before.get(key))[:8]} → {str(after.get(key))[:8]}")
    if not found and before.get("key") != after.get("key"):
        found.append("other text or settings of this notebook, or of one that it needs")
    if other_processor:
        found.append("another processor")
    return found


def lacks_data(notebook: Mapping[str, Any]) -> bool:
    """Tell whether a notebook ran without data that could not be had: it has no key, and runs again next time."""
    return "key" in notebook and notebook["key"] is None


def examine(
    kept: Mapping[str, Any], now: Mapping[str, Any], part: str = "results"
) -> tuple[list[Change], dict[str, list[str]]]:
    """Return a part of all notebooks beside the reference `kept`, and by notebook what may explain a difference.

    Args:
        kept: the reference.
        now: the same of today.
        part: "results", or "figures" for the data that they plot; a reference may have none of these.
    """
    changes: list[Change] = []
    why: dict[str, list[str]] = {}
    other_processor = kept["processor"] != now["processor"]
    for name in dict.fromkeys([*kept["notebooks"], *now["notebooks"]]):
        old, new = kept["notebooks"].get(name, {}), now["notebooks"].get(name, {})
        why[name] = causes(old, new, other_processor=other_processor)
        found = compare(old.get(part, {}), new.get(part, {}), prefix=name, must_repeat=not why[name])
        if lacks_data(old) != lacks_data(new):  # then what differs says nothing
            found = [replace(c, verdict=ABSENT) if c.verdict not in (EQUAL, UNJUDGED) else c for c in found]
        changes += found
    return changes, why


def number(value: Any) -> str:
    """Return a value for a table: six significant digits, long words cut."""
    if value is None:
        return "–"
    if is_number(value):
        return f"{value:.6g}"
    text = str(value)
    return text if len(text) <= 20 else f"{text[:17]}…"


def changes_table(changes: list[Change], title: str) -> Table:
    """Return a table of changes for the terminal."""
    table = Table(title=title)
    for column in ("result", "reference", "now", "tolerance", "unit", "verdict"):
        table.add_column(column, justify="right" if column in ("reference", "now", "tolerance") else "left")
    for c in changes:
        table.add_row(c.name, number(c.before), number(c.after), number(c.tolerance), c.unit, c.verdict)
    return table


def account(changes: list[Change]) -> str:
    """Return how many there are of each verdict.

    >>> account([Change("a", 1, 1, "1", None, EQUAL)])
    '1 bit for bit'
    """
    counts = Counter(change.verdict for change in changes)
    return ", ".join(f"{count} {verdict}" for verdict, count in sorted(counts.items()))


def verify(profile: str, console: Console) -> None:
    """Hold the results of `profile` against the committed reference, and print the account.

    Raises:
        ReferenceDiffers: a result differs that nothing explains; each is named with its values and tolerance.
        StoreError: a notebook has not finished, or the reference cannot be read.
    """
    file = reference.reference_file(profile)
    if not file.exists():
        console.print(f"there is no committed reference for profile {profile}: the results stand for themselves")
        return
    kept = reference.whole(read_json(file, f"git checkout data/reference/{file.name}"))
    now = reference.current(profile)
    changes, why = examine(kept, now)
    drawn, _ = examine(kept, now, "figures")
    moved = [c for c in changes if c.verdict in (WITHIN, BITS, NEW)]
    if moved:
        console.print(changes_table(moved, f"differs from the reference of profile {profile}, as it may"))
    console.print(f"{len(why)} notebooks beside the reference of profile {profile}: {account(changes)}")
    console.print(f"what their {len(drawn)} figures plot: {account(drawn)}")
    for name in dict.fromkeys(c.name.split("/")[0] for c in changes if c.verdict == ABSENT):
        console.print(f"{name} had other data here than for the reference; its result `absent` says which")
    bad = [change for change in changes + drawn if change.verdict in FAILING]
    if not bad:
        return
    lines = []
    for change in bad:
        explains = why[change.name.split("/")[0]] or ["none: nothing that it depends on differs"]
        allowed = "" if change.tolerance is None else f", tolerance {number(change.tolerance)}"
        lines.append(
            f"  {change.name}: reference {number(change.before)}, now {number(change.after)}{allowed}: "
            f"{change.verdict}; likely cause: {', '.join(explains)}"
        )
    raise ReferenceDiffers(
        f"{len(bad)} results or figures differ from data/reference/{file.name} beyond what is allowed:\n"
        + "\n".join(lines)
        + f"\nIf the change is meant, keep it with `make reference PROFILE={profile}` and commit it with its reason"
    )
