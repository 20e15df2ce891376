"""p(y|x): 30-day deterioration as a closed form in recorded features.

    p(y = 1 | x) = 1 / (1 + exp(−s · (Σ points(x) − THRESHOLD)))

`TERMS` are the points; s, the steepness, is the one number that the ceiling decides. A missing
value counts as the quantity's `reference` (`codes.REFERENCE`). Neither the hospital nor anything
unrecorded enters, so the Bayes classifier is 1[Σ points(x) > THRESHOLD] at every hospital.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from bfl_stpc.ehr.codes import REFERENCE
from bfl_stpc.errors import ConfigError, DataError

THRESHOLD = 2.35  # about a third of the patients lie above it
TOLERANCE = 1e-6  # of the ceiling reached by the steepness
OUTCOME = "deterioration within 30 days: death, intensive care, or unplanned readmission"

Columns = Mapping[str, np.ndarray]


def pos(x: np.ndarray) -> np.ndarray:
    """Return max(x, 0): points begin at a threshold."""
    return np.maximum(x, 0.0)


@dataclass(frozen=True)
class Term:
    """Points that one clinical aspect adds; `formula` is what `points` computes, for readers and tests."""

    name: str
    formula: str
    points: Callable[[Columns], np.ndarray]


TERMS: tuple[Term, ...] = (
    Term(
        "age",
        "0.030*(age - 65) + 0.040*pos(age - 80)",
        lambda x: 0.030 * (x["age"] - 65) + 0.040 * pos(x["age"] - 80),
    ),
    Term(
        "respiration",
        "0.14*pos(respiratory_rate - 18)",
        lambda x: 0.14 * pos(x["respiratory_rate"] - 18),
    ),
    Term(  # chronic lung disease lowers the saturation that alarms, as scale 2 of NEWS2 has it
        "oxygen",
        "0.22*pos(95 - 5*copd - spo2)",
        lambda x: 0.22 * pos(95 - 5 * x["copd"] - x["spo2"]),
    ),
    Term(  # U-shaped
        "pressure",
        "0.040*pos(110 - systolic) + 0.020*pos(systolic - 160)",
        lambda x: 0.040 * pos(110 - x["systolic"]) + 0.020 * pos(x["systolic"] - 160),
    ),
    Term(  # tachycardia that breaks through a beta blocker counts twice
        "heart rate",
        "0.025*(1 + metoprolol)*pos(heart_rate - 90) + 0.040*pos(50 - heart_rate)",
        lambda x: 0.025 * (1 + x["metoprolol"]) * pos(x["heart_rate"] - 90) + 0.040 * pos(50 - x["heart_rate"]),
    ),
    Term(  # U-shaped
        "temperature",
        "0.55*(temperature - 36.8)**2",
        lambda x: 0.55 * (x["temperature"] - 36.8) ** 2,
    ),
    Term(  # U-shaped, and worse in atrial fibrillation
        "potassium",
        "1.1*(1 + atrial_fibrillation)*(potassium - 4.2)**2",
        lambda x: 1.1 * (1 + x["atrial_fibrillation"]) * (x["potassium"] - 4.2) ** 2,
    ),
    Term(
        "sodium",
        "0.012*(sodium - 140)**2",
        lambda x: 0.012 * (x["sodium"] - 140) ** 2,
    ),
    Term(  # U-shaped on the scale of its logarithm
        "glucose",
        "1.3*log(glucose/105)**2",
        lambda x: 1.3 * np.log(x["glucose"] / 105) ** 2,
    ),
    Term(
        "kidney",
        "0.022*pos(70 - egfr)",
        lambda x: 0.022 * pos(70 - x["egfr"]),
    ),
    Term(
        "lactate",
        "1.3*pos(lactate - 1.2)",
        lambda x: 1.3 * pos(x["lactate"] - 1.2),
    ),
    Term(  # inflammation in a patient with little reserve
        "inflammation",
        "0.30*log(1 + crp/10)*(1 + 0.8*pos(4 - albumin))",
        lambda x: 0.30 * np.log(1 + x["crp"] / 10) * (1 + 0.8 * pos(4 - x["albumin"])),
    ),
    Term(
        "reserve",
        "0.60*(4.1 - albumin) + 0.16*pos(12 - haemoglobin)",
        lambda x: 0.60 * (4.1 - x["albumin"]) + 0.16 * pos(12 - x["haemoglobin"]),
    ),
    Term(
        "blood cells",
        "0.060*pos(wbc - 11) + 0.004*pos(150 - platelets)",
        lambda x: 0.060 * pos(x["wbc"] - 11) + 0.004 * pos(150 - x["platelets"]),
    ),
    Term(
        "heart",
        "0.25*log(ntprobnp/200)*heart_failure + 0.30*coronary_disease",
        lambda x: 0.25 * np.log(x["ntprobnp"] / 200) * x["heart_failure"] + 0.30 * x["coronary_disease"],
    ),
    Term(
        "treatment",
        "0.30*furosemide + 0.35*prednisone + 0.20*insulin",
        lambda x: 0.30 * x["furosemide"] + 0.35 * x["prednisone"] + 0.20 * x["insulin"],
    ),
    Term(
        "utilisation",
        "0.35*prior_admissions + 0.15*prior_emergency_visits",
        lambda x: 0.35 * x["prior_admissions"] + 0.15 * x["prior_emergency_visits"],
    ),
)


def columns(X: np.ndarray, names: Sequence[str]) -> dict[str, np.ndarray]:
    """Return the columns of X by name as float64, each missing value replaced by its reference."""
    x = {}
    for j, name in enumerate(names):
        values = X[:, j].astype(np.float64)
        x[name] = np.where(np.isnan(values), REFERENCE[name], values) if name in REFERENCE else values
    return x


def score(X: np.ndarray, names: Sequence[str]) -> np.ndarray:
    """Return Σ points(x) − THRESHOLD, float64 (n,), of recorded features (n, d) with NaN for missing."""
    x = columns(X, names)
    total = np.full(len(X), -THRESHOLD)
    for term in TERMS:
        total += term.points(x)
    return total


def probability(margin: np.ndarray, steepness: float) -> np.ndarray:
    """Return p(y = 1 | x), float64 (n,), from the score and the steepness; no overflow at either end."""
    small = np.exp(-np.abs(steepness * margin))
    return np.where(margin >= 0, 1.0, small) / (1.0 + small)


def steepness(margin: np.ndarray, ceiling: float) -> float:
    """Return s such that mean(max(p, 1 − p)) over these patients is `ceiling`, to 1e-6.

    The accuracy rises with s, so bisection on log s finds the one solution; it is rounded to nine
    significant digits, below which processors differ in the last bit of an exponential.

    Raises:
        ConfigError: the ceiling is not between 0.5 and 1.
        DataError: no steepness reaches it: too many scores are exactly zero.
    """
    if not 0.5 < ceiling < 1:
        raise ConfigError(f"ceiling is {ceiling}; give a number between 0.5 and 1")
    distance = np.abs(margin)
    low, high = -20.0, 20.0
    for _ in range(100):
        middle = (low + high) / 2
        if probability(distance, np.exp(middle)).mean() < ceiling:
            low = middle
        else:
            high = middle
    found = float(f"{np.exp(high):.9g}")
    reached = float(probability(distance, found).mean())
    if abs(reached - ceiling) > TOLERANCE:
        raise DataError(f"no steepness gives a ceiling of {ceiling}; the nearest is {reached:.6f}")
    return found
