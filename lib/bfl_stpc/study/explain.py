"""Where a figure comes from: parameters, seeds, data, hashes, durations, and the command that makes it."""

from __future__ import annotations

import difflib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bfl_stpc.errors import ConfigError
from bfl_stpc.study import notebooks, paths, redraw
from bfl_stpc.study.experiment import results_folder
from bfl_stpc.study.profiles import load_profile
from bfl_stpc.study.progress import clock
from bfl_stpc.study.store import read_json, sha256, to_json


def published(profile: str) -> dict[str, Path]:
    """Return the sidecars of the figures of `profile` by name.

    Raises:
        ConfigError: there are none.
    """
    found = {path.stem: path for path in sorted(redraw.figure_folder(profile).glob("*.json"))}
    if not found:
        raise ConfigError(f"there are no figures of profile {profile}: run `make reproduce PROFILE={profile}` first")
    return found


def matching(name: str, known: Mapping[str, Path]) -> list[str]:
    """Return the figures meant by `name`: its full name, or all that begin with it, as `fig03` does.

    Raises:
        ConfigError: there is none; near names are listed.
    """
    if name in known:
        return [name]
    found = [figure for figure in known if name and figure.startswith(name)]
    if found:
        return found
    near = difflib.get_close_matches(name, known, n=5, cutoff=0.4) or list(known)[:5]
    raise ConfigError(
        f"unknown figure {name!r}: near are {', '.join(near)}; figures/ holds {len(known)} of this profile"
    )


def took(profile: str, notebook: str) -> str:
    """Return how long the notebook took here, else in the committed reference."""
    finished = results_folder(profile, notebook) / "finished.json"
    if finished.exists():
        account = read_json(finished, f"make reproduce PROFILE={profile}")
        return f"{clock(account['seconds'])} for the whole notebook, {account['peak_mib']} MiB at most"
    reference = paths.DATA / "reference" / "durations.json"
    known = json.loads(reference.read_text(encoding="utf-8")) if reference.exists() else {}
    seconds = known.get(profile, {}).get(notebook)
    return f"{clock(seconds)} for the whole notebook, in the committed reference" if seconds else "not known"


def state(sidecar: Mapping[str, Any], now: Mapping[str, str] | None) -> str:
    """Return whether the figure is that of the code that is here now, and if not, what differs."""
    if now is None:
        return f"notebook {sidecar['notebook']} no longer exists"
    if sidecar["key"] == now["key"]:
        return "up to date: code, settings and locks are those that are here now"
    differing = [what for what in ("source", "lock") if sidecar.get(what) != now[what]]
    return f"out of date: {' and '.join(differing) or 'notebook or settings'} differ from those that are here now"


def lines(path: Path, sidecar: Mapping[str, Any], now: Mapping[str, str] | None) -> list[tuple[str, str]]:
    """Return what is known of the figure whose sidecar lies in `path`, as pairs of a word and a text."""
    profile, data = sidecar["profile"], sha256(to_json(sidecar["data"]))
    held = "" if data == sidecar["data_sha256"] else f", BUT the data in the file have {data}: they were edited"
    settings = ", ".join(f"{key}={value}" for key, value in sidecar["settings"].items()) or "none of its own"
    pictures = [path.with_suffix(f".{kind}") for kind in ("png", "svg", "pdf")]
    drawn = ", ".join(paths.relative(picture) for picture in pictures if picture.exists())
    return [
        ("finding", sidecar["caption"]),
        ("command", sidecar["command"]),
        ("notebook", f"notebooks/{sidecar['notebook']}.ipynb"),
        ("drawn by", f"{sidecar['plot']} (`make figures PROFILE={profile}` draws it again without computing)"),
        ("cohort", f"{sidecar['patients']} patients in {sidecar['hospitals']} hospitals"),
        ("settings", settings),
        ("seeds", ", ".join(str(seed) for seed in sidecar["seeds"])),
        ("data", paths.relative(path)),
        ("SHA-256", f"{sidecar['data_sha256']}{held}"),
        ("source", sidecar.get("source", "not recorded")),
        ("locks", sidecar.get("lock", "not recorded")),
        ("took", took(profile, sidecar["notebook"])),
        (
            "times",
            "the data hold times or fresh randomness and do not repeat" if sidecar["timing"] else "none: repeats",
        ),
        ("pictures", drawn or f"none: run `make figures PROFILE={profile}`"),
        ("state", state(sidecar, now)),
    ]


def explain(name: str, profile: str) -> str:
    """Return where the figures meant by `name` come from.

    Raises:
        ConfigError: unknown figure or profile, or no figures yet.
        StoreError: a sidecar cannot be read.
    """
    origins = notebooks.provenance(notebooks.discover(), load_profile(profile))
    known, told = published(profile), []
    for figure in matching(name, known):
        sidecar = read_json(known[figure], "make figures")
        pairs = lines(known[figure], sidecar, origins.get(sidecar["notebook"]))
        told.append("\n".join([figure, *(f"  {word:<9} {text}" for word, text in pairs)]))
    return "\n\n".join(told)
