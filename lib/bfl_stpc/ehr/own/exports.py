"""Exports of many files, one row a patient: Synthea's CSV folder and FHIR R4 bundles.

Both become the same four tables (patients, encounters, conditions, observations), and these one row a patient. The
label is a condition, by its code. `at`, a day, parts what is known from what is predicted: inputs were recorded before
it, the condition is recorded from it on, and who had it before is left out. Without `at` inputs and label may be of any
time, so that a consequence of the condition may pass for a risk.

Synthea's columns: https://github.com/synthetichealth/synthea/wiki/CSV-File-Data-Dictionary. FHIR Release 4 (4.0.1):
Patient, Encounter, Condition, Observation.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from bfl_stpc.ehr.own.source import MemorySource
from bfl_stpc.ehr.records import completed_years
from bfl_stpc.errors import MappingError, SchemaError, TableUnreadable

HOSPITAL, PREFIX = "hospital", "condition "
SYNTHEA = {
    "patients": {"Id": "patient", "BIRTHDATE": "born", "GENDER": "sex"},
    "encounters": {"PATIENT": "patient", "START": "time", "ORGANIZATION": "hospital"},
    "conditions": {"PATIENT": "patient", "START": "time", "CODE": "code", "DESCRIPTION": "name"},
    "observations": {"PATIENT": "patient", "DATE": "time", "CODE": "code", "DESCRIPTION": "name", "VALUE": "value"},
}
COMMON = 0.05  # share of patients that must have a reading or another condition for it to be an input
ROWS = 200_000  # rows of a file in memory at a time


@dataclass(frozen=True)
class Export:
    """Four tables of texts; times as ISO text, of which the day counts.

    Attributes:
        patients: `patient`, `born`, `sex`, and `hospital` where the export says it of the patient.
        encounters: `patient`, `time`, `hospital`.
        conditions: `patient`, `time`, `code`, `name`; the first of each patient and code.
        observations: `patient`, `time`, `code`, `name`, `value`; the last number of each patient and code.
        sha256: of the files read.
    """

    patients: pd.DataFrame
    encounters: pd.DataFrame
    conditions: pd.DataFrame
    observations: pd.DataFrame
    sha256: str


def label_column(label: str | None) -> str:
    """Return the name of the label's column: the condition's code, marked as one.

    Raises:
        MappingError: no code is given.
    """
    if label is None:
        raise MappingError("an export has no label column: name the condition to predict by its code, LABEL=<code>")
    return label if label.startswith(PREFIX) else f"{PREFIX}{label}"


def open_export(folder: Path, label: str | None, at: str | None = None) -> MemorySource:
    """Return one row a patient of a Synthea CSV folder or a folder of FHIR bundles.

    Args:
        folder: holds patients.csv, encounters.csv, conditions.csv and observations.csv, or *.json.
        label: code of the condition to predict, such as 44054006.
        at: day (YYYY-MM-DD) before which readings are inputs and from which the condition counts.

    Raises:
        TableUnreadable: the folder is neither, or a file of it cannot be read; it is named.
        SchemaError: no patient has the condition; the commonest codes are listed.
    """
    name = label_column(label)
    folder = Path(folder)
    day = _day(at)
    export = _synthea(folder, day) if (folder / "patients.csv").is_file() else _fhir(folder, day)
    return MemorySource(pa.Table.from_pandas(flat(export, name, day), preserve_index=False), export.sha256)


def flat(export: Export, label: str, at: str | None) -> pd.DataFrame:
    """Return a row for each patient: `patient`, `hospital`, the label, sex, age, visits, readings and conditions.

    Raises:
        SchemaError: no patient has the condition; the commonest codes are listed.
    """
    code = label.removeprefix(PREFIX)
    conditions, encounters = export.conditions, export.encounters
    has = conditions[conditions["code"] == code].drop_duplicates("patient").set_index("patient")["time"].str[:10]
    if has.empty:
        common = conditions.groupby(["code", "name"])["patient"].nunique().sort_values(ascending=False, kind="stable")
        listed = ", ".join(f"{c} ({n}, {k} patients)" for (c, n), k in common.head(8).items())
        raise SchemaError(f"no patient has condition {code}: give the code of one that is recorded, such as {listed}")
    if at is not None:
        conditions = conditions[conditions["time"].str[:10] < at]
    table = export.patients.drop_duplicates("patient").set_index("patient")
    seen = encounters.groupby("patient").size()
    if "hospital" not in table:
        usual = encounters.groupby(["patient", "hospital"]).size().reset_index(name="visits")
        usual = usual.sort_values(["visits", "hospital"], ascending=[False, True], kind="stable")
        table["hospital"] = usual.drop_duplicates("patient").set_index("patient")["hospital"]
    if at is not None:
        early = has[has < at].index
        table = table[table.index.isin(seen.index) & ~table.index.isin(early)]
    last = at or max(encounters["time"].str[:10], default="")
    born = pd.to_datetime(table["born"].str[:10], errors="coerce")
    age = pd.Series(completed_years(born.to_numpy(), np.full(len(born), np.datetime64(last or "NaT"))), table.index)
    made = {
        "patient": table.index.to_series(),
        HOSPITAL: table["hospital"],
        label: table.index.isin(has.index).astype(np.int8),
        "sex": table["sex"],
        "age": age.where(born.notna()),
        "visits": seen.reindex(table.index, fill_value=0),
    }
    rest = conditions[conditions["code"] != code]
    for kind, values in (("reading", export.observations), ("condition", rest)):
        values = values[values["patient"].isin(table.index)].drop_duplicates(["patient", "code"], keep="last")
        count = values["code"].value_counts()
        for common in sorted(count.index[count >= COMMON * len(table)]):
            own = values[values["code"] == common].set_index("patient")
            column = f"{own['name'].iloc[-1]} ({common})"
            if kind == "reading":
                made[column] = own["value"].astype(float).reindex(table.index)
            else:
                made[column] = table.index.isin(own.index).astype(np.int8)
    return pd.DataFrame(made, index=table.index)


def _day(at: str | None) -> str | None:
    if at is None:
        return None
    try:
        return str(pd.to_datetime(str(at), format="%Y-%m-%d").date())
    except ValueError:
        raise MappingError(f"at: {at!r} is no day such as 2020-01-31") from None


def _synthea(folder: Path, at: str | None) -> Export:
    tables, digest = {}, hashlib.sha256()
    for name, columns in SYNTHEA.items():
        path = folder / f"{name}.csv"
        parts: list[pd.DataFrame] = []
        for part in _chunks(path, columns):
            if name in ("encounters", "observations") and at is not None:
                part = part[part["time"].str[:10] < at]
            if name == "observations":
                # Texts such as "never smoked" are no readings; of numbers the last of each patient and code is kept.
                part = part[pd.to_numeric(part["value"], errors="coerce").notna()]
            parts = [_reduced(name, pd.concat([*parts, part], ignore_index=True))]
        tables[name] = parts[0]
        with path.open("rb") as file:
            digest.update(hashlib.file_digest(file, "sha256").digest())
    return Export(**tables, sha256=digest.hexdigest())


def _reduced(name: str, table: pd.DataFrame) -> pd.DataFrame:
    """Return the last reading, or the first record of a condition, of each patient and code; memory stays bounded."""
    if name not in ("observations", "conditions"):
        return table
    keep = "last" if name == "observations" else "first"
    return table.sort_values("time", kind="stable").drop_duplicates(["patient", "code"], keep=keep)


def _chunks(path: Path, columns: dict[str, str]) -> Iterator[pd.DataFrame]:
    try:
        reader = pd.read_csv(path, usecols=list(columns), dtype=str, keep_default_na=False, chunksize=ROWS)
        for part in reader:
            yield part.rename(columns=columns)
    except FileNotFoundError:
        raise TableUnreadable(
            f"{path} is missing: a Synthea export needs {', '.join(f'{n}.csv' for n in SYNTHEA)}"
        ) from None
    except (OSError, ValueError) as error:  # pandas' ParserError and a decoding error are ValueErrors
        raise TableUnreadable(f"{path} is no such file of Synthea ({error}): export it again") from error


def _fhir(folder: Path, at: str | None) -> Export:
    files = sorted(folder.glob("*.json"))
    if not files:
        raise TableUnreadable(f"{folder} holds neither patients.csv nor *.json: give a Synthea export or FHIR bundles")
    rows: dict[str, list[dict[str, Any]]] = {name: [] for name in SYNTHEA}
    digest = hashlib.sha256()
    for path in files:
        try:
            content = path.read_bytes()
            bundle = json.loads(content)
            entries = [entry["resource"] for entry in bundle["entry"]]
            digest.update(hashlib.sha256(content).digest())
            for resource in entries:
                _take(resource, rows, at)
        except (OSError, ValueError, KeyError, TypeError, AttributeError, IndexError) as error:
            raise TableUnreadable(f"{path} is no FHIR R4 bundle ({error!r}): export it again, or remove it") from error
    if not rows["patients"]:
        raise TableUnreadable(f"{folder}: no bundle holds a Patient: export them with the patient's own resource")
    tables = {}
    for name, columns in SYNTHEA.items():
        found = pd.DataFrame(rows[name]) if rows[name] else pd.DataFrame(columns=list(columns.values()))
        tables[name] = _reduced(name, found)
    if tables["patients"]["hospital"].isna().all():
        del tables["patients"]["hospital"]
    return Export(**tables, sha256=digest.hexdigest())


def _take(resource: dict[str, Any], rows: dict[str, list[dict[str, Any]]], at: str | None) -> None:
    """Add what one resource says to the tables; other kinds of resource are passed over."""
    kind = resource["resourceType"]
    if kind == "Patient":
        where = resource.get("managingOrganization", {})
        rows["patients"].append(
            {
                "patient": resource["id"],
                "born": resource.get("birthDate", ""),
                "sex": resource.get("gender", ""),
                "hospital": where.get("display", where.get("reference")),
            }
        )
        return
    if kind not in ("Encounter", "Condition", "Observation"):
        return
    patient = resource["subject"]["reference"].split("/")[-1].split(":")[-1]
    if kind == "Encounter":
        time, where = resource.get("period", {}).get("start", ""), resource.get("serviceProvider", {})
        if at is None or time[:10] < at:
            hospital = where.get("display", where.get("reference", ""))
            rows["encounters"].append({"patient": patient, "time": time, "hospital": hospital})
    elif kind == "Condition":
        time = resource.get("onsetDateTime", resource.get("recordedDate", ""))
        rows["conditions"].append({"patient": patient, "time": time, **_coded(resource)})
    else:
        time = resource.get("effectiveDateTime", "")
        # Blood pressure comes as one observation of two components.
        for part in (resource, *resource.get("component", ())):
            if "valueQuantity" in part and (at is None or time[:10] < at):
                value = part["valueQuantity"]["value"]
                rows["observations"].append({"patient": patient, "time": time, **_coded(part), "value": value})


def _coded(resource: dict[str, Any]) -> dict[str, str]:
    coding = resource["code"]["coding"][0]
    return {"code": str(coding["code"]), "name": coding.get("display", resource["code"].get("text", ""))}
