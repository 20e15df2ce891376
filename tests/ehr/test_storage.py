import errno
import json
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from bfl_stpc import ehr
from bfl_stpc.ehr import storage
from bfl_stpc.errors import DataError, IntegrityError, SchemaError


@pytest.fixture
def saved(small, tmp_path):
    ehr.save(small, tmp_path / "cohort")
    return tmp_path / "cohort"


def contents(folder):
    return {p.name: p.read_bytes() for p in folder.iterdir()}


def test_what_is_loaded_is_what_was_saved(small, saved):
    loaded = ehr.load(saved)
    for name, table in small.tables().items():
        pd.testing.assert_frame_equal(table, loaded.tables()[name])
    assert (loaded.config, loaded.steepness) == (small.config, small.steepness)
    assert ehr.cohort_sha256(loaded) == ehr.cohort_sha256(small)
    assert (loaded.features().p == small.features().p).all()


def test_equal_cohorts_give_equal_files(saved, tmp_path):
    ehr.save(ehr.generate(ehr.CohortConfig(patients=1200, hospitals=4)), tmp_path / "again")
    assert contents(saved) == contents(tmp_path / "again")


def test_the_manifest_lists_the_hash_of_each_file_and_of_the_whole(small, saved):
    manifest = json.loads((saved / "manifest.json").read_text())
    assert set(manifest["files"]) == {f"{name}.parquet" for name in small.tables()}
    assert manifest["cohort_sha256"] == ehr.cohort_sha256(small)
    assert manifest["config"]["seed"] == small.config.seed


@pytest.mark.parametrize("name", ["patients", "encounters", "vitals", "labs", "conditions", "medications"])
def test_one_flipped_bit_is_an_integrity_error_naming_the_file_and_both_hashes(saved, name):
    path = saved / f"{name}.parquet"
    expected = json.loads((saved / "manifest.json").read_text())["files"][path.name]
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    with pytest.raises(IntegrityError) as caught:
        ehr.load(saved)
    for part in (str(path), expected, "generate the cohort again"):
        assert part in str(caught.value)


def test_a_truncated_file_is_an_integrity_error(saved):
    path = saved / "labs.parquet"
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(IntegrityError, match="labs"):
        ehr.load(saved)


def _forge(saved, name, table):
    """Replace a table and its hash in the manifest, as someone who knows the format would."""
    path = saved / f"{name}.parquet"
    if isinstance(table, bytes):
        path.write_bytes(table)
    else:
        table.to_parquet(path, index=False)
    manifest = json.loads((saved / "manifest.json").read_text())
    manifest["files"][path.name] = storage.hashlib.sha256(path.read_bytes()).hexdigest()
    (saved / "manifest.json").write_text(json.dumps(manifest))


def test_a_forged_table_is_caught_by_the_hash_of_the_whole(small, saved):
    labs = small.labs.copy()
    labs.loc[0, "value"] += 0.1
    _forge(saved, "labs", labs)
    with pytest.raises(IntegrityError):
        ehr.load(saved)


def test_a_forged_table_that_breaks_the_schema_is_named(small, saved):
    labs = small.labs.copy()
    labs.loc[17, "value"] = -3.0
    _forge(saved, "labs", labs)
    with pytest.raises(SchemaError, match=r"labs, column value, row 17"):
        ehr.load(saved)


def test_a_forged_table_without_a_column_is_named(small, saved):
    _forge(saved, "patients", small.patients.drop(columns="patient_id"))
    with pytest.raises(SchemaError, match=r"patients, column patient_id"):
        ehr.load(saved)


def test_a_forged_code_is_named(small, saved):
    labs = small.labs.astype({"code": object})
    labs.loc[3, "code"] = "9999-9"
    _forge(saved, "labs", labs.astype({"code": "category"}))
    with pytest.raises(SchemaError, match=r"labs, column code, row 3: '9999-9'"):
        ehr.load(saved)


def test_what_is_not_parquet_is_named(saved):
    _forge(saved, "labs", b"not a table")
    with pytest.raises(DataError, match=r"labs\.parquet is not a parquet table"):
        ehr.load(saved)


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"format": 1}', '{"format": 99}', '"text"'])
def test_a_bad_manifest_is_named(saved, text):
    (saved / "manifest.json").write_text(text)
    with pytest.raises(DataError, match=r"manifest\.json"):
        ehr.load(saved)


def test_a_manifest_with_an_impossible_configuration_is_named(saved):
    manifest = json.loads((saved / "manifest.json").read_text())
    manifest["config"]["ceiling"] = 2
    (saved / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(DataError, match="ceiling is 2"):
        ehr.load(saved)


def test_a_missing_file_and_a_missing_folder_are_named(saved, tmp_path):
    (saved / "labs.parquet").unlink()
    with pytest.raises(DataError, match=r"labs\.parquet does not exist"):
        ehr.load(saved)
    with pytest.raises(DataError, match="nowhere"):
        ehr.load(tmp_path / "nowhere")


def test_a_bad_cohort_is_not_saved(small, tmp_path):
    labs = small.labs.copy()
    labs.loc[0, "value"] = -1.0
    with pytest.raises(SchemaError):
        ehr.save(replace(small, labs=labs), tmp_path / "cohort")
    assert list(tmp_path.iterdir()) == []


def test_saving_again_replaces_the_whole(small, saved):
    other = ehr.generate(replace(small.config, seed=2))
    ehr.save(other, saved)
    assert ehr.cohort_sha256(ehr.load(saved)) == ehr.cohort_sha256(other)
    assert [p.name for p in saved.parent.iterdir()] == ["cohort"]


def test_a_folder_that_is_no_cohort_is_left_alone(small, tmp_path):
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "chapter.txt").write_text("years of work")
    with pytest.raises(DataError, match="holds no cohort"):
        ehr.save(small, tmp_path / "thesis")
    assert (tmp_path / "thesis" / "chapter.txt").read_text() == "years of work"


@pytest.mark.parametrize("write", ["to_parquet", "write_text"])
def test_a_full_disk_leaves_the_earlier_cohort_whole(small, saved, monkeypatch, write):
    before = contents(saved)
    calls = []

    def full(*args, **kwargs):
        calls.append(args)
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(pd.DataFrame if write == "to_parquet" else Path, write, full)
    with pytest.raises(DataError, match=rf"{saved}: No space left on device"):
        ehr.save(replace(small, config=replace(small.config, seed=9)), saved)
    assert calls
    assert contents(saved) == before
    assert [p.name for p in saved.parent.iterdir()] == ["cohort"]


def test_a_failed_exchange_puts_the_earlier_cohort_back(small, saved, monkeypatch):
    before, replace_path = contents(saved), Path.replace

    def refuse(self, target):
        if Path(target) == saved and "old" not in self.name:
            raise OSError(errno.EROFS, "Read-only file system")
        return replace_path(self, target)

    monkeypatch.setattr(Path, "replace", refuse)
    with pytest.raises(DataError, match="Read-only file system"):
        ehr.save(small, saved)
    assert contents(saved) == before
    assert [p.name for p in saved.parent.iterdir()] == ["cohort"]


def test_a_place_that_cannot_be_written_is_named(small, tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(DataError, match="file/cohort"):
        ehr.save(small, tmp_path / "file" / "cohort")
