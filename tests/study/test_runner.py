"""Running notebooks: order, reuse, failure, interruption, bad surroundings. Each test runs the real command line."""

import json
import signal
import subprocess
import sys
import tempfile
import time
from datetime import datetime, timedelta
from pathlib import Path

import nbformat
import pytest

from bfl_stpc.study import execution

REPRODUCE = ("reproduce", "--profile", "smoke")


def finished(study, name):
    return json.loads((study.results(name) / "finished.json").read_text())


def test_runs_in_order_then_does_nothing_then_reruns_what_depends(small_study):
    first = small_study.run(*REPRODUCE)
    assert first.returncode == 0, first.stderr
    assert first.stdout.index("01_first finished") < first.stdout.index("02_second finished")
    assert json.loads((small_study.results("02_second") / "results.json").read_text())["y"]["value"] == 11

    again = small_study.run(*REPRODUCE)
    assert "0 notebooks to run, 2 up to date" in again.stdout

    small_study.write("02_second", 'run.record("y", run.result("01_first", "x") + 2)', needs=["01_first"])
    assert "1 notebooks to run, 1 up to date" in small_study.run(*REPRODUCE).stdout

    small_study.write("01_first", 'run.record("x", 30)')
    changed = small_study.run(*REPRODUCE)
    assert "2 notebooks to run, 0 up to date" in changed.stdout
    assert json.loads((small_study.results("02_second") / "results.json").read_text())["y"]["value"] == 32


def test_results_keep_their_key_and_hashes_and_a_notebook_may_ask_to_run_again(small_study):
    small_study.write("02_second", "run.try_again()")
    assert small_study.run(*REPRODUCE).returncode == 0
    assert all(len(finished(small_study, "01_first")[kind]) == 64 for kind in ("key", "source", "lock"))
    assert finished(small_study, "02_second")["key"] is None
    assert "1 notebooks to run, 1 up to date" in small_study.run(*REPRODUCE).stdout


def test_executed_notebook_and_log_are_kept_without_absolute_paths(run_once):
    executed = (run_once.root / "build/smoke/notebooks/01_first.ipynb").read_text()
    assert "hello from the first" in executed
    assert str(run_once.root) not in executed
    log = (run_once.root / "build/smoke/logs/01_first.log").read_text()
    assert "hello from the first" in log
    assert "# finished" in log


def test_changed_prose_reaches_the_executed_notebook_and_runs_nothing(finished_study):
    path = finished_study.root / "notebooks" / "01_first.ipynb"
    notebook = nbformat.read(path, as_version=4)
    notebook.cells[0]["source"] = "# Better words"
    notebook.cells.insert(4, nbformat.v4.new_markdown_cell("And a remark."))
    nbformat.write(notebook, path)
    again = finished_study.run(*REPRODUCE)
    assert "0 notebooks to run, 2 up to date" in again.stdout
    assert "put changed prose into 1 executed notebooks" in again.stdout
    executed = nbformat.read(finished_study.root / "build/smoke/notebooks/01_first.ipynb", as_version=4)
    kinds = [cell["cell_type"][0] for cell in executed.cells]
    assert "".join(kinds) == "mccccmc"  # one code cell is papermill's own
    assert executed.cells[0]["source"] == "# Better words"
    assert executed.cells[4]["outputs"][0]["text"] == "hello from the first\n"
    assert "changed prose" not in finished_study.run(*REPRODUCE).stdout

    copy = finished_study.root / "build/smoke/notebooks/01_first.ipynb"
    executed.cells[4]["source"] = "run.record('x', 11)"  # as if it had been edited while it ran
    nbformat.write(executed, copy)
    before = copy.read_bytes()
    assert finished_study.run(*REPRODUCE).returncode == 0
    assert copy.read_bytes() == before


def test_failure_names_notebook_cell_error_and_partial_and_keeps_the_finished(small_study):
    small_study.write("02_second", 'print("as far as here")\nraise ValueError("a broken cell")', needs=["01_first"])
    outcome = small_study.run(*REPRODUCE)
    assert outcome.returncode == 1
    assert "02_second failed in cell 5 of 6" in outcome.stderr  # as in the partial notebook, with papermill's cell
    assert "ValueError: a broken cell" in outcome.stderr
    assert "build/smoke/partial/02_second.ipynb" in outcome.stderr
    partial = nbformat.read(small_study.root / "build/smoke/partial/02_second.ipynb", as_version=4)
    outputs = [output for cell in partial.cells for output in cell.get("outputs", [])]
    assert outputs[0]["text"] == "as far as here\n"
    assert outputs[-1]["ename"] == "ValueError"
    assert not small_study.results("02_second").exists()
    assert finished(small_study, "01_first")["results"] == 1
    assert "Traceback" not in outcome.stderr


