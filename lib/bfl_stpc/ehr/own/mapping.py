"""The mapping: which column is what. It is proposed by `propose`, kept as YAML, and confirmed by a person."""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Mapping as Dictionary
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from bfl_stpc.ehr.own.cells import DATES, MISSING
from bfl_stpc.errors import MappingError

KINDS = ("number", "category", "date", "ignore")
FILLS = ("mean", "median")
UNFIT = ("refuse", "merge", "drop")
REPEATED = ("refuse", "first")
UNLABELLED = ("refuse", "drop")
HEAD = """\
# What each column of {file} is, as proposed. Read it, correct it, then set `confirmed: true`.
# The format is described in docs/YOUR_DATA.md. Nothing is trained before it is confirmed.
"""


@dataclass(frozen=True)
class Input:
    """How one column is read.

    Attributes:
        kind: `number`, `category`, `date` or `ignore`.
        levels: of a category, all its values.
        form: of a date, its `strptime` form.
        since: of a date, the date column that it is counted from; the input is the years between.
        usual: of a number or date, the range that a clinician expects, known without these data: private training
            scales by it. None where nobody said.
        keep: whether the checks for leaks let it pass: it is known before the outcome.
        note: what was seen in it, for the reader; no rule.
    """

    kind: str
    levels: tuple[str, ...] = ()
    form: str | None = None
    since: str | None = None
    usual: tuple[float, float] | None = None
    keep: bool = False
    note: str = ""


@dataclass(frozen=True)
class Mapping:
    """Which column is what, and what to do where a table is not as wished.

    Attributes:
        hospital, label: columns.
        positive: values of the label that count as y = 1; one text such as ">0" compares numbers.
        negative: values that count as y = 0; where empty, the one value that is not positive.
        columns: every column of the table but hospital and label, and how it is read.
        patient: column that names the patient; None where there is none.
        sex, age: columns by which fairness is reported; None where there is none.
        confirmed: whether a person has read it.
        missing: texts that mean "not recorded".
        encoding, delimiter, decimal: of a text file.
        fill: what a model sees for a missing number: the `mean` or `median` of all hospitals, and a mark.
        minimum: fewest patients of a hospital that takes part.
        unfit: `refuse`, `merge` or `drop` hospitals below the minimum or with one class alone.
        repeated: `refuse` patients that come twice, or keep the `first` row of each.
        unlabelled: `refuse` rows without label or hospital, or `drop` them.
        at: of a Synthea export or FHIR bundles, the day that parts what is known from what is predicted.
    """

    hospital: str
    label: str
    positive: tuple[str, ...]
    columns: Dictionary[str, Input]
    negative: tuple[str, ...] = ()
    patient: str | None = None
    sex: str | None = None
    age: str | None = None
    confirmed: bool = False
    missing: tuple[str, ...] = MISSING
    encoding: str = "utf-8"
    delimiter: str | None = None
    decimal: str = "."
    fill: str = "mean"
    minimum: int = 20
    unfit: str = "refuse"
    repeated: str = "refuse"
    unlabelled: str = "refuse"
    at: str | None = None
    file: str = field(default="", compare=False)

    def __post_init__(self) -> None:
        _one_of("fill", self.fill, FILLS)
        _one_of("unfit", self.unfit, UNFIT)
        _one_of("repeated", self.repeated, REPEATED)
        _one_of("unlabelled", self.unlabelled, UNLABELLED)
        _one_of("decimal", self.decimal, (".", ","))
        if self.minimum < 2:
            raise MappingError(
                f"minimum: {self.minimum} patients cannot be split into training and test: give 2 or more"
            )
        for name, how in self.columns.items():
            _one_of(f"columns, {name}: kind", how.kind, KINDS)
            if how.kind == "category" and len(how.levels) < 2:
                raise MappingError(f"columns, {name}: a category needs at least two levels; list them or ignore it")
            if how.form is not None or how.kind == "date":
                _one_of(f"columns, {name}: form", how.form, DATES)
            if how.kind == "date" and how.since is None:
                raise MappingError(
                    f"columns, {name}: a date by itself is no input: name the date `since` which to count"
                )
            other = self.columns.get(how.since or "")
            if how.since is not None and (other is None or not other.form):
                raise MappingError(f"columns, {name}: since {how.since!r} is no column with a date form: name one")


def load(path: Path) -> Mapping:
    """Return the mapping in the YAML file `path`.

    Raises:
        MappingError: there is no such file, it is no YAML, or a key is unknown, missing or of another type.
    """
    try:
        raw = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise MappingError(f"{path} does not exist: `make table DATA=...` proposes it") from None
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise MappingError(f"{path} is no mapping ({error}): mend it, or delete it and propose it anew") from error
    if not isinstance(raw, dict):
        raise MappingError(f"{path} is no mapping: mend it, or delete it and propose it anew")
    try:
        return parse(raw)
    except MappingError as error:
        raise MappingError(f"{path}: {error}") from error


