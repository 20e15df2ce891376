"""Keep the committed notebooks free of outputs, execution counts and editor metadata."""

from __future__ import annotations

from pathlib import Path

import nbformat
from rich.console import Console

from bfl_stpc.errors import StudyError
from bfl_stpc.study import paths
from bfl_stpc.study.store import write_atomic

KEPT_METADATA = ("kernelspec", "bfl")
KERNEL = {"display_name": "Python 3 (bfl-stpc)", "language": "python", "name": "python3"}


def stripped(path: Path) -> bytes:
    """Return the canonical bytes of the notebook in `path`: no outputs, no counts, cell ids by position.

    Raises:
        StudyError: the file is not a notebook.
    """
    try:
        notebook = nbformat.read(path, as_version=4)
    except Exception as error:
        raise StudyError(
            f"{paths.relative(path)} is not a notebook ({error}): restore it with `git checkout`"
        ) from error
    notebook.metadata = {key: notebook.metadata[key] for key in KEPT_METADATA if key in notebook.metadata}
    notebook.metadata["kernelspec"] = KERNEL
    for number, cell in enumerate(notebook.cells):
        cell["id"] = f"cell-{number:03d}"
        cell["metadata"] = {key: cell["metadata"][key] for key in ("tags", "jupyter") if key in cell["metadata"]}
        if cell["cell_type"] == "code":
            cell["outputs"], cell["execution_count"] = [], None
    notebook.nbformat, notebook.nbformat_minor = 4, 5
    return (nbformat.writes(notebook, version=4) + "\n").encode()


def committed() -> list[Path]:
    """Return the notebooks of the repository: the numbered ones, and the one for a table of one's own."""
    return sorted([*paths.NOTEBOOKS.glob("*.ipynb"), *paths.NOTEBOOKS.glob("own/*.ipynb")])


def main(*, check: bool, console: Console) -> int:
    """Strip all notebooks, or with `check` only name those that are not; return the exit status."""
    unclean = [path for path in committed() if path.read_bytes() != stripped(path)]
    if check:
        for path in unclean:
            console.print(f"{paths.relative(path)} is not stripped: run `make strip`")
        return 1 if unclean else 0
    for path in unclean:
        write_atomic(path, stripped(path))
        console.print(f"stripped {paths.relative(path)}")
    return 0
