"""Build the book: put its sources together, let jupyter-book render them, check every link."""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from bfl_stpc.book import links, mathjax, pages, reference
from bfl_stpc.errors import BookError
from bfl_stpc.study import paths
from bfl_stpc.study.notebooks import Notebook, discover, provenance, select
from bfl_stpc.study.profiles import load_profile
from bfl_stpc.study.sources import PACKAGE
from bfl_stpc.study.store import explained, replace_folder, write_atomic

SOURCE = paths.ROOT / "book"
SITE = "book"  # under the build folder


def executed_notebooks(profile: str, wanted: Mapping[str, Notebook]) -> dict[str, Path]:
    """Return the executed copy of each wanted notebook.

    Raises:
        BookError: one is missing; the message has the command that makes it.
    """
    found = {name: paths.BUILD / profile / "notebooks" / f"{name}.ipynb" for name in wanted}
    if missing := [name for name, path in found.items() if not path.exists()]:
        raise BookError(
            f"the book shows executed notebooks, and these have not run under profile {profile}: {', '.join(missing)}. "
            f"Run `make reproduce PROFILE={profile}`, then `make book PROFILE={profile}`"
        )
    return found


def contents(names: Sequence[str], reference_pages: Sequence[str]) -> dict[str, Any]:
    """Return the table of contents as sphinx-external-toc reads it."""
    chapters = [{"file": f"notebooks/{name}"} for name in names]
    sources = [{"file": f"provenance/{name}"} for name in names]
    modules = [{"file": f"api/{name}"} for name in reference_pages]
    reference = [{"file": "provenance/index", "sections": sources}, {"file": "api/index", "sections": modules}]
    parts = {
        "Before you read": [{"file": "notation"}, {"file": "glossary"}],
        "Notebooks": chapters,
        "Reference": reference,
    }
    return {
        "format": "jb-book",
        "root": "index",
        "parts": [{"caption": caption, "chapters": files} for caption, files in parts.items()],
    }


def assemble(folder: Path, profile: str, only: Sequence[str] = ()) -> None:
    """Write the sources of the book to the new folder `folder`.

    Raises:
        BookError: notebooks or figures are missing.
        StoreError: it cannot be written.
    """
    known = discover()
    wanted = {name: known[name] for name in sorted(select(known, only))}
    ran = executed_notebooks(profile, wanted)
    figures = {name: pages.published(profile, name) for name in wanted}
    flat = [drawn for drawn_by in figures.values() for drawn in drawn_by]
    script = mathjax.script()
    api, origin = reference.pages(), provenance(known, load_profile(profile))
    with explained(folder):
        shutil.copytree(SOURCE, folder, ignore=shutil.ignore_patterns("node_modules", "package*.json"))
        for drawn in flat:
            for file in drawn.files():
                copy(file, folder / "_static" / "figures" / file.name)
        copy(script, folder / "_extra" / "mathjax" / script.name)
    index = (SOURCE / "index.md").read_text(encoding="utf-8")
    texts = {"index.md": pages.landing(index, profile, next(iter(wanted)), flat)}
    for name, path in ran.items():
        texts[f"notebooks/{name}.ipynb"] = pages.executed(path, figures[name])
        texts[f"provenance/{name}.md"] = pages.provenance(name, figures[name], origin[name])
    texts |= {f"api/{name}.rst": text for name, text in api.items()}
    texts["_toc.yml"] = yaml.safe_dump(contents(list(wanted), list(api)), sort_keys=False)
    for name, text in texts.items():
        write_atomic(folder / name, text.encode())


def copy(source: Path, target: Path) -> None:
    """Copy one file, making the folder that it goes to."""
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, target)


def render(sources: Path, out: Path) -> Path:
    """Let jupyter-book render `sources` under `out`; return the folder of the pages.

    Raises:
        BookError: jupyter-book is missing, or warned of anything.
    """
    if importlib.util.find_spec("jupyter_book") is None:
        raise BookError("jupyter-book is not installed: run `make setup GROUPS=book`")
    # Millions of nodes that live until the process ends: looking for garbage among them is a quarter of the time.
    command = [sys.executable, "-c", "import gc; gc.disable(); from jupyter_book.cli.main import main; main()"]
    command += ["build", str(sources), "--path-output", str(out)]
    command += ["--warningiserror", "--keep-going", "--quiet"]
    # autodoc imports the library, and TensorFlow talks while it is imported.
    environment = os.environ | {"TF_CPP_MIN_LOG_LEVEL": "3", "PYTHONPATH": str(PACKAGE.parent)}
    log = out / "jupyter-book.log"
    with explained(out):
        out.mkdir(parents=True, exist_ok=True)
        with log.open("w") as file:
            ran = subprocess.run(command, stdout=file, stderr=file, env=environment, check=False)
    if ran.returncode:
        said = re.sub(r"\x1b\[[0-9;]*m", "", log.read_text(encoding="utf-8"))
        said = said.replace(f"{sources}{os.sep}", "")
        told = [line for line in said.splitlines() if "WARNING" in line or "ERROR" in line or "Error" in line]
        raise BookError("jupyter-book refused:\n  " + "\n  ".join(told[:20] or said.splitlines()[-5:]))
    return out / "_build" / "html"


def build(profile: str, *, only: Sequence[str] = ()) -> Path:
    """Build the static site under build/book and return its first page.

    Args:
        profile: whose executed notebooks are shown.
        only: notebooks by name or number, with those that they need; all if empty.

    Raises:
        BookError: notebooks, figures or tools are missing, a page has a warning, or a link leads nowhere.
        StoreError: the folder cannot be written; an earlier book stays as it was.
    """
    work = paths.BUILD / f".{SITE}"
    with explained(work):
        shutil.rmtree(work, ignore_errors=True)
    sources = work / "sources"
    assemble(sources, profile, only)
    site = render(sources, work / "rendered")
    if wrong := links.broken(site):
        raise BookError("links of the book lead nowhere:\n  " + "\n  ".join(wrong[:20]))
    replace_folder(site, paths.BUILD / SITE)
    with explained(work):
        shutil.rmtree(work)
    return paths.BUILD / SITE / "index.html"