def test_the_running_notebook_is_saved_seldom():
    class Manager:
        last_save_time, saved = datetime(2026, 1, 1), 0

        def now(self):
            return datetime(2026, 1, 1) + timedelta(seconds=self.seconds)

        def save(self):
            self.last_save_time, self.saved = self.now(), self.saved + 1

    manager, saved = Manager(), []
    with execution.saved_seldom(manager):
        for manager.seconds in range(12):
            manager.save()
            saved.append(manager.saved)
    assert saved == [0] * 5 + [1] * 5 + [2] * 2
    manager.save()  # at its end, whenever that is
    assert manager.saved == 3


def test_what_a_cell_leaves_on_stderr_is_told(small_study):
    small_study.write("01_first", 'import sys\nrun.record("x", 10)\nprint("careful\\nand more", file=sys.stderr)')
    told = [line for line in small_study.run(*REPRODUCE).stdout.splitlines() if "stderr" in line]
    assert told == ["01_first: cell 5 of 6 left on stderr: careful"]


def test_a_failed_rerun_leaves_the_earlier_result(finished_study):
    before = (finished_study.results("01_first") / "results.json").read_bytes()
    finished_study.write("01_first", "1 / 0")
    assert finished_study.run(*REPRODUCE).returncode == 1
    assert (finished_study.results("01_first") / "results.json").read_bytes() == before


def test_notebook_without_finish_fails(small_study):
    small_study.write("01_first", "1", end="2")
    outcome = small_study.run(*REPRODUCE)
    assert outcome.returncode == 1
    assert "run.finish()" in outcome.stderr


def test_undeclared_need_is_refused(small_study):
    small_study.write("02_second", 'run.result("01_first", "x")')
    outcome = small_study.run(*REPRODUCE)
    assert outcome.returncode == 1
    assert "metadata.bfl.needs" in outcome.stderr


def test_needs_in_a_circle_are_refused(small_study):
    small_study.write("01_first", "1", needs=["02_second"])
    outcome = small_study.run(*REPRODUCE)
    assert outcome.returncode == 1
    assert "circle" in outcome.stderr


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("reproduce", "--profile", "smok"), "unknown profile 'smok': choose one of smoke, quick, paper; did you mean"),
        (("reproduce", "--profile", "smoke", "99"), "unknown notebook '99'"),
        (("reproduce", "--profile", "smoke", "--jobs", "two"), "JOBS=two is not a number of notebooks"),
        (("reproduce", "--profile", "smoke", "--jobs", "0"), "JOBS=0 is not a number of notebooks"),
        (("verify", "--profile", "smoke"), "make reproduce PROFILE=smoke"),
    ],
)
def test_bad_arguments_are_named_with_the_mend(small_study, arguments, says):
    outcome = small_study.run(*arguments)
    assert outcome.returncode == 1
    assert says in outcome.stderr
    assert "Traceback" not in outcome.stderr


def test_notebook_without_parameter_cell_is_refused(small_study):
    path = small_study.write("01_first", "1")
    path.write_text(path.read_text().replace('"parameters"', '"other"'))
    outcome = small_study.run(*REPRODUCE)
    assert outcome.returncode == 1
    assert "01_first has no cell tagged" in outcome.stderr


def test_damaged_notebook_is_named(small_study):
    (small_study.root / "notebooks/01_first.ipynb").write_text("{ not json")
    outcome = small_study.run(*REPRODUCE)
    assert outcome.returncode == 1
    assert "notebooks/01_first.ipynb is not a notebook" in outcome.stderr


def test_stale_kernel_is_refused(small_study):
    kernel = small_study.root / "jupyter/kernels/python3"
    kernel.mkdir(parents=True)
    spec = {"argv": ["/usr/bin/env", "-m", "ipykernel_launcher"], "display_name": "old", "language": "python"}
    (kernel / "kernel.json").write_text(json.dumps(spec))
    outcome = small_study.run(*REPRODUCE, JUPYTER_PATH=str(small_study.root / "jupyter"))
    assert outcome.returncode == 1
    assert "jupyter kernelspec remove python3" in outcome.stderr


@pytest.fixture
def short():
    """A temporary folder with a short path: a socket's may have some hundred characters."""
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        yield Path(folder)


def test_a_kernel_takes_no_port_that_another_program_might_take_first(small_study, short):
    ask = """import psutil
taken = psutil.Process().net_connections(kind="inet")
run.record("ports", [one.laddr.port for one in taken])
run.record("sockets", len(psutil.Process().net_connections(kind="unix")))"""
    small_study.write("01_first", ask)
    assert small_study.run(*REPRODUCE, "01", TMPDIR=str(short)).returncode == 0
    results = json.loads((small_study.results("01_first") / "results.json").read_text())
    # The one is for what child processes print: ipykernel binds what it finds at once.
    assert len(results["ports"]["value"]) <= 1
    assert results["sockets"]["value"] >= 5
    assert list(short.glob("bfl-*")) == []


