"""EJSS-style: records shared by Shamir's scheme among ledger nodes, reconstructed jointly, trained on centrally.

The paper names "EJSS" and gives no reference that can be read; by its words, joint storage by secret sharing.
Considered: Fu, Wang and Cai, "Privacy-Preserving in Healthcare Blockchain Systems Based on Lightweight Message
Sharing" (Sensors 20:1898, 2020): records become n shares on the nodes of a ledger, t of them give the record, indices
form the blocks. It trains no model; the reconstructed records are trained on centrally. Chosen here:

- **Shamir's scheme itself** over 32-byte blocks (`stpc.hazmat.shamir`), where the source shortens shares by an
  interleaving encoder whose secrecy is not information-theoretic. A share is then as long as the record.
- **Commitments**: salted SHA-256 of every share; a hospital anchors the Merkle root of each node's batch in the audit
  trail. A node that returns another share is found.
- **Joint reconstruction** needs t nodes, each of which asks the contracts whether the analyst holds a session and has
  reported the request: it is in the trail before a share leaves a node.
- No federated learning and no noise: the analyst holds all records in the end.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from bfl_stpc.baselines import controls, feacs
from bfl_stpc.baselines.cohort import Patients, Records
from bfl_stpc.baselines.report import Card, Costs, Exposure, Report, View, costs
from bfl_stpc.errors import CommitmentMismatch, RecordMissing, SessionRefused, ShareError
from bfl_stpc.ledger import Action, Chain, Decision, Identity, Purpose, Registry, Trail, merkle
from bfl_stpc.seeds import derive_seed
from bfl_stpc.stpc.hazmat import shamir
from bfl_stpc.system import Meter

CARD = Card(
    name="EJSS-style",
    source="Sensors 20:1898 (2020)",
    unit="collection",
    throughput="bits of shares anchored on chain and combined for training; training moves nothing and is left out",
    views=(
        View("analyst", Exposure.RECORDS, "all records, and the model"),
        View("one node", Exposure.SHARES, "nothing, while the threshold stands"),
        View("ledger", Exposure.NOTHING, "shares can no longer be checked"),
    ),
    learns="central",
)
NODES, THRESHOLD = 5, 3
BLOCK = 32
REQUEST = hashlib.sha256(b"EJSS-style collection").digest()


@dataclass(frozen=True)
class Share:
    """One node's share of one record: the shares of its blocks, joined, and the salt of its commitment."""

    content: bytes
    salt: bytes

    def leaf(self, owner: str, number: int, node: int) -> bytes:
        """Return the Merkle leaf (32 bytes) that commits to this share at its place."""
        place = f"{owner}/{number}/{node}".encode()
        return merkle.leaf_hash(hashlib.sha256(self.salt + place + self.content).digest())


def share(record: bytes) -> list[Share]:
    """Return the shares of a record, for node 1 ... `NODES`."""
    padded = record + bytes(-len(record) % BLOCK)
    blocks = [padded[at : at + BLOCK] for at in range(0, len(padded), BLOCK)]
    split = [shamir.split(block, n=NODES, threshold=THRESHOLD) for block in blocks]
    salts = secrets.token_bytes(16 * NODES)
    return [Share(b"".join(s[node] for s in split), salts[16 * (node - 1) : 16 * node]) for node in range(1, NODES + 1)]


def combine(shares: Mapping[int, Share], length: int) -> bytes:
    """Return the record of `length` bytes from the shares of at least `THRESHOLD` nodes.

    Raises:
        ShareError: too few, of different lengths, or of no record.
    """
    if len({len(s.content) for s in shares.values()}) > 1:
        raise ShareError("the shares of a record differ in length")
    size = shamir.SHARE_BYTES
    parts = range(0, len(next(iter(shares.values())).content), size) if shares else range(1)
    blocks = [
        shamir.combine({node: s.content[at : at + size] for node, s in shares.items()}, threshold=THRESHOLD)
        for at in parts
    ]
    return b"".join(blocks)[:length]


@dataclass
class Node:
    """A ledger node: shares by hospital, in the order in which they were anchored."""

    number: int
    registry: Registry
    trail: Trail
    shares: dict[str, list[Share]] = field(default_factory=dict, repr=False)

    def release(self, analyst: Identity, request: int, owner: str) -> list[Share]:
        """Return the shares of hospital `owner` to an analyst who is logged in for `request` and has reported it.

        Raises:
            NotAMember, SessionRefused: the analyst is not registered, not logged in, or reported nothing.
            RecordMissing: the node holds no share of this hospital.
        """
        self.registry.contract.ask("requireSession", analyst.address, request, REQUEST)
        reported = [e for e in self.trail.entries()[0] if e.evidence == evidence(request, owner)]
        if not any(e.actor == analyst.name and e.decision == Decision.REPORTED for e in reported):
            raise SessionRefused(f"{analyst.name} reported no request for {owner}", "NotReported", {"owner": owner})
        if owner not in self.shares:
            raise RecordMissing(f"node {self.number} holds no share of {owner}")
        return self.shares[owner]


