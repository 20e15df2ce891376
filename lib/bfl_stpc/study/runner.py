"""Run the notebooks that are out of date, side by side where that changes nothing, and keep what is finished."""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from multiprocessing import connection
from multiprocessing.connection import Connection
from multiprocessing.context import ForkProcess

from rich.console import Console

from bfl_stpc.errors import BflError, NotebookFailed, StudyError
from bfl_stpc.study import paths, pausing, prose, redraw
from bfl_stpc.study.execution import ALONE, SHARED, check_kernel, in_process, terminate_as_interrupt
from bfl_stpc.study.experiment import results_folder
from bfl_stpc.study.notebooks import Notebook, discover, provenance, select, under
from bfl_stpc.study.profiles import Profile, load_profile
from bfl_stpc.study.progress import Board, clock
from bfl_stpc.study.schedule import startable, ways
from bfl_stpc.study.store import read_json

PATIENCE = 20.0  # seconds that a notebook has to shut down its kernel before it is killed


def finished_key(profile: str, name: str) -> str | None:
    """Return the key of the finished results of a notebook; none where it has not finished."""
    folder = results_folder(profile, name)
    if not (folder / "finished.json").exists():
        return None
    return read_json(folder / "finished.json", f"make reproduce PROFILE={profile}")["key"]


def expected_seconds(profile: str, name: str) -> float | None:
    """Return how long the notebook took the last time here, else in the committed reference, else none."""
    here = results_folder(profile, name) / "finished.json"
    if here.exists():
        return float(read_json(here, "make reproduce")["seconds"])
    reference = paths.DATA / "reference" / "durations.json"
    if not reference.exists():
        return None
    return json.loads(reference.read_text(encoding="utf-8")).get(profile, {}).get(name)


def stderr_of(profile: str, name: str) -> list[str]:
    """Return a line for each cell of an executed notebook that left something on stderr: a reader should see none."""
    cells = json.loads(prose.executed_path(profile, name).read_text(encoding="utf-8"))["cells"]
    found = []
    for number, cell in enumerate(cells, start=1):
        written = "".join("".join(o["text"]) for o in cell.get("outputs", []) if o.get("name") == "stderr").strip()
        if written:
            found.append(f"{name}: cell {number} of {len(cells)} left on stderr: {written.splitlines()[0][:120]}")
    return found


def check_parameters(notebooks: Mapping[str, Notebook]) -> None:
    """Refuse a notebook that papermill could not parametrise; papermill itself would only warn.

    Raises:
        StudyError: a notebook lacks a cell tagged `parameters` that sets `profile`.
    """
    for notebook in notebooks.values():
        raw = json.loads(notebook.path.read_text(encoding="utf-8"))
        tagged = [cell for cell in raw["cells"] if "parameters" in cell["metadata"].get("tags", [])]
        if not any("profile =" in "".join(cell["source"]) for cell in tagged):
            raise StudyError(f'{notebook.name} has no cell tagged "parameters" that sets `profile`')


@dataclass(frozen=True)
class Job:
    """A notebook that runs in a process of its own, and the end of its line to the runner."""

    process: ForkProcess
    reports: Connection


def start(notebook: Notebook, profile: str, origin: Mapping[str, str]) -> Job:
    """Run one notebook in a new process; forked, since papermill need then not be imported again."""
    reports, report = multiprocessing.Pipe()
    arguments = (notebook, profile, origin, report, os.getpid())
    process = multiprocessing.get_context("fork").Process(target=in_process, args=arguments, name=notebook.name)
    process.start()
    report.close()
    return Job(process, reports)


def stop(jobs: Mapping[str, Job]) -> None:
    """Stop the notebooks that run, and return when none of their processes is left."""
    for job in jobs.values():
        job.process.terminate()
    deadline = time.monotonic() + PATIENCE
    for job in jobs.values():
        job.process.join(max(deadline - time.monotonic(), 0.1))
        if job.process.is_alive():
            job.process.kill()
            job.process.join()


def ended(name: str, job: Job, sent: BflError | None) -> BflError | None:
    """Return the error with which a notebook's process ended; none if its results stand."""
    job.process.join()
    job.reports.close()
    status = job.process.exitcode
    if sent or not status:
        return sent
    why = f"was ended by {signal.Signals(-status).name}" if status < 0 else f"ended with status {status}"
    memory = ": probably the memory ran out; run with JOBS=1" if status == -signal.SIGKILL else ""
    return NotebookFailed(f"the process of {name} {why}{memory}; what it said: {name}.stderr beside the logs")


