"""The heart disease files: found, pinned, and read by FLamby's protocol to the patient."""

from pathlib import Path

import numpy as np
import pytest
from requests import ConnectionError as Unreachable

from bfl_stpc.ehr import heart_disease
from bfl_stpc.errors import DataMissing, IntegrityError


@pytest.fixture(scope="module")
def files():
    try:
        return heart_disease.fetch()
    except DataMissing as error:
        pytest.skip(f"needs the heart disease files: {error}")


@pytest.fixture
def table(files):
    return heart_disease.load()


def test_the_protocol_gives_flambys_counts(table):
    parts = heart_disease.flamby_split(table)
    counts = [(int((table.hospital[p] == k).sum())) for k in range(4) for p in (parts.train, parts.test)]
    assert counts == [199, 104, 172, 89, 30, 16, 85, 45]
    assert not set(parts.train) & set(parts.test)
    assert table.X.shape == (740, 13)
    assert not np.isnan(table.X).any()


def test_the_split_is_flambys_to_the_patient(table):
    # What always answering "ill" scores at each hospital, from FLamby's own result files (heart_seed42.csv, Local 0
    # of the first version, which answered so): the same patients were held out.
    parts = heart_disease.flamby_split(table)
    ill = [float(table.y[parts.test][table.hospital[parts.test] == k].mean()) for k in range(4)]
    assert ill == pytest.approx([0.46153846153846156, 0.3707865168539326, 0.9375, 0.7777777777777778], abs=1e-12)


def test_zeros_that_cannot_be_are_gaps(files):
    table = heart_disease.load(zeros_missing=True)
    gaps = {name: int(np.isnan(table.X[:, j]).sum()) for j, name in enumerate(table.columns)}
    assert {name: count for name, count in gaps.items() if count} == {"trestbps": 1, "chol": 79}
    assert np.isnan(table.X[table.at(2), table.columns.index("chol")]).all()


def test_another_file_is_refused_by_name(files, tmp_path, monkeypatch):
    for name, path in files.items():
        (tmp_path / name).write_bytes(path.read_bytes())
    monkeypatch.setenv("BFL_DATA_DIR", str(tmp_path))
    assert heart_disease.fetch()["processed.va.data"] == tmp_path / "processed.va.data"
    (tmp_path / "processed.va.data").write_text("63,1\n")
    with pytest.raises(IntegrityError, match=r"processed\.va\.data"):
        heart_disease.fetch()


def test_without_files_and_network_the_error_says_what_to_do(tmp_path, monkeypatch):
    def unreachable(*args, **kwargs):
        raise Unreachable("no route")

    monkeypatch.setattr(heart_disease, "BESIDE", tmp_path / "nothing")
    monkeypatch.setenv("BFL_DATA_DIR", str(tmp_path))
    monkeypatch.setattr(heart_disease.pooch, "os_cache", lambda name: tmp_path / "cache")
    monkeypatch.setattr(heart_disease.pooch.HTTPDownloader, "__call__", unreachable)
    with pytest.raises(DataMissing, match="BFL_DATA_DIR"):
        heart_disease.fetch()


def test_a_download_is_kept_and_one_that_differs_is_refused(files, tmp_path, monkeypatch):
    served = {name: path.read_bytes() for name, path in files.items()}
    asked = []

    def serve(self, url, output, shelf, check_only=False):
        asked.append(url)
        name = url.rsplit("/", 1)[1]
        Path(output).write_bytes(served[name])

    monkeypatch.setattr(heart_disease, "BESIDE", tmp_path / "nothing")
    monkeypatch.delenv("BFL_DATA_DIR", raising=False)
    monkeypatch.setattr(heart_disease.pooch, "os_cache", lambda name: tmp_path / "cache")
    monkeypatch.setattr(heart_disease.pooch.HTTPDownloader, "__call__", serve)
    served["processed.va.data"] += b"63,1\n"
    with pytest.raises(IntegrityError, match="pinned"):
        heart_disease.fetch()
    served["processed.va.data"] = files["processed.va.data"].read_bytes()
    assert set(heart_disease.fetch()) == set(heart_disease.SHA256)
    before = len(asked)
    heart_disease.fetch()
    assert len(asked) == before