def parse(document: Dictionary[str, Any]) -> Mapping:
    """Return the mapping that a YAML document says.

    Raises:
        MappingError: a key is unknown, missing or of another type; it is named.
    """
    raw: dict[str, Any] = dict(document)
    label = raw.pop("label", None)
    columns = raw.pop("columns", None)
    if not isinstance(label, dict) or not {"column", "positive"} <= set(label) <= {"column", "positive", "negative"}:
        raise MappingError("label: must have `column` and `positive`, such as {column: died, positive: ['1']}")
    if not isinstance(raw.get("hospital"), str):
        raise MappingError("hospital: name the column that says whose patient each row is")
    if not isinstance(columns, dict):
        raise MappingError("columns: list every column with its kind")
    known = set(Mapping.__dataclass_fields__) - {"label", "positive", "negative", "columns"}
    if extra := sorted(set(raw) - known):
        raise MappingError(f"{', '.join(extra)}: unknown; known are {', '.join(sorted(known))}")
    _typed(raw, {"confirmed": bool, "minimum": int})
    if raw.get("at") is not None:
        raw["at"] = str(raw["at"])  # YAML reads a day as a date
    if "missing" in raw:
        raw["missing"] = _texts("missing", raw["missing"])
    return Mapping(
        label=str(label["column"]),
        positive=_texts("label, positive", label["positive"]),
        negative=_texts("label, negative", label.get("negative", [])),
        columns={str(name): _input(str(name), how) for name, how in columns.items()},
        **raw,
    )


def dump(mapping: Mapping) -> str:
    """Return the mapping as YAML, with what was seen in each column as a comment."""
    rules: dict[str, Any] = {"confirmed": mapping.confirmed, "file": mapping.file, "hospital": mapping.hospital}
    rules["label"] = {"column": mapping.label, "positive": list(mapping.positive), "negative": list(mapping.negative)}
    for name in ("patient", "sex", "age", "at", "missing", "encoding", "delimiter", "decimal", "fill", "minimum",
                 "unfit", "repeated", "unlabelled"):  # fmt: skip
        value = getattr(mapping, name)
        rules[name] = list(value) if isinstance(value, tuple) else value
    head = yaml.safe_dump(rules, sort_keys=False, allow_unicode=True, default_flow_style=None, width=110)
    lines = [HEAD.format(file=mapping.file), head, "columns:\n" if mapping.columns else "columns: {}\n"]
    for name, how in mapping.columns.items():
        shown = {key: getattr(how, key) for key in ("kind", "form", "since", "keep") if getattr(how, key)}
        if how.usual is not None:
            shown["usual"] = list(how.usual)
        if how.levels:
            shown["levels"] = list(how.levels)
        value = yaml.safe_dump(shown, default_flow_style=True, allow_unicode=True, width=10**6, sort_keys=False)
        note = f"  # {' '.join(how.note.split())}" if how.note else ""
        lines.append(f"  {_key(name)}: {value.strip()}{note}\n")
    return "".join(lines)


def write(mapping: Mapping, path: Path) -> None:
    """Write the mapping to `path`; a mapping that is there already is never touched.

    Raises:
        MappingError: `path` exists, or cannot be written; nothing half-written remains.
    """
    if path.exists():
        raise MappingError(f"{path} exists and may hold your corrections: edit it, or delete it and propose it anew")
    try:
        with tempfile.NamedTemporaryFile("w", encoding="utf-8", dir=path.parent, prefix=".", delete=False) as file:
            staged = Path(file.name)
            try:
                file.write(dump(mapping))
                file.close()
                staged.chmod(0o644)
                os.link(staged, path)  # unlike a rename, never over a file that came meanwhile
            finally:
                staged.unlink()
    except OSError as error:
        raise MappingError(f"{path} cannot be written: {error.strerror or error}: choose a writable folder") from error


def _key(name: str) -> str:
    """Return a column's name as a YAML key, in quotes where it would be read as something else."""
    if re.fullmatch(r"[A-Za-z_]\w*", name, re.ASCII) and yaml.safe_load(name) == name:
        return name
    return yaml.safe_dump(name, default_style='"', allow_unicode=True, width=10**6).strip()


def _input(name: str, how: Any) -> Input:
    if isinstance(how, str):
        how = {"kind": how}
    known = {"kind", "levels", "form", "since", "usual", "keep"}
    if not isinstance(how, dict) or "kind" not in how or set(how) - known:
        raise MappingError(f"columns, {name}: give a kind, and nothing but {', '.join(sorted(known))}")
    how = dict(how)
    _typed(how, {"keep": bool})
    levels = _texts(f"columns, {name}: levels", how.pop("levels", []))
    usual = how.pop("usual", None)
    if usual is not None:
        number = isinstance(usual, list) and len(usual) == 2 and all(type(end) in (int, float) for end in usual)
        if not number or not usual[0] < usual[1]:
            raise MappingError(f"columns, {name}: usual {usual!r} is no range: give [low, high]")
        usual = (float(usual[0]), float(usual[1]))
    return Input(levels=levels, usual=usual, **how)


def _texts(name: str, values: Any) -> tuple[str, ...]:
    """Return YAML scalars as the texts that stand in the table: 1 as "1"; `yes` would be a truth value, so quote it."""
    values = values if isinstance(values, list) else [values]
    if wrong := [value for value in values if isinstance(value, bool) or not isinstance(value, str | int | float)]:
        raise MappingError(f"{name}: put {wrong[0]!r} in quotes, as it stands in the table")
    return tuple(str(value) for value in values)


def _typed(raw: Dictionary[str, Any], types: Dictionary[str, type]) -> None:
    for name, kind in types.items():
        if name in raw and type(raw[name]) is not kind:
            raise MappingError(f"{name}: {raw[name]!r} is no {kind.__name__}")


def _one_of(name: str, value: object, known: Sequence[str]) -> None:
    if value not in known:
        raise MappingError(f"{name}: {value!r} is none of {', '.join(known)}")
