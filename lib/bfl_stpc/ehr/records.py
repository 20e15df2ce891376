"""What one hospital writes down of its patients: instruments, rounding, missing values, codes and times."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bfl_stpc.ehr.codes import CONDITIONS, LABS, MEDICATIONS, VITALS, Quantity
from bfl_stpc.ehr.config import CohortConfig
from bfl_stpc.ehr.hospitals import Hospital
from bfl_stpc.ehr.physiology import Bodies, egfr_from_creatinine
from bfl_stpc.seeds import generator

YEAR_START = np.datetime64("2024-01-01", "ms")  # every index encounter begins in 2024
MINUTE, DAY = 60_000, 86_400_000  # milliseconds
READINGS = (20, 240)  # minutes after arrival of the two sets of vitals; laboratory values come at 60
READING_CHANGE = 0.4  # first reading differs from the last by so many typical instrument digits

Table = dict[str, np.ndarray]


@dataclass(frozen=True)
class Records:
    """The tables of one hospital as arrays; `patient` and `encounter` are positions within the hospital."""

    patients: Table
    encounters: Table
    vitals: Table
    labs: Table
    conditions: Table
    medications: Table


def record(config: CohortConfig, hospital: Hospital, bodies: Bodies) -> Records:
    """Record `bodies` with the instruments and habits of `hospital`; each part from a generator of its own."""

    def rng(part: str) -> np.random.Generator:
        return generator("ehr", config.seed, part, hospital.index)

    n = hospital.patients
    arrival = YEAR_START + rng("arrival").integers(0, 366 * 1440, n) * MINUTE
    days = np.floor(bodies.age * 365.25).astype(np.int64)
    birth = arrival.astype("M8[D]") - days
    encounters, index_row = _encounters(rng("encounters"), bodies, arrival)
    encounters["encounter_id"] = pseudonyms(rng("encounter-pseudonym"), encounters["patient"].size)
    patients = {
        "patient_id": pseudonyms(rng("patient-pseudonym"), n),
        "sex": bodies.female.astype(np.int8),
        "birth_date": birth.astype("M8[ms]"),
    }
    age = completed_years(birth, arrival)
    missing = _missing(rng("ordering"), hospital, bodies)
    vitals = _vitals(rng("readings"), hospital, bodies, missing, arrival)
    labs = _labs(hospital, bodies, missing, arrival, age)
    coded = rng("coding")
    onset = coded.exponential(6.0, (n, len(CONDITIONS)))
    present = np.stack([bodies.conditions[c.name] for c in CONDITIONS], axis=1)
    present &= coded.random(present.shape) < hospital.coding
    started = rng("prescriptions").exponential(3.0, (n, len(MEDICATIONS)))
    taken = np.stack([bodies.medications[m.name] for m in MEDICATIONS], axis=1)
    conditions = _since(present, onset, arrival, birth, "onset")
    medications = _since(taken, started, arrival, birth, "start")
    for table in (vitals, labs, conditions, medications):
        table["encounter"] = index_row[table["patient"]]
    return Records(patients, encounters, vitals, labs, conditions, medications)


def pseudonyms(rng: np.random.Generator, n: int) -> np.ndarray:
    """Return n random UUIDs (RFC 9562, version 4) as 32 hex digits; nothing about the patient enters them."""
    octets = np.frombuffer(rng.bytes(16 * n), np.uint8).reshape(n, 16).copy()
    octets[:, 6] = octets[:, 6] & 0x0F | 0x40  # version 4
    octets[:, 8] = octets[:, 8] & 0x3F | 0x80  # variant 10
    text = octets.tobytes().hex()
    return np.array([text[32 * i : 32 * i + 32] for i in range(n)], dtype=object)


def completed_years(birth: np.ndarray, day: np.ndarray) -> np.ndarray:
    """Return the completed years of life, int64 (n,), on `day` (both datetime64)."""

    def parts(moment: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        dates, months = moment.astype("M8[D]"), moment.astype("M8[M]")
        month_of_year = months.astype(np.int64) % 12
        day_of_month = (dates - months.astype("M8[D]")).astype(np.int64)
        return moment.astype("M8[Y]").astype(np.int64), 32 * month_of_year + day_of_month

    (birth_year, birthday), (year, today) = parts(birth), parts(day)
    return year - birth_year - (today < birthday)


def _encounters(rng: np.random.Generator, bodies: Bodies, arrival: np.ndarray) -> tuple[Table, np.ndarray]:
    """Return the encounters sorted by patient and start, and the row of each patient's index encounter."""
    n = arrival.size
    sick = 0.4 * bodies.conditions["heart_failure"] + 0.3 * bodies.conditions["copd"]
    admissions = np.minimum(rng.poisson(0.35 * np.exp(0.3 * bodies.frailty + sick)), 8)
    visits = np.minimum(rng.poisson(0.45 * np.exp(0.25 * bodies.frailty)), 8)
    prior = admissions + visits
    patient = np.repeat(np.arange(n), prior)
    rank = np.arange(patient.size) - np.repeat(np.cumsum(prior) - prior, prior)
    emergency = rank >= admissions[patient]
    start = arrival[patient] - rng.integers(10 * 1440, 360 * 1440, patient.size) * MINUTE
    hours = np.where(emergency, rng.integers(1, 12, patient.size), rng.integers(24, 216, patient.size))
    stay = rng.integers(24, 240, n)
    patient = np.append(patient, np.arange(n))
    start = np.append(start, arrival)
    end = start + np.append(hours, stay) * 60 * MINUTE
    is_index = np.append(np.zeros(emergency.size, bool), np.ones(n, bool))
    kind = np.append(emergency, np.zeros(n, bool)).astype(np.int8)  # 0 inpatient, 1 emergency
    order = np.lexsort((start, patient))
    table = {"patient": patient, "class": kind, "start": start, "end": end, "is_index": is_index}
    table = {name: column[order] for name, column in table.items()}
    return table, np.flatnonzero(table["is_index"])


