"""Model inputs as a clinician forms them: distance from the reference interval, alarm limits, and whom it concerns.

Three rules, the same for every quantity; none is fitted to the outcome.

1. A value is read by its distance from the middle of its reference interval, in half-widths (on the scale of its
   logarithm where it is skewed), by the square of that distance, and by its excess over the limits that guidelines
   name. What was not measured is presumed normal, as NEWS2 and APACHE score it.
2. A diagnosis or a drug changes what a value means: `RELATED` lists for which.
3. Whether a value was measured is an input by itself: a test that was ordered says that somebody worried.

Limits: NEWS2 (Royal College of Physicians 2017) for the vital signs; ESC/ESH 2018 (blood pressure); KDIGO 2024
(eGFR); ADA 2024 (glucose, HbA1c); WHO (anaemia, body mass index); SOFA and SIRS (platelets, leukocytes); Surviving
Sepsis 2021 (lactate); ESC 2021 (NT-proBNP); common laboratory reference intervals elsewhere.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bfl_stpc.errors import FederatedError
from bfl_stpc.federated.features import logarithms
from bfl_stpc.federated.scaling import Scaler, statistics

# quantity: reference interval, then the limits at which guidelines act; units as in the record
LIMITS: dict[str, tuple[tuple[float, float], tuple[float, ...]]] = {
    "age": ((20, 65), (50, 65, 75, 85)),
    "systolic": ((110, 140), (90, 100, 110, 120, 140, 160, 180)),
    "diastolic": ((60, 90), (60, 90, 110)),
    "heart_rate": ((60, 100), (40, 50, 90, 110, 130)),
    "respiratory_rate": ((12, 20), (8, 11, 20, 24)),
    "temperature": ((36.1, 37.9), (35, 36, 38, 39)),
    "spo2": ((96, 100), (83, 85, 88, 91, 93, 95)),
    "bmi": ((18.5, 25), (18.5, 25, 30, 35)),
    "hba1c": ((4, 5.6), (5.7, 6.5, 8)),
    "creatinine": ((0.6, 1.2), (0.6, 1.2, 2, 3.5)),
    "egfr": ((90, 120), (15, 30, 45, 60, 90)),
    "sodium": ((135, 145), (130, 135, 145, 150)),
    "potassium": ((3.5, 5), (3, 3.5, 5, 5.5, 6)),
    "haemoglobin": ((12, 16), (7, 8, 10, 12, 13, 16)),
    "wbc": ((4, 11), (4, 11, 12, 20)),
    "platelets": ((150, 400), (50, 100, 150, 400, 450)),
    "crp": ((0.3, 10), (5, 10, 50, 100)),
    "glucose": ((70, 140), (70, 100, 140, 180, 250)),
    "ntprobnp": ((30, 300), (125, 300, 900, 1800)),
    "lactate": ((0.5, 2), (1, 2, 4)),
    "albumin": ((3.5, 5), (2.5, 3, 3.5, 5)),
}
# diagnosis or drug: the quantities that it makes one read differently
RELATED: dict[str, tuple[str, ...]] = {
    "copd": ("spo2", "respiratory_rate"),  # NEWS2 scale 2: chronic hypercapnia
    "heart_failure": ("ntprobnp", "systolic", "sodium"),
    "diabetes": ("glucose", "hba1c"),
    "kidney_disease": ("creatinine", "egfr", "potassium", "haemoglobin"),
    "coronary_disease": ("haemoglobin", "heart_rate"),  # oxygen supply and demand of the heart
    "atrial_fibrillation": ("heart_rate", "potassium", "ntprobnp"),
    "hypertension": ("systolic",),
    "insulin": ("glucose", "potassium"),
    "furosemide": ("potassium", "sodium", "egfr"),
    "metoprolol": ("heart_rate", "systolic"),  # a beta blocker hides tachycardia
    "prednisone": ("glucose", "wbc"),
}


@dataclass(frozen=True)
class Reading:
    """How a chart is read: which columns are formed of recorded values.

    Attributes:
        names: the d recorded inputs in order; those of `LIMITS` are quantities, the others flags and counts.
        skewed: bool (d,), inputs of which the logarithm is taken.
        margins: further thresholds on both sides of the middle, in half-widths of the reference interval.
        limits: whether the excess over guideline limits is formed.
        related: quantities read differently, by flag; empty for none.
        absence: whether missing values are marked.

    Raises:
        FederatedError: `related` names an input that the record does not have.
    """

    names: tuple[str, ...]
    skewed: NDArray[np.bool_]
    margins: tuple[float, ...] = (0.5,)
    limits: bool = True
    related: tuple[tuple[str, str], ...] = tuple((flag, q) for flag, qs in RELATED.items() for q in qs)
    absence: bool = True

    def __post_init__(self) -> None:
        unknown = sorted({name for pair in self.related for name in pair} - set(self.names))
        if unknown:
            raise FederatedError(f"the record has no {', '.join(unknown)}: leave out of `related` what it lacks")

    def columns(self, X: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return what is read, float32 (n, m), of recorded values X float32 (n, d), NaN where missing.

        Raises:
            FederatedError: a flag or a count is missing, or a skewed value is not positive.
        """
        missing, X = np.isnan(X), logarithms(X, self.skewed)
        value: dict[str, NDArray[np.float64]] = {}
        parts: list[NDArray] = []
        for j, name in enumerate(self.names):
            if name not in LIMITS:
                if missing[:, j].any():
                    raise FederatedError(f"{name} is missing for {missing[:, j].sum()} patients: record 0 where absent")
                value[name] = X[:, j].astype(np.float64)
                parts.append(value[name])
                continue
            z, cuts = self._distance(name, X[:, j], bool(self.skewed[j]))
            value[name] = z
            parts += [z, z**2, *(np.maximum(side * z - m, 0) for m in self.margins for side in (1, -1))]
            parts += [np.maximum(z - cut if cut > 0 else cut - z, 0) for cut in cuts if self.limits]
            parts += [missing[:, j]] if self.absence else []
        for flag, name in self.related:
            parts += [value[flag] * value[name], value[flag] * value[name] ** 2]
        return np.stack(parts, axis=1).astype(np.float32)

    @staticmethod
    def _distance(name: str, recorded: NDArray[np.float32], skewed: bool) -> tuple[NDArray[np.float64], list[float]]:
        """Return the distance from the middle in half-widths (n,), 0 where missing, and the limits so expressed."""
        interval, alarms = LIMITS[name]
        scale = np.log if skewed else float
        low, high = (scale(bound) for bound in interval)
        middle, half = (low + high) / 2, (high - low) / 2
        z = (recorded.astype(np.float64) - middle) / half
        return np.where(np.isnan(z), 0.0, z), [(scale(alarm) - middle) / half for alarm in alarms]


