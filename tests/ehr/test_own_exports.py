"""Synthea's CSV folder and FHIR bundles as one row a patient."""

import json

import numpy as np
import pandas as pd
import pytest

from bfl_stpc import ehr
from bfl_stpc.ehr import own
from bfl_stpc.ehr.own import exports
from bfl_stpc.errors import MappingError, SchemaError, TableUnreadable

DIABETES = "44054006"


@pytest.fixture
def synthea(tmp_path):
    """A small export in Synthea's format: 200 patients at two organisations; glucose precedes diabetes."""
    rng = np.random.default_rng(0)
    n, folder = 200, tmp_path / "csv"
    folder.mkdir()
    ids = [f"uuid-{i:03d}" for i in range(n)]
    ill = rng.random(n) < 0.4
    pd.DataFrame(
        {
            "Id": ids,
            "BIRTHDATE": ["1960-05-05", "1950-11-05"] * (n // 2),
            "DEATHDATE": "",
            "SSN": "999",
            "GENDER": rng.choice(["M", "F"], n),
        }
    ).to_csv(folder / "patients.csv", index=False)
    visits = [(i, year) for i in range(n) for year in ((2015, 2016, 2017, 2021) if i % 4 else (2015, 2017, 2021))]
    pd.DataFrame(
        {
            "Id": range(len(visits)),
            "START": [f"{year}-03-01T10:00:00Z" for _, year in visits],
            "PATIENT": [ids[i] for i, _ in visits],
            "ORGANIZATION": ["org-a" if i % 2 else "org-b" for i, _ in visits],
        }
    ).to_csv(folder / "encounters.csv", index=False)
    found = [(i, "2016-01-01", "59621000", "Hypertension") for i in range(0, n, 3)]
    found += [(i, "2014-01-01" if i < 10 else "2020-06-01", DIABETES, "Diabetes") for i in np.flatnonzero(ill)]
    pd.DataFrame(
        [{"START": t, "STOP": "", "PATIENT": ids[i], "CODE": c, "DESCRIPTION": d} for i, t, c, d in found]
    ).to_csv(folder / "conditions.csv", index=False)
    read = [(i, f"{y}-03-01T10:00:00Z", "2339-0", "Glucose", 90 + 20 * ill[i] + 10 * rng.normal() + (y == 2021) * 500)
            for i, y in visits]  # fmt: skip
    read += [(i, "2015-03-01T10:00:00Z", "72166-2", "Tobacco smoking status", "Never smoker") for i in range(n)]
    pd.DataFrame(
        [{"DATE": t, "PATIENT": ids[i], "CODE": c, "DESCRIPTION": d, "VALUE": v, "UNITS": "", "TYPE": ""}
         for i, t, c, d, v in read]
    ).to_csv(folder / "observations.csv", index=False)  # fmt: skip
    return folder, ill


def test_synthea_gives_one_row_a_patient_with_nothing_from_after_the_day(synthea):
    folder, ill = synthea
    table = own.load_table(folder, label=DIABETES, accept=True, at="2018-01-01")
    early = int(ill[:10].sum())
    assert len(table.y) == 200 - early  # who had it before is no patient to predict
    assert table.y.sum() == ill[10:].sum()
    assert set(table.hospitals) == {"org-a", "org-b"}
    assert "Glucose (2339-0)" in table.columns
    assert "Hypertension (59621000)" in table.columns
    assert np.nanmax(table.X[:, table.columns.index("Glucose (2339-0)")]) < 300  # the reading of 2021 has 500 more
    np.testing.assert_array_equal(np.unique(table.X[:, table.columns.index("visits")]), [2, 3])
    np.testing.assert_array_equal(np.unique(table.X[:, table.columns.index("age")]), [57, 67])
    assert table.mapping.at == "2018-01-01"


def test_without_a_day_the_report_says_that_inputs_may_be_consequences(synthea):
    folder, ill = synthea
    table = own.load_table(folder, label=DIABETES, accept=True)
    assert table.y.sum() == ill.sum()
    assert any("`at`" in note.mend for note in table.report.notes)


def test_a_written_mapping_remembers_condition_and_day(synthea, tmp_path):
    folder, _ = synthea
    path = own.mapping_path(folder)
    assert path == tmp_path / "csv.mapping.yaml"
    own.write_mapping(own.propose_mapping(folder, label=DIABETES, at="2018-01-01"), path)
    path.write_text(path.read_text().replace("confirmed: false", "confirmed: true"))
    one = own.load_table(folder)
    np.testing.assert_array_equal(one.X, own.load_table(folder, DIABETES, accept=True, at="2018-01-01").X)


def test_what_an_export_lacks_is_named(synthea, tmp_path):
    folder, _ = synthea
    with pytest.raises(MappingError, match="LABEL=<code>"):
        own.load_table(folder, accept=True)
    with pytest.raises(SchemaError, match=r"no patient has condition 1.*59621000 \(Hypertension, 67 patients\)"):
        own.load_table(folder, label="1", accept=True)
    with pytest.raises(MappingError, match="'soon' is no day"):
        own.load_table(folder, label=DIABETES, accept=True, at="soon")
    (folder / "observations.csv").write_text("a,b\n1,2\n")
    with pytest.raises(TableUnreadable, match=r"observations.csv is no such file of Synthea"):
        own.load_table(folder, label=DIABETES, accept=True)
    (folder / "observations.csv").unlink()
    with pytest.raises(TableUnreadable, match=r"observations.csv is missing"):
        own.load_table(folder, label=DIABETES, accept=True)
    (tmp_path / "none").mkdir()
    with pytest.raises(TableUnreadable, match=r"neither patients.csv nor \*.json"):
        own.load_table(tmp_path / "none", label=DIABETES, accept=True)


def test_our_own_fhir_export_comes_back(small, tmp_path):
    ehr.export_fhir(small, tmp_path / "fhir", limit=150)
    code = small.conditions["code"].mode()[0]
    table = own.load_table(tmp_path / "fhir", label=code, accept=True, unfit="merge", minimum=5)
    ids = set(small.patients["patient_id"][:150])
    listed = small.conditions[small.conditions["patient_id"].isin(ids)]
    assert len(table.y) == 150
    assert table.y.sum() == listed[listed["code"] == code]["patient_id"].nunique()
    labs = small.labs[small.labs["patient_id"].isin(ids)]
    sodium = next(name for name in table.columns if "2951-2" in name)
    assert np.isfinite(table.X[:, table.columns.index(sodium)]).sum() == (labs["code"] == "2951-2").sum()
    assert set(np.unique(table.groups["sex"])) == {"male", "female"}


def test_bundles_of_other_makers_are_read_and_broken_ones_named(tmp_path):
    subject = {"reference": "Patient/p1"}
    pressure = {"code": {"coding": [{"code": "8480-6", "display": "Systolic"}]}, "valueQuantity": {"value": 120}}
    resources = [
        {"resourceType": "Patient", "id": "p1", "gender": "female", "birthDate": "1970-01-01"},
        {"resourceType": "Encounter", "subject": subject, "period": {"start": "2020-01-01T08:00:00Z"},
         "serviceProvider": {"display": "St Mary"}},
        {"resourceType": "Observation", "subject": subject, "effectiveDateTime": "2020-01-01",
         "code": {"coding": [{"code": "85354-9"}]}, "component": [pressure]},
        {"resourceType": "Condition", "subject": subject, "onsetDateTime": "2020-02-02",
         "code": {"text": "Flu", "coding": [{"code": "6142004"}]}},
        {"resourceType": "Claim"},
    ]  # fmt: skip
    text = json.dumps({"resourceType": "Bundle", "entry": [{"resource": one} for one in resources]})
    (tmp_path / "p1.json").write_text(text)
    frame = exports.open_export(tmp_path, "6142004").table.to_pandas()
    row = frame.iloc[0]
    assert (row["hospital"], row["condition 6142004"], row["sex"], row["age"]) == ("St Mary", 1, "female", 50)
    assert row["Systolic (8480-6)"] == 120
    (tmp_path / "p2.json").write_text(text[:-9])
    with pytest.raises(TableUnreadable, match=r"p2.json is no FHIR R4 bundle"):
        exports.open_export(tmp_path, "6142004")
