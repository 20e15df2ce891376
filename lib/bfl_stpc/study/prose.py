"""Put changed prose into executed notebooks: a sentence that is edited must not retrain anything."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import nbformat

from bfl_stpc.study import paths
from bfl_stpc.study.notebooks import Notebook
from bfl_stpc.study.store import write_atomic

INJECTED = "injected-parameters"  # papermill's own cell, which no committed notebook has


def executed_path(profile: str, name: str) -> Path:
    """Return where the executed copy of the notebook `name` lies under `profile`."""
    return paths.BUILD / profile / "notebooks" / f"{name}.ipynb"


def refresh(notebook: Notebook, profile: str) -> bool:
    """Write the committed prose around the recorded outputs of the executed copy; return whether it had changed.

    A notebook whose code was edited while it ran is left as it is: its next run is due anyway.

    Raises:
        StoreError: the executed copy cannot be written.
    """
    path = executed_path(profile, notebook.name)
    if not path.exists():
        return False
    executed, committed = nbformat.read(path, as_version=4), nbformat.read(notebook.path, as_version=4)
    cells = _joined(committed.cells, executed.cells)
    if cells is None or [_text(cell) for cell in cells] == [_text(cell) for cell in executed.cells]:
        return False
    executed.cells = cells
    write_atomic(path, nbformat.writes(executed).encode())
    return True


def _joined(committed: list[Any], executed: list[Any]) -> list[Any] | None:
    """Return the committed prose cells, in their places between the executed code cells; none if the code differs."""
    ran = [cell for cell in executed if cell["cell_type"] == "code" and not _injected(cell)]
    code = [cell for cell in committed if cell["cell_type"] == "code"]
    if [cell["source"] for cell in ran] != [cell["source"] for cell in code]:
        return None
    cells, following = [], iter(ran)
    for cell in committed:
        cells.append(next(following) if cell["cell_type"] == "code" else cell)
        if "parameters" in cell["metadata"].get("tags", []):
            cells += [each for each in executed if _injected(each)]
    return cells


def _injected(cell: Any) -> bool:
    return INJECTED in cell["metadata"].get("tags", [])


def _text(cell: Any) -> tuple[str, str]:
    return cell["cell_type"], cell["source"]
