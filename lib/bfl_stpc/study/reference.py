"""A profile's results in short, committed under data/reference: scalars, and digests of the rest and of figures."""

from __future__ import annotations

import os
import platform
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from bfl_stpc.study import paths
from bfl_stpc.study.experiment import results_folder
from bfl_stpc.study.notebooks import discover
from bfl_stpc.study.store import read_json, sha256, to_json, write_atomic

MOST_LEAVES = 24  # a list or dict of more is kept as digest and size
INSTRUCTIONS = ("avx", "avx2", "fma", "avx512f", "avx512_vnni", "amx_tile")  # by which numeric libraries choose code
CPU_FLAGS, CPU_CACHES = Path("/proc/cpuinfo"), Path("/sys/devices/system/cpu/cpu0/cache")


def leaves(value: Any, path: str = "") -> dict[str, Any]:
    """Return the scalars inside `value` by path.

    >>> leaves({"a": [1, 2], "b": "x"})
    {'a/0': 1, 'a/1': 2, 'b': 'x'}
    """
    if isinstance(value, Mapping):
        parts = list(value.items())
    elif isinstance(value, list):
        parts = list(enumerate(value))
    else:
        return {path: value}
    found: dict[str, Any] = {}
    for key, part in parts:
        found |= leaves(part, f"{path}/{key}" if path else str(key))
    return found


def short(value: Any) -> Any:
    """Return `value` itself if it is small, else its SHA-256, the number of its scalars and the numbers' size (rms)."""
    found = leaves(value)
    if len(found) <= MOST_LEAVES:
        return value
    numbers = [float(v) for v in found.values() if isinstance(v, int | float) and not isinstance(v, bool)]
    rms = float(np.sqrt(np.nanmean(np.square(numbers)))) if numbers else 0.0
    return {"sha256": sha256(to_json(value)), "scalars": len(found), "rms": rms}


def processor() -> dict[str, Any]:
    """Return what decides how this machine rounds: instruction sets, caches and cores, and no name."""
    text = CPU_FLAGS.read_text(encoding="utf-8") if CPU_FLAGS.exists() else ""
    flags = next((line.split() for line in text.splitlines() if line.startswith("flags")), [])
    caches = [path.read_text(encoding="utf-8").strip() for path in sorted(CPU_CACHES.glob("index*/size"))]
    return {
        "machine": platform.machine(),
        "instructions": [name for name in INSTRUCTIONS if name in flags],
        "caches": caches,
        "cores": len(os.sched_getaffinity(0)),
    }


def plotted(profile: str, name: str, figures: Sequence[str], make: str) -> dict[str, Any]:
    """Return the digest of what each figure of the notebook `name` plots, as an entry like that of a result.

    Raises:
        StoreError: what a figure plots is missing; the message has the command `make`.
    """
    found = {}
    for figure in figures:
        sidecar = read_json(results_folder(profile, name) / "figures" / f"{figure}.json", make)
        digest, timing = sidecar["data_sha256"], sidecar["timing"]
        found[figure] = {"value": digest, "interval": None, "unit": "1", "timing": timing}
    return found


def current(profile: str) -> dict[str, Any]:
    """Return the finished results of all notebooks under `profile`, in the form of a reference.

    Raises:
        StoreError: a notebook has not finished under this profile.
    """
    make, found = f"make reproduce PROFILE={profile}", {}
    for name in discover():
        finished = read_json(results_folder(profile, name) / "finished.json", make)
        recorded = read_json(results_folder(profile, name) / "results.json", make)
        results = {k: entry | {"value": short(entry["value"])} for k, entry in recorded.items()}
        about = {key: finished.get(key) for key in ("digest", "key", "source", "lock", "peak_mib")}
        figures = plotted(profile, name, finished["figures"], make)
        found[name] = about | {"results": results, "figures": figures}
    return {"processor": processor(), "notebooks": found}


def whole(kept: dict[str, Any]) -> dict[str, Any]:
    """Return a reference in the form of today; the first ones held notebooks alone, and nothing of the processor."""
    return kept if "notebooks" in kept else {"processor": {}, "notebooks": kept}


def reference_file(profile: str) -> Path:
    """Return where the reference of `profile` is committed."""
    return paths.DATA / "reference" / f"{profile}.json"


def durations(profile: str) -> dict[str, float]:
    """Return the seconds that each finished notebook took.

    Raises:
        StoreError: a notebook has not finished under this profile.
    """
    make = f"make reproduce PROFILE={profile}"
    finished = {name: read_json(results_folder(profile, name) / "finished.json", make) for name in discover()}
    return {name: round(entry["seconds"], 1) for name, entry in finished.items()}


def keep(profile: str) -> str:
    """Write results and durations of all finished notebooks as the reference; return the files' names.

    Raises:
        StoreError: a notebook has not finished under this profile.
    """
    file, times = reference_file(profile), paths.DATA / "reference" / "durations.json"
    seconds = durations(profile)
    write_atomic(file, to_json(current(profile)))
    known = read_json(times, "git checkout data/reference") if times.exists() else {}
    write_atomic(times, to_json(known | {profile: seconds}))
    return f"{paths.relative(file)}, {paths.relative(times)}"
