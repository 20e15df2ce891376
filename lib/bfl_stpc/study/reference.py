"""Keep a profile's results and durations under data/reference, committed, for later runs to be held against."""

from __future__ import annotations

from bfl_stpc.study import paths
from bfl_stpc.study.experiment import results_folder
from bfl_stpc.study.notebooks import discover
from bfl_stpc.study.store import read_json, to_json, write_atomic


def keep(profile: str) -> str:
    """Write the digests, scalar results and durations of all finished notebooks; return the files' names.

    Raises:
        StoreError: a notebook has not finished under this profile.
    """
    results, durations, make = {}, {}, f"make reproduce PROFILE={profile}"
    for name in discover():
        finished = read_json(results_folder(profile, name) / "finished.json", make)
        recorded = read_json(results_folder(profile, name) / "results.json", make)
        scalars = {k: v for k, v in recorded.items() if isinstance(v["value"], bool | int | float | str)}
        results[name] = {"digest": finished["digest"], "results": scalars}
        durations[name] = round(finished["seconds"], 1)
    folder = paths.DATA / "reference"
    write_atomic(folder / f"{profile}.json", to_json(results))
    times = folder / "durations.json"
    known = read_json(times, "git checkout data/reference") if times.exists() else {}
    write_atomic(times, to_json(known | {profile: durations}))
    return f"data/reference/{profile}.json, data/reference/durations.json"


def report(profile: str) -> str:
    """Return a line that says whether all repeating results are, bit for bit, those of the committed reference.

    Raises:
        StoreError: a notebook has not finished.
    """
    path = paths.DATA / "reference" / f"{profile}.json"
    if not path.exists():
        return f"there is no committed reference for profile {profile}"
    reference = read_json(path, "git checkout data/reference")
    differing = []
    for name, kept in reference.items():
        finished = read_json(results_folder(profile, name) / "finished.json", f"make reproduce PROFILE={profile}")
        if finished["digest"] != kept["digest"]:
            differing.append(name)
    if not differing:
        return f"all {len(reference)} notebooks gave the reference's results bit for bit (timings aside)"
    return f"not the reference's results bit for bit, by changed code or another processor: {', '.join(differing)}"
