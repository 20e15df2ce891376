"""Keep figures/<profile>/ in step with the recorded data and the drawing code, without recomputing anything."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from bfl_stpc.figures.style import FORMATS
from bfl_stpc.lazy import Lazy
from bfl_stpc.study import paths
from bfl_stpc.study.experiment import watermark
from bfl_stpc.study.sources import PACKAGE, hash_files
from bfl_stpc.study.store import read_json, to_json, write_atomic

if TYPE_CHECKING:
    from bfl_stpc.figures import render
else:
    render = Lazy("bfl_stpc.figures.render")


def figure_folder(profile: str) -> Path:
    """Return where the figures of `profile` are published."""
    return paths.FIGURES / profile


def drawing_hash(plot: str) -> str:
    """Return the SHA-256 over the code and the style that draw `plot` (`module:function`)."""
    module = plot.partition(":")[0].split(".")[-1]
    names = (f"{module}.py", "render.py", "style.py", "paper.mplstyle")
    return hash_files([PACKAGE / "figures" / name for name in names])


def publish(staged: Path, profile: str, notebook: str) -> None:
    """Copy the figures of a finished notebook to figures/<profile>/; those that it no longer draws go.

    Raises:
        StoreError: the folder cannot be written.
    """
    for path in sorted(staged.glob("*.json")):
        sidecar = read_json(path, "make reproduce")
        write(sidecar, {kind: path.with_suffix(f".{kind}").read_bytes() for kind in FORMATS}, profile)
    for path in sorted(figure_folder(profile).glob("*.json")):
        if read_json(path, "make figures")["notebook"] == notebook and not (staged / path.name).exists():
            for kind in (*FORMATS, "json"):
                path.with_suffix(f".{kind}").unlink(missing_ok=True)


def write(sidecar: dict[str, Any], drawn: dict[str, bytes], profile: str) -> None:
    """Write one figure: the pictures first, the sidecar that vouches for them last."""
    folder = figure_folder(profile)
    for kind, content in drawn.items():
        write_atomic(folder / f"{sidecar['figure']}.{kind}", content)
    vouched = sidecar | {"drawing": drawing_hash(sidecar["plot"])}
    write_atomic(folder / f"{sidecar['figure']}.json", to_json(vouched, sort_keys=False))


def redraw_stale(profile: str, *, everything: bool = False) -> list[str]:
    """Draw again the figures of `profile` whose plot function or style changed; return their names.

    With `everything` all are drawn, those included of which only the committed sidecar is here, not the results.

    Raises:
        StoreError: a sidecar cannot be read or a figure cannot be written.
    """
    recorded = sorted((paths.BUILD / profile / "results").glob("*/figures/*.json"))
    if everything:
        recorded += sorted(
            set(figure_folder(profile).glob("*.json")) - {_published(path, profile) for path in recorded}
        )
    redrawn = []
    for path in recorded:
        sidecar = read_json(path, f"make reproduce PROFILE={profile}")
        if everything or not _is_current(sidecar, _published(path, profile)):
            write(sidecar, render.draw(sidecar["plot"], sidecar["data"], watermark=watermark(profile)), profile)
            redrawn.append(sidecar["figure"])
    return redrawn


def _published(recorded: Path, profile: str) -> Path:
    return figure_folder(profile) / recorded.name


def _is_current(sidecar: dict[str, Any], published: Path) -> bool:
    """Tell whether the pictures beside `published` are there, and of these data and the present drawing code."""
    if not all(published.with_suffix(f".{kind}").exists() for kind in (*FORMATS, "json")):
        return False
    known = read_json(published, "make figures")
    return known.get("drawing") == drawing_hash(sidecar["plot"]) and known["data"] == sidecar["data"]
