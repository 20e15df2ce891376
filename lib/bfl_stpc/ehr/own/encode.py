"""A table's rows as numbers, by its mapping: one pass, a block at a time, every wrong cell counted and named."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from bfl_stpc.ehr.own import cells
from bfl_stpc.ehr.own.mapping import Input, Mapping
from bfl_stpc.ehr.own.source import Source
from bfl_stpc.errors import MappingError, SchemaError
from bfl_stpc.seeds import derive_seed, generator

LARGEST = 1e30  # beyond it, squares leave float32
CLASSES = 20  # values of a label that an error lists


@dataclass(frozen=True)
class Rows:
    """The rows of a table as numbers, before any check of what they say.

    Attributes:
        X: float32 (n, d), NaN where a number or date was not recorded.
        columns: d names; a category has one for each level, or a single one where it has two.
        origin: int (d,), position in `inputs` of the column that each came from.
        inputs: names of the table's columns that are inputs.
        y: int8 (n,).
        hospital: int32 (n,), index into `hospitals`.
        hospitals: names in the order in which they appear.
        patient: uint64 (n,), hash of the patient's name; empty where the mapping names no such column.
        number: int64 (n,), row of the table, the header being row 1.
        groups: by "sex" and "age", the group of each patient, str (n,); empty text where not recorded.
        read: rows of the table.
        unlabelled: rows left out because label or hospital was not recorded.
    """

    X: NDArray[np.float32]
    columns: tuple[str, ...]
    origin: NDArray[np.int64]
    inputs: tuple[str, ...]
    y: NDArray[np.int8]
    hospital: NDArray[np.int32]
    hospitals: tuple[str, ...]
    patient: NDArray[np.uint64]
    number: NDArray[np.int64]
    groups: dict[str, NDArray[np.str_]]
    read: int
    unlabelled: int


@dataclass
class _Fault:
    """A rule that cells of a column break: how often, and where first."""

    rule: str
    mend: str
    count: int = 0
    row: int = 0
    value: str = ""


Block = dict[str, NDArray]
AGES = (45, 65, 75)  # years that part the age groups
AGE_GROUPS = np.array(["0-44", "45-64", "65-74", "75+", ""])
UNRECORDED = "(not recorded)"


def encode(source: Source, mapping: Mapping, *, patients: int | None = None, seed: int = 0) -> Rows:
    """Return the rows of `source` as `mapping` reads them, all of them or a random draw.

    Peak memory is that of X (4 bytes a value) and a few blocks.

    Args:
        source: the table.
        mapping: which column is what.
        patients: draw so many rows at random where the table has more.
        seed: of the draw.

    Raises:
        MappingError: the mapping names a column that the table lacks, or the other way round; or the label has more
            than two classes.
        SchemaError: cells that are no number, no level or no date of their column, or rows without label or
            hospital; column, row, value, count and mend are named.
    """
    check_columns(source.names, mapping)
    reader = _Reader(source.names, mapping)
    kept = _drawn(reader.blocks(source), patients, seed)
    reader.complain()
    if not kept:
        raise SchemaError("no row has both label and hospital: nothing is left to learn from")
    columns, origin, used = reader.layout()
    for block in kept:
        block["X"] = block["X"][:, used]
    parts = {key: _joined(kept, key) for key in list(kept[0])}
    return Rows(
        parts.pop("X"),
        columns,
        origin,
        tuple(reader.inputs),
        parts.pop("y"),
        parts.pop("hospital"),
        tuple(reader.hospitals),
        parts.pop("patient"),
        parts.pop("number"),
        _group_names(parts, reader.sexes),
        reader.read,
        reader.unlabelled,
    )


def check_columns(names: tuple[str, ...], mapping: Mapping) -> None:
    """Refuse a mapping that does not fit a table's columns.

    Raises:
        MappingError: which columns are missing on either side.
    """
    listed = f"the table has {', '.join(names)}"
    for role in ("hospital", "label", "patient", "sex", "age"):
        name = getattr(mapping, role)
        if name is not None and name not in names:
            raise MappingError(f"{role} column {name!r} is not in the table: correct the mapping; {listed}")
    if gone := [name for name in mapping.columns if name not in names]:
        raise MappingError(f"columns {', '.join(gone)} of the mapping are not in the table: remove them; {listed}")
    if new := [name for name in names if name not in {*mapping.columns, mapping.hospital, mapping.label}]:
        raise MappingError(f"columns {', '.join(new)} are not in the mapping: add them, if only as `kind: ignore`")
    for role, name in (("hospital", mapping.hospital), ("label", mapping.label)):
        if mapping.columns.get(name, Input("ignore")).kind != "ignore":
            raise MappingError(f"{name!r} is the {role} and an input at once: it would give the answer away; ignore it")
    if all(how.kind == "ignore" for how in mapping.columns.values()):
        raise MappingError("every column is ignored: name at least one input")


def _drawn(blocks: Iterator[Block], patients: int | None, seed: int) -> list[Block]:
    """Return the blocks with all rows, or those rows whose random keys are the smallest, in the table's order.

    Rows of one patient have one key, so that a patient who comes twice is drawn twice, and found.
    """
    if patients is None:
        return list(blocks)
    keys = generator("own table", seed, "draw")
    kept: list[Block] = []
    for block in blocks:
        key = keys.random(len(block["y"]))
        named = block["patient"] != 0
        mixed = (block["patient"] ^ np.uint64(derive_seed("own table", seed))) * np.uint64(0x9E3779B97F4A7C15)
        key[named] = (mixed[named] ^ mixed[named] >> np.uint64(32)) / 2.0**64
        kept.append({**block, "key": key})
        if sum(len(b["y"]) for b in kept) > 2 * patients:
            kept = [_smallest(kept, patients)]
    if kept:
        kept = [_smallest(kept, patients)]
        del kept[0]["key"]
    return kept


def _smallest(kept: list[Block], patients: int) -> Block:
    whole = {key: _joined(kept, key) for key in list(kept[0])}
    rows = np.sort(np.argsort(whole["key"], kind="stable")[:patients])
    return {key: values[rows] for key, values in whole.items()}


def _joined(blocks: list[Block], key: str) -> NDArray:
    """Join one array of all blocks, letting go of each part as it is copied: never two copies of the whole."""
    first = blocks[0][key]
    total = sum(len(block[key]) for block in blocks)
    dtype = np.result_type(*(block[key].dtype for block in blocks))
    joined, at = np.empty((total, *first.shape[1:]), dtype), 0
    for block in blocks:
        part = block.pop(key)
        joined[at : at + len(part)] = part
        at += len(part)
    return joined


class _Reader:
    """Turns blocks of cells into blocks of numbers, and remembers what was wrong with them."""

    def __init__(self, names: tuple[str, ...], mapping: Mapping) -> None:
        self.names, self.mapping = names, mapping
        self.inputs = {name: how for name, how in mapping.columns.items() if how.kind != "ignore"}
        self.hospitals: dict[str, int] = {}
        self.classes: dict[str, int] = {}
        self.faults: dict[tuple[str, str], _Fault] = {}
        self.sexes: dict[str, int] = {}
        self.unrecorded: set[str] = set()  # categories that some row lacks
        self.read = self.unlabelled = 0

    def layout(self) -> tuple[tuple[str, ...], NDArray[np.int64], NDArray[np.int64]]:
        """Return the names of X's columns, the input that each came from, and which of those read they are.

        A mark "(not recorded)" of a category that was recorded for everybody is left out.
        """
        columns, origin, used, at = [], [], [], 0
        for position, (name, how) in enumerate(self.inputs.items()):
            for level in _shown(how) if how.kind == "category" else [None]:
                if level != UNRECORDED or name in self.unrecorded:
                    columns.append(name if level is None else f"{name} = {level}")
                    origin.append(position)
                    used.append(at)
                at += 1
        return tuple(columns), np.array(origin), np.array(used)

    def blocks(self, source: Source) -> Iterator[Block]:
        """Yield X, y, hospital, patient, row number and groups of each block of rows that have label and hospital."""
        mapping = self.mapping
        for batch in source.batches():
            raw = dict(zip(self.names, batch.columns))
            read = {
                name: cells.read(raw[name], mapping.missing, mapping.decimal)
                for name in {mapping.hospital, mapping.label, *self._needed()}
            }
            n = batch.num_rows
            number = self.read + 2 + np.arange(n)
            X = np.concatenate([self._input(name, how, read, number) for name, how in self.inputs.items()], axis=1)
            y, hospital = self._label(read[mapping.label]), self._hospital(read[mapping.hospital])
            keep = (y >= 0) & (hospital >= 0)
            if mapping.unlabelled == "refuse":
                for column, bad in ((mapping.label, y < 0), (mapping.hospital, hospital < 0)):
                    self._fault(column, bad, read[column], number, "nothing is recorded",
                                "fill it in, or set `unlabelled: drop`")  # fmt: skip
            self.read, self.unlabelled = self.read + n, self.unlabelled + int((~keep).sum())
            block = {"X": X, "y": y, "hospital": hospital, "number": number, "patient": np.zeros(n, np.uint64)}
            if mapping.patient is not None:
                block["patient"] = _hashes(read[mapping.patient].text)
            block |= self._groups(read)
            yield {key: values[keep] for key, values in block.items()}

    def _needed(self) -> set[str]:
        roles = {self.mapping.patient, self.mapping.sex, self.mapping.age}
        dates = {how.since for how in self.inputs.values()}
        return {name for name in {*self.inputs, *roles, *dates} if name is not None}

    def _input(
        self, name: str, how: Input, read: dict[str, cells.Cells], number: NDArray[np.int64]
    ) -> NDArray[np.float32]:
        column = read[name]
        if how.kind == "category":
            return self._category(name, how, column, number)
        if how.kind == "date":
            assert how.form is not None
            assert how.since is not None
            other = self.mapping.columns[how.since]
            assert other.form is not None
            day, since = cells.days(column, how.form), cells.days(read[how.since], other.form)
            self._fault(name, ~column.missing & np.isnan(day), column, number, f"no date of the form {how.form}",
                        "correct it, or the form")  # fmt: skip
            return ((day - since) / cells.YEAR).astype(np.float32)[:, None]
        wild = np.abs(column.number) > LARGEST
        self._fault(name, column.junk | wild, column, number, "no number",
                    "correct it, add the text to `missing`, or make the column a category")  # fmt: skip
        return np.where(wild, np.nan, column.number).astype(np.float32)[:, None]

    def _category(self, name: str, how: Input, column: cells.Cells, number: NDArray[np.int64]) -> NDArray[np.float32]:
        code = pc.index_in(column.text, pa.array(how.levels, pa.string()))
        level = pc.fill_null(code, -1).to_numpy(zero_copy_only=False)
        self._fault(name, ~column.missing & (level < 0), column, number, f"none of the {len(how.levels)} levels",
                    "correct it, or add it to the column's `levels`")  # fmt: skip
        if column.missing.any():
            self.unrecorded.add(name)
        shown = _shown(how)
        wanted = np.array([how.levels.index(one) if one in how.levels else -1 for one in shown])
        level = np.where(column.missing, -1, np.where(level < 0, -2, level))
        return (level[:, None] == wanted).astype(np.float32)

    def _label(self, column: cells.Cells) -> NDArray[np.int8]:
        """Return 1, 0, or -1 where nothing is recorded."""
        mapping = self.mapping
        threshold = _threshold(mapping.positive)
        if threshold is not None:
            bad = np.flatnonzero(column.junk)
            if bad.size:
                raise MappingError(
                    f"label {mapping.label!r}: {column.text[int(bad[0])].as_py()!r} is no number, so "
                    f"{mapping.positive[0]!r} cannot decide: list the positive values instead"
                )
            return np.where(column.missing, -1, column.number > threshold).astype(np.int8)
        counted = pc.value_counts(column.text.drop_null())
        for value, count in zip(counted.field("values").to_pylist(), counted.field("counts").to_pylist()):
            self.classes[value] = self.classes.get(value, 0) + count
        others = [value for value in self.classes if value not in mapping.positive]
        wrong = [value for value in others if value not in mapping.negative] if mapping.negative else others[1:]
        if wrong or not mapping.positive:
            shown = sorted(self.classes, key=lambda value: (-self.classes[value], value))[:CLASSES]
            raise MappingError(
                f"label {mapping.label!r} has more than two classes, or nobody said which counts "
                f"({', '.join(map(repr, shown))}): list under `positive` all values that mean y = 1 (under `negative` "
                "those that mean y = 0), or compare numbers as in `positive: ['>0']`"
            )
        positive = pc.is_in(column.text, pa.array(mapping.positive, pa.string())).to_numpy(zero_copy_only=False)
        return np.where(column.missing, -1, positive).astype(np.int8)

    def _hospital(self, column: cells.Cells) -> NDArray[np.int32]:
        return _codes(column, self.hospitals)

    def _groups(self, read: dict[str, cells.Cells]) -> Block:
        groups: Block = {}
        if self.mapping.sex is not None:
            groups["sex"] = _codes(read[self.mapping.sex], self.sexes)
        if self.mapping.age is not None:
            age = read[self.mapping.age].number
            groups["age"] = np.where(np.isnan(age), len(AGES) + 1, np.digitize(age, AGES)).astype(np.int8)
        return groups

    def _fault(
        self, name: str, bad: NDArray[np.bool_], column: cells.Cells, number: NDArray, rule: str, mend: str
    ) -> None:
        where = np.flatnonzero(bad)
        if not where.size:
            return
        fault = self.faults.setdefault((name, rule), _Fault(rule, mend))
        if not fault.count:
            fault.row = int(number[where[0]])
            fault.value = column.text[int(where[0])].as_py() or ""
        fault.count += where.size

    def complain(self) -> None:
        """Raise what was wrong with cells, all columns at once.

        Raises:
            SchemaError: column, first row, value, count and mend of each.
        """
        if self.faults:
            said = [
                f"column {name!r}, row {fault.row}: {fault.value!r}: {fault.rule}"
                f"{f' ({fault.count} rows in all)' if fault.count > 1 else ''}: {fault.mend}"
                for (name, _), fault in self.faults.items()
            ]
            raise SchemaError("; ".join(said))


def _codes(column: cells.Cells, known: dict[str, int]) -> NDArray[np.int32]:
    """Return the number of each text in `known`, which grows by what is new; -1 where nothing is recorded."""
    coded = column.text.dictionary_encode()
    ids = np.array([known.setdefault(text, len(known)) for text in coded.dictionary.to_pylist()], np.int32)
    codes = pc.fill_null(coded.indices, -1).to_numpy(zero_copy_only=False)
    return np.where(codes < 0, -1, ids[codes] if ids.size else -1).astype(np.int32)


def _group_names(parts: Block, sexes: dict[str, int]) -> dict[str, NDArray[np.str_]]:
    """Return groups by name. Blocks hold their numbers only: names of millions of patients would outweigh X."""
    names = {"sex": np.array([*sexes, ""]), "age": AGE_GROUPS}
    return {key: names[key][codes] for key, codes in parts.items()}


def _shown(how: Input) -> list[str]:
    """Return the levels that get a column: all, or the last of two; and one for a category not recorded."""
    return [*(how.levels[1:] if len(how.levels) == 2 else how.levels), UNRECORDED]


def _threshold(positive: tuple[str, ...]) -> float | None:
    if len(positive) == 1 and positive[0].startswith(">"):
        try:
            return float(positive[0][1:])
        except ValueError:
            raise MappingError(f"label, positive: {positive[0]!r} is no comparison such as '>0'") from None
    return None


def _hashes(text: pa.Array) -> NDArray[np.uint64]:
    """Return 64-bit hashes uint64 (n,) of texts, 0 where nothing is recorded: such a row is a patient of its own."""
    values = pd.util.hash_array(np.asarray(pc.fill_null(text, "").to_pylist(), dtype=object), categorize=False)
    return np.where(pc.is_null(text).to_numpy(zero_copy_only=False), 0, values).astype(np.uint64)
