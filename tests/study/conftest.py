"""A small study of its own, so that the machinery is tested without the real notebooks."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

ROOT = Path(__file__).parents[2]


def tags(code: str) -> dict[str, list[str]]:
    """The metadata of a cell: one that begins with a comment `timed` is tagged so."""
    return {"tags": ["timed"]} if code.startswith("# timed") else {}


class Study:
    """A checkout in `root` with two notebooks, the second needing the first, driven through the command line."""

    def __init__(self, root: Path) -> None:
        self.root = root

    @classmethod
    def begin(cls, root: Path) -> "Study":
        """Write the checkout into the empty folder `root`."""
        study = cls(root)
        (root / "notebooks").mkdir()
        (root / "data").mkdir()
        shutil.copytree(ROOT / "locks", root / "locks")
        shutil.copy(ROOT / "data" / "claims.yaml", root / "data" / "claims.yaml")
        profiles = (ROOT / "data" / "profiles.yaml").read_text()
        (root / "data" / "profiles.yaml").write_text(profiles.replace("alone: false", "alone: true"))
        study.write("01_first", 'run.record("x", 10)\nprint("hello from the first")')
        study.write("02_second", 'run.record("y", run.result("01_first", "x") + 1)', needs=["01_first"])
        return study

    def write(
        self,
        name: str,
        code: str,
        needs: list[str] | None = None,
        end: str = "run.finish()",
        timed: bool = False,
    ) -> Path:
        cells = [
            nbformat.v4.new_markdown_cell(f"# {name}"),
            nbformat.v4.new_code_cell('profile = "smoke"', metadata={"tags": ["parameters"]}),
            nbformat.v4.new_code_cell(f'from bfl_stpc import study\nrun = study.start("{name}", profile=profile)'),
            *(nbformat.v4.new_code_cell(c, metadata=tags(c)) for c in code.split("# next cell\n")),
            nbformat.v4.new_code_cell(end),
        ]
        notebook = nbformat.v4.new_notebook(cells=cells)
        notebook.metadata = {"kernelspec": {"name": "python3", "display_name": "p", "language": "python"}}
        notebook.metadata["bfl"] = {"needs": needs or [], "timed": timed}
        path = self.root / "notebooks" / f"{name}.ipynb"
        nbformat.write(notebook, path)
        return path

    def environment(self, **extra: str) -> dict[str, str]:
        return os.environ | {"BFL_ROOT": str(self.root), "BFL_BUILD": str(self.root / "build")} | extra

    def run(self, *arguments: str, **extra: str) -> subprocess.CompletedProcess:
        command = [sys.executable, "-m", "bfl_stpc", *arguments]
        return subprocess.run(command, env=self.environment(**extra), capture_output=True, text=True, check=False)

    def results(self, name: str) -> Path:
        return self.root / "build" / "smoke" / "results" / name


@pytest.fixture
def small_study(tmp_path: Path) -> Study:
    return Study.begin(tmp_path)


@pytest.fixture(scope="session")
def run_once(tmp_path_factory) -> Study:
    study = Study.begin(tmp_path_factory.mktemp("study"))
    outcome = study.run("reproduce", "--profile", "smoke")
    assert outcome.returncode == 0, outcome.stderr
    return study


@pytest.fixture
def finished_study(run_once: Study, tmp_path: Path) -> Study:
    """A copy of a study whose notebooks have run."""
    shutil.copytree(run_once.root, tmp_path, dirs_exist_ok=True)
    return Study(tmp_path)
