"""The main job from a fresh clone: the smoke profile, its results those of the reference, then nothing to do.

Each exercise is followed by itself with its folded solution, so that one run takes the cells as they are committed and
what a reader writes; no result may notice. Where the reference is of this kind of processor, every result and what
every figure plots must be its bits; elsewhere the short notebooks run once more, in a build folder of their own.
"""

import hashlib
import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest
from notebooks import solving

from bfl_stpc.study import reference

ROOT = Path(__file__).parents[1]
# What is lost in all formats, then every figure as SVG, which shows each coordinate that the others are drawn at.
REDRAW = """
from bfl_stpc.figures import render
from bfl_stpc.study import redraw
redraw.redraw_stale("smoke")
render.FORMATS = ("svg",)
redraw.redraw_stale("smoke", everything=True)
"""
AGAIN = ("00", "01", "02", "03", "04", "05", "06")  # a sixth of the time


def workers(root):
    """Process ids of the TFF workers that were started by commands of the clone in `root` and are alive."""
    found = set()
    for process in Path("/proc").glob("[0-9]*"):
        try:
            command = (process / "cmdline").read_bytes()
            ours = f"PYTHONPATH={root / 'lib'}".encode() in (process / "environ").read_bytes()
            state = (process / "stat").read_text().rsplit(")", 1)[1].split()[0]
        except OSError:
            continue
        if b"worker_binary" in command and ours and state != "Z":
            found.add(process.name)
    return found


def repeats_the_reference():
    """Tell whether this machine rounds as that of the committed reference."""
    return json.loads(reference.reference_file("smoke").read_text())["processor"] == reference.processor()


def read_key(finished):
    return json.loads(finished.read_text())["key"]


class Clone:
    """A clone of the committed state, run by this environment's Python."""

    def __init__(self, root: Path) -> None:
        self.root = root
        subprocess.run(["git", "clone", "--quiet", "--no-hardlinks", str(ROOT), str(root)], check=True)

    def run(self, *arguments: str, build: str = "build") -> subprocess.CompletedProcess:
        """Run a command of the library."""
        return self.python("-m", "bfl_stpc", *arguments, build=build)

    def python(self, *arguments: str, build: str = "build") -> subprocess.CompletedProcess:
        """Run Python with the clone's library; what it says is in `stdout`."""
        environment = os.environ | {"PYTHONPATH": str(self.root / "lib"), "BFL_BUILD": str(self.root / build)}
        if (ROOT.parent / "shared" / "data").exists():  # the clone has nothing beside it
            environment.setdefault("BFL_DATA_DIR", str(ROOT.parent / "shared" / "data"))
        command = [sys.executable, *arguments]
        # Into a file: a worker that outlived its parent would hold a pipe open for ever.
        log = self.root / "python.log"
        with log.open("w+") as file:
            outcome = subprocess.run(command, cwd=self.root, env=environment, stdout=file, stderr=file, check=False)
        outcome.stdout = log.read_text()
        return outcome

    def git(self, *arguments: str) -> str:
        identity = ("-c", "user.name=test", "-c", "user.email=test@localhost")
        return subprocess.run(
            ["git", *identity, *arguments], cwd=self.root, capture_output=True, text=True, check=True
        ).stdout

    def drawn(self) -> dict[str, str]:
        """The digest of every picture and sidecar in the figures' folder, by name."""
        folder = self.root / "figures" / "smoke"
        return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(folder.glob("*.*"))}

    def digests(self, build: str) -> dict[str, str]:
        found = sorted((self.root / build / "smoke" / "results").glob("*/finished.json"))
        return {path.parent.name: json.loads(path.read_text())["digest"] for path in found}


@pytest.fixture(scope="module")
def clone(tmp_path_factory):
    made = Clone(tmp_path_factory.mktemp("fresh") / "clone")
    made.solved = {path.name: solving.solve(path) for path in sorted((made.root / "notebooks").glob("*.ipynb"))}
    made.git("commit", "--quiet", "--all", "--message", "Each exercise with its solution")
    return made


@pytest.mark.slow
def test_smoke_profile_from_a_fresh_clone(clone):
    first = clone.run("reproduce", "--profile", "smoke")
    assert first.returncode == 0, first.stdout
    notebooks = {path.stem for path in (clone.root / "notebooks").glob("*.ipynb")}
    assert set(clone.digests("build")) == notebooks

    status = clone.git("status", "--porcelain")
    assert not [line for line in status.splitlines() if not line.endswith(".log")], status

    started = time.monotonic()
    again = clone.run("reproduce", "--profile", "smoke")
    idle = time.monotonic() - started
    # Without real data and network, notebook 11 says so, ends well, and is tried again.
    waiting = [path for path in (clone.root / "build/smoke/results").glob("*/finished.json") if not read_key(path)]
    assert {path.parent.name for path in waiting} <= {"11_real_hospitals"}
    assert f"{len(waiting)} notebooks to run, {len(notebooks) - len(waiting)} up to date" in again.stdout
    longest = sum(
        json.loads(path.read_text())["seconds"] for path in (clone.root / "build/smoke/results").glob("*/finished.json")
    )
    assert idle < longest / 2  # nothing was run again; a ratio, since machines differ
    assert not workers(clone.root)


