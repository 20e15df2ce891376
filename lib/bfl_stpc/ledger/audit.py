"""The audit trail: who did what to which record, why, and on what basis; and the proof that it was not altered."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Any

from eth_abi import encode
from eth_utils import keccak

from bfl_stpc.errors import TrailTampered
from bfl_stpc.ledger import merkle
from bfl_stpc.ledger.chain import Chain, Receipt
from bfl_stpc.ledger.contract import Contract, Event
from bfl_stpc.ledger.identity import Identity, name32, text
from bfl_stpc.ledger.registry import Registry


class Purpose(IntEnum):
    """What for: HL7 ActReason purposes of use, in the order of the contract."""

    TREATMENT = 0
    PAYMENT = 1
    OPERATIONS = 2
    RESEARCH = 3
    PUBLIC_HEALTH = 4
    EMERGENCY = 5


class Action(IntEnum):
    """What is done to a record. Actions of a consent are a sum."""

    READ = 1
    TRAIN = 2
    AMEND = 4
    SHARE = 8


class Decision(IntEnum):
    """What was decided; `REPORTED` and `ANCHORED` record what happened outside the chain."""

    DENIED = 0
    PERMITTED = 1
    EMERGENCY = 2
    REPORTED = 3
    ANCHORED = 4


@dataclass(frozen=True)
class Entry:
    """One entry of the trail.

    Attributes:
        sequence: place, from 0.
        time: seconds since 1970.
        actor: hospital.
        record: random pseudonym (32 bytes).
        purpose, action, decision: numbers of `Purpose`, `Action`, `Decision`; an anchored batch has 0 and 0.
        basis: id of the consent, hash of the justification, reason of a refusal, or size of a batch (32 bytes).
        evidence: digest of what the actor keeps, or root of a batch (32 bytes).
    """

    sequence: int
    time: int
    actor: str
    record: bytes
    purpose: int
    action: int
    decision: int
    basis: bytes
    evidence: bytes

    @classmethod
    def of(cls, event: Event) -> "Entry":
        """Return the entry that an `AuditAppended` event shows."""
        values = {k: v for k, v in event.values.items() if k != "head"}
        return cls(**(values | {"actor": text(values["actor"])}))

    def leaf(self) -> bytes:
        """Return the Merkle leaf (32 bytes), as the contract computes it."""
        types = ["uint64", "uint64", "bytes32", "bytes32", "uint8", "uint8", "uint8", "bytes32", "bytes32"]
        values = [self.sequence, self.time, name32(self.actor), self.record, self.purpose, self.action, self.decision]
        return merkle.leaf_hash(encode(types, [*values, self.basis, self.evidence]))


def extend(head: bytes, leaf: bytes) -> bytes:
    """Return the rolling head after one more leaf."""
    return keccak(head + leaf)


class Reviewer:
    """Holds what was verified so far, so that a review costs only the new entries.

    Attributes:
        head: rolling head after the verified entries.
        tree: their Merkle tree.
    """

    def __init__(self) -> None:
        """Start before the first entry."""
        self.head = bytes(32)
        self.tree = merkle.Tree()

    def extend(self, entries: Sequence[Entry], heads: Sequence[bytes]) -> None:
        """Verify further entries against the heads recorded with them, each before the next is believed.

        Raises:
            TrailTampered: an entry is missing, out of order or altered; its sequence number is named. Everything
                before it is verified and kept.
        """
        if len(entries) != len(heads):
            raise TrailTampered(f"{len(entries)} entries came with {len(heads)} heads", len(self.tree))
        for entry, recorded in zip(entries, heads):
            expected = len(self.tree)
            if entry.sequence != expected:
                raise TrailTampered(f"entry {expected} is due, and entry {entry.sequence} came", expected)
            leaf = entry.leaf()
            head = extend(self.head, leaf)
            if head != recorded:
                raise TrailTampered(f"entry {expected} is not what its head recorded", expected)
            self.head = head
            self.tree.append(leaf)

    def confirm(self, head: bytes, size: int, root: bytes) -> None:
        """Return if the verified entries are all there are, by an anchor from the chain or a certificate.

        Raises:
            TrailTampered: entries are missing at the end, or every head was rewritten.
        """
        if size != len(self.tree):
            raise TrailTampered(f"the anchor counts {size} entries; {len(self.tree)} were shown", len(self.tree))
        if head != self.head or root != self.tree.root():
            raise TrailTampered("the entries were rewritten consistently, but the anchored head is another", 0)


class Trail:
    """The audit trail of one chain. Refusals are subclasses of `ContractRefused`."""

    def __init__(self, contract: Contract) -> None:
        """Wrap a deployed `AuditTrail`."""
        self.contract = contract

    @classmethod
    def deploy(cls, chain: Chain, admin: Identity, registry: Registry) -> "Trail":
        """Deploy a trail owned by `admin`."""
        return cls(Contract.deploy(chain, "AuditTrail", admin, admin.address, registry.contract.address)[0])

    def allow(self, admin: Identity, writer: str, allowed: bool = True) -> Receipt:
        """Let a contract append decisions, or stop it."""
        return self.contract.send(admin, "setWriter", writer, allowed)

    def report(
        self, identity: Identity, record: bytes, purpose: Purpose, action: Action, evidence: bytes = bytes(32)
    ) -> Receipt:
        """Report an act that no contract decided."""
        return self.contract.send(identity, "report", record, purpose, action, evidence)

    def anchor(self, identity: Identity, entries: Iterable[bytes]) -> merkle.Tree:
        """Anchor the Merkle root of a batch of canonical entries kept off chain; return their tree, for proofs."""
        tree = merkle.Tree(merkle.leaf_hash(e) for e in entries)
        self.contract.send(identity, "anchor", tree.root() if len(tree) else bytes(32), len(tree))
        return tree

    def entries(self, from_block: int = 0) -> tuple[list[Entry], list[bytes]]:
        """Return the entries since block `from_block`, and the head recorded with each."""
        appended = [e for e in self.contract.logged(from_block) if e.name == "AuditAppended"]
        return [Entry.of(e) for e in appended], [e.values["head"] for e in appended]

    def anchor_point(self) -> dict[str, Any]:
        """Return head, size and root as the chain has them now."""
        return {"head": self.contract.ask("head"), "size": self.contract.ask("size"), "root": self.contract.ask("root")}

    def review(self) -> tuple[list[Entry], Reviewer]:
        """Return all entries, verified against the chain's head, size and root."""
        entries, heads = self.entries()
        reviewer = Reviewer()
        reviewer.extend(entries, heads)
        reviewer.confirm(**self.anchor_point())
        return entries, reviewer
