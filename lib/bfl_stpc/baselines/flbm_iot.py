"""FLBM-IoT-style: clusters that learn on ledgers of their own and exchange their aggregates.

The paper names "FLBM-IoT" and gives no reference that can be read. Considered: Chai, Li, Wei and Zhu, "Blockchain
managed federated learning for a secure IoT framework" (EURASIP JWCN 2023, 10.1186/s13638-023-02311-x), **retracted on
13 May 2024**; only its idea is used, none of its results. Taken from it: many small clusters instead of a large one, a
ledger in each, and aggregates exchanged between them. Chosen here:

- Hospitals are dealt to clusters in ledger order; a cluster runs `inner` rounds of federated averaging between two
  exchanges, and the new global model is the mean of the clusters' models, weighted by records.
- A cluster's head signs the cluster's model (EIP-712, bound to its round and its contract); the others verify the
  signature, and its digest on the cluster's own ledger, before they average.
- The cluster's server may use momentum, and the models of the last half are averaged, as in our own system: the
  source has plain averaging, and a baseline should not be weak on purpose.
- No noise and no encryption: heads, and all members of a cluster, read each other's updates.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from eth_account import Account
from eth_account.messages import encode_typed_data
from numpy.typing import NDArray

from bfl_stpc import federated
from bfl_stpc.baselines import plain
from bfl_stpc.baselines.cohort import Patients, Table, model
from bfl_stpc.baselines.report import Card, Costs, Exposure, Report, View, costs, report
from bfl_stpc.errors import CommitmentMismatch, Corrupt, FederatedError
from bfl_stpc.ledger import Identity, Ledger
from bfl_stpc.ledger.registry import domain
from bfl_stpc.seeds import derive_seed
from bfl_stpc.system import Meter
from bfl_stpc.ticket import Ticket

EXPERIMENT = "flbm-iot"
CARD = Card(
    name="FLBM-IoT-style",
    source="10.1186/s13638-023-02311-x (retracted)",
    unit="exchange",
    throughput="bits of plain updates committed on the clusters' chains and averaged",
    views=(
        View("cluster head", Exposure.UPDATES, "its cluster stops; a false mean is refused by its members"),
        View("other member", Exposure.UPDATES, "one share of its cluster's threshold"),
        View("other cluster", Exposure.SUMS, "one cluster's patients are missing from the model"),
    ),
    learns="federated",
)
EXCHANGE_TYPES = {
    "Exchange": [
        {"name": "round", "type": "uint64"},
        {"name": "model", "type": "bytes32"},
        {"name": "records", "type": "uint64"},
    ]
}


@dataclass(frozen=True)
class Settings:
    """How it trains; the defaults are the best of `search.csv`.

    Attributes:
        hidden: width of the hidden layer, 0 for none.
        clusters: how many.
        rounds: local rounds in all, as many as our own system has.
        inner: rounds within a cluster between two exchanges.
        epochs, batch, learning_rate, decay: of a hospital in one round.
        beta: of the momentum at a cluster's server; 0 is plain averaging.
    """

    hidden: int = 0
    clusters: int = 3
    rounds: int = 40
    inner: int = 1
    epochs: int = 5
    batch: int = 2048
    learning_rate: float = 6.0
    decay: float = 0.0
    beta: float = 0.8

    @property
    def exchanges(self) -> int:
        """Global rounds."""
        return max(1, self.rounds // self.inner)


@dataclass(frozen=True)
class Message:
    """What a cluster sends to the others: its model (float32 bytes), its records, and its head's signature."""

    cluster: int
    round: int
    content: bytes
    records: int
    signature: bytes


