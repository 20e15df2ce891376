"""The review: who read what, when, why and under which consent, from a file that verifies without the chain.

    python -m bfl_stpc.ledger trail.json [--record HEX] [--actor NAME]

`export` writes the file; `read` verifies every entry, its Merkle proof and its consent, and refuses anything altered.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bfl_stpc.errors import ConfigError, TrailTampered
from bfl_stpc.ledger.audit import Action, Decision, Entry, Purpose, Reviewer
from bfl_stpc.ledger.consent import REASONS, Consents
from bfl_stpc.ledger.merkle import Proof

CONSENT_FIELDS = ("record", "grantee", "consent", "purpose", "actions", "notBefore", "notAfter")


@dataclass(frozen=True)
class Finding:
    """One line of a review: an entry in words, with its proof.

    Attributes:
        entry: the entry.
        basis: the consent, justification or reason in words.
        proof: that the entry belongs to the trail's root.
    """

    entry: Entry
    basis: str
    proof: Proof

    def line(self) -> str:
        """Return time, actor, action, record, purpose, decision and basis on one line."""
        e = self.entry
        when = datetime.fromtimestamp(e.time, UTC).strftime("%Y-%m-%d %H:%M:%S")
        if e.decision == Decision.ANCHORED:
            return f"{e.sequence:6d}  {when}  {e.actor:<14} anchored {self.basis}"
        what = f"{Action(e.action).name.lower()} {e.record.hex()[:8]}… for {Purpose(e.purpose).name.lower()}"
        return f"{e.sequence:6d}  {when}  {e.actor:<14} {Decision(e.decision).name.lower():<9} {what}: {self.basis}"


def export(consents: Consents, path: Path) -> None:
    """Write trail, consents and the chain's anchor as canonical JSON, for a review elsewhere."""
    entries, heads = consents.trail.entries()
    granted = [e for e in consents.contract.logged() if e.name == "ConsentGranted"]
    content = {
        "anchor": _hexed(consents.trail.anchor_point()),
        "entries": [_hexed(asdict(e)) for e in entries],
        "heads": [h.hex() for h in heads],
        "consents": [_hexed({k: e.values[k] for k in CONSENT_FIELDS}) for e in granted],
    }
    path.write_text(json.dumps(content, indent=1, sort_keys=True) + "\n")


def read(path: Path, *, anchor: Mapping[str, Any] | None = None) -> list[Finding]:
    """Return every entry of an exported trail in words, once all of it is verified.

    Args:
        path: file of `export`.
        anchor: head, size and root from a source that you trust: a node, or a certified block. Without it, the
            file's own is used, which proves that the file is whole, not that it is the one on chain.

    Raises:
        ConfigError: it is no such file.
        TrailTampered: an entry was altered, left out, added or moved; the first is named.
        ProofInvalid: never, unless this module is wrong: every proof is verified before it is handed out.
    """
    try:
        content = json.loads(path.read_text())
        entries = [Entry(**_bytes(e, ("record", "basis", "evidence"))) for e in content["entries"]]
        heads = [bytes.fromhex(h) for h in content["heads"]]
        own = _bytes(content["anchor"], ("head", "root"))
        consents = [_bytes(c, ("record", "grantee", "consent")) for c in content["consents"]]
    except (ValueError, KeyError, TypeError) as error:
        raise ConfigError(f"{path} is no exported trail: {error}") from error
    reviewer = Reviewer()
    reviewer.extend(entries, heads)
    reviewer.confirm(**(own if anchor is None else dict(anchor)))
    root = reviewer.tree.root()
    findings = [Finding(e, _basis(e, consents), reviewer.tree.proof(e.sequence)) for e in entries]
    for finding in findings:
        finding.proof.verify(finding.entry.leaf(), root)
    return findings


def _basis(entry: Entry, consents: Sequence[Mapping[str, Any]]) -> str:
    number = int.from_bytes(entry.basis, "big")
    if entry.decision == Decision.DENIED:
        return REASONS[number]
    if entry.decision == Decision.EMERGENCY:
        return f"justification {entry.basis.hex()[:8]}…"
    if entry.decision == Decision.REPORTED:
        return "reported by the hospital; nobody decided"
    if entry.decision == Decision.ANCHORED:
        return f"{number} entries under {entry.evidence.hex()[:8]}…"
    if entry.purpose == Purpose.EMERGENCY:
        return "the emergency declared before"
    grantee = entry.actor.encode().ljust(32, b"\0")
    for c in consents:
        if c["consent"] == entry.basis:
            covers = c["record"] == entry.record and c["grantee"] == grantee and c["purpose"] == entry.purpose
            if covers and c["actions"] & entry.action and c["notBefore"] <= entry.time <= c["notAfter"]:
                return f"consent {entry.basis.hex()[:8]}…"
            raise TrailTampered(f"the consent of entry {entry.sequence} does not cover it", entry.sequence)
    raise TrailTampered(f"the consent of entry {entry.sequence} is not among those granted", entry.sequence)


def _hexed(values: Mapping[str, Any]) -> dict[str, Any]:
    return {k: v.hex() if isinstance(v, bytes) else v for k, v in values.items()}


def _bytes(values: Mapping[str, Any], names: Sequence[str]) -> dict[str, Any]:
    return {**values, **{n: bytes.fromhex(values[n]) for n in names}}
