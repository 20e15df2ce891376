"""Run the notebooks through papermill, in the order of what they need, and keep what is finished."""

from __future__ import annotations

import json
import logging
import os
import shutil
import signal
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import nbformat
import papermill
from jupyter_client.kernelspec import KernelSpecManager, NoSuchKernel
from papermill.engines import NBClientEngine, papermill_engines
from papermill.exceptions import PapermillExecutionError
from rich.console import Console

from bfl_stpc.errors import NotebookFailed, StudyError
from bfl_stpc.study import paths, prose, redraw
from bfl_stpc.study.experiment import results_folder
from bfl_stpc.study.notebooks import Notebook, discover, keys, select
from bfl_stpc.study.profiles import load_profile
from bfl_stpc.study.progress import Watch, clock
from bfl_stpc.study.store import explained, read_json, replace_folder, write_atomic

# Else every kernel warns that it speaks plain TCP, which here never leaves the machine, and reports the interrupt that
# Jupyter sends at each shutdown. What a cell raises comes by another way.
QUIET_KERNEL = ["--IPKernelApp.log_level=50"]


class WatchedEngine(NBClientEngine):
    """papermill's engine, telling a `Watch` of every cell."""

    @classmethod
    def execute_managed_notebook(cls, nb_man: Any, kernel_name: str, *, watch: Watch, **kwargs: Any) -> None:
        """Execute the notebook that `nb_man` manages, reporting each cell to `watch`."""
        start, complete = nb_man.cell_start, nb_man.cell_complete

        def cell_start(cell: Any, cell_index: int | None = None, **rest: Any) -> None:
            watch.cell_start(cell_index or 0)
            start(cell, cell_index, **rest)

        def cell_complete(cell: Any, cell_index: int | None = None, **rest: Any) -> None:
            complete(cell, cell_index, **rest)
            watch.cell_done(cell)

        nb_man.cell_start, nb_man.cell_complete = cell_start, cell_complete
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
def environment(**variables: str) -> Iterator[None]:
    """Set environment variables, which the kernel inherits, for the duration of the block."""
    before = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


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


def run_notebook(notebook: Notebook, profile: str, key: str, console: Console) -> float:
    """Execute one notebook and put its results, figures and executed copy in place; return the seconds it took.

    Raises:
        NotebookFailed: a cell raised, or the notebook ended without `run.finish()`.
        StoreError: a folder cannot be written.
    """
    build = paths.BUILD / profile
    staged = build / "staged" / notebook.name
    partial = build / "partial" / f"{notebook.name}.ipynb"
    with explained(build):
        shutil.rmtree(staged, ignore_errors=True)
        staged.mkdir(parents=True)
        partial.parent.mkdir(parents=True, exist_ok=True)
    variables = {"BFL_STAGE": str(staged), "BFL_KEY": key, "TF_CPP_MIN_LOG_LEVEL": "3", "PYTHONHASHSEED": "0"}
    log = build / "logs" / f"{notebook.name}.log"
    expected = expected_seconds(profile, notebook.name)
    with (
        environment(**variables),
        Watch(console, log, notebook.name, notebook.cells, expected) as watch,
    ):
        try:
            papermill.execute_notebook(
                notebook.path, partial, parameters={"profile": profile}, kernel_name="python3", cwd=paths.NOTEBOOKS,
                progress_bar=False, engine_name="watched", watch=watch,
                extra_arguments=QUIET_KERNEL,
            )  # fmt: skip
        except PapermillExecutionError as error:
            raise failure(notebook, partial, watch, error) from None
    if not (staged / "finished.json").exists():
        raise NotebookFailed(f"{notebook.name} ended without run.finish(): its last cell must call it")
    write_atomic(prose.executed_path(profile, notebook.name), without_paths(partial))
    partial.unlink()
    redraw.publish(staged / "figures", profile)
    replace_folder(staged, results_folder(profile, notebook.name))
    return watch.elapsed


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


def reproduce(profile: str, *, only: Sequence[str] = (), console: Console) -> dict[str, float]:
    """Run every notebook whose results are missing or out of date; return the seconds of each that ran.

    Raises:
        ConfigError: unknown profile or notebook.
        NotebookFailed: a cell raised; the notebooks finished before it are kept.
        StudyError: the notebooks or the kernel are unusable.
    """
    settings = load_profile(profile)
    notebooks = discover()
    wanted = select(notebooks, only)
    check_parameters(wanted)
    check_kernel()
    key_of = keys(notebooks, settings)
    stale = [name for name in wanted if finished_key(profile, name) != key_of[name]]
    kept = len(wanted) - len(stale)
    console.print(f"profile {profile}: {len(stale)} notebooks to run, {kept} up to date")
    ran: dict[str, float] = {}
    begun = time.monotonic()
    with terminate_as_interrupt():
        for name in stale:
            ran[name] = run_notebook(notebooks[name], profile, key_of[name], console)
            total = clock(time.monotonic() - begun)
            console.print(f"[{len(ran)}/{len(stale)}] {name} finished in {clock(ran[name])} (total {total})")
    reworded = [name for name, notebook in wanted.items() if prose.refresh(notebook, profile)]
    if reworded:
        console.print(f"put changed prose into {len(reworded)} executed notebooks")
    redrawn = redraw.redraw_stale(profile)
    if redrawn:
        console.print(f"redrew {len(redrawn)} figures whose style or plot function changed")
    return ran
