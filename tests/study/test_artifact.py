"""The artifact appendix: its generated parts are current, whole, and made of committed files alone."""

import json
import re
import shutil
from pathlib import Path

import pytest

from bfl_stpc.errors import ClaimError
from bfl_stpc.study import artifact, claims, notebooks, paths
from bfl_stpc.study.generated import between

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("name", ["docs/ARTIFACT.md", "README.md"])
def test_generated_parts_are_current(name):
    assert artifact.pages()[ROOT / name] == (ROOT / name).read_text(), "run `make artifact`"


def test_every_claim_and_every_notebook_has_its_row():
    block = artifact.claims_block()
    assert len(re.findall(r"^\| C\d+ ", block, flags=re.MULTILINE)) == len(claims.load_claims())
    assert "±" in block
    experiments = artifact.experiments_block()
    for name, notebook in notebooks.discover().items():
        assert f"`{name}`{', alone' if notebook.timed else ''} |" in experiments


@pytest.fixture
def copy(tmp_path, monkeypatch):
    """The committed files that the pages are made of, to be changed."""
    for folder in ("data", "docs", "notebooks", "tools"):
        shutil.copytree(ROOT / folder, tmp_path / folder)
    shutil.copy(ROOT / "README.md", tmp_path)
    for name, path in (("ROOT", ""), ("DATA", "data"), ("NOTEBOOKS", "notebooks")):
        monkeypatch.setattr(paths, name, tmp_path / path)
    return tmp_path


def test_a_changed_reference_and_duration_reach_both_pages(copy):
    value = {"value": 91.5, "interval": [91.0, 92.0], "unit": "%", "timing": False}
    entry = {"results": {"accuracy_percent": value}, "peak_mib": 8192}
    (copy / "data/reference/paper.json").write_text(
        json.dumps({"processor": {}, "notebooks": {"02_federated_learning": entry}})
    )
    (copy / "data/reference/durations.json").write_text(json.dumps({"paper": {"02_federated_learning": 125}}))
    (copy / "data/reference/times.json").write_text(json.dumps({"machine": "m", "targets": {"doctor": "9 s"}}))
    assert artifact.write() == ["docs/ARTIFACT.md", "README.md"]
    appendix, readme = (copy / "docs/ARTIFACT.md").read_text(), (copy / "README.md").read_text()
    assert "profile `paper`" in appendix
    assert re.search(r"\| C1 .* \| 91.50 % \| 91.00 % – 92.00 % \| ± 0.5 % .* \| differs", appendix)
    assert re.search(r"\| E02 .* \| 2:05 \| 8192 MiB \|", appendix)
    assert "`this machine can run the companion` | 9 s |" in readme
    assert "Memory: at most 8.0 GiB" in readme
    assert claims.NOT_MEASURED in appendix  # the other claims are not in this reference
    assert artifact.write() == []


def test_lost_markers_and_a_missing_question_are_named(copy):
    with pytest.raises(ClaimError, match=r"page\.md lacks the lines <!-- costs: begin -->"):
        between("no markers", "costs", "new", "page.md")
    path = copy / "notebooks/01_hospitals.ipynb"
    path.write_text(path.read_text().replace("**Question.**", "Question:"))
    with pytest.raises(ClaimError, match="01_hospitals begins without"):
        artifact.pages()


def test_recipes_that_were_never_run_say_so_and_name_no_host():
    for name in (
        "deploy/Containerfile",
        ".devcontainer/devcontainer.json",
        ".binder/environment.yml",
        ".binder/postBuild",
    ):
        text = (ROOT / name).read_text()
        assert "UNTESTED HERE" in text
        assert "://" not in text
    assert re.findall(r"^FROM (.*)$", (ROOT / "deploy/Containerfile").read_text(), flags=re.MULTILINE) == [
        "python:3.11-bookworm"
    ]
