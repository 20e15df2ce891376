"""Execute one notebook through papermill, in a process of its own, and put what it made in place when it is whole."""

from __future__ import annotations

import logging
import os
import shutil
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import nbformat
import papermill
import zmq
from jupyter_client.kernelspec import KernelSpecManager, NoSuchKernel
from papermill.engines import NBClientEngine, papermill_engines
from papermill.exceptions import PapermillExecutionError
from traitlets.config import Config

from bfl_stpc.errors import BflError, NotebookFailed, StudyError
from bfl_stpc.study import paths, prose, redraw
from bfl_stpc.study.experiment import results_folder
from bfl_stpc.study.notebooks import Notebook
from bfl_stpc.study.pausing import resume
from bfl_stpc.study.progress import Watch
from bfl_stpc.study.store import explained, read_json, replace_folder, to_json, write_atomic

# Else every kernel reports the interrupt that Jupyter sends at each shutdown. What a cell raises comes by another way.
QUIET_KERNEL = ["--IPKernelApp.log_level=50"]
# A sum over several threads is rounded by how they share it. A notebook that may run beside another computes each
# operation on one thread, also when it happens to run alone: its results are then the same bits however it ran.
ONE_THREAD = {"TF_NUM_INTRAOP_THREADS": "1", "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
SAVING = 5  # seconds of a run that is killed which may be missing in what it leaves
TIMED = "timed"  # tag of a cell during which the other notebooks are paused
ALONE, SHARED = "alone", "shared"
QUIET = {"TF_CPP_MIN_LOG_LEVEL": "3", "PYTHONHASHSEED": "0"}


class Reports:
    """A notebook's line to the runner: it tells of every cell, and asks to be alone while one measures times."""

    def __init__(self, line: Connection) -> None:
        self._line = line
        self.paused: list[int] = []

    def cell(self, number: int) -> None:
        """Tell that the cell `number` (from 1) begins."""
        self._line.send(number)

    def alone(self) -> None:
        """Return once every other notebook is paused."""
        self._line.send(ALONE)
        self.paused = self._line.recv()

    def shared(self) -> None:
        """Let the others go on."""
        self._line.send(SHARED)
        self.paused = []

    def failed(self, error: BflError) -> None:
        """Hand over the error with which the notebook ends."""
        self._line.send(error)


def is_timed(cell: Any) -> bool:
    """Tell whether a cell measures times, by its tag."""
    return TIMED in cell["metadata"].get("tags", [])


@contextmanager
def saved_seldom(nb_man: Any) -> Iterator[None]:
    """Let papermill write the whole notebook every `SAVING` seconds, not twice a cell; at its end it does so anyway."""
    save = nb_man.save

    def save_if_late(**rest: Any) -> None:
        if (nb_man.now() - nb_man.last_save_time).total_seconds() >= SAVING:
            save(**rest)

    nb_man.save = save_if_late
    try:
        yield
    finally:
        nb_man.save = save


class WatchedEngine(NBClientEngine):
    """papermill's engine, telling a `Watch` of every cell, and the runner of those that measure times."""

    @classmethod
    def execute_managed_notebook(
        cls, nb_man: Any, kernel_name: str, *, watch: Watch, reports: Reports, **kwargs: Any
    ) -> None:
        """Execute the notebook that `nb_man` manages, reporting each cell to `watch` and `reports`."""
        start, complete = nb_man.cell_start, nb_man.cell_complete

        def cell_start(cell: Any, cell_index: int | None = None, **rest: Any) -> None:
            watch.cell_start(cell_index or 0)
            if is_timed(cell):
                reports.alone()
            start(cell, cell_index, **rest)

        def cell_complete(cell: Any, cell_index: int | None = None, **rest: Any) -> None:
            complete(cell, cell_index, **rest)
            if is_timed(cell):
                reports.shared()
            watch.cell_done(cell)

        nb_man.cell_start, nb_man.cell_complete = cell_start, cell_complete
        with saved_seldom(nb_man):
            super().execute_managed_notebook(nb_man, kernel_name, **kwargs)


papermill_engines.register("watched", WatchedEngine)


def check_kernel() -> None:
    """Refuse a `python3` kernel that is not this environment's.

    Raises:
        StudyError: the kernel is missing, or belongs to another Python (a leftover in the user's Jupyter folder).
    """
    try:
        spec = KernelSpecManager().get_kernel_spec("python3")
    except NoSuchKernel as error:
        raise StudyError("the Jupyter kernel python3 is not installed: run `make setup`") from error
    program = spec.argv[0]
    ours = program in {"python", "python3", "python3.11"} or (
        Path(program).exists() and Path(program).absolute() == Path(sys.executable).absolute()
    )
    if not ours:
        raise StudyError(
            f"the Jupyter kernel python3 in {spec.resource_dir} starts {program}, not this environment's "
            f"{sys.executable}: remove it with `jupyter kernelspec remove python3`, or unset JUPYTER_PATH"
        )


@contextmanager
def terminate_as_interrupt() -> Iterator[None]:
    """Treat SIGTERM as Ctrl-C, and Ctrl-C as Ctrl-C even where a parent ignores it, so that kernels are shut down."""

    def stop(number: int, frame: object) -> None:
        # The interrupted cell's task is abandoned; asyncio would print its traceback over our message.
        logging.getLogger("asyncio").setLevel(logging.CRITICAL + 1)
        raise KeyboardInterrupt

    before = {number: signal.signal(number, stop) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def failure(notebook: Notebook, partial: Path, watch: Watch, error: PapermillExecutionError) -> NotebookFailed:
    """Return the error that names notebook, cell, cause and the partial notebook."""
    return NotebookFailed(
        f"{notebook.name} failed in cell {watch.cell} of {notebook.cells}: {error.ename}: {error.evalue}\n"
        f"  the notebook up to there: {paths.relative(partial)}"
    )


def without_paths(executed: Path) -> bytes:
    """Return the executed notebook without the absolute paths that papermill notes in its metadata."""
    notebook = nbformat.read(executed, as_version=4)
    for key in ("input_path", "output_path"):
        notebook.metadata.get("papermill", {}).pop(key, None)
    return nbformat.writes(notebook).encode()


@contextmanager
def unix_sockets() -> Iterator[Config]:
    """Give the settings with which a kernel is spoken to through sockets in a folder of its own.

    Jupyter's default, TCP, looks for free ports before the kernel starts: another program may take one in between.

    Raises:
        StudyError: the temporary folder's path is too long for a socket in it.
    """
    with tempfile.TemporaryDirectory(prefix="bfl-") as folder:
        name = f"{folder}/kernel"
        if len(name) + 2 > zmq.IPC_PATH_MAX_LEN:  # Jupyter appends -1 to -5
            raise StudyError(
                f"the path of the temporary folder {tempfile.gettempdir()} is too long for a socket in it: "
                "set TMPDIR to a shorter one"
            )
        yield Config(ConnectionFileMixin={"transport": "ipc", "ip": name})


def execute(
    notebook: Notebook,
    staged: Path,
    partial: Path,
    parameters: Mapping[str, Any],
    variables: Mapping[str, str],
    watch: Watch,
    reports: Reports | None,
) -> None:
    """Execute one notebook where it lies; the executed copy goes to `partial`, what it makes to the folder `staged`.

    Args:
        notebook: which.
        staged: emptied first.
        partial: holds all up to the cell that raised, if one does.
        parameters: for papermill.
        variables: of the environment, which the kernel inherits; they are left set.
        watch: told of every cell.
        reports: the line to a runner of several notebooks; none where nothing runs beside it and no cell is timed.

    Raises:
        NotebookFailed: a cell raised, or the notebook ended without `run.finish()`.
        StoreError: a folder cannot be written.
        StudyError: the temporary folder's path is too long.
    """
    with explained(staged):
        shutil.rmtree(staged, ignore_errors=True)
        staged.mkdir(parents=True)
        partial.parent.mkdir(parents=True, exist_ok=True)
    os.environ.update({**QUIET, **variables, "BFL_STAGE": str(staged)})
    try:
        with unix_sockets() as sockets:
            papermill.execute_notebook(
                notebook.path, partial, parameters=parameters, kernel_name="python3", cwd=notebook.path.parent,
                progress_bar=False, engine_name="watched", watch=watch, reports=reports,
                extra_arguments=QUIET_KERNEL, start_timeout=300, config=sockets,
            )  # fmt: skip
    except PapermillExecutionError as error:
        raise failure(notebook, partial, watch, error) from None
    if not (staged / "finished.json").exists():
        raise NotebookFailed(f"{notebook.name} ended without run.finish(): its last cell must call it")


def run_notebook(notebook: Notebook, profile: str, origin: Mapping[str, str], reports: Reports) -> None:
    """Execute one notebook and put its results, figures and executed copy in place; send each cell's number.

    `origin` is the notebook's entry of `notebooks.provenance`; results and figures keep it. Environment variables are
    set, which the kernel inherits, and left so: this process runs nothing else.

    Raises:
        NotebookFailed: a cell raised, or the notebook ended without `run.finish()`.
        StoreError: a folder cannot be written.
    """
    build = paths.BUILD / profile
    staged = build / "staged" / notebook.name
    partial = build / "partial" / f"{notebook.name}.ipynb"
    log = build / "logs" / f"{notebook.name}.log"
    with explained(build):
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.with_suffix(".stderr").open("wb") as heard:
            os.dup2(heard.fileno(), sys.stderr.fileno())  # what kernels say past Jupyter would break the display
    variables = {"BFL_KEY": origin["key"]} | ({} if notebook.timed else ONE_THREAD)
    with Watch(log, notebook.cells, reports.cell) as watch:
        execute(notebook, staged, partial, {"profile": profile}, variables, watch, reports)
    hashes = {kind: origin[kind] for kind in ("source", "lock")}  # the key stands there, or the notebook withheld it
    for file in (staged / "finished.json", *(staged / "figures").glob("*.json")):
        write_atomic(file, to_json(read_json(file, "make reproduce") | hashes, sort_keys=False))
    write_atomic(prose.executed_path(profile, notebook.name), without_paths(partial))
    partial.unlink()
    redraw.publish(staged / "figures", profile, notebook.name)
    replace_folder(staged, results_folder(profile, notebook.name))


def _end_with_parent(parent: int, reports: Reports) -> None:
    """Stop this process, and with it its kernel, once `parent` has gone, however it went; wake whom it had paused."""
    while os.getppid() == parent:
        time.sleep(0.5)
    resume(reports.paused)
    os.kill(os.getpid(), signal.SIGTERM)


def in_process(notebook: Notebook, profile: str, origin: Mapping[str, str], line: Connection, parent: int) -> None:
    """Run one notebook in this new process; send cell numbers, and at a failure its error, through `line`.

    Exit status 0 says that the results stand, 1 that an error was sent, 130 that it was interrupted.
    """
    os.setsid()  # Ctrl-C in a terminal reaches the runner alone, which then stops its notebooks
    reports = Reports(line)
    threading.Thread(target=_end_with_parent, args=(parent, reports), daemon=True).start()
    try:
        with terminate_as_interrupt():
            run_notebook(notebook, profile, origin, reports)
    except KeyboardInterrupt:
        sys.exit(130)
    except BflError as error:
        reports.failed(error)
        sys.exit(1)
