"""What stands at the head of a notebook: what this run covers, how long it took, which claims it examines."""

from __future__ import annotations

import html
from typing import TYPE_CHECKING

from IPython.display import HTML

from bfl_stpc.lazy import Lazy
from bfl_stpc.study import paths
from bfl_stpc.study.claims import load_claims
from bfl_stpc.study.experiment import Run
from bfl_stpc.study.progress import clock
from bfl_stpc.study.store import read_json

if TYPE_CHECKING:
    import pandas as pd
else:
    pd = Lazy("pandas")

PROFILES = ("smoke", "quick", "paper")


def opening(run: Run) -> HTML:
    """Return the head of the notebook of `run`: its profile, the measured running times, the paper's claims.

    From here on, tables show all that a cell holds. Times are those of the committed reference (data/reference), on
    the machine that it names.

    Raises:
        StoreError: the reference cannot be read.
        ClaimError: data/claims.yaml is malformed.
    """
    pd.set_option("display.max_colwidth", None)
    seeds = ", ".join(map(str, run.profile.seeds))
    lines = [
        ("This run", f"profile {run.profile.name}: {run.profile.patients:,} patients, "
         f"{run.profile.hospitals} hospitals, seeds {seeds}"),
        ("Measured running time", measured(run.notebook)),
    ]  # fmt: skip
    examined = [claim for claim in load_claims().values() if claim.notebook == run.notebook]
    lines += [("The paper says", f"{claim.says} ({claim.where})") for claim in examined]
    items = "".join(f"<li><strong>{word}:</strong> {html.escape(text)}</li>" for word, text in lines)
    return HTML(f'<ul class="opening">{items}</ul>')


def measured(notebook: str) -> str:
    """Return the committed running times of `notebook` by profile, as minutes and seconds, with the machine.

    Raises:
        StoreError: the reference cannot be read.
    """
    folder, mend = paths.DATA / "reference", "git checkout data/reference"
    if not (folder / "durations.json").exists():
        return "none is committed yet"
    durations = read_json(folder / "durations.json", mend)
    known = [f"{name} {clock(durations[name][notebook])}" for name in PROFILES if notebook in durations.get(name, {})]
    if not known:
        return "none is committed yet"
    return f"{', '.join(known)} (minutes:seconds on {read_json(folder / 'times.json', mend)['machine']})"