def _missing(rng: np.random.Generator, hospital: Hospital, bodies: Bodies) -> dict[str, np.ndarray]:
    """Return per quantity which patients it is not measured in: habits of the hospital, and who looks ill."""
    ordered_for = {
        "hba1c": 2.0 * bodies.conditions["diabetes"],
        "ntprobnp": 1.8 * bodies.conditions["heart_failure"] + 0.5 * bodies.acute["congestion"],
        "lactate": 0.7 * bodies.acute["infection"],
        "crp": 0.6 * bodies.acute["infection"],
    }
    missing = {}
    for quantity in VITALS + LABS:
        log_odds = np.log(quantity.missing / (1 - quantity.missing)) + hospital.ordering[quantity.name]
        log_odds = log_odds - ordered_for.get(quantity.name, 0.0) - 0.2 * bodies.acute["acuity"]
        unmeasured = rng.random(hospital.patients) < 1 / (1 + np.exp(-log_odds))
        missing[quantity.name] = unmeasured | (quantity.name in hospital.absent)
    return missing


def _instrument(hospital: Hospital, quantity: Quantity, true: np.ndarray) -> np.ndarray:
    """Return what the hospital's instrument reports: calibrated, rounded, within the reportable range."""
    raw = hospital.gain[quantity.name] * true + hospital.offset[quantity.name]
    return np.clip(np.round(raw, quantity.decimals), quantity.low, quantity.high)


def _vitals(
    rng: np.random.Generator, hospital: Hospital, bodies: Bodies, missing: dict[str, np.ndarray], arrival: np.ndarray
) -> Table:
    """Return two sets of readings, on arrival and four hours later; body mass index is taken once."""
    n = arrival.size
    values = np.empty((n, 2, len(VITALS)))
    present = rng.random(values.shape) > 0.06
    change = rng.standard_normal((n, len(VITALS)))
    for j, quantity in enumerate(VITALS):
        typical = READING_CHANGE * 10.0 ** (1 - quantity.decimals)
        values[:, 1, j] = _instrument(hospital, quantity, bodies.values[quantity.name])
        values[:, 0, j] = _instrument(hospital, quantity, bodies.values[quantity.name] + typical * change[:, j])
        present[:, :, j] &= ~missing[quantity.name][:, None]
        if quantity.name == "bmi":
            present[:, 0, j] = False
    systolic, diastolic = (next(j for j, q in enumerate(VITALS) if q.name == s) for s in ("systolic", "diastolic"))
    values[:, :, diastolic] = np.minimum(values[:, :, diastolic], values[:, :, systolic] - 5)
    patient, reading, code = np.nonzero(present)
    time = arrival[patient] + np.array(READINGS)[reading] * MINUTE
    return {"patient": patient, "code": code, "value": values[present], "time": time}


def _labs(
    hospital: Hospital, bodies: Bodies, missing: dict[str, np.ndarray], arrival: np.ndarray, age: np.ndarray
) -> Table:
    """Return one blood sample a patient; the laboratory computes eGFR from its own creatinine."""
    values = np.empty((arrival.size, len(LABS)))
    present = np.empty(values.shape, bool)
    position = {q.name: j for j, q in enumerate(LABS)}
    for j, quantity in enumerate(LABS):
        if quantity.name == "egfr":
            true = egfr_from_creatinine(values[:, position["creatinine"]], age, bodies.female)
            present[:, j] = present[:, position["creatinine"]]
        else:
            true = bodies.values[quantity.name]
            present[:, j] = ~missing[quantity.name]
        values[:, j] = _instrument(hospital, quantity, true)
    patient, code = np.nonzero(present)
    return {"patient": patient, "code": code, "value": values[present], "time": arrival[patient] + 60 * MINUTE}


def _since(present: np.ndarray, years: np.ndarray, arrival: np.ndarray, birth: np.ndarray, name: str) -> Table:
    """Return one row per true entry of `present`, dated `years` before arrival but not before birth."""
    patient, code = np.nonzero(present)
    days = 1 + np.floor(years[present] * 365.25).astype(np.int64)
    date = np.maximum(arrival[patient].astype("M8[D]") - days, birth[patient])
    return {"patient": patient, "code": code, name: date.astype("M8[ms]")}