@dataclass
class Cluster:
    """Hospitals with a server, and a ledger of their own where one is kept.

    Attributes:
        number: from 0.
        tables: the hospitals' records, by name.
        server: its server step, with state.
        book: its ledger, or None.
        members: identities by name.
        head: who signs for it.
        payloads: of its last round, by hospital.
    """

    number: int
    tables: Table
    server: federated.server.ServerStep
    book: Ledger | None
    members: Mapping[str, Identity]
    head: Identity
    payloads: dict[str, bytes] = field(default_factory=dict, repr=False)

    @property
    def ledger(self) -> Ledger:
        """Its ledger.

        Raises:
            FederatedError: it keeps none.
        """
        if self.book is None:
            raise FederatedError(f"cluster {self.number} keeps no ledger")
        return self.book

    @property
    def records(self) -> int:
        """Training records of its hospitals."""
        return sum(len(t.y) for t in self.tables.values())

    def domain(self) -> dict[str, object]:
        """Return the EIP-712 domain of its messages: its own contract."""
        return domain("cluster exchange", self.ledger.chain.chain_id, self.ledger.rounds.contract.address)

    def message(self, round: int, content: bytes) -> Message:
        """Return the signed message about the model in `content`."""
        typed = {"round": round, "model": hashlib.sha256(content).digest(), "records": self.records}
        signature = self.head.sign_typed(self.domain(), EXCHANGE_TYPES, typed)
        return Message(self.number, round, content, self.records, signature)

    def verify(self, message: Message) -> NDArray[np.float32]:
        """Return the model of this cluster's message.

        Raises:
            Corrupt: the head of this cluster did not sign it.
            CommitmentMismatch: it is not the aggregate on this cluster's ledger.
        """
        digest = hashlib.sha256(message.content).digest()
        typed = {"round": message.round, "model": digest, "records": message.records}
        signable = encode_typed_data(self.domain(), EXCHANGE_TYPES, typed)
        try:
            signer = Account.recover_message(signable, signature=message.signature)
        except Exception as error:  # eth-keys raises what it likes
            raise Corrupt(f"the message of cluster {self.number} carries no signature") from error
        if signer != self.head.address:
            raise Corrupt(f"the message of cluster {self.number} is not signed by its head")
        if self.ledger.round(message.round).aggregate != digest:
            raise CommitmentMismatch(f"cluster {self.number} published another model on its ledger")
        return np.frombuffer(message.content, "<f4").astype(np.float32)


class Federation:
    """All clusters. `ledger` false learns the same without notarising it."""

    def __init__(self, tables: Table, settings: Settings, seed: int, *, ledger: bool = True) -> None:
        self.settings, self.seed, self.meter = settings, seed, Meter()
        self.spec = model(next(iter(tables.values())).X.shape[1], settings.hidden)
        self.config = federated.TrainConfig(
            self.spec, settings.epochs, settings.batch, settings.learning_rate, decay=settings.decay
        )
        self.clusters = []
        identity_seed = derive_seed("flbm identity", seed)
        for number, part in enumerate(np.array_split(list(tables), settings.clusters)):
            own = {str(name): tables[str(name)] for name in part}
            head = Identity.derive(f"head-{number}", identity_seed)
            book, members = plain.found(list(own), identity_seed, admin=head.name) if ledger else (None, {})
            server = federated.Momentum(1.0, settings.beta)
            self.clusters.append(Cluster(number, own, server, book, members, head))

    def run_exchange(self, weights: plain.Update, number: int) -> plain.Update:
        """Return the global weights after exchange `number`, from 1: `inner` rounds in each cluster, then the mean."""
        turns = range((number - 1) * self.settings.inner + 1, number * self.settings.inner + 1)
        if any(cluster.book is None for cluster in self.clusters):
            models = [self._learn(cluster, weights, turns) for cluster in self.clusters]
            return exchange(models, [cluster.records for cluster in self.clusters])
        rounds = [self._rounds(cluster, weights, turns) for cluster in self.clusters]
        messages = []
        for cluster, last in zip(self.clusters, rounds):
            with self.meter.step("exchange", cluster.head.name) as step:
                messages.append(cluster.message(last.ticket.round, last.model.astype("<f4").tobytes()))
                step.sent = (len(self.clusters) - 1) * len(messages[-1].content)
        with self.meter.step("exchange", "heads"):
            weights = self.receive(messages)
        for last in rounds:
            self._sign(last, weights, lambda: self.receive(messages))
        return weights

    def receive(self, messages: Sequence[Message]) -> plain.Update:
        """Return the mean of the clusters' models, each verified against its head's key and its own ledger.

        Raises:
            CommitmentMismatch: a cluster's message is missing or came twice, or is not what its ledger says.
            Corrupt: a signature does not hold.
        """
        if [m.cluster for m in messages] != list(range(len(self.clusters))):
            raise CommitmentMismatch("one message of each cluster is due, in order")
        models = [self.clusters[m.cluster].verify(m) for m in messages]
        return exchange(models, [m.records for m in messages])

    def local_updates(self, cluster: Cluster, weights: plain.Update, turn: int) -> dict[str, plain.Update]:
        """Return each hospital's update float32 (p,) of one local round."""
        seeds = [derive_seed(EXPERIMENT, self.seed, name, turn) for name in cluster.tables]
        updates = federated.local_updates(weights, list(cluster.tables.values()), self.config, seeds)
        return dict(zip(cluster.tables, updates))

    def _learn(self, cluster: Cluster, weights: plain.Update, turns: range) -> plain.Update:
        for turn in turns:
            updates = self.local_updates(cluster, weights, turn)
            mean = plain.mean({name: (update, len(cluster.tables[name].y)) for name, update in updates.items()})
            weights, cluster.server = cluster.server.apply(weights, mean)
        return weights

    def _rounds(self, cluster: Cluster, weights: plain.Update, turns: range) -> Pending:
        for turn in turns:
            pending = self._round(cluster, weights, turn)
            if turn != turns[-1]:
                self._sign(pending, pending.model, pending.recompute)
            weights = pending.model
        return pending

    def _round(self, cluster: Cluster, weights: plain.Update, turn: int) -> Pending:
        book, members, meter, server = cluster.ledger, cluster.members, self.meter, cluster.server
        ticket = plain.open_round(book, members, weights, meter)
        with meter.step("train", "members"):
            updates = self.local_updates(cluster, weights, turn)
        for name, update in updates.items():
            with meter.step("protect", name) as step:
                cluster.payloads[name] = plain.encode(update, len(cluster.tables[name].y), ticket)
                step.sent = step.update = len(cluster.payloads[name])
        payloads = dict(cluster.payloads)
        plain.submit(book, members, ticket, payloads, meter)

        def recompute() -> tuple[plain.Update, federated.server.ServerStep]:
            return server.apply(weights, plain.mean(plain.collect(book, ticket, payloads, self.spec.size)))

        with meter.step("aggregate", cluster.head.name):
            model, cluster.server = recompute()
        plain.publish(book, ticket, model.astype("<f4").tobytes(), meter)
        return Pending(cluster, ticket, model, lambda: recompute()[0])

    def _sign(self, pending: Pending, weights: plain.Update, result: Callable[[], plain.Update]) -> None:
        def own(_: str) -> tuple[bytes, plain.Update]:
            return pending.recompute().astype("<f4").tobytes(), result()

        content, cluster = pending.model.astype("<f4").tobytes(), pending.cluster
        plain.sign(cluster.ledger, cluster.members, pending.ticket, content, weights, own, self.meter)


