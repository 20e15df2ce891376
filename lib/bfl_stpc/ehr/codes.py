"""The clinical vocabulary: what is measured, diagnosed and prescribed, with its public code and range.

Codes: LOINC (observations), UCUM (units), ICD-10-CM (diagnoses), RxNorm ingredients (medications),
HL7 v3 ActCode (encounter classes).
"""

from __future__ import annotations

from dataclasses import dataclass

LOINC = "http://loinc.org"
UCUM = "http://unitsofmeasure.org"
ICD10 = "http://hl7.org/fhir/sid/icd-10-cm"
RXNORM = "http://www.nlm.nih.gov/research/umls/rxnorm"
ACT_CODE = "http://terminology.hl7.org/CodeSystem/v3-ActCode"
ENCOUNTER_CLASSES = {"IMP": "inpatient encounter", "EMER": "emergency"}


@dataclass(frozen=True)
class Quantity:
    """One measured quantity.

    Attributes:
        name: name of the feature.
        code: LOINC code.
        display: LOINC's name, shortened.
        unit: UCUM unit.
        decimals: digits after the point that the instrument reports.
        low, high: reportable range; a recorded value never lies outside it.
        reference: value that stands for a missing one in p(y|x); clinically unremarkable.
        gain_sd, offset_sd: spread between hospitals of the instrument's gain (relative) and offset (in `unit`).
        missing: share not measured at an average hospital.
        skewed: right-skewed over decades; models do well to take its logarithm.
    """

    name: str
    code: str
    display: str
    unit: str
    decimals: int
    low: float
    high: float
    reference: float
    gain_sd: float
    offset_sd: float
    missing: float
    skewed: bool = False


VITALS = (
    Quantity("systolic", "8480-6", "Systolic blood pressure", "mm[Hg]", 0, 50, 260, 130, 0.01, 2.5, 0.02),
    Quantity("diastolic", "8462-4", "Diastolic blood pressure", "mm[Hg]", 0, 20, 160, 75, 0.01, 2.0, 0.02),
    Quantity("heart_rate", "8867-4", "Heart rate", "/min", 0, 25, 230, 80, 0.0, 0.8, 0.02),
    Quantity("respiratory_rate", "9279-1", "Respiratory rate", "/min", 0, 4, 60, 17, 0.0, 0.8, 0.04),
    Quantity("temperature", "8310-5", "Body temperature", "Cel", 1, 32, 42.5, 36.8, 0.0, 0.12, 0.03),
    Quantity("spo2", "2708-6", "Oxygen saturation in arterial blood", "%", 0, 60, 100, 97, 0.0, 0.5, 0.02),
    Quantity("bmi", "39156-5", "Body mass index", "kg/m2", 1, 11, 75, 27, 0.0, 0.2, 0.15),
)
LABS = (
    Quantity("hba1c", "4548-4", "Hemoglobin A1c/Hemoglobin.total in blood", "%", 1, 3.5, 18, 5.6, 0.015, 0.08, 0.45),
    Quantity("creatinine", "2160-0", "Creatinine in serum or plasma", "mg/dL", 2, 0.2, 15, 0.9, 0.03, 0.03, 0.04, True),
    Quantity("egfr", "98979-8", "Estimated GFR, CKD-EPI 2021", "mL/min/{1.73_m2}", 0, 3, 160, 85, 0.0, 0.0, 0.04),
    Quantity("sodium", "2951-2", "Sodium in serum or plasma", "mmol/L", 0, 105, 175, 140, 0.0, 0.6, 0.04),
    Quantity("potassium", "2823-3", "Potassium in serum or plasma", "mmol/L", 1, 1.8, 8.5, 4.2, 0.01, 0.06, 0.04),
    Quantity("haemoglobin", "718-7", "Hemoglobin in blood", "g/dL", 1, 3, 22, 13.5, 0.01, 0.1, 0.04),
    Quantity("wbc", "6690-2", "Leukocytes in blood", "10*3/uL", 1, 0.2, 80, 7.5, 0.02, 0.1, 0.05, True),
    Quantity("platelets", "777-3", "Platelets in blood", "10*3/uL", 0, 5, 900, 240, 0.03, 4.0, 0.05),
    Quantity("crp", "1988-5", "C reactive protein in serum or plasma", "mg/L", 1, 0.2, 450, 4, 0.06, 0.3, 0.22, True),
    Quantity("glucose", "2345-7", "Glucose in serum or plasma", "mg/dL", 0, 25, 800, 105, 0.02, 1.0, 0.04, True),
    Quantity(
        "ntprobnp", "33762-6", "Natriuretic peptide.B prohormone N-terminal in serum or plasma",
        "pg/mL", 0, 5, 35000, 200, 0.06, 3.0, 0.45, True,
    ),
    Quantity("lactate", "2524-7", "Lactate in serum or plasma", "mmol/L", 1, 0.3, 25, 1.2, 0.03, 0.05, 0.40, True),
    Quantity("albumin", "1751-7", "Albumin in serum or plasma", "g/dL", 1, 1.0, 6.0, 4.1, 0.02, 0.06, 0.18),
)  # fmt: skip
QUANTITIES = VITALS + LABS


@dataclass(frozen=True)
class Concept:
    """One diagnosis (ICD-10-CM) or medication (RxNorm ingredient): its name here, code and display."""

    name: str
    code: str
    display: str


CONDITIONS = (
    Concept("hypertension", "I10", "Essential (primary) hypertension"),
    Concept("diabetes", "E11.9", "Type 2 diabetes mellitus without complications"),
    Concept("heart_failure", "I50.9", "Heart failure, unspecified"),
    Concept("kidney_disease", "N18.30", "Chronic kidney disease, stage 3 unspecified"),
    Concept("copd", "J44.9", "Chronic obstructive pulmonary disease, unspecified"),
    Concept("coronary_disease", "I25.10", "Atherosclerotic heart disease of native coronary artery"),
    Concept("atrial_fibrillation", "I48.91", "Unspecified atrial fibrillation"),
)
MEDICATIONS = (
    Concept("metformin", "6809", "metformin"),
    Concept("insulin", "274783", "insulin glargine"),
    Concept("lisinopril", "29046", "lisinopril"),
    Concept("atorvastatin", "83367", "atorvastatin"),
    Concept("furosemide", "4603", "furosemide"),
    Concept("metoprolol", "6918", "metoprolol"),
    Concept("aspirin", "1191", "aspirin"),
    Concept("albuterol", "435", "albuterol"),
    Concept("apixaban", "1364430", "apixaban"),
    Concept("prednisone", "8640", "prednisone"),
)
MEDICATION_FEATURES = ("insulin", "furosemide", "metoprolol", "prednisone")

FEATURES: tuple[str, ...] = (
    "age",
    "female",
    *(q.name for q in QUANTITIES),
    *(c.name for c in CONDITIONS),
    *MEDICATION_FEATURES,
    "prior_admissions",
    "prior_emergency_visits",
)
REFERENCE: dict[str, float] = {q.name: q.reference for q in QUANTITIES}
SKEWED: tuple[str, ...] = tuple(q.name for q in QUANTITIES if q.skewed)
