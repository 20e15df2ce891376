"""The cohort: six coded tables, and the features and probabilities that follow from them."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from bfl_stpc.ehr import outcome
from bfl_stpc.ehr.codes import CONDITIONS, FEATURES, MEDICATION_FEATURES, MEDICATIONS, QUANTITIES, SKEWED
from bfl_stpc.ehr.config import CohortConfig
from bfl_stpc.ehr.records import completed_years

TABLES = ("patients", "encounters", "vitals", "labs", "conditions", "medications")
PRIOR_DAYS = 365


@dataclass(frozen=True)
class Features:
    """One row a patient, derived from the recorded tables alone.

    Attributes:
        X: float32 (n, d), NaN where a value was not recorded.
        y: int8 (n,), 1 where the patient deteriorated within 30 days.
        p: float64 (n,), true probability of y = 1 given the row of X.
        hospital: int16 (n,), index into `hospitals`.
        hospitals: names of the hospitals.
        names: d feature names.
        patient_ids: n pseudonyms (str), in the order of the table of patients.
        skewed: bool (d,), right-skewed columns, of which a model should see the logarithm.
    """

    X: np.ndarray
    y: np.ndarray
    p: np.ndarray
    hospital: np.ndarray
    hospitals: tuple[str, ...]
    names: tuple[str, ...]
    patient_ids: np.ndarray
    skewed: np.ndarray

    def at(self, hospital: int) -> np.ndarray:
        """Return the rows of one hospital, int64 (n_k,)."""
        return np.flatnonzero(self.hospital == hospital)


@dataclass(frozen=True)
class Cohort:
    """A generated cohort: its configuration, the steepness of p(y|x), and the recorded tables.

    `patients` one row each; `encounters` the index admission and those of the year before; `vitals`
    and `labs` one row a reading (LOINC, UCUM); `conditions` (ICD-10-CM); `medications` (RxNorm).
    """

    config: CohortConfig
    steepness: float
    patients: pd.DataFrame
    encounters: pd.DataFrame
    vitals: pd.DataFrame
    labs: pd.DataFrame
    conditions: pd.DataFrame
    medications: pd.DataFrame

    def tables(self) -> dict[str, pd.DataFrame]:
        """Return the six tables by name, in the order of `TABLES`."""
        return {name: getattr(self, name) for name in TABLES}

    def features(self) -> Features:
        """Derive features, outcomes and true probabilities from the tables."""
        X = feature_matrix(self.tables())
        index = _index_encounters(self.tables())
        hospital = self.patients["hospital"]
        return Features(
            X=X,
            y=index["deteriorated"].to_numpy(np.int8),
            p=outcome.probability(outcome.score(X, FEATURES), self.steepness),
            hospital=hospital.cat.codes.to_numpy(np.int16),
            hospitals=tuple(hospital.cat.categories),
            names=FEATURES,
            patient_ids=self.patients["patient_id"].to_numpy(object),
            skewed=np.isin(FEATURES, SKEWED),
        )


def feature_matrix(tables: Mapping[str, pd.DataFrame]) -> np.ndarray:
    """Return X, float32 (n, d) in the order of `codes.FEATURES`, from the tables and nothing else.

    Age in completed years at the index encounter; the last reading of each quantity; 1 for a
    recorded diagnosis or medication; admissions and emergency visits of the year before.
    """
    patients, index = tables["patients"], _index_encounters(tables)
    X = np.full((len(patients), len(FEATURES)), np.nan, np.float32)
    column = {name: j for j, name in enumerate(FEATURES)}
    X[:, column["age"]] = completed_years(patients["birth_date"].to_numpy(), index["start"].to_numpy())
    X[:, column["female"]] = (patients["sex"] == "female").to_numpy()

    by_loinc = {q.code: column[q.name] for q in QUANTITIES}
    for name in ("vitals", "labs"):
        last = tables[name].sort_values("time", kind="stable")
        last = last.drop_duplicates(["patient_id", "code"], keep="last")
        X[last["patient_id"].cat.codes, last["code"].astype(object).map(by_loinc)] = last["value"]

    flags = {"conditions": {c.code: c.name for c in CONDITIONS}, "medications": {m.code: m.name for m in MEDICATIONS}}
    for table, names in flags.items():
        used = {code: column[n] for code, n in names.items() if table == "conditions" or n in MEDICATION_FEATURES}
        X[:, list(used.values())] = 0
        rows = tables[table][tables[table]["code"].isin(list(used))]
        X[rows["patient_id"].cat.codes, rows["code"].astype(object).map(used)] = 1

    encounters = tables["encounters"]
    patient = encounters["patient_id"].cat.codes.to_numpy()
    before = index["start"].to_numpy()[patient] - encounters["start"].to_numpy()
    prior = ~encounters["is_index"].to_numpy() & (before <= np.timedelta64(PRIOR_DAYS, "D"))
    for name, kind in (("prior_admissions", "IMP"), ("prior_emergency_visits", "EMER")):
        counted = prior & (encounters["class"] == kind).to_numpy()
        X[:, column[name]] = np.bincount(patient[counted], minlength=len(patients))
    return X


def _index_encounters(tables: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """Return the index encounter of each patient, in the order of the table of patients."""
    encounters = tables["encounters"]
    index = encounters[encounters["is_index"]]
    return index.iloc[np.argsort(index["patient_id"].cat.codes.to_numpy(), kind="stable")]


def cohort_sha256(cohort: Cohort) -> str:
    """Return the SHA-256 (hex) of all tables: their names, columns, types and values.

    It depends on the contents alone, not on the file format or its writer.
    """
    state = hashlib.sha256()

    def feed(part: bytes) -> None:
        state.update(len(part).to_bytes(8, "big") + part)

    for name, table in cohort.tables().items():
        feed(name.encode())
        for label, column in table.items():
            feed(f"{label}:{column.dtype.name}".encode())
            if isinstance(column.dtype, pd.CategoricalDtype):
                feed("\n".join(map(str, column.cat.categories)).encode())
                feed(column.cat.codes.to_numpy("<i4").tobytes())
            elif column.dtype == object:
                feed("\n".join(column).encode())
            elif pd.api.types.is_extension_array_dtype(column.dtype):
                feed(column.to_numpy("<i8", na_value=-1).tobytes())
            else:
                feed(np.ascontiguousarray(column.to_numpy()).tobytes())
    return state.hexdigest()
