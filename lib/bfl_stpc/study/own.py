"""A table of one's own through the study: its mapping proposed, its report shown, its notebook run."""

from __future__ import annotations

import os
from pathlib import Path

from rich.console import Console
from rich.markdown import Markdown
from rich.table import Table

from bfl_stpc.ehr import own as tables
from bfl_stpc.errors import ConfigError, DataError
from bfl_stpc.study import notebooks, paths
from bfl_stpc.study.execution import ONE_THREAD, check_kernel, execute, terminate_as_interrupt, without_paths
from bfl_stpc.study.experiment import Run
from bfl_stpc.study.profiles import Profile, load_profile
from bfl_stpc.study.progress import Board, Watch, clock
from bfl_stpc.study.sources import lock_hash, source_hash
from bfl_stpc.study.store import read_json, replace_folder, sha256, to_json, write_atomic

NOTEBOOK = "your_table"
TEMPLATE = paths.NOTEBOOKS / "own" / f"{NOTEBOOK}.ipynb"


def folder_of(data: Path, profile: str) -> Path:
    """Return where everything about the table `data` goes under `profile`."""
    return paths.BUILD / "own" / tables.mapping_path(data).name.removesuffix(".mapping.yaml") / profile


def start(data: Path | str, profile: str) -> Run:
    """Return what the notebook of one's own table records with; in JupyterLab it writes beside the runner's results.

    Raises:
        ConfigError: unknown profile.
    """
    data = located(str(data))
    staged = os.environ.get("BFL_STAGE")
    folder = Path(staged) if staged else folder_of(data, profile) / "interactive"
    run = Run(NOTEBOOK, load_profile(profile), folder, os.environ.get("BFL_KEY"), ())
    run.command = f"make reproduce PROFILE={profile} DATA={data.name}"
    return run


def located(data: str) -> Path:
    """Return where the table `data` lies: where `make reproduce` found it, else as the notebook says."""
    return Path(os.environ.get("BFL_OWN_DATA", data))


def propose(data: Path, console: Console, *, hospital: str | None, label: str | None, at: str | None) -> Path:
    """Write the proposed mapping of `data` beside it, show it, and tell what still stands against training.

    Raises:
        DataError: the table cannot be read, or a mapping is there already.
    """
    mapping = tables.propose_mapping(data, hospital=hospital, label=label, at=at)
    path = tables.mapping_path(data)
    tables.write_mapping(mapping, path)
    console.print(proposal(mapping))
    console.print(f"hospital: {mapping.hospital}   label: {mapping.label}, y = 1 where {_positive(mapping)}   "
                  f"patient: {mapping.patient}   sex: {mapping.sex}   age: {mapping.age}")  # fmt: skip
    try:
        console.print(Markdown(tables.load_table(data, mapping=mapping, accept=True).report.markdown()))
    except DataError as error:
        console.print(f"before it can be trained on: {error}")
    console.print(f"wrote {path.name} beside {data.name}: read it, correct it, set `confirmed: true`, then "
                  f"`make reproduce DATA={data}`")  # fmt: skip
    return path


def proposal(mapping: tables.Mapping) -> Table:
    """Return the mapping as a table for a terminal."""
    table = Table("column", "kind", "seen in it", title=f"What the columns of {mapping.file} seem to be")
    for name, how in mapping.columns.items():
        table.add_row(name, how.kind, how.note)
    return table


def reproduce(data: Path, profile: str, *, accept: bool, console: Console) -> Path:
    """Run the study on a table of one's own; return the folder that holds report, notebook, results and figures.

    Raises:
        DataError: the table or its mapping cannot be used; nothing was trained.
        NotebookFailed: a cell raised; what an earlier run made is kept.
        StoreError: the folder cannot be written.
    """
    settings = load_profile(profile)
    table = tables.load_table(data, accept=accept, patients=settings.of(NOTEBOOK)["patients"])
    folder = folder_of(data, profile)
    write_atomic(folder / "report.md", table.report.markdown().encode())
    console.print(Markdown(table.report.markdown()))
    notebook = notebooks.load(TEMPLATE)
    key = key_of(notebook, settings, table, accept=accept)
    done = folder / "results" / "finished.json"
    if done.exists() and read_json(done, "make reproduce DATA=...")["key"] == key:
        console.print(f"up to date: {paths.relative(folder)}")
        return folder
    check_kernel()
    with terminate_as_interrupt(), Board(console) as board:
        board.begin(data.name, notebook.cells, None)
        run_notebook(notebook, data, profile, key, board, accept=accept)
        console.print(f"finished in {clock(board.end(data.name))}: {paths.relative(folder)}")
    return folder


def key_of(notebook: notebooks.Notebook, profile: Profile, table: tables.OwnTable, *, accept: bool) -> str:
    """Return the key of a run: it covers the table's bytes and mapping, the notebook, its sources and settings."""
    parts = [profile.name, profile.seeds, profile.of(NOTEBOOK), repr(table.mapping), table.file_sha256, accept]
    return sha256(notebook.text, to_json([*parts, lock_hash(), source_hash(notebook.code)]))


def run_notebook(
    notebook: notebooks.Notebook, data: Path, profile: str, key: str, board: Board, *, accept: bool
) -> None:
    """Execute the notebook on `data` and put what it made in place.

    Raises:
        NotebookFailed: a cell raised, or the notebook ended without `run.finish()`.
    """
    folder = folder_of(data, profile)
    staged, partial = folder / "staged", folder / "partial.ipynb"
    # The executed notebook shows its parameters, and names no folder of this machine.
    variables = ONE_THREAD | {"BFL_KEY": key, "BFL_OWN_DATA": str(data.resolve())}
    parameters = {"profile": profile, "data": data.name, "accept": accept}
    with Watch(folder / "log.txt", notebook.cells, lambda cell: board.cell(data.name, cell)) as watch:
        execute(notebook, staged, partial, parameters, variables, watch, None)
    write_atomic(folder / f"{NOTEBOOK}.ipynb", without_paths(partial))
    partial.unlink()
    replace_folder(staged, folder / "results")


def check_data(data: str) -> Path:
    """Return the path that DATA names.

    Raises:
        ConfigError: none was given.
    """
    if not data:
        raise ConfigError("DATA is empty: name a file, as in `make table DATA=my.csv`")
    return Path(data)


def _positive(mapping: tables.Mapping) -> str:
    return " or ".join(mapping.positive) or "(say under `positive`)"