@pytest.mark.slow
def test_results_are_those_of_the_reference(clone):
    """Runs after the first one."""
    verified = clone.run("verify", "--profile", "smoke")
    assert verified.returncode == 0, verified.stdout
    said = " ".join(verified.stdout.split())
    assert re.search(r"13 notebooks beside the reference of profile smoke: \d+ bit for bit, \d+ ", said), said
    assert re.search(r"what their \d+ figures plot: \d+ ", said), said
    if repeats_the_reference():
        for verdict in ("within tolerance", "digest differs", "new"):
            assert not re.search(rf"\d {verdict}\b", said), f"{said}; if this is meant: make reference PROFILE=smoke"


@pytest.mark.slow
def test_every_folded_solution_is_right_and_no_unanswered_exercise_is(clone):
    """Runs after the first one."""
    for name, places in clone.solved.items():
        executed = clone.root / "build" / "smoke" / "notebooks" / name
        assert set(solving.verdicts(executed, places)) == {"'Right.'"}, name
        assert "'Right.'" not in solving.verdicts(executed, [place - 1 for place in places]), name


def outputs(path):
    """What each output of an executed notebook says, with its kind."""
    for cell in json.loads(path.read_text())["cells"]:
        for output in cell.get("outputs", []):
            data = output.get("data", {})
            text = output.get("text") or data.get("text/html") or data.get("text/plain") or ""
            yield output.get("name", output["output_type"]), re.sub(r"base64,[^\"']*", "", "".join(text))


@pytest.mark.slow
def test_executed_notebooks_leave_no_warning_and_no_absolute_path_behind(clone):
    """Runs after the first one."""
    executed = sorted((clone.root / "build" / "smoke" / "notebooks").glob("*.ipynb"))
    assert executed
    dirty = re.compile(rf"\w*Warning\b|{re.escape(str(clone.root))}|(?<![\w:/.<])/(home|root|tmp|usr|work|mnt)/")
    found = [
        f"{path.stem}: {kind}: {text[:120]!r}"
        for path in executed
        for kind, text in outputs(path)
        if kind == "stderr" or dirty.search(text)
    ]
    assert not found, "\n".join(found)


@pytest.mark.slow
def test_figures_are_drawn_again_byte_for_byte(clone):
    """Runs after the first one."""
    before, folder = clone.drawn(), clone.root / "figures" / "smoke"
    assert len(before) >= 4 * len(list((clone.root / "notebooks").glob("*.ipynb")))
    for path in folder.glob("*.svg"):
        path.write_bytes(b"")
    sidecars = sorted(folder.glob("*.json"), reverse=True)
    first = {json.loads(path.read_text())["notebook"]: path for path in sidecars}
    for path in first.values():
        for kind in ("pdf", "svg", "png"):
            path.with_suffix(f".{kind}").unlink()
    assert clone.python("-c", REDRAW).returncode == 0
    after = clone.drawn()
    assert [name for name in before if after.get(name) != before[name]] == []


@pytest.mark.slow
def test_the_short_notebooks_repeat_bit_for_bit_as_they_are_committed(clone):
    """Runs last; the second run has a build folder of its own and shares nothing."""
    if repeats_the_reference():
        pytest.skip("results and figures were those of the reference, bit for bit, which other runs have made")
    figures = clone.root / "figures" / "smoke"
    sidecars = [path for number in AGAIN for path in figures.glob(f"fig{number}_*.json")]
    repeating = {path.stem for path in sidecars if not json.loads(path.read_text())["timing"]}
    # Without the sidecars: they name the key of a notebook whose exercises are solved.
    wanted = {f"{name}.{kind}" for name in repeating for kind in ("pdf", "svg", "png")}
    before = {name: digest for name, digest in clone.drawn().items() if name in wanted}
    assert len(before) >= 3 * 15
    clone.git("checkout", "--quiet", "HEAD^", "--", "notebooks")
    second = clone.run("reproduce", "--profile", "smoke", *AGAIN, build="again")
    assert second.returncode == 0, second.stdout
    first, repeated = clone.digests("build"), clone.digests("again")
    assert {name[:2] for name in repeated} == set(AGAIN)
    assert {name: first[name] for name in repeated} == repeated
    after = clone.drawn()
    assert [name for name in before if after.get(name) != before[name]] == []
