"""From a file of one's own to a table that the study takes: propose, confirm, load."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from bfl_stpc.ehr.own import checks, encode, exports, propose
from bfl_stpc.ehr.own import mapping as mappings
from bfl_stpc.ehr.own import report as reports
from bfl_stpc.ehr.own.mapping import Mapping
from bfl_stpc.ehr.own.profile import profile
from bfl_stpc.ehr.own.source import Source, open_source
from bfl_stpc.ehr.tabular import Tabular
from bfl_stpc.errors import MappingError


@dataclass(frozen=True)
class OwnTable(Tabular):
    """A table of one's own, with how it was read and what was seen.

    Attributes:
        mapping: which column is what.
        report: to be read before training.
        file_sha256: of the bytes that were read.
    """

    mapping: Mapping = field(kw_only=True)
    report: reports.Report = field(kw_only=True)
    file_sha256: str = field(kw_only=True)


def mapping_path(data: Path) -> Path:
    """Return where the mapping of `data` is kept: beside it, `my.csv` has `my.mapping.yaml`."""
    return data.with_name(f"{data.stem if data.is_file() else data.name}.mapping.yaml")


def propose_mapping(
    path: Path,
    *,
    hospital: str | None = None,
    label: str | None = None,
    encoding: str = "utf-8",
    delimiter: str | None = None,
    at: str | None = None,
) -> Mapping:
    """Return what the columns of a table seem to be, not confirmed: write it with `write_mapping`, and read it.

    Args:
        path: CSV, TSV or Parquet file, or a folder of a Synthea export or of FHIR bundles.
        hospital, label: columns where they are known; of a folder, `label` is the condition to predict, by its code.
        encoding, delimiter: of a text file.
        at: of a folder, the day (YYYY-MM-DD) before which readings are inputs and after which the condition counts.

    Raises:
        DataError: the table cannot be read, or hospital or label cannot be found; the message names the mend.
    """
    path = Path(path)
    source = _source(path, encoding, delimiter, label, at)
    if path.is_dir():
        hospital, label = exports.HOSPITAL, exports.label_column(label)
    columns = profile(source)
    decimal = propose.decimal_sign(columns, getattr(source, "delimiter", ","))
    return propose.propose(
        columns if decimal == "." else profile(source, decimal=decimal),
        hospital=hospital,
        label=label,
        file=path.name,
        encoding=encoding,
        delimiter=getattr(source, "delimiter", None),
        decimal=decimal,
        at=at,
    )


def write_mapping(mapping: Mapping, path: Path) -> None:
    """Write a mapping as YAML to `path`, where none may be yet.

    Raises:
        MappingError: `path` exists or cannot be written.
    """
    mappings.write(mapping, path)


def load_table(
    path: Path | str,
    hospital: str | None = None,
    label: str | None = None,
    *,
    mapping: Mapping | Path | str | None = None,
    accept: bool = False,
    patients: int | None = None,
    seed: int = 0,
    **rules: Any,
) -> OwnTable:
    """Return the patients in a file of one's own, checked: nothing is guessed that nobody has confirmed.

    Args:
        path: CSV, TSV or Parquet file, or a folder of a Synthea export or of FHIR bundles; read, never changed.
        hospital, label: columns; they overrule the mapping. Of a folder, `label` is the code of a condition.
        mapping: how columns are read: a `Mapping`, or its YAML file; by default `<path>.mapping.yaml` where that is.
        accept: take a proposed or unconfirmed mapping as it is.
        patients: draw so many rows at random where there are more; memory is then bounded whatever the file's size.
        seed: of the draw.
        rules: fields of `Mapping` to overrule, such as unfit="merge".

    Raises:
        MappingError: the mapping is not confirmed, or does not fit the table.
        TableUnreadable: the file is no table; byte, line or column is named.
        SchemaError: cells break the mapping, or patients come twice; column, row and value are named.
        UnfitHospitals: hospitals are too small or have one class alone.
        LabelLeaked: inputs give the label away.
        DataError: one class has too few patients.
    """
    path = Path(path)
    found = _mapping(path, hospital, label, mapping, accept, rules)
    if not (found.confirmed or accept):
        raise MappingError(
            f"the mapping of {path.name} is not confirmed: read it, correct it and set `confirmed: true`, or take it "
            "as it is with ACCEPT=1 (`accept=True`)"
        )
    source = _source(path, found.encoding, found.delimiter, found.label, found.at)
    rows = encode.encode(source, found, patients=patients, seed=seed)
    rows, notes = checks.once_each(rows, found)
    rows, more = checks.fit_hospitals(rows, found)
    notes += more
    notes += checks.balanced(rows)
    notes += checks.leaks(rows, found)
    if path.is_dir() and found.at is None:
        notes.append(
            checks.Note(
                "inputs may have been recorded after the condition, so that consequences pass for risks",
                "set a day `at` which they must have been recorded before",
            )
        )
    if not found.confirmed:
        notes.append(checks.Note("nobody has confirmed the mapping", "read it before you believe a result"))
    return OwnTable(
        name=path.stem if path.is_file() else path.name,
        X=rows.X,
        y=rows.y,
        hospital=rows.hospital.astype("int16"),
        hospitals=rows.hospitals,
        columns=rows.columns,
        label=f"{found.label} is {' or '.join(found.positive)}",
        groups=rows.groups,
        source=f"own data, {path.name}",
        reference=_reference(found),
        mapping=found,
        report=reports.report(path.name, rows, found, notes),
        file_sha256=source.sha256,
    )


def _mapping(
    path: Path,
    hospital: str | None,
    label: str | None,
    given: Mapping | Path | str | None,
    accept: bool,
    rules: dict[str, Any],
) -> Mapping:
    if given is None and mapping_path(path).exists():
        given = mapping_path(path)
    if isinstance(given, Path | str):
        given = mappings.load(Path(given))
    if given is None:
        if not accept:
            raise MappingError(
                f"{path.name} has no mapping: `make table DATA={path.name}` proposes one to confirm, or take the "
                "proposal unseen with ACCEPT=1 (`accept=True`)"
            )
        known = {key: rules.pop(key) for key in ("encoding", "delimiter", "at") if key in rules}
        given = propose_mapping(path, hospital=hospital, label=label, **known)
    if path.is_dir() and label is not None:
        label = exports.label_column(label)
    if path.is_dir():
        hospital = None
    known_rules = set(Mapping.__dataclass_fields__) - {"hospital", "label"}
    if unknown := sorted(set(rules) - known_rules):
        raise MappingError(f"{', '.join(unknown)}: no rule of a mapping; known are {', '.join(sorted(known_rules))}")
    return replace(given, hospital=hospital or given.hospital, label=label or given.label, **rules)


def _reference(mapping: Mapping) -> dict[str, tuple[float, float]]:
    """Return centre and spread of each input whose usual range is known; the range is taken as four spreads wide."""
    usual = {name: how.usual for name, how in mapping.columns.items() if how.usual is not None}
    return {name: ((low + high) / 2, (high - low) / 4) for name, (low, high) in usual.items()}


def _source(path: Path, encoding: str, delimiter: str | None, label: str | None, at: str | None) -> Source:
    if path.is_dir():
        return exports.open_export(path, label, at)
    return open_source(path, encoding=encoding, delimiter=delimiter)
