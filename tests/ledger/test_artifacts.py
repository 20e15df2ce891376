"""Compiled contracts that are not the recorded ones are refused, naming file, hashes and mend."""

import shutil

import pytest

from bfl_stpc import errors
from bfl_stpc.ledger.artifacts import CONTRACTS, NAMES, load


@pytest.fixture
def copy(tmp_path):
    for part in ("artifacts", "src"):
        shutil.copytree(CONTRACTS / part, tmp_path / part)
    return tmp_path


def test_the_committed_artifacts_load():
    for name in NAMES:
        artifact = load(name)
        assert artifact.compiler.startswith("solc 0.8.")
        assert len(artifact.bytecode) > 1000


@pytest.mark.parametrize("path", ["artifacts/AuditTrail.json", "src/AuditTrail.sol"])
def test_a_changed_file_is_named_with_both_hashes_and_the_mend(copy, path):
    (copy / path).write_text((copy / path).read_text().replace("AuditTrail", "AuditTrai1", 1))
    with pytest.raises(errors.IntegrityError, match=r"found.*expected; mend") as refused:
        load("AuditTrail", copy)
    assert path.split("/")[1] in str(refused.value)


def test_a_missing_artifact_is_named(copy):
    (copy / "artifacts" / "AuditTrail.json").unlink()
    with pytest.raises(errors.IntegrityError, match=r"AuditTrail\.json is missing"):
        load("AuditTrail", copy)


def test_an_unknown_contract_is_refused_with_the_known_ones():
    with pytest.raises(errors.ConfigError, match="HospitalRegistry"):
        load("Hospital")
