"""FHIR R4 export: one collection bundle a patient.

Resources: Patient, Encounter, Observation (LOINC, UCUM), Condition (ICD-10-CM), MedicationStatement (RxNorm).
HL7 FHIR Release 4 (4.0.1), https://hl7.org/fhir/R4.
"""

from __future__ import annotations

import json
import shutil
import tempfile
import uuid
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import pandas as pd

from bfl_stpc.ehr.codes import (
    ACT_CODE,
    CONDITIONS,
    ENCOUNTER_CLASSES,
    ICD10,
    LABS,
    LOINC,
    MEDICATIONS,
    QUANTITIES,
    RXNORM,
    UCUM,
)
from bfl_stpc.ehr.cohort import Cohort
from bfl_stpc.errors import DataError

Resource = dict[str, Any]

PSEUDONYM_SYSTEM = "urn:ietf:rfc:3986"
CATEGORY = "http://terminology.hl7.org/CodeSystem/observation-category"
CLINICAL = "http://terminology.hl7.org/CodeSystem/condition-clinical"
DISPLAY = {
    **{q.code: q.display for q in QUANTITIES},
    **{c.code: c.display for c in CONDITIONS},
    **{m.code: m.display for m in MEDICATIONS},
}
LAB_CODES = {q.code for q in LABS}
OF_PATIENT = ("encounters", "vitals", "labs", "conditions", "medications")


def to_fhir(cohort: Cohort, patient_id: str) -> Resource:
    """Return one patient's record as a FHIR R4 Bundle of type collection, in JSON types.

    Ids are the tables' random pseudonyms. The outcome is no part of the record and is not exported.

    Raises:
        DataError: the cohort has no such patient.
    """
    rows = cohort.patients[cohort.patients["patient_id"] == patient_id]
    if rows.empty:
        raise DataError(f"no patient {patient_id!r} in this cohort; ids are listed in cohort.patients")
    position = rows.index[0]
    tables = {name: table for name, table in cohort.tables().items() if name in OF_PATIENT}
    own = {name: table[table["patient_id"].cat.codes == position] for name, table in tables.items()}
    return _bundle(rows.iloc[0], own)


def export_fhir(cohort: Cohort, folder: Path, limit: int | None = None) -> int:
    """Write `<patient id>.json`, one bundle a patient, for the first `limit` patients; return how many.

    The folder is complete or it is not there.

    Raises:
        DataError: the folder exists or cannot be written, or the disk is full; nothing remains.
    """
    folder = Path(folder)
    if folder.exists():
        raise DataError(f"{folder} exists: give a new folder, or remove it")
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        staged = Path(tempfile.mkdtemp(dir=folder.parent, prefix=f".{folder.name}."))
        try:
            count = 0
            for patient_id, bundle in islice(_bundles(cohort), limit):
                text = json.dumps(bundle, indent=1, ensure_ascii=False) + "\n"
                (staged / f"{patient_id}.json").write_text(text, encoding="utf-8")
                count += 1
            staged.chmod(0o755)
            staged.replace(folder)
        finally:
            shutil.rmtree(staged, ignore_errors=True)
    except OSError as error:
        raise DataError(
            f"cannot export to {folder}: {error.strerror or error}. Nothing was left there; "
            "free space or choose a writable folder, then export again"
        ) from error
    return count


def _bundles(cohort: Cohort) -> Iterator[tuple[str, Resource]]:
    """Yield (patient id, bundle) in the order of the table of patients, each table grouped once."""
    groups = {}
    for name in OF_PATIENT:
        table = getattr(cohort, name)
        groups[name] = (table, table.groupby(table["patient_id"].cat.codes, observed=True).indices)
    for position, patient in cohort.patients.iterrows():
        own = {name: table.iloc[rows.get(position, [])] for name, (table, rows) in groups.items()}
        yield patient["patient_id"], _bundle(patient, own)


