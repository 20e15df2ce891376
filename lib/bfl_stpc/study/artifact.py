"""The generated parts of docs/ARTIFACT.md and README.md: claims, experiments and costs, from committed files alone."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bfl_stpc.errors import ClaimError
from bfl_stpc.study import paths, reference
from bfl_stpc.study.claims import NOT_MEASURED, PENDING, Claim, judge, load_claims, shown
from bfl_stpc.study.generated import between
from bfl_stpc.study.notebooks import Notebook, discover
from bfl_stpc.study.progress import clock
from bfl_stpc.study.store import read_json, write_atomic

RESTORE = "git checkout data/reference"
# What a command prints last when it went well, in the order in which a reviewer types them.
ENDS = {
    "doctor": "`this machine can run the companion`",
    "reproduce PROFILE=smoke": "the last notebook's `finished`",
    "reproduce PROFILE=quick": "the last notebook's `finished`",
    "reproduce PROFILE=paper": "the last notebook's `finished`",
    "verify": "the counts of verdicts, of the claims and of the results beside the reference",
    "explain FIG=fig02": "for each figure that begins so, its `state`",
    "paper-assets": "`wrote build/paper-assets`",
    "archive": "`wrote build/archive.zip`",
}


def kept(profile: str) -> dict[str, Any]:
    """Return the notebooks' entries of the committed reference of `profile`; empty where there is none."""
    file = reference.reference_file(profile)
    return reference.whole(read_json(file, RESTORE))["notebooks"] if file.exists() else {}


def durations() -> dict[str, dict[str, float]]:
    """Return the committed seconds by profile and notebook."""
    found: dict[str, dict[str, float]] = read_json(paths.DATA / "reference" / "durations.json", RESTORE)
    return found


def judged_profile() -> str:
    """Return the profile whose reference the pages show: the paper profile's, else the quick one's."""
    return next((profile for profile in ("paper", "quick") if reference.reference_file(profile).exists()), "quick")


def allowed(claim: Claim) -> str:
    """Return the tolerance of a claim and its reason."""
    if not claim.tolerance:
        return "the same answer"
    size = "relative" if "relative" in claim.tolerance else "absolute"
    unit = "" if claim.unit == "1" or size == "relative" else f" {claim.unit}"
    number = f"{100 * claim.tolerance[size]:g} %" if size == "relative" else f"{claim.tolerance[size]:g}{unit}"
    return f"± {number} ({claim.tolerance['reason']})"


def claims_block() -> str:
    """Return the table that maps every claim to notebook, command, result, tolerance and verdict."""
    profile = judged_profile()
    results = kept(profile)
    rows = [
        f"Results of the committed reference, profile `{profile}`; commands are `make reproduce PROFILE={profile}` and",
        "what stands in the column; verdicts follow the rules of notebook 12.",
        "",
        "| | claim | paper | ours | 95 % interval | tolerance | verdict | experiment | command |",
        "|---|---|---:|---:|---:|---|---|---|---|",
    ]
    for number, claim in enumerate(load_claims().values(), start=1):
        entry = results.get(claim.notebook, {}).get("results", {}).get(claim.result)
        value, interval, verdict = None, None, PENDING if claim.status == PENDING else NOT_MEASURED
        if entry and claim.status != PENDING:
            value, interval = entry["value"], entry["interval"]
            verdict = judge(claim, value, tuple(interval) if interval else None)
        cells = [
            f"C{number}", claim.says, shown(claim.printed, claim.unit, printed=True), shown(value, claim.unit),
            " – ".join(shown(bound, claim.unit) for bound in interval) if interval else "–", allowed(claim), verdict,
            f"E{claim.notebook[:2]}: `{claim.result}`", f"`ONLY={claim.notebook[:2]}`",
        ]  # fmt: skip
        rows.append(f"| {' | '.join(cells)} |")
    return "\n".join(rows) + "\n"


