import errno
import json
from pathlib import Path

import pytest
from fhir.resources.R4B.bundle import Bundle

from bfl_stpc import ehr
from bfl_stpc.errors import DataError


def resources(bundle, kind):
    return [e["resource"] for e in bundle["entry"] if e["resource"]["resourceType"] == kind]


def test_bundles_are_valid_r4(small):
    for patient_id in small.patients["patient_id"][::60]:
        bundle = Bundle.model_validate_json(json.dumps(ehr.to_fhir(small, patient_id)))
        assert bundle.type == "collection"


def test_the_validator_would_refuse_a_wrong_bundle(small):
    bundle = ehr.to_fhir(small, small.patients["patient_id"][0])
    resources(bundle, "Observation")[0]["status"] = ["final"]
    with pytest.raises(ValueError, match="status"):
        Bundle.model_validate_json(json.dumps(bundle))


def test_every_row_of_the_patient_is_exported_with_its_code_value_and_unit(small):
    patient_id = small.patients["patient_id"][17]
    bundle = ehr.to_fhir(small, patient_id)
    for kind, tables in {
        "Encounter": ["encounters"],
        "Observation": ["vitals", "labs"],
        "Condition": ["conditions"],
        "MedicationStatement": ["medications"],
    }.items():
        rows = sum((small.tables()[t]["patient_id"] == patient_id).sum() for t in tables)
        assert len(resources(bundle, kind)) == rows
    labs = small.labs[small.labs["patient_id"] == patient_id]
    wanted = set(zip(labs["code"], labs["value"], labs["unit"]))
    exported = {
        (o["code"]["coding"][0]["code"], o["valueQuantity"]["value"], o["valueQuantity"]["code"])
        for o in resources(bundle, "Observation")
    }
    assert wanted <= exported


def test_codes_name_their_systems(small):
    bundle = ehr.to_fhir(small, small.conditions["patient_id"].iloc[0])
    systems = {
        "Observation": "http://loinc.org",
        "Condition": "http://hl7.org/fhir/sid/icd-10-cm",
    }
    for kind, system in systems.items():
        assert {r["code"]["coding"][0]["system"] for r in resources(bundle, kind)} == {system}
    assert {o["valueQuantity"]["system"] for o in resources(bundle, "Observation")} == {"http://unitsofmeasure.org"}


def test_references_resolve_and_ids_are_unique(small):
    bundle = ehr.to_fhir(small, small.patients["patient_id"][3])
    urls = [e["fullUrl"] for e in bundle["entry"]]
    assert len(set(urls)) == len(urls)
    text = json.dumps(bundle)
    for part in text.split('"reference": "')[1:]:
        assert part.split('"')[0] in urls


def test_the_outcome_is_not_exported(small):
    assert "deterior" not in json.dumps(ehr.to_fhir(small, small.patients["patient_id"][0]))


def test_an_unknown_patient_is_named(small):
    with pytest.raises(DataError, match="'nobody'"):
        ehr.to_fhir(small, "nobody")


def test_export_writes_the_same_bundles_in_a_new_folder(small, tmp_path):
    assert ehr.export_fhir(small, tmp_path / "fhir", limit=7) == 7
    files = sorted((tmp_path / "fhir").iterdir())
    assert {p.stem for p in files} == set(small.patients["patient_id"][:7])
    for path in files:
        assert json.loads(path.read_text()) == ehr.to_fhir(small, path.stem)


def test_export_refuses_a_folder_that_exists(small, tmp_path):
    with pytest.raises(DataError, match="exists"):
        ehr.export_fhir(small, tmp_path, limit=1)


def test_a_full_disk_leaves_nothing(small, tmp_path, monkeypatch):
    write, calls = Path.write_text, []

    def full(self, *args, **kwargs):
        calls.append(self)
        if len(calls) == 3:
            raise OSError(errno.ENOSPC, "No space left on device")
        return write(self, *args, **kwargs)

    monkeypatch.setattr(Path, "write_text", full)
    with pytest.raises(DataError, match="No space left"):
        ehr.export_fhir(small, tmp_path / "fhir", limit=5)
    assert list(tmp_path.iterdir()) == []