@dataclass(frozen=True)
class ClinicalInputs:
    """Columns of a `Reading`, standardised and decorrelated; the same at every hospital.

    Attributes:
        reading: which columns.
        scaler: their means and deviations.
        rotation: float32 (m, m), (S + ridge·I)^(−1/2) for the correlation matrix S of the columns: a column and its
            square say much the same, and plain gradient descent would take hundreds of rounds to tell them apart.
    """

    reading: Reading
    scaler: Scaler
    rotation: NDArray[np.float32]

    @property
    def width(self) -> int:
        """Number of model inputs."""
        return len(self.rotation)

    def transform(self, X: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the model's inputs float32 (n, width) for recorded values X float32 (n, d), NaN where missing."""
        return _standardised(self.reading.columns(X), self.scaler) @ self.rotation


def clinical_inputs(
    reading: Reading, X: NDArray[np.float32], hospital: NDArray, rows: NDArray[np.int64], *, ridge: float = 1.0
) -> ClinicalInputs:
    """Return the inputs that all hospitals share, from two sums over hospitals that the secure sum can carry.

    First counts, sums and sums of squares of the columns (3m numbers a hospital), then the products of the
    standardised columns (m² numbers). No labels are read.

    Args:
        reading: which columns are formed.
        X: recorded values float32 (n, d), NaN where missing.
        hospital: (n,) whose patient each row is.
        rows: training rows, the only ones that are read.
        ridge: added to the correlations; large values leave the columns as they are.

    Raises:
        FederatedError: the ridge is not positive, or the columns cannot be formed.
    """
    if not ridge > 0:
        raise FederatedError(f"ridge is {ridge}; give a positive number, or columns that say the same blow up")
    tables = [reading.columns(X[rows[hospital[rows] == k]]) for k in np.unique(hospital[rows])]
    scaler = Scaler.from_statistics(np.sum([statistics(table) for table in tables], axis=0))
    products = np.sum([(z := _standardised(table, scaler)).T.astype(np.float64) @ z for table in tables], axis=0)
    values, vectors = np.linalg.eigh(products / len(rows))
    rotation = (vectors / np.sqrt(np.maximum(values, 0) + ridge)) @ vectors.T
    return ClinicalInputs(reading, scaler, rotation.astype(np.float32))


def _standardised(columns: NDArray[np.float32], scaler: Scaler) -> NDArray[np.float32]:
    return scaler.transform(columns, np.array([], np.int64))