def test_a_temporary_folder_too_deep_for_sockets_is_named(small_study):
    deep = small_study.root / ("d" * 100)
    deep.mkdir()
    outcome = small_study.run(*REPRODUCE, "01", TMPDIR=str(deep))
    assert outcome.returncode == 1
    assert f"{deep} is too long" in outcome.stderr
    assert "set TMPDIR" in outcome.stderr
    assert "Traceback" not in outcome.stderr


def test_unwritable_folder_is_named(small_study):
    (small_study.root / "not_a_folder").write_text("")
    build = small_study.root / "not_a_folder" / "build"
    outcome = small_study.run(*REPRODUCE, BFL_BUILD=str(build))
    assert outcome.returncode == 1
    assert f"cannot write {build}/smoke" in outcome.stderr
    assert "BFL_BUILD" in outcome.stderr
    assert "Traceback" not in outcome.stderr


def test_full_disk_is_named_and_nothing_half_written_stays(finished_study):
    before = (finished_study.results("01_first") / "results.json").read_bytes()
    big = 'run.record("big", "x" * 3_000_000)'
    # A process may not write a file of over 1 MiB: the same failure as a disk that fills.
    limit = "import resource, signal; signal.signal(signal.SIGXFSZ, signal.SIG_IGN); "
    limit += "resource.setrlimit(resource.RLIMIT_FSIZE, (2**20, 2**20))\n"
    finished_study.write("01_first", limit + big)
    outcome = finished_study.run(*REPRODUCE)
    assert outcome.returncode == 1
    assert "StoreError: cannot write" in outcome.stderr
    assert "free space" in outcome.stderr
    assert (finished_study.results("01_first") / "results.json").read_bytes() == before
    assert not list((finished_study.root / "build").rglob(".results.json.*"))


def kernels_of(root):
    """Process ids of kernels started for the study in `root`."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            environment = (process / "environ").read_bytes()
        except OSError:
            continue
        if f"BFL_STAGE={root}".encode() in environment:
            found.append(int(process.name))
    return found


def started_by(study, name, number):
    """Code of a notebook that waits until `number` notebooks of the study have begun, and records its threads."""
    return f"""import os, pathlib, time
folder = pathlib.Path("{study.root}")
(folder / "begun_{name}").write_text("")
deadline = time.monotonic() + 100
while len(list(folder.glob("begun_*"))) < {number} and time.monotonic() < deadline:
    time.sleep(0.05)
run.record("together", len(list(folder.glob("begun_*"))))
run.record("threads", os.environ.get("TF_NUM_INTRAOP_THREADS", "all"))"""


def test_two_run_side_by_side_and_one_that_reports_times_runs_alone(small_study):
    small_study.write("01_first", started_by(small_study, "a", 3))
    small_study.write("02_second", started_by(small_study, "b", 3))
    alone = 'import time\nrun.record("begin", time.monotonic())\ntime.sleep(1)\nrun.record("end", time.monotonic())\n'
    small_study.write("03_third", alone + started_by(small_study, "c", 1), timed=True)
    outcome = small_study.run(*REPRODUCE, "--jobs", "2")
    assert outcome.returncode == 0, outcome.stderr
    results = {
        name: json.loads((small_study.results(name) / "results.json").read_text())
        for name in ("01_first", "02_second", "03_third")
    }
    # Each of the two waited for the other; the third began, as the one that runs alone, before both.
    assert results["01_first"]["together"]["value"] == results["02_second"]["together"]["value"] == 3
    assert results["03_third"]["together"]["value"] == 1
    assert [results[name]["threads"]["value"] for name in results] == ["1", "1", "all"]
    assert outcome.stdout.index("03_third finished") < outcome.stdout.index("01_first: ")


def test_where_times_are_no_measurement_nothing_runs_alone(small_study):
    profiles = small_study.root / "data" / "profiles.yaml"
    profiles.write_text(profiles.read_text().replace("seeds: [1], alone: true", "seeds: [1], alone: false"))
    small_study.write("01_first", "# timed\n" + started_by(small_study, "a", 2), timed=True)
    small_study.write("02_second", "# timed\n" + started_by(small_study, "b", 2), timed=True)
    outcome = small_study.run(*REPRODUCE, "--jobs", "2")
    assert outcome.returncode == 0, outcome.stderr
    for name in ("01_first", "02_second"):
        results = json.loads((small_study.results(name) / "results.json").read_text())
        assert results["together"]["value"] == 2
        assert results["threads"]["value"] == "1"


def test_a_failure_beside_another_keeps_the_other_and_begins_no_more(small_study):
    small_study.write("01_first", 'raise ValueError("broken")')
    log = small_study.root / "build/smoke/logs/01_first.log"
    wait = f"import pathlib, time\nwhile 'stopped' not in pathlib.Path('{log}').read_text():\n    time.sleep(0.1)\n"
    small_study.write("02_second", wait + 'time.sleep(2)\nrun.record("y", 1)')
    small_study.write("03_third", "1", needs=["02_second"])
    outcome = small_study.run(*REPRODUCE, "--jobs", "2")
    assert outcome.returncode == 1
    assert "01_first failed after" in outcome.stdout
    assert "02_second goes on to its end" in outcome.stdout
    assert "ValueError: broken" in outcome.stderr
    assert finished(small_study, "02_second")["results"] == 1
    assert not small_study.results("03_third").exists()
    assert kernels_of(small_study.root) == []


def test_a_notebook_whose_process_is_killed_is_named(small_study):
    kill = "import os\nos.kill(int(os.environ['JPY_PARENT_PID']), 9)\nimport time\ntime.sleep(60)"
    small_study.write("01_first", kill)
    outcome = small_study.run(*REPRODUCE, "01")
    assert outcome.returncode == 1
    assert "the process of 01_first" in outcome.stderr
    assert "ended by SIGKILL: probably the memory ran out" in outcome.stderr
    assert "Traceback" not in outcome.stderr


@pytest.mark.parametrize("end", ["", "\nraise ValueError('broken')"])
def test_others_are_paused_while_a_cell_measures_times(small_study, end):
    ticking = f"""import pathlib, time
