import subprocess
import sys
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from bfl_stpc import ehr
from bfl_stpc.ehr import outcome
from bfl_stpc.ehr.codes import CONDITIONS, MEDICATION_FEATURES, MEDICATIONS, QUANTITIES
from bfl_stpc.ehr.hospitals import hospitals
from bfl_stpc.ehr.physiology import creatinine_from_egfr, draw_bodies, egfr_from_creatinine
from bfl_stpc.ehr.records import completed_years, record

SMALL = ehr.CohortConfig(patients=1200, hospitals=4)


def test_same_seed_same_bytes_in_another_process(small):
    code = (
        "from bfl_stpc import ehr; print(ehr.cohort_sha256(ehr.generate(ehr.CohortConfig(patients=1200, hospitals=4))))"
    )
    other = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert other.stdout.strip() == ehr.cohort_sha256(small)


def test_another_seed_gives_other_bytes(small):
    assert ehr.cohort_sha256(ehr.generate(replace(SMALL, seed=1))) != ehr.cohort_sha256(small)


def test_the_digest_sees_one_changed_value(small):
    labs = small.labs.copy()
    labs.loc[5, "value"] += 0.1
    assert ehr.cohort_sha256(replace(small, labs=labs)) != ehr.cohort_sha256(small)


def test_global_random_state_changes_nothing(small):
    np.random.seed(0)
    np.random.random(10)
    assert ehr.cohort_sha256(ehr.generate(SMALL)) == ehr.cohort_sha256(small)


def test_a_hospital_does_not_depend_on_the_order_or_number_of_the_others():
    config = replace(SMALL, size_spread=0.0)
    wider = replace(config, patients=2400, hospitals=8)
    third, same = hospitals(config)[2], hospitals(wider)[2]
    assert third == same
    first, again = (record(c, h, draw_bodies(c, h)) for c, h in ((config, third), (wider, same)))
    assert (first.labs["value"] == again.labs["value"]).all()


def test_sizes_add_up_and_differ():
    for patients in (1200, 1201, 4000, 40_000):
        sizes = [h.patients for h in hospitals(replace(SMALL, patients=patients, hospitals=10))]
        assert sum(sizes) == patients
        assert min(sizes) >= patients // 40
        assert len(set(sizes)) > 5


def test_without_heterogeneity_hospitals_are_alike():
    alike = replace(SMALL, size_spread=0, case_mix_spread=0, calibration_spread=0, missingness_spread=0)
    first, *rest = hospitals(alike)
    for other in rest:
        assert replace(other, index=0, name=first.name) == first
    p = ehr.generate(replace(alike, patients=8000)).features()
    local = [p.p[p.at(k)].mean() for k in range(4)]
    assert max(local) - min(local) < 0.06  # 2,000 patients each: four standard errors


def test_features_agree_with_the_tables(small, features):
    """Second witness: read single patients' features off the tables with plain loops."""
    for row in range(0, len(features.X), 151):
        patient = small.patients.iloc[row]
        own = {name: t[t["patient_id"] == patient["patient_id"]] for name, t in small.tables().items()}
        x = dict(zip(features.names, features.X[row]))
        index = own["encounters"][own["encounters"]["is_index"]].iloc[0]
        birth, start = patient["birth_date"], index["start"]
        assert x["age"] == start.year - birth.year - ((start.month, start.day) < (birth.month, birth.day))
        assert x["female"] == (patient["sex"] == "female")
        assert features.hospitals[features.hospital[row]] == patient["hospital"]
        assert features.y[row] == index["deteriorated"]
        readings = pd.concat([own["vitals"].astype({"code": str}), own["labs"].astype({"code": str})])
        for quantity in QUANTITIES:
            of_code = readings[readings["code"] == quantity.code].sort_values("time")
            if of_code.empty:
                assert np.isnan(x[quantity.name])
            else:
                assert x[quantity.name] == np.float32(of_code["value"].iloc[-1])
        for concept in CONDITIONS:
            assert x[concept.name] == (concept.code in set(own["conditions"]["code"]))
        for concept in MEDICATIONS:
            if concept.name in MEDICATION_FEATURES:
                assert x[concept.name] == (concept.code in set(own["medications"]["code"]))
        earlier = own["encounters"][~own["encounters"]["is_index"]]
        assert x["prior_admissions"] == (earlier["class"] == "IMP").sum()
        assert x["prior_emergency_visits"] == (earlier["class"] == "EMER").sum()


def test_the_true_probability_is_a_function_of_the_features(features, small):
    again = outcome.probability(outcome.score(features.X, features.names), small.steepness)
    assert (again == features.p).all()


