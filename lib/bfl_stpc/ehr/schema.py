"""The schema: what each table must look like, and an error that names column, row and rule when it does not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
import pandera.pandas as pa

from bfl_stpc.ehr.codes import CONDITIONS, ENCOUNTER_CLASSES, LABS, MEDICATIONS, VITALS, Quantity
from bfl_stpc.errors import SchemaError

PSEUDONYM = r"^[0-9a-f]{32}$"
TIME = "datetime64[ms]"


def validate(tables: Mapping[str, pd.DataFrame]) -> None:
    """Check every table against its schema, and the references between them.

    Raises:
        SchemaError: a table is missing or breaks a rule; the message names table, column, row and rule.
    """
    for name, schema in SCHEMAS.items():
        if name not in tables:
            raise SchemaError(f"table {name} is missing; a cohort has {', '.join(SCHEMAS)}")
        _check(name, schema, tables[name])
    _check_references(tables)


def _column(dtype: object, *checks: pa.Check, unique: bool = False, nullable: bool = False) -> pa.Column:
    return pa.Column(dtype, checks=list(checks), unique=unique, nullable=nullable)


def _one_of(values: Sequence[str]) -> pa.Check:
    """Check membership by the categories in use: one comparison a category, not one a row."""
    allowed = set(values)

    def member(column: pd.Series) -> pd.Series:
        known = np.array([c in allowed for c in column.cat.categories], dtype=bool)
        return pd.Series(known[column.cat.codes], index=column.index)

    return pa.Check(member, error=f"one of {', '.join(values)}")


def _within_range(quantities: Sequence[Quantity]) -> pa.Check:
    low, high = {q.code: q.low for q in quantities}, {q.code: q.high for q in quantities}

    def within(table: pd.DataFrame) -> pd.Series:
        code = table["code"].astype(object)
        return table["value"].between(code.map(low), code.map(high))

    return pa.Check(within, name="value", error="within the reportable range of its code")


def _unit_of(quantities: Sequence[Quantity]) -> pa.Check:
    units = {q.code: q.unit for q in quantities}

    def fits(table: pd.DataFrame) -> pd.Series:
        return table["unit"].astype(object) == table["code"].astype(object).map(units)

    return pa.Check(fits, name="unit", error="the UCUM unit of its code")


def _readings(quantities: Sequence[Quantity]) -> pa.DataFrameSchema:
    return pa.DataFrameSchema(
        {
            "patient_id": _column("category"),
            "encounter_id": _column("category"),
            "code": _column("category", _one_of([q.code for q in quantities])),
            "value": _column("float64"),
            "unit": _column("category", _one_of(sorted({q.unit for q in quantities}))),
            "time": _column(TIME),
        },
        checks=[_within_range(quantities), _unit_of(quantities)],
        strict=True,
    )


def _coded(codes: Sequence[str], date: str) -> pa.DataFrameSchema:
    columns = {
        "patient_id": _column("category"),
        "encounter_id": _column("category"),
        "code": _column("category", _one_of(codes)),
        date: _column(TIME),
    }
    return pa.DataFrameSchema(columns, strict=True)


def _only_index(table: pd.DataFrame) -> pd.Series:
    return table["deteriorated"].notna() == table["is_index"]


SCHEMAS: dict[str, pa.DataFrameSchema] = {
    "patients": pa.DataFrameSchema(
        {
            "patient_id": _column(object, pa.Check.str_matches(PSEUDONYM, error="32 hex digits"), unique=True),
            "hospital": _column("category"),
            "sex": _column("category", _one_of(["male", "female"])),
            "birth_date": _column(TIME),
        },
        strict=True,
    ),
    "encounters": pa.DataFrameSchema(
        {
            "encounter_id": _column(object, pa.Check.str_matches(PSEUDONYM, error="32 hex digits"), unique=True),
            "patient_id": _column("category"),
            "hospital": _column("category"),
            "class": _column("category", _one_of(list(ENCOUNTER_CLASSES))),
            "start": _column(TIME),
            "end": _column(TIME),
            "is_index": _column(bool),
            "deteriorated": _column("Int8", pa.Check.isin([0, 1], error="0 or 1"), nullable=True),
        },
        checks=[
            pa.Check(lambda table: table["end"] > table["start"], name="end", error="after its start"),
            pa.Check(_only_index, name="deteriorated", error="present for the index encounter and for no other"),
        ],
        strict=True,
    ),
    "vitals": _readings(VITALS),
    "labs": _readings(LABS),
    "conditions": _coded([c.code for c in CONDITIONS], "onset"),
    "medications": _coded([m.code for m in MEDICATIONS], "start"),
}


def _check(name: str, schema: pa.DataFrameSchema, table: pd.DataFrame) -> None:
    """Run pandera and name the first failure by table, column, row and rule."""
    try:
        schema.validate(table, lazy=True)
    except pa.errors.SchemaErrors as error:
        failures = error.failure_cases
        whole, single = failures["index"].isna(), failures["schema_context"] == "Column"
        causes = [failures[part] for part in (whole, single) if part.any()]  # a bad code also breaks the range of codes
        first = (causes[0] if causes else failures).iloc[0]
        column = _column_of(schema, first)
        where = "in the whole column" if pd.isna(first["index"]) else f"row {first['index']}"
        value = _value(table, column, first)
        rows = failures["index"].nunique()
        more = f" ({rows} rows fail in all)" if rows > 1 else ""
        raise SchemaError(f"table {name}, column {column}, {where}: {value} breaks the rule '{first['check']}'{more}; "
                          "correct the table or generate it anew") from error  # fmt: skip


def _column_of(schema: pa.DataFrameSchema, failure: pd.Series) -> str:
    """Return the column a failure concerns; whole-table checks carry it as their name."""
    if failure["schema_context"] == "Column":
        return str(failure["column"])
    for check in schema.checks:
        if check.error == failure["check"]:
            return str(check.name)
    return str(failure["failure_case"])


def _value(table: pd.DataFrame, column: str, failure: pd.Series) -> str:
    if column not in table.columns:
        return "it is missing"
    return repr(failure["failure_case"] if pd.isna(failure["index"]) else table.loc[failure["index"], column])


def _check_references(tables: Mapping[str, pd.DataFrame]) -> None:
    """Check that patients and encounters that rows refer to exist, and that each patient has one index encounter."""
    patients, encounters = tables["patients"], tables["encounters"]
    for name, table in tables.items():
        if name == "patients":
            continue
        _require_same(name, table, "patient_id", patients["patient_id"])
        if name != "encounters":
            _require_same(name, table, "encounter_id", encounters["encounter_id"])
            owner = encounters["patient_id"].cat.codes.to_numpy()[table["encounter_id"].cat.codes]
            _require(name, "encounter_id", table, owner == table["patient_id"].cat.codes, "an encounter of the patient")
    hospital = patients["hospital"].astype(str).to_numpy()[encounters["patient_id"].cat.codes]
    _require("encounters", "hospital", encounters, encounters["hospital"].astype(str) == hospital, "the patient's own")
    index = encounters.loc[encounters["is_index"], "patient_id"].cat.codes
    counts = np.bincount(index, minlength=len(patients))
    _require("patients", "patient_id", patients, counts == 1, "exactly one index encounter")


def _require_same(name: str, table: pd.DataFrame, column: str, known: pd.Series) -> None:
    """Check a reference: the categories are the known ids in order, and no entry is missing."""
    unknown = ~table[column].astype(object).isin(set(known)) if len(table) else pd.Series(dtype=bool)
    key = known.name
    _require(name, column, table, ~unknown.to_numpy(dtype=bool), f"a known {key}")
    if list(table[column].cat.categories) != list(known):
        raise SchemaError(f"table {name}, column {column}, in the whole column: the categories break the rule "
                          f"'every {key} in the order of its table'; generate the table anew")  # fmt: skip


def _require(name: str, column: str, table: pd.DataFrame, holds: np.ndarray | pd.Series, rule: str) -> None:
    bad = np.flatnonzero(~np.asarray(holds, dtype=bool))
    if bad.size:
        row = table.index[bad[0]]
        raise SchemaError(
            f"table {name}, column {column}, row {row}: {table[column].iloc[bad[0]]!r} breaks the rule '{rule}' "
            f"({bad.size} rows fail in all); correct the table or generate it anew"
        )
