"""The bench of evidence: an exported trail, exported blocks and certificates; and what tampering with them meets."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from bfl_stpc import ledger
from bfl_stpc.detection.catalogue import Level
from bfl_stpc.detection.injection import Clean, Outcome, injects, trial
from bfl_stpc.detection.rounds import RoundBench, sha
from bfl_stpc.detection.updates import flip
from bfl_stpc.errors import BflError
from bfl_stpc.ledger import Action, Consents, Identity, Purpose, Registry, Trail, review
from bfl_stpc.ledger.audit import Entry, extend
from bfl_stpc.ledger.replay import export_blocks, replay
from bfl_stpc.ledger.replicas import Certificate, ReplicaSet
from bfl_stpc.seeds import derive_seed

ENTRIES = 24
BYTES = ("record", "basis", "evidence")


class EvidenceBench:
    """One hospital's reports on a chain, exported; and four replicas that sign blocks.

    Attributes:
        exported: the trail's file, as text; `anchor` is what a reviewer has from a node.
        blocks, head: every block of the chain, and the hash of the last.
        signers: identities of the replicas.
    """

    def __init__(self, seed: int) -> None:
        """Report `ENTRIES` acts, and export trail and blocks."""
        scope = derive_seed("detection-identities", seed)
        self.admin, self.hospital = Identity.derive("consortium", scope), Identity.derive("hospital-00", scope)
        self.signers = [Identity.derive(f"replica-{i}", scope) for i in range(4)]
        self.stranger = Identity.derive("stranger", scope)
        self.chain = ledger.Chain.in_memory()
        registry = Registry.deploy(self.chain, self.admin)
        registry.register(self.admin, self.hospital.name, self.hospital.address)
        self.trail = Trail.deploy(self.chain, self.admin, registry)
        self.consents = Consents.deploy(self.chain, self.admin, registry, self.trail)
        self._reported = 0
        self.report(ENTRIES, each=4)
        self.exported, self.anchor = self.export(), self.trail.anchor_point()
        self.blocks, self.head = export_blocks(self.chain), self.chain.head_hash()

    def report(self, entries: int, *, each: int) -> None:
        """Report further acts, `each` to a block."""
        contract = self.trail.contract
        for first in range(0, entries, each):
            calls = []
            for number in range(first, min(first + each, entries)):
                act = (sha(f"record {self._reported}"), int(Purpose.TREATMENT), int(Action.READ), sha(f"note {number}"))
                calls.append((self.hospital, contract.address, contract.encode("report", *act)))
                self._reported += 1
            self.chain.transact_all(calls)

    def export(self) -> str:
        """Return the trail's file as it is now."""
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "trail.json"
            review.export(self.consents, path)
            return path.read_text()

    def review(self, content: dict[str, Any]) -> None:
        """Read a trail's file as a reviewer would who asks a node for the anchor."""
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "trail.json"
            path.write_text(json.dumps(content))
            review.read(path, anchor=self.anchor)

    def replicas(self) -> ReplicaSet:
        """Return fresh replicas, which have heard of nothing."""
        return ReplicaSet(self.signers)

    def transaction(self, number: int) -> bytes:
        """Return a signed transaction that a replica can put into its first block."""
        to = self.stranger.address
        body = {"type": 2, "chainId": self.chain.chain_id, "nonce": number, "gas": 21000, "value": 0, "data": b""}
        return self.hospital.sign_transaction(body | {"maxFeePerGas": 0, "maxPriorityFeePerGas": 0, "to": to})

    def clean(self, events: int) -> list[Clean]:
        """Review, replay and certify what nobody touched; an event is one entry, block or certificate."""
        self.report(events // 2, each=50)
        self.anchor = self.trail.anchor_point()
        blocks, head = export_blocks(self.chain), self.chain.head_hash()
        replicas, certificates, alarms = self.replicas(), -(-events // 4), 0
        for number in range(certificates):
            replicas.submit(self.transaction(number))
            alarms += _alarm(lambda: replicas.certify(replicas.leader().propose()))
        rounds = -(-events // (2 * len(blocks)))  # a replay executes every block again
        counts = [
            Clean("review", ("TrailTampered",), self._reported, _alarm(lambda: self.review(json.loads(self.export())))),
            Clean(
                "replay",
                ("BlockRefused",),
                rounds * len(blocks),
                sum(_alarm(lambda: replay(blocks, head=head)) for _ in range(rounds)),
            ),
            Clean("certificate", ("CertificateInvalid",), certificates, alarms),
        ]
        self.exported = self.export()
        return counts


def _alarm(act: Callable[[], object]) -> int:
    try:
        act()
    except BflError:
        return 1
    return 0


@injects("tampered_trail", EvidenceBench)
def tampered_trail(bench: EvidenceBench, level: Level, rng: np.random.Generator) -> Outcome:
    """Alter an exported trail, and review it against the node's anchor."""
    content = json.loads(bench.exported)
    entries, heads = content["entries"], content["heads"]
    place = int(rng.integers(len(entries) - 1))
    if level.name == "one field":
        field = str(rng.choice(["time", "record", "purpose", "basis", "evidence"]))
        value = entries[place][field]
        other = flip(bytes.fromhex(value), rng).hex() if isinstance(value, str) else value + 1
        entries[place][field] = other
    elif level.name == "an entry removed":
        del entries[place], heads[place]
    elif level.name == "two entries exchanged":
        entries[place], entries[place + 1] = entries[place + 1], entries[place]
    elif level.name == "the end cut off":
        del entries[place + 1 :], heads[place + 1 :]
    else:
        entries[place]["evidence"] = rng.bytes(32).hex()
        head = bytes(32)
        for number, values in enumerate(entries):
            fields: dict[str, Any] = {k: bytes.fromhex(v) if k in BYTES else v for k, v in values.items()}
            entry = Entry(**fields)
            head = extend(head, entry.leaf())
            heads[number] = head.hex()
    return trial(lambda: bench.review(content))


@injects("tampered_block", EvidenceBench)
def tampered_block(bench: EvidenceBench, level: Level, rng: np.random.Generator) -> Outcome:
    """Alter an exported chain, and replay it to the head that was recorded."""
    blocks = list(bench.blocks)
    place = int(rng.integers(len(blocks) - 1))
    if level.name == "one bit":
        blocks[place] = flip(blocks[place], rng)
    elif level.name == "a block removed":
        del blocks[place]
    elif level.name == "two blocks exchanged":
        blocks[place], blocks[place + 1] = blocks[place + 1], blocks[place]
    else:
        del blocks[place + 1 :]
    return trial(lambda: replay(blocks, head=bench.head))


@injects("forged_certificate", EvidenceBench)
def forged_certificate(bench: EvidenceBench, level: Level, rng: np.random.Generator) -> Outcome:
    """Present a block as final that no quorum signed."""
    replicas = bench.replicas()
    empty = replicas.leader().propose()
    if level.name == "two blocks at one height":
        replicas.submit(bench.transaction(0))
        other = replicas.leader().propose()
        order = [int(i) for i in rng.permutation(len(replicas.members))]
        for member in order[:2]:
            replicas.members[member].vote(empty)
        return trial(lambda: replicas.certify(other))
    honest = replicas.certify(empty)
    names = sorted(honest.signatures)
    needed = [str(name) for name in rng.choice(names, size=3, replace=False)]
    signatures = {name: honest.signatures[name] for name in needed}
    if level.name == "one signature too few":
        del signatures[needed[0]]
    elif level.name == "one forged":
        signatures[needed[0]] = signatures[needed[1]]
    else:
        signatures[bench.stranger.name] = signatures.pop(needed[0])
    return trial(
        lambda: Certificate(honest.chain_id, honest.height, honest.block, signatures).verify(replicas.addresses)
    )


@injects("tampered_model", RoundBench)
def tampered_model(bench: RoundBench, level: Level, rng: np.random.Generator) -> Outcome:
    """Change a share of the published weights by one unit in the last place, and open the next round from them."""
    play, whole = bench.play(rng), bench.weights
    changed = rng.permutation(whole.size) < max(1, round(level.value * whole.size))
    bench.weights = np.where(changed, np.nextafter(whole, np.float32(np.inf)), whole).astype(np.float32)
    try:
        return trial(*play.rest())
    finally:
        bench.weights = whole
