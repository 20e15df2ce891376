"""The archive: an RO-Crate whose metadata hold, of committed sources, results and figures, and not too large."""

import io
import json
import shutil
import subprocess
import zipfile
from pathlib import Path

import pytest
from rich.console import Console
from study.recorded import NAME, SIDECAR, recorded  # noqa: F401 - a fixture

from bfl_stpc.errors import StoreError, StudyError
from bfl_stpc.study import archive

ROOT = Path(__file__).parents[2]
pytest.importorskip("rocrate", reason="the archive needs the group book")


@pytest.fixture
def checkout(recorded):  # noqa: F811
    shutil.copy(ROOT / "CITATION.cff", recorded)
    (recorded / ".gitignore").write_text("/build/\nfigures/paper/*.pdf\nfigures/paper/*.svg\n")
    for command in (("init", "-q"), ("add", "-A"), ("commit", "-qm", "A study")):
        identity = ("-c", "user.name=t", "-c", "user.email=t@example.org")
        subprocess.run(["git", *identity, *command], cwd=recorded, check=True)
    (recorded / "uncommitted.txt").write_text("x")
    return recorded


def test_the_crate_holds_what_its_metadata_say(checkout):
    console = Console(file=io.StringIO(), width=200)
    with zipfile.ZipFile(archive.write("paper", console)) as packed:
        names = packed.namelist()
        graph = json.loads(packed.read("ro-crate-metadata.json"))
        assert packed.testzip() is None
    assert len(set(names)) == len(names)
    assert "uncommitted.txt" not in names
    assert "not committed" in console.file.getvalue()
    kinds = {"png", "svg", "pdf", "json"}
    assert {f"figures/paper/fig02_ratio.{kind}" for kind in kinds} <= set(names)
    assert {f"results/{NAME}/results.json", "CITATION.cff", f"notebooks/{NAME}.ipynb"} <= set(names)

    assert graph["@context"] == "https://w3id.org/ro/crate/1.1/context"
    entities = {entity["@id"]: entity for entity in graph["@graph"]}
    assert len(entities) == len(graph["@graph"])
    descriptor, root = entities["ro-crate-metadata.json"], entities["./"]
    assert descriptor["about"] == {"@id": "./"}
    assert descriptor["conformsTo"] == {"@id": "https://w3id.org/ro/crate/1.1"}
    assert {"name", "description", "datePublished", "license", "hasPart", "creator", "isBasedOn"} <= set(root)
    files = {i for i, e in entities.items() if "File" in ([e["@type"]] if isinstance(e["@type"], str) else e["@type"])}
    assert files == set(names) - {"ro-crate-metadata.json"}
    assert entities["figures/paper/fig02_ratio.png"]["description"] == SIDECAR["caption"]
    run = entities[f"#run-{NAME}"]
    assert run["instrument"] == {"@id": f"notebooks/{NAME}.ipynb"}
    assert {"@id": "figures/paper/fig02_ratio.json"} in run["result"]

    def references(value):
        if isinstance(value, dict):
            yield value["@id"]
        for part in value if isinstance(value, list) else ():
            yield from references(part)

    for entity in graph["@graph"]:
        for key, value in entity.items():
            wanted = set(references(value))
            assert key == "conformsTo" or wanted <= set(entities), (entity["@id"], key)


def test_an_archive_that_is_too_large_fails_and_names_the_largest(checkout, monkeypatch):
    monkeypatch.setattr(archive, "LARGEST", 3000)
    with pytest.raises(StoreError, match=r"more than 0: .*fig02_ratio\."):
        archive.write("paper", Console(file=io.StringIO()))
    assert not (checkout / "build/archive.zip").exists()


def test_without_commit_or_results_it_says_so(checkout):
    (checkout / f"build/paper/results/{NAME}/finished.json").unlink()
    with pytest.raises(StoreError, match="make reproduce PROFILE=paper"):
        archive.write("paper", Console(file=io.StringIO()))
    shutil.rmtree(checkout / ".git")
    with pytest.raises(StudyError, match="no git checkout"):
        archive.write("paper", Console(file=io.StringIO()))