class Execution:
    """One run of the notebooks that are out of date."""

    def __init__(
        self, notebooks: Mapping[str, Notebook], profile: Profile, origins: Mapping[str, Mapping[str, str]], jobs: int
    ) -> None:
        self.seconds: dict[str, float] = {}
        self._notebooks = under(profile, notebooks)
        self._profile, self._origins, self._jobs = profile, origins, jobs
        self._waiting = list(notebooks)
        self._running: dict[str, Job] = {}
        self._errors: list[BflError] = []
        self._asking: list[str] = []  # those that wait to be alone
        self._alone: str | None = None
        self._paused: list[int] = []
        self._expected = {name: expected_seconds(profile.name, name) for name in notebooks}
        self._way = ways(notebooks, self._expected)
        self._begun = time.monotonic()

    def all(self, board: Board) -> None:
        """Run them all; after a failure nothing more begins, but what runs is brought to its end.

        Raises:
            BflError: the failure; of several, all are named.
        """
        try:
            while self._begin(board):
                self._listen(board)
        except BaseException:
            pausing.resume(self._paused)  # a stopped process would not hear that it is to end
            stop(self._running)
            raise
        if len(self._errors) > 1:
            raise NotebookFailed("\n".join(str(error) for error in self._errors))
        if self._errors:
            raise self._errors[0]

    def _begin(self, board: Board) -> bool:
        """Start what may start; return whether anything runs."""
        if not self._errors and not self._alone and not self._asking:
            for name in startable(self._notebooks, self._waiting, self._running, self._way, self._jobs):
                board.begin(name, self._notebooks[name].cells, self._expected[name])
                self._waiting.remove(name)
                self._running[name] = start(self._notebooks[name], self._profile.name, self._origins[name])
        return bool(self._running)

    def _listen(self, board: Board) -> None:
        """Take in what the notebooks report until one of them ends, or a while has passed."""
        name_of = {job.reports: name for name, job in self._running.items()}
        for reports in connection.wait(list(name_of), timeout=0.5):
            name, sent = name_of[reports], None  # type: ignore[index]
            try:
                sent = self._running[name].reports.recv()
            except EOFError:
                self._end(name, None, board)
                continue
            if isinstance(sent, BflError):
                self._end(name, sent, board)
            elif sent == ALONE and self._profile.alone:
                self._asking.append(name)
            elif sent == ALONE:
                self._running[name].reports.send([])  # nobody is paused for it
            elif sent == SHARED:
                self._share()
            else:
                board.cell(name, sent)
        self._leave_alone()
        board.tick()

    def _leave_alone(self) -> None:
        """Pause the others for a notebook whose next cell measures times; one such notebook at a time."""
        if self._alone or not self._asking:
            return
        self._alone = self._asking.pop(0)
        for name, job in self._running.items():
            if name != self._alone and job.process.pid:
                self._paused += pausing.pause(job.process.pid)
        self._running[self._alone].reports.send(self._paused)

    def _share(self) -> None:
        """Let the paused notebooks go on."""
        pausing.resume(self._paused)
        self._alone, self._paused = None, []

    def _end(self, name: str, sent: BflError | None, board: Board) -> None:
        if name == self._alone:
            self._share()
        if name in self._asking:
            self._asking.remove(name)
        error = ended(name, self._running[name], sent)
        del self._running[name]
        seconds = board.end(name)
        total = clock(time.monotonic() - self._begun)
        if error is None:
            self.seconds[name] = seconds
            count = f"[{len(self.seconds)}/{len(self._notebooks)}]"
            board.say(f"{count} {name} finished in {clock(seconds)} (total {total})")
            return
        self._errors.append(error)
        others = f"; {', '.join(self._running)} goes on to its end (Ctrl-C stops it)" if self._running else ""
        board.say(f"{name} failed after {clock(seconds)}{others}")


def reproduce(profile: str, *, only: Sequence[str] = (), jobs: int = 1, console: Console) -> dict[str, float]:
    """Run every notebook whose results are missing or out of date; return the seconds of each that ran.

    Args:
        profile: how much to run.
        only: notebooks by name or number, with all that they need; all if empty.
        jobs: how many notebooks may run at once; those that report times run alone, where the profile asks for it.
        console: where progress is shown.

    Raises:
        ConfigError: unknown profile or notebook.
        NotebookFailed: a cell raised; the notebooks that finished are kept.
        StudyError: the notebooks or the kernel are unusable.
    """
    settings = load_profile(profile)
    notebooks = discover()
    wanted = select(notebooks, only)
    check_parameters(wanted)
    check_kernel()
    origins = provenance(notebooks, settings)
    stale = {name: notebook for name, notebook in wanted.items() if finished_key(profile, name) != origins[name]["key"]}
    kept = len(wanted) - len(stale)
    console.print(f"profile {profile}: {len(stale)} notebooks to run, {kept} up to date")
    execution = Execution(stale, settings, origins, jobs)
    with terminate_as_interrupt(), Board(console) as board:
        execution.all(board)
    reworded = [name for name, notebook in wanted.items() if prose.refresh(notebook, profile)]
    if reworded:
        console.print(f"put changed prose into {len(reworded)} executed notebooks")
    for line in (line for name in execution.seconds for line in stderr_of(profile, name)):
        console.print(line, markup=False)
    redrawn = redraw.redraw_stale(profile)
    if redrawn:
        console.print(f"redrew {len(redrawn)} figures whose style or plot function changed")
    return execution.seconds