@dataclass(frozen=True)
class Pending:
    """A cluster's round whose aggregate is published, and whose result is not yet signed."""

    cluster: Cluster
    ticket: Ticket
    model: plain.Update
    recompute: Callable[[], plain.Update]


def exchange(models: Sequence[plain.Update], records: Sequence[int]) -> plain.Update:
    """Return the mean of the clusters' models float32 (p,), weighted by their records."""
    return federated.weighted_mean(models, [float(n) for n in records]).astype(np.float32)


def train(patients: Patients, settings: Settings | None = None) -> plain.Update:
    """Return the weights float32 (p,) after all exchanges: the mean of the last half of the global models."""
    settings = settings or Settings()
    federation = Federation(patients.own_tables, settings, patients.seed, ledger=False)
    weights, models = federated.init_weights(federation.spec, patients.seed), []
    for number in range(1, settings.exchanges + 1):
        weights = federation.run_exchange(weights, number)
        models.append(weights)
    return np.mean(models[-max(1, round(0.5 * len(models))) :], axis=0, dtype=np.float64).astype(np.float32)


def run(patients: Patients, settings: Settings | None = None) -> Report:
    """Return the report of a training on `patients`."""
    settings = settings or Settings()
    spec = model(patients.test.shape[1], settings.hidden)
    weights = train(patients, settings)
    return report(CARD.name, weights, patients, federated.predict(weights, spec, patients.test))


def operate(patients: Patients, settings: Settings | None = None, *, rounds: int = 1) -> tuple[Federation, Costs]:
    """Return a federation after `rounds` exchanges on its ledgers, and what an exchange costs."""
    settings = settings or Settings()
    federation = Federation(patients.own_tables, settings, patients.seed)
    weights = federated.init_weights(federation.spec, patients.seed)
    for number in range(1, rounds + 1):
        weights = federation.run_exchange(weights, number)
    steps, size = federation.meter.steps, federation.spec.size
    return federation, costs(steps, runs=rounds, operations=settings.exchanges, parameters=size)