def question(notebook: Notebook) -> str:
    """Return the question that a notebook states in its first cell.

    Raises:
        ClaimError: it states none.
    """
    cells = json.loads(notebook.path.read_text(encoding="utf-8"))["cells"]
    match = re.search(r"\*\*Question\.\*\*\s+(.*?)(?:\n\n|\Z)", "".join(cells[0]["source"]), flags=re.DOTALL)
    if not match:
        raise ClaimError(f"{notebook.name} begins without **Question.**: its first cell must state one")
    return " ".join(match.group(1).split())


def experiments_block() -> str:
    """Return the table of experiments: one a notebook, with what it needs, its times and memory."""
    seconds, claims = durations(), load_claims().values()
    memory = {name: entry.get("peak_mib") for profile in ("quick", "paper") for name, entry in kept(profile).items()}
    rows = [
        "| | notebook | question | claims | runs first | smoke | quick | paper | memory |",
        "|---|---|---|---|---|---:|---:|---:|---:|",
    ]
    numbers = {claim.id: number for number, claim in enumerate(claims, start=1)}
    for name, notebook in sorted(discover().items()):
        examined = [f"C{numbers[claim.id]}" for claim in claims if claim.notebook == name]
        times = [seconds.get(profile, {}).get(name) for profile in ("smoke", "quick", "paper")]
        peak = memory.get(name)
        cells = [
            f"E{name[:2]}", f"`{name}`{', alone' if notebook.timed else ''}", question(notebook),
            ", ".join(examined) or "–", ", ".join(f"E{need[:2]}" for need in notebook.needs) or "–",
            *(clock(value) if value else "–" for value in times), f"{peak} MiB" if peak else "–",
        ]  # fmt: skip
        rows.append(f"| {' | '.join(cells)} |")
    sums = [sum(seconds.get(profile, {}).values()) for profile in ("smoke", "quick", "paper")]
    totals = " | ".join(clock(total) if total else "–" for total in sums)
    rows.append(f"| | all, one after another | | | | {totals} | |")
    return "\n".join(rows) + "\n"


def costs_block() -> str:
    """Return the table of commands: what each prints last, its measured time, and what the whole needs."""
    times = read_json(paths.DATA / "reference" / "times.json", RESTORE)
    targets: Mapping[str, str] = times["targets"]
    rows = [f"Measured on {times['machine']}.", "", "| command | ends with | time |", "|---|---|---:|"]
    for command, says in ENDS.items():
        taken = targets.get(command) or targets.get(command.split()[0] if "PROFILE" not in command else "", "–")
        rows.append(f"| `make {command}` | {says} | {taken} |")
    peaks = [entry.get("peak_mib") or 0 for profile in ("quick", "paper") for entry in kept(profile).values()]
    setup = (paths.ROOT / "tools" / "setup_env.py").read_text(encoding="utf-8")
    disk = re.search(r"^NEEDED_GIB = (\d+)", setup, flags=re.MULTILINE)
    rows += ["", f"Disk: {disk.group(1) if disk else '?'} GiB free before the first command, installation included."]
    if max(peaks, default=0):
        rows.append(
            f"Memory: at most {max(peaks) / 1024:.1f} GiB a notebook; two run at once unless `JOBS=1` is given."
        )
    return "\n".join(rows) + "\n"


def pages() -> dict[Path, str]:
    """Return the pages that have generated parts, as they should be.

    Raises:
        ClaimError: a page has lost its markers, or a claim or notebook lacks what is shown.
        StoreError: a committed file cannot be read.
    """
    appendix, readme = paths.ROOT / "docs" / "ARTIFACT.md", paths.ROOT / "README.md"
    text = appendix.read_text(encoding="utf-8")
    blocks = {"claims": claims_block(), "experiments": experiments_block(), "costs": costs_block()}
    for marker, block in blocks.items():
        text = between(text, marker, block, "docs/ARTIFACT.md")
    door = between(readme.read_text(encoding="utf-8"), "costs", blocks["costs"], "README.md")
    return {appendix: text, readme: door}


def write() -> list[str]:
    """Bring the generated parts up to date; return the pages that changed."""
    changed = []
    for page, text in pages().items():
        if page.read_text(encoding="utf-8") != text:
            write_atomic(page, text.encode())
            changed.append(paths.relative(page))
    return changed