def test_types_and_shapes(features):
    n, d = features.X.shape
    assert (n, d) == (1200, len(features.names))
    assert (features.X.dtype, features.y.dtype, features.p.dtype, features.hospital.dtype) == (
        np.float32, np.int8, np.float64, np.int16,
    )  # fmt: skip
    assert len(set(features.patient_ids)) == n
    assert set(np.array(features.names)[features.skewed]) == {
        "creatinine",
        "wbc",
        "crp",
        "glucose",
        "ntprobnp",
        "lactate",
    }


def test_dependence_points_where_a_clinician_expects(default):
    features = default.features()
    x = dict(zip(features.names, features.X.T))

    def correlation(a, b):
        both = ~np.isnan(x[a]) & ~np.isnan(x[b])
        return np.corrcoef(x[a][both], x[b][both])[0, 1]

    assert correlation("age", "egfr") < -0.3
    assert correlation("creatinine", "egfr") < -0.6
    assert correlation("hba1c", "glucose") > 0.4
    assert correlation("systolic", "diastolic") > 0.5
    assert correlation("heart_rate", "temperature") > 0.1
    assert correlation("ntprobnp", "heart_failure") > 0.2
    assert correlation("metoprolol", "heart_rate") < 0
    assert abs(correlation("female", "sodium")) < 0.03  # negative control: nothing links them


@pytest.mark.parametrize("ceiling", [0.75, 0.999])
@pytest.mark.parametrize("spread", [0.0, 3.0])
@pytest.mark.parametrize(("patients", "hospital_count"), [(20, 1), (60, 3), (1000, 50)])
def test_every_corner_of_the_configuration_generates_a_valid_cohort(ceiling, spread, patients, hospital_count):
    cohort = ehr.generate(
        ehr.CohortConfig(
            seed=0, patients=patients, hospitals=hospital_count, ceiling=ceiling, size_spread=spread,
            case_mix_spread=spread, calibration_spread=spread, missingness_spread=spread,
        )
    )  # fmt: skip
    features = cohort.features()
    assert len(features.y) == patients
    assert ehr.ceiling(features.p).accuracy == pytest.approx(ceiling, abs=1e-6)
    assert all(features.at(k).size > 0 for k in range(hospital_count))


def test_instruments_shift_what_is_recorded():
    exact = ehr.generate(replace(SMALL, calibration_spread=0, missingness_spread=0)).features()
    off = ehr.generate(replace(SMALL, calibration_spread=1, missingness_spread=0)).features()
    for k, place in enumerate(hospitals(SMALL)):
        j = exact.names.index("sodium")
        shift = np.nanmean(off.X[off.at(k), j] - exact.X[exact.at(k), j])
        assert shift == pytest.approx(place.offset["sodium"], abs=0.1)


def test_an_absent_assay_is_never_recorded(default):
    features = default.features()
    absent = [(h.index, name) for h in hospitals(default.config) for name in h.absent]
    assert absent, "no hospital of the default cohort lacks an assay"
    for k, name in absent:
        assert np.isnan(features.X[features.at(k), features.names.index(name)]).all()


def test_every_value_is_missing_somewhere_but_never_demographics(default):
    missing = dict(zip(default.features().names, np.isnan(default.features().X).mean(axis=0)))
    assert missing["age"] == missing["female"] == missing["copd"] == 0
    assert all(0.005 < missing[q.name] < 0.6 for q in QUANTITIES)


@pytest.mark.parametrize(
    ("birth", "day", "years"),
    [
        ("1950-06-15", "2024-06-14", 73),
        ("1950-06-15", "2024-06-15", 74),
        ("2000-02-29", "2024-02-28", 23),
        ("2000-02-29", "2024-02-29", 24),
        ("2000-02-29", "2023-03-01", 23),
        ("1960-12-31", "2024-01-01", 63),
    ],
)
def test_completed_years(birth, day, years):
    assert completed_years(np.array([birth], "M8[ms]"), np.array([day], "M8[ms]"))[0] == years


def test_ckd_epi_2021_against_published_examples_and_its_inverse():
    # By hand: female, 50 years, 0.7 mg/dL: 142 × 0.9938^50 × 1.012; male, 60, 1.8 mg/dL: 142 × 2^-1.2 × 0.9938^60.
    age, female = np.array([50.0, 60.0]), np.array([True, False])
    egfr = egfr_from_creatinine(np.array([0.7, 1.8]), age, female)
    assert egfr == pytest.approx([105.3, 42.6], abs=0.1)
    levels = np.linspace(8, 125, 40)
    for years, sex in ((30.0, True), (85.0, False)):
        a, f = np.full(40, years), np.full(40, sex)
        assert egfr_from_creatinine(creatinine_from_egfr(levels, a, f), a, f) == pytest.approx(levels)


def test_nothing_here_imports_tensorflow():
    code = "import sys; import bfl_stpc.ehr; print([m for m in sys.modules if m.split('.')[0] == 'tensorflow'])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