def _bundle(patient: pd.Series, own: dict[str, pd.DataFrame]) -> Resource:
    subject = {"reference": f"urn:uuid:{uuid.UUID(patient['patient_id'])}"}
    resources = [_patient(patient)]
    resources += [_encounter(row, subject) for row in own["encounters"].to_dict("records")]
    for name in ("vitals", "labs"):
        resources += [_observation(row, subject) for row in own[name].to_dict("records")]
    resources += [_condition(row, subject) for row in own["conditions"].to_dict("records")]
    resources += [_medication(row, subject) for row in own["medications"].to_dict("records")]
    entries = [{"fullUrl": f"urn:uuid:{r['id']}", "resource": r} for r in resources]
    identity = str(uuid.UUID(patient["patient_id"]))
    return {"resourceType": "Bundle", "id": identity, "type": "collection", "entry": entries}


def _patient(patient: pd.Series) -> Resource:
    identity = str(uuid.UUID(patient["patient_id"]))
    return {
        "resourceType": "Patient",
        "id": identity,
        "identifier": [{"system": PSEUDONYM_SYSTEM, "value": f"urn:uuid:{identity}"}],
        "gender": patient["sex"],
        "birthDate": _date(patient["birth_date"]),
        "managingOrganization": {"display": patient["hospital"]},
    }


def _encounter(row: dict[str, Any], subject: Resource) -> Resource:
    kind = row["class"]
    return {
        "resourceType": "Encounter",
        "id": str(uuid.UUID(row["encounter_id"])),
        "status": "finished",
        "class": {"system": ACT_CODE, "code": kind, "display": ENCOUNTER_CLASSES[kind]},
        "subject": subject,
        "period": {"start": _instant(row["start"]), "end": _instant(row["end"])},
    }


def _observation(row: dict[str, Any], subject: Resource) -> Resource:
    category = "laboratory" if row["code"] in LAB_CODES else "vital-signs"
    return {
        "resourceType": "Observation",
        "id": _part(row, row["time"]),
        "status": "final",
        "category": [{"coding": [{"system": CATEGORY, "code": category}]}],
        "code": _concept(LOINC, row["code"]),
        "subject": subject,
        "encounter": _within(row),
        "effectiveDateTime": _instant(row["time"]),
        "valueQuantity": {"value": row["value"], "unit": row["unit"], "system": UCUM, "code": row["unit"]},
    }


def _condition(row: dict[str, Any], subject: Resource) -> Resource:
    return {
        "resourceType": "Condition",
        "id": _part(row, row["onset"]),
        "clinicalStatus": {"coding": [{"system": CLINICAL, "code": "active"}]},
        "code": _concept(ICD10, row["code"]),
        "subject": subject,
        "encounter": _within(row),
        "onsetDateTime": _date(row["onset"]),
    }


def _medication(row: dict[str, Any], subject: Resource) -> Resource:
    return {
        "resourceType": "MedicationStatement",
        "id": _part(row, row["start"]),
        "status": "active",
        "medicationCodeableConcept": _concept(RXNORM, row["code"]),
        "subject": subject,
        "context": _within(row),
        "effectivePeriod": {"start": _date(row["start"])},
    }


def _concept(system: str, code: str) -> Resource:
    return {"coding": [{"system": system, "code": code, "display": DISPLAY[code]}], "text": DISPLAY[code]}


def _within(row: dict[str, Any]) -> Resource:
    return {"reference": f"urn:uuid:{uuid.UUID(row['encounter_id'])}"}


def _part(row: dict[str, Any], moment: pd.Timestamp) -> str:
    """Return an id within an encounter: a UUID (version 5) under the encounter's random pseudonym."""
    return str(uuid.uuid5(uuid.UUID(row["encounter_id"]), f"{row['code']}|{_instant(moment)}"))


def _date(moment: pd.Timestamp) -> str:
    return moment.strftime("%Y-%m-%d")


def _instant(moment: pd.Timestamp) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")
