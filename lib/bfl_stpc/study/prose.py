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

    The code cells must be those that were executed, as they are while the notebook's key is that of its results.

    Raises:
        StoreError: the executed copy cannot be written.
    """
    path = executed_path(profile, notebook.name)
    if not path.exists():
        return False
    executed, committed = nbformat.read(path, as_version=4), nbformat.read(notebook.path, as_version=4)
    cells = _joined(committed.cells, executed.cells)
    if [_text(cell) for cell in cells] == [_text(cell) for cell in executed.cells]:
        return False
    executed.cells = cells
    write_atomic(path, nbformat.writes(executed).encode())
    return True


def _joined(committed: list[Any], executed: list[Any]) -> list[Any]:
    """Return the committed prose cells, in their places between the executed code cells."""
    ran = iter([cell for cell in executed if cell["cell_type"] == "code"])
    cells = []
    for cell in committed:
        if cell["cell_type"] != "code":
            cells.append(cell)
            continue
        cells.append(next(ran))
        if "parameters" in cell["metadata"].get("tags", []):
            injected = next(ran)
            assert INJECTED in injected["metadata"]["tags"]
            cells.append(injected)
    return cells


def _text(cell: Any) -> tuple[str, str]:
    return cell["cell_type"], cell["source"]