def evidence(request: int, owner: str) -> bytes:
    """Return the digest that a report of `request` for the records of `owner` carries."""
    return hashlib.sha256(REQUEST + request.to_bytes(8, "big") + owner.encode()).digest()


class Deployment:
    """Hospitals, nodes and an analyst on one chain.

    Attributes:
        registry, trail: contracts.
        hospitals: identities by name.
        analyst: who collects and trains.
        nodes: by number, from 1.
        counts: records of each hospital.
        meter: where steps are noted.
    """

    def __init__(self, hospitals: Sequence[str], seed: int) -> None:
        seed = derive_seed("ejss identity", seed)
        self.admin, self.analyst = Identity.derive("consortium", seed), Identity.derive("analyst", seed)
        self.hospitals = {name: Identity.derive(name, seed) for name in hospitals}
        chain = Chain.in_memory()
        self.registry = Registry.deploy(chain, self.admin)
        self.trail = Trail.deploy(chain, self.admin, self.registry)
        for identity in (*self.hospitals.values(), self.analyst):
            self.registry.register(self.admin, identity.name, identity.address)
        self.nodes = {number: Node(number, self.registry, self.trail) for number in range(1, NODES + 1)}
        self.counts: dict[str, int] = {}
        self.width = 0
        self.meter = Meter()

    @classmethod
    def fill(cls, records: Mapping[str, Records], seed: int) -> Deployment:
        """Return a deployment whose nodes hold the shares of `records`."""
        made = cls(list(records), seed)
        made.width = next(iter(records.values())).X.shape[1]
        for name, own in records.items():
            made.store(name, own)
        return made

    def store(self, owner: str, records: Records) -> None:
        """Share the records of hospital `owner` among the nodes, and anchor each node's batch."""
        identity = self.hospitals[owner]
        with self.meter.step("authenticate", owner) as step:
            step.gas = self.registry.login(identity, round=1, model=REQUEST).gas
        with self.meter.step("protect", owner) as step:
            shared = [share(row) for row in feacs.pack(records)]
            step.sent = step.update = sum(len(s.content) + len(s.salt) for row in shared for s in row)
        with self.meter.step("commit", owner) as step:
            for number, node in self.nodes.items():
                node.shares[owner] = [row[number - 1] for row in shared]
                root = batch_root(owner, number, node.shares[owner])
                step.gas += self.trail.contract.send(identity, "anchor", root, len(shared)).gas
        self.counts[owner] = len(shared)

    def anchors(self) -> dict[str, list[bytes]]:
        """Return the anchored roots of each hospital, node by node, from the chain."""
        found: dict[str, list[bytes]] = {}
        for entry in self.trail.entries()[0]:
            if entry.decision == Decision.ANCHORED:
                found.setdefault(entry.actor, []).append(entry.evidence)
        return found

    def collect(self, request: int = 1, ask: Sequence[int] = (1, 2, 3)) -> dict[str, Records]:
        """Return all records, reconstructed from the nodes in `ask`.

        Raises:
            CommitmentMismatch: a node returned other shares than those anchored.
            ShareError: fewer nodes than the threshold answered.
        """
        with self.meter.step("authenticate", "analyst") as step:
            step.gas = self.registry.login(self.analyst, round=request, model=REQUEST).gas
        anchors = self.anchors()
        return {owner: self._reconstruct(owner, request, ask, anchors[owner]) for owner in self.counts}

    def _reconstruct(self, owner: str, request: int, ask: Sequence[int], roots: Sequence[bytes]) -> Records:
        with self.meter.step("aggregate", "analyst") as step:
            note = evidence(request, owner)
            step.gas = self.trail.report(self.analyst, bytes(32), Purpose.RESEARCH, Action.TRAIN, note).gas
            batches = {}
            for number in ask:
                batches[number] = self.nodes[number].release(self.analyst, request, owner)
                if batch_root(owner, number, batches[number]) != roots[number - 1]:
                    raise CommitmentMismatch(f"node {number} returned other shares of {owner} than those anchored")
                step.sent += sum(len(s.content) + len(s.salt) for s in batches[number])
            length = 4 * (self.width + 1)
            rows = [
                combine({number: batch[k] for number, batch in batches.items()}, length)
                for k in range(self.counts[owner])
            ]
            return feacs.unpack(rows, self.width)


def batch_root(owner: str, node: int, shares: Sequence[Share]) -> bytes:
    """Return the Merkle root (32 bytes) of a node's shares of one hospital, in order."""
    return merkle.Tree(s.leaf(owner, k, node) for k, s in enumerate(shares)).root()


def run(patients: Patients, settings: controls.Settings | None = None) -> Report:
    """Return the report of central training on the records that the nodes reconstructed jointly."""
    records = Deployment.fill(patients.records, patients.seed).collect()
    return controls.report_central(CARD.name, patients.tables(records), patients, settings)


def operate(patients: Patients) -> tuple[Deployment, Costs]:
    """Return a deployment from which all training records were collected once, and what that costs."""
    records = patients.records
    deployment = Deployment.fill(records, patients.seed)
    deployment.collect()
    values = round(np.mean([r.X.size + r.y.size for r in records.values()]))
    return deployment, costs(deployment.meter.steps, runs=1, operations=1, parameters=values)
