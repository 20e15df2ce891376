"""True bodies behind the records: age, chronic disease, treatment and the acute illness drive every measurement.

The dependence is causal in order: demographics, chronic conditions, medications, acute illness,
vitals, laboratory values. Coefficients are plausible magnitudes, not estimates from any data set.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bfl_stpc.ehr.codes import CONDITIONS, MEDICATIONS
from bfl_stpc.ehr.config import CohortConfig
from bfl_stpc.ehr.hospitals import Hospital
from bfl_stpc.seeds import generator

Arrays = dict[str, np.ndarray]


@dataclass(frozen=True)
class Bodies:
    """The patients of one hospital before anything is recorded; every array is (n,).

    Attributes:
        age: years (float64).
        female: bool.
        conditions, medications: name → bool, true state.
        acute: name → float64 ≥ 0, latent severity: infection, congestion, acuity.
        values: quantity name → float64, true value at the last reading (eGFR excepted: it is computed from creatinine).
        frailty: float64, standard normal before its dependence on age.
    """

    age: np.ndarray
    female: np.ndarray
    conditions: Arrays
    medications: Arrays
    acute: Arrays
    values: Arrays
    frailty: np.ndarray


def draw_bodies(config: CohortConfig, hospital: Hospital) -> Bodies:
    """Draw the patients of one hospital; each part from a generator of its own."""
    n = hospital.patients

    def rng(part: str) -> np.random.Generator:
        return generator("ehr", config.seed, part, hospital.index)

    people = rng("demographics")
    age = np.clip(people.normal(hospital.mean_age, 15.0, n), 18.5, 98.0)
    female = people.random(n) < hospital.female
    bmi = np.exp(people.normal(np.log(27.5), 0.19, n))
    frailty = people.normal(0.03 * (age - 65), 1.0)
    conditions = _conditions(rng("conditions"), hospital, age, female, bmi)
    medications = _medications(rng("medications"), conditions)
    acute = _acute(rng("acute"), hospital, conditions, frailty)
    values = _vitals(rng("vitals"), age, bmi, conditions, medications, acute)
    values |= _labs(rng("labs"), age, female, frailty, conditions, medications, acute)
    return Bodies(age, female, conditions, medications, acute, values, frailty)


def _conditions(
    rng: np.random.Generator, hospital: Hospital, age: np.ndarray, female: np.ndarray, bmi: np.ndarray
) -> Arrays:
    """Draw chronic conditions in causal order, each given age, sex, BMI and those before it."""
    uniform = dict(zip((c.name for c in CONDITIONS), rng.random((len(CONDITIONS), age.size))))
    years = age - 65

    def present(name: str, log_odds: np.ndarray) -> np.ndarray:
        return uniform[name] < 1 / (1 + np.exp(-(log_odds + hospital.conditions[name])))

    htn = present("hypertension", 0.1 + 0.050 * years + 0.05 * (bmi - 27))
    dm = present("diabetes", -1.5 + 0.015 * years + 0.10 * (bmi - 27) + 0.5 * htn)
    copd = present("copd", -1.9 + 0.020 * years)
    cad = present("coronary_disease", -1.8 + 0.045 * years - 0.5 * female + 0.5 * htn + 0.5 * dm)
    ckd = present("kidney_disease", -2.4 + 0.050 * years + 0.7 * dm + 0.6 * htn)
    hf = present("heart_failure", -2.6 + 0.040 * years + 1.0 * cad + 0.5 * htn + 0.6 * ckd)
    af = present("atrial_fibrillation", -2.3 + 0.050 * years + 1.1 * hf)
    return {
        "hypertension": htn, "diabetes": dm, "heart_failure": hf, "kidney_disease": ckd,
        "copd": copd, "coronary_disease": cad, "atrial_fibrillation": af,
    }  # fmt: skip


def _medications(rng: np.random.Generator, conditions: Arrays) -> Arrays:
    """Draw medications: each indication prescribes on its own (a noisy or), over a background share."""
    indications: dict[str, dict[str, float]] = {
        "metformin": {"diabetes": 0.60},
        "insulin": {"diabetes": 0.30},
        "lisinopril": {"hypertension": 0.45, "heart_failure": 0.50},
        "atorvastatin": {"coronary_disease": 0.75, "diabetes": 0.45, "hypertension": 0.25},
        "furosemide": {"heart_failure": 0.70, "kidney_disease": 0.15},
        "metoprolol": {"heart_failure": 0.60, "coronary_disease": 0.45, "atrial_fibrillation": 0.55},
        "aspirin": {"coronary_disease": 0.70},
        "albuterol": {"copd": 0.75},
        "apixaban": {"atrial_fibrillation": 0.70},
        "prednisone": {"copd": 0.18},
    }
    background = {"atorvastatin": 0.10, "lisinopril": 0.02, "aspirin": 0.08, "albuterol": 0.04, "prednisone": 0.04}
    size = conditions["diabetes"].size
    uniform = dict(zip((m.name for m in MEDICATIONS), rng.random((len(MEDICATIONS), size))))
    drawn = {}
    for name, shares in indications.items():
        untreated = np.full(size, 1 - background.get(name, 0.0))
        for condition, share in shares.items():
            untreated = untreated * (1 - share * conditions[condition])
        drawn[name] = uniform[name] < 1 - untreated
    return drawn


def _acute(rng: np.random.Generator, hospital: Hospital, conditions: Arrays, frailty: np.ndarray) -> Arrays:
    """Draw what brought the patient in: infection, congestion, and severity beyond both."""
    size = frailty.size
    acuity = hospital.acuity + 0.25 * frailty + rng.standard_normal(size)
    infection = np.maximum(0.0, 0.1 + 0.45 * acuity + 0.3 * conditions["copd"] + 0.9 * rng.standard_normal(size))
    overload = -0.9 + 1.3 * conditions["heart_failure"] + 0.5 * conditions["kidney_disease"] + 0.3 * acuity
    congestion = np.maximum(0.0, overload + 0.8 * rng.standard_normal(size))
    return {"acuity": np.maximum(0.0, acuity), "infection": infection, "congestion": congestion}


def _vitals(
    rng: np.random.Generator, age: np.ndarray, bmi: np.ndarray, conditions: Arrays, medications: Arrays, acute: Arrays
) -> Arrays:
    noise = rng.standard_normal((6, age.size))
    infection, congestion, acuity = acute["infection"], acute["congestion"], acute["acuity"]
    systolic = 131 + 9 * conditions["hypertension"] + 0.15 * (age - 65) - 6 * medications["lisinopril"]
    systolic = systolic - 8 * infection - 3 * congestion - 3 * acuity + 15 * noise[0]
    heart_rate = 78 + 9 * infection + 5 * congestion + 3 * acuity + 9 * conditions["atrial_fibrillation"]
    oxygen = 97.6 - 1.3 * infection - 1.2 * congestion - 2.5 * conditions["copd"] - 0.4 * acuity
    return {
        "systolic": systolic,
        "diastolic": 16 + 0.45 * systolic - 0.12 * (age - 65) + 7 * noise[1],
        "heart_rate": heart_rate - 10 * medications["metoprolol"] + 11 * noise[2],
        "respiratory_rate": 16 + 1.8 * infection + 1.8 * congestion + 1.2 * conditions["copd"] + 2.2 * noise[3],
        "temperature": 36.7 + 0.45 * infection + 0.35 * noise[4],
        "spo2": oxygen + 1.4 * noise[5],
        "bmi": bmi,
    }


def _labs(
    rng: np.random.Generator, age: np.ndarray, female: np.ndarray, frailty: np.ndarray,
    conditions: Arrays, medications: Arrays, acute: Arrays,
) -> Arrays:  # fmt: skip
    noise = rng.standard_normal((12, age.size))
    infection, congestion, acuity = acute["infection"], acute["congestion"], acute["acuity"]
    diabetes, kidney = conditions["diabetes"], conditions["kidney_disease"]
    filtration = 92 - 0.6 * (age - 55) - 26 * kidney - 4 * congestion - 4 * infection + 13 * noise[0]
    filtration = np.clip(filtration, 6, 130)
    lost = np.maximum(0.0, 60 - filtration)
    glucose = np.exp(np.log(103) + 0.38 * diabetes + 0.12 * medications["prednisone"] + 0.05 * infection)
    glucose = glucose * np.exp(0.20 * noise[1])
    sodium = 139.8 - 1.2 * medications["furosemide"] - 0.7 * infection - 0.8 * congestion
    potassium = 4.15 + 0.012 * lost + 0.12 * medications["lisinopril"] - 0.22 * medications["furosemide"]
    strain = 0.5 * conditions["atrial_fibrillation"] + 0.02 * (age - 65) + 0.012 * lost
    return {
        "hba1c": 5.4 + 1.2 * diabetes + 0.008 * (glucose - 105) + 0.4 * noise[2],
        "creatinine": creatinine_from_egfr(filtration, age, female),
        "sodium": sodium + 2.7 * noise[3],
        "potassium": potassium + 0.40 * noise[4],
        "haemoglobin": 14.2 - 1.0 * female - 1.0 * kidney - 0.02 * (age - 65) - 0.3 * infection + 1.4 * noise[5],
        "wbc": np.exp(np.log(7.4) + 0.17 * infection + 0.20 * medications["prednisone"] + 0.27 * noise[6]),
        "platelets": 242 - 9 * infection + 62 * noise[7],
        "crp": np.exp(np.log(4.0) + 1.0 * infection + 0.8 * noise[8]),
        "glucose": glucose,
        "ntprobnp": np.exp(
            np.log(140) + 1.4 * conditions["heart_failure"] + 0.7 * congestion + strain + 0.7 * noise[9]
        ),
        "lactate": np.exp(np.log(1.15) + 0.18 * infection + 0.12 * acuity + 0.28 * noise[10]),
        "albumin": 4.15 - 0.20 * infection - 0.10 * np.maximum(0.0, frailty) + 0.32 * noise[11],
    }


def _ckd_epi(age: np.ndarray, female: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return (eGFR at the knee, creatinine at the knee, exponent below it) of CKD-EPI 2021."""
    peak = 142 * 0.9938**age * np.where(female, 1.012, 1.0)
    return peak, np.where(female, 0.7, 0.9), np.where(female, -0.241, -0.302)


def egfr_from_creatinine(creatinine: np.ndarray, age: np.ndarray, female: np.ndarray) -> np.ndarray:
    """Return eGFR in mL/min/1.73 m² from serum creatinine in mg/dL.

    CKD-EPI 2021 creatinine equation, without race (Inker et al., N Engl J Med 2021;385:1737–49).
    """
    peak, knee, below = _ckd_epi(age, female)
    ratio = creatinine / knee
    return peak * np.minimum(ratio, 1.0) ** below * np.maximum(ratio, 1.0) ** -1.200


def creatinine_from_egfr(egfr: np.ndarray, age: np.ndarray, female: np.ndarray) -> np.ndarray:
    """Return the serum creatinine in mg/dL at which CKD-EPI 2021 gives `egfr` (its inverse)."""
    peak, knee, below = _ckd_epi(age, female)
    ratio = egfr / peak
    return knee * np.where(ratio > 1, ratio ** (1 / below), ratio ** (-1 / 1.200))
