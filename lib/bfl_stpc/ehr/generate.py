"""From a configuration to a cohort: hospitals, bodies, records, tables, outcomes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from bfl_stpc.ehr import outcome, schema
from bfl_stpc.ehr.codes import CONDITIONS, ENCOUNTER_CLASSES, FEATURES, LABS, MEDICATIONS, VITALS
from bfl_stpc.ehr.cohort import Cohort, feature_matrix
from bfl_stpc.ehr.config import CohortConfig
from bfl_stpc.ehr.hospitals import Hospital, hospitals
from bfl_stpc.ehr.physiology import draw_bodies
from bfl_stpc.ehr.records import Records, record
from bfl_stpc.seeds import generator

CODES = {
    "vitals": [q.code for q in VITALS],
    "labs": [q.code for q in LABS],
    "conditions": [c.code for c in CONDITIONS],
    "medications": [m.code for m in MEDICATIONS],
}
UNITS = {"vitals": [q.unit for q in VITALS], "labs": [q.unit for q in LABS]}


def generate(config: CohortConfig | None = None) -> Cohort:
    """Return the synthetic cohort of `config` (the default configuration if none is given).

    Equal configurations give equal tables, whatever ran before. Outcomes are drawn last, from the
    features derived from the finished tables, so that p(y|x) holds for what is recorded.

    Raises:
        DataError: no steepness reaches the configured ceiling.
    """
    config = config or CohortConfig()
    places = hospitals(config)
    tables = assemble(places, [record(config, place, draw_bodies(config, place)) for place in places])
    margin = outcome.score(feature_matrix(tables), FEATURES)
    steepness = outcome.steepness(margin, config.ceiling)
    _draw_outcomes(config, places, tables["encounters"], outcome.probability(margin, steepness))
    schema.validate(tables)
    return Cohort(config, steepness, **tables)


def _draw_outcomes(config: CohortConfig, places: Sequence[Hospital], encounters: pd.DataFrame, p: np.ndarray) -> None:
    """Draw y ~ Bernoulli(p) and write it on the index encounters, which lie in the order of patients."""
    uniform = [generator("ehr", config.seed, "outcome", place.index).random(place.patients) for place in places]
    encounters.loc[encounters["is_index"], "deteriorated"] = (np.concatenate(uniform) < p).astype(np.int8)


def assemble(places: Sequence[Hospital], records: Sequence[Records]) -> dict[str, pd.DataFrame]:
    """Return the tables of all hospitals one below the other; outcomes are still missing."""
    names = [place.name for place in places]
    where = np.repeat(np.arange(len(places)), [place.patients for place in places])
    first_patient = np.cumsum([0] + [place.patients for place in places])
    sizes = [r.encounters["patient"].size for r in records]
    first_encounter = np.cumsum([0, *sizes])

    def joined(table: str, column: str) -> np.ndarray:
        return np.concatenate([getattr(r, table)[column] for r in records])

    def positions(table: str, column: str, first: np.ndarray) -> np.ndarray:
        return np.concatenate([getattr(r, table)[column] + start for r, start in zip(records, first)])

    patient_ids, encounter_ids = joined("patients", "patient_id"), joined("encounters", "encounter_id")
    patients = pd.DataFrame(
        {
            "patient_id": patient_ids,
            "hospital": pd.Categorical.from_codes(where, names),
            "sex": pd.Categorical.from_codes(joined("patients", "sex"), ["male", "female"]),
            "birth_date": joined("patients", "birth_date"),
        }
    )
    of_patient = positions("encounters", "patient", first_patient)
    encounters = pd.DataFrame(
        {
            "encounter_id": encounter_ids,
            "patient_id": pd.Categorical.from_codes(of_patient, patient_ids),
            "hospital": pd.Categorical.from_codes(where[of_patient], names),
            "class": pd.Categorical.from_codes(joined("encounters", "class"), list(ENCOUNTER_CLASSES)),
            "start": joined("encounters", "start"),
            "end": joined("encounters", "end"),
            "is_index": joined("encounters", "is_index"),
            "deteriorated": pd.array(np.zeros(of_patient.size, np.int8), dtype="Int8"),
        }
    )
    encounters.loc[~encounters["is_index"], "deteriorated"] = pd.NA
    tables = {"patients": patients, "encounters": encounters}
    patient_type = encounters["patient_id"].dtype
    encounter_type = pd.CategoricalDtype(encounter_ids)
    for name, codes in CODES.items():
        code = joined(name, "code")
        columns = {
            "patient_id": pd.Categorical.from_codes(positions(name, "patient", first_patient), dtype=patient_type),
            "encounter_id": pd.Categorical.from_codes(
                positions(name, "encounter", first_encounter), dtype=encounter_type
            ),
            "code": pd.Categorical.from_codes(code, codes),
        }
        if name in UNITS:
            units = sorted(set(UNITS[name]))
            columns["value"] = joined(name, "value")
            columns["unit"] = pd.Categorical.from_codes(np.array([units.index(u) for u in UNITS[name]])[code], units)
        date = {"conditions": "onset", "medications": "start"}.get(name, "time")
        columns[date] = joined(name, date)
        tables[name] = pd.DataFrame(columns)
    return tables
