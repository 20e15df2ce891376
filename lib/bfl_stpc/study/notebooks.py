"""The notebooks: what each needs, in which order they run, and the key under which its results are kept."""

from __future__ import annotations

import graphlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from bfl_stpc.errors import StudyError
from bfl_stpc.study import paths
from bfl_stpc.study.profiles import Profile, unknown
from bfl_stpc.study.sources import lock_hash, source_hash
from bfl_stpc.study.store import sha256, to_json


@dataclass(frozen=True)
class Notebook:
    """One notebook as committed.

    Attributes:
        name: file name without its ending, for example `01_hospitals`.
        path: the .ipynb file.
        needs: notebooks whose results it reads.
        timed: whether it reports times, and so runs alone.
        code: its code cells, joined.
        cells: number of its cells when it runs: papermill adds one with the parameters.
        text: canonical bytes of its code cells, without outputs, counts or ids.
    """

    name: str
    path: Path
    needs: tuple[str, ...]
    timed: bool
    code: str
    cells: int
    text: bytes


def load(path: Path) -> Notebook:
    """Return the notebook in `path`.

    Raises:
        StudyError: the file is not a notebook.
    """
    try:
        raw = json.loads(path.read_text(encoding="utf-8"))
        cells = [(cell["cell_type"], "".join(cell["source"])) for cell in raw["cells"]]
        about = raw["metadata"].get("bfl", {})
        needs, timed = tuple(about.get("needs", ())), bool(about.get("timed", False))
    except (ValueError, KeyError, TypeError) as error:
        raise StudyError(
            f"{paths.relative(path)} is not a notebook ({error!r}): restore it with `git checkout`"
        ) from error
    # Magics are not Python: the import scan must not stumble over a line such as %matplotlib inline.
    lines = "\n".join(source for kind, source in cells if kind == "code").splitlines()
    code = "\n".join(line for line in lines if not line.lstrip().startswith(("%", "!")))
    text = to_json([source for kind, source in cells if kind == "code"])
    return Notebook(path.stem, path, needs, timed, code, len(cells) + 1, text)


def discover() -> dict[str, Notebook]:
    """Return all numbered notebooks, in an order in which each comes after those that it needs.

    Raises:
        StudyError: a notebook needs one that does not exist, or two need one another.
    """
    found = {path.stem: load(path) for path in sorted(paths.NOTEBOOKS.glob("[0-9][0-9]_*.ipynb"))}
    for notebook in found.values():
        for need in notebook.needs:
            if need not in found:
                raise StudyError(f"{notebook.name} needs {need}, which is not in notebooks/")
    sorter = graphlib.TopologicalSorter({name: notebook.needs for name, notebook in found.items()})
    try:
        sorter.prepare()
    except graphlib.CycleError as error:
        raise StudyError(f"notebooks need one another in a circle: {' -> '.join(error.args[1])}") from error
    order: list[str] = []
    while sorter.is_active():
        # Among those that are ready, reading order: a run then repeats in the same order everywhere.
        ready = sorted(sorter.get_ready())
        order += ready
        sorter.done(*ready)
    return {name: found[name] for name in order}


def select(notebooks: Mapping[str, Notebook], only: Sequence[str]) -> dict[str, Notebook]:
    """Return the notebooks named in `only` (a name or its number) with all that they need, in order.

    Raises:
        ConfigError: a name that no notebook has.
    """
    if not only:
        return dict(notebooks)
    waiting, wanted = [], set()
    for name in only:
        match = [n for n in notebooks if n == name or n.split("_")[0] == name]
        if not match:
            raise unknown("notebook", name, list(notebooks))
        waiting += match
    while waiting:
        name = waiting.pop()
        wanted.add(name)
        waiting += notebooks[name].needs
    return {name: notebook for name, notebook in notebooks.items() if name in wanted}


def under(profile: Profile, notebooks: Mapping[str, Notebook]) -> dict[str, Notebook]:
    """Return the notebooks as `profile` runs them: timed, and so alone, only where its times are measurements."""
    return {name: replace(notebook, timed=notebook.timed and profile.alone) for name, notebook in notebooks.items()}


def provenance(notebooks: Mapping[str, Notebook], profile: Profile) -> dict[str, dict[str, str]]:
    """Return for each notebook its key and the hashes of source files (`source`) and locks (`lock`).

    Equal keys mean that a kept result is still the result. A key covers the notebook's text, its settings, whether it
    runs alone, the cohort's size and seeds, the source files that it imports, the lock files, and the keys of the
    notebooks that it needs.
    """
    lock = lock_hash()
    common = to_json([profile.name, profile.patients, profile.hospitals, profile.seeds, lock])
    found: dict[str, dict[str, str]] = {}
    for name, notebook in under(profile, notebooks).items():
        needed = [found[need]["key"] for need in notebook.needs]
        source = source_hash(notebook.code)
        parts = to_json([source, profile.of(name), notebook.timed, needed])
        found[name] = {"key": sha256(notebook.text, common, parts), "source": source, "lock": lock}
    return found