folder = pathlib.Path("{small_study.root}")
ticks, deadline = [], time.monotonic() + 100
while not (folder / "span").exists() and time.monotonic() < deadline:
    (folder / "ticking").write_text("")
    ticks.append(time.monotonic())
    time.sleep(0.02)
for _ in range(20):
    ticks.append(time.monotonic())
    time.sleep(0.02)
run.record("ticks", ticks)"""
    small_study.write("01_first", ticking)
    wait = (
        f"import pathlib, time\nwhile not pathlib.Path('{small_study.root}/ticking').exists():\n    time.sleep(0.05)\n"
    )
    timed = "# timed\nspan = [time.monotonic()]\ntime.sleep(1.5)\nspan.append(time.monotonic())\n"
    timed += f"pathlib.Path('{small_study.root}/span').write_text(str(span)){end}\n"
    small_study.write("02_second", f"{wait}# next cell\n{timed}# next cell\n1")
    outcome = small_study.run(*REPRODUCE, "--jobs", "2")
    assert outcome.returncode == (1 if end else 0), outcome.stderr
    begin, stop = json.loads((small_study.root / "span").read_text())
    ticks = json.loads((small_study.results("01_first") / "results.json").read_text())["ticks"]["value"]
    assert not [tick for tick in ticks if begin < tick < stop]
    assert [tick for tick in ticks if tick < begin]
    assert [tick for tick in ticks if tick > stop]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_interruption_keeps_the_finished_and_leaves_no_kernel(small_study, short, number):
    marked = (
        f"import pathlib, time\nroot = pathlib.Path('{small_study.root}')\n(root / 'started_{{}}').write_text('')\n"
    )
    both = "while len(list(root.glob('started_*'))) < 2:\n    time.sleep(0.05)\n"
    # Two at once, of which one is paused while the other measures.
    small_study.write("02_second", marked.format(2) + "time.sleep(600)", needs=["01_first"])
    measuring = "# timed\n(root / 'measuring').write_text('')\ntime.sleep(600)"
    small_study.write("03_third", marked.format(3) + both + "# next cell\n" + measuring, needs=["01_first"])
    command = [sys.executable, "-m", "bfl_stpc", *REPRODUCE, "--jobs", "2"]
    surroundings = small_study.environment(TMPDIR=str(short))
    process = subprocess.Popen(command, env=surroundings, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 120
    while not (small_study.root / "measuring").exists() and time.monotonic() < deadline:
        time.sleep(0.1)
    assert (small_study.root / "measuring").exists()
    process.send_signal(number)
    _, errors = process.communicate(timeout=60)
    if number != signal.SIGKILL:
        assert process.returncode == 130
        assert "notebooks that had finished are kept" in errors
    assert "Traceback" not in errors
    assert finished(small_study, "01_first")["results"] == 1
    assert not small_study.results("02_second").exists()
    deadline = time.monotonic() + 30
    while (kernels_of(small_study.root) or list(short.glob("bfl-*"))) and time.monotonic() < deadline:
        time.sleep(0.2)
    assert kernels_of(small_study.root) == []
    assert list(short.glob("bfl-*")) == []
