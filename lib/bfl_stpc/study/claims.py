"""The claims ledger: what the paper prints, what was measured here, and the verdict."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

import yaml
from rich.console import Console
from rich.table import Table

from bfl_stpc.errors import ClaimError, StoreError
from bfl_stpc.study import paths
from bfl_stpc.study.experiment import load_result
from bfl_stpc.study.generated import between
from bfl_stpc.study.profiles import RANK
from bfl_stpc.study.store import write_atomic

PENDING = "pending"
REPRODUCED = "reproduced"
WITHIN_BAND = "within band"
DIFFERS = "differs (explained)"
NOT_REPRODUCIBLE = "not reproducible"
UNEXPLAINED = "differs, unexplained"
NOT_MEASURED = "not in the reference yet"


@dataclass(frozen=True)
class Claim:
    """One claim of the paper; the fields are described at the head of data/claims.yaml."""

    id: str
    says: str
    where: str
    printed: float | bool
    unit: str
    definition: str
    notebook: str
    result: str
    ceiling: str | None = None
    tolerance: Mapping[str, Any] | None = None
    status: str | None = None
    explanation: str | None = None
    reproducible: bool = True

    @property
    def allowed(self) -> float:
        """Largest difference from the printed value that counts as reproduced, in its unit; 0 for a yes or no."""
        if not self.tolerance:
            return 0.0
        if "absolute" in self.tolerance:
            return float(self.tolerance["absolute"])
        return float(self.tolerance["relative"]) * abs(float(self.printed))


@dataclass(frozen=True)
class Finding:
    """A claim beside what was measured.

    Attributes:
        claim: the claim.
        value: the measured value in the claim's unit; none while pending.
        interval: its 95 % interval over seeds, where there is one.
        ceiling: the best value that any method could reach, where there is one.
        verdict: one of the verdicts of this module.
    """

    claim: Claim
    value: float | bool | None
    interval: tuple[float, float] | None
    ceiling: float | None
    verdict: str


def load_claims() -> dict[str, Claim]:
    """Return all claims of data/claims.yaml by id.

    Raises:
        ClaimError: an entry lacks a field, has an unknown one, or stands twice.
    """
    raw = yaml.safe_load((paths.DATA / "claims.yaml").read_text(encoding="utf-8"))
    known = {field.name for field in fields(Claim)}
    claims: dict[str, Claim] = {}
    for entry in raw["claims"]:
        name = entry.get("id", "without id")
        if extra := set(entry) - known:
            raise ClaimError(f"data/claims.yaml: claim {name} has unknown fields {sorted(extra)}")
        if name in claims:
            raise ClaimError(f"data/claims.yaml: claim {name} stands twice")
        try:
            claims[name] = Claim(**entry)
        except TypeError as error:
            raise ClaimError(f"data/claims.yaml: claim {name}: {error}") from error
        if entry.get("status") not in (None, PENDING):
            raise ClaimError(f"data/claims.yaml: claim {name}: status may only be {PENDING!r} or absent")
    return claims


def judge(claim: Claim, value: float | bool, interval: tuple[float, float] | None) -> str:
    """Return the verdict on a measured value.

    *Reproduced* within the tolerance; *within band* where the interval over seeds reaches the tolerance band;
    else it differs, and that needs an explanation.
    """
    if not claim.reproducible:
        return NOT_REPRODUCIBLE if claim.explanation else UNEXPLAINED
    if isinstance(claim.printed, bool):
        same = value is claim.printed
    else:
        same = abs(float(value) - float(claim.printed)) <= claim.allowed
    if same:
        return REPRODUCED
    if interval and not isinstance(claim.printed, bool):
        low, high = interval
        if low - claim.allowed <= claim.printed <= high + claim.allowed:
            return WITHIN_BAND
    return DIFFERS if claim.explanation else UNEXPLAINED


def examine(profile: str) -> list[Finding]:
    """Return every claim with its measured value and verdict under `profile`.

    Raises:
        ClaimError: a claim is not pending and its notebook has not produced its result.
    """
    return [examine_one(claim, profile) for claim in load_claims().values()]


def examine_one(claim: Claim, profile: str) -> Finding:
    """Return `claim` with its measured value and verdict under `profile`.

    Raises:
        ClaimError: it is not pending and its notebook, or that of its ceiling, has not run.
    """
    ceiling = None
    if claim.ceiling:
        notebook, _, name = claim.ceiling.partition("/")
        ceiling = float(_measured(claim, profile, notebook, name)["value"])
    if claim.status == PENDING:
        return Finding(claim, None, None, ceiling, PENDING)
    entry = _measured(claim, profile, claim.notebook, claim.result)
    interval = tuple(entry["interval"]) if entry["interval"] else None
    return Finding(claim, entry["value"], interval, ceiling, judge(claim, entry["value"], interval))


def _measured(claim: Claim, profile: str, notebook: str, name: str) -> dict[str, Any]:
    try:
        return load_result(profile, notebook, name)
    except StoreError as error:
        raise ClaimError(f"claim {claim.id}: {error}") from error


def verify(profile: str) -> list[Finding]:
    """Return all findings.

    Raises:
        ClaimError: a claim lacks its result, or differs without an explanation; all such claims are named.
    """
    findings = examine(profile)
    bad = [
        f"{f.claim.id} (printed {f.claim.printed}, measured {f.value})" for f in findings if f.verdict == UNEXPLAINED
    ]
    if bad:
        raise ClaimError(
            f"claims that differ without an explanation: {', '.join(bad)}: explain them in data/claims.yaml"
        )
    return findings


def shown(value: float | bool | None, unit: str, *, printed: bool = False) -> str:
    """Return a value with its unit, for a table: two decimals, as the paper prints; our own pure numbers have four."""
    if value is None:
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if unit == "1":
        return f"{value:.2f}" if printed else f"{value:.4f}"
    return f"{value:,.2f} {unit}"


def markdown(findings: list[Finding], profile: str) -> str:
    """Return the claims table in Markdown: paper, ours, verdict, interval, ceiling."""
    rows = [
        f"Profile `{profile}`, generated by notebook 12. Definitions, tolerances and reasons: `data/claims.yaml`.",
        "",
        "| claim | paper | ours | verdict | 95 % interval | ceiling |",
        "|---|---:|---:|---|---:|---:|",
    ]
    for f in findings:
        unit = f.claim.unit
        interval = " – ".join(shown(bound, unit) for bound in f.interval) if f.interval else "–"
        measured = [shown(f.value, unit), f.verdict, interval, shown(f.ceiling, unit)]
        rows.append(f"| {' | '.join([f.claim.says, shown(f.claim.printed, unit, printed=True), *measured])} |")
    return "\n".join(rows) + "\n"


def write_readme(table: str) -> None:
    """Put `table` between the claims markers of README.md.

    Raises:
        ClaimError: README.md has no such markers.
        StoreError: it cannot be written.
    """
    readme = paths.ROOT / "README.md"
    write_atomic(readme, between(readme.read_text(encoding="utf-8"), "claims", table, "README.md").encode())


def publish(findings: list[Finding], profile: str) -> str:
    """Write the claims table into README.md unless that of a larger profile stands there; return what was done.

    The smoke profile's is never written.

    Raises:
        ClaimError: README.md has lost its markers.
        StoreError: it cannot be written.
    """
    if profile == "smoke":
        return "README.md is left as it is: the smoke profile's cohort is too small to stand for anything"
    stands = re.search(
        r"^Profile `(\w+)`, generated", (paths.ROOT / "README.md").read_text(encoding="utf-8"), re.MULTILINE
    )
    if stands and RANK.get(stands.group(1), 0) > RANK[profile]:
        return f"README.md is left as it is: it holds the claims of the larger profile {stands.group(1)}"
    write_readme(markdown(findings, profile))
    return f"README.md now holds the claims of profile {profile}"


def report(findings: list[Finding], profile: str, console: Console) -> None:
    """Print the findings as a table, and how many there are of each verdict."""
    table = Table(title=f"claims of the paper, profile {profile}")
    for column in ("claim", "paper", "ours", "ceiling", "verdict"):
        table.add_column(column, justify="left" if column in ("claim", "verdict") else "right")
    for f in findings:
        unit = f.claim.unit
        table.add_row(
            f.claim.id,
            shown(f.claim.printed, unit, printed=True),
            shown(f.value, unit),
            shown(f.ceiling, unit),
            f.verdict,
        )
    console.print(table)
    counts = Counter(f.verdict for f in findings)
    console.print(", ".join(f"{count} {verdict}" for verdict, count in sorted(counts.items())))
