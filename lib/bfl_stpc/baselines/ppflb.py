"""PPFLB-style: federated learning with local noise, content-addressed payloads and work-weighted averaging.

The paper names "PPFLB" and gives no reference that can be read. Considered: PPBFL (Li, Xia, Lin and Wang,
arXiv 2401.01204), the nearest by name and content: local differential privacy, model parameters in IPFS, a consensus
by proof of training work, mixing by ring signatures. Taken from it: the division of labour. Chosen here:

- **Noise.** PPBFL clips and perturbs local models by an adaptive rule whose sensitivity we could not verify for many
  local steps. Here a local round is one full-batch step with every record's gradient clipped, and Gaussian noise on
  that update: then (ε, δ) holds for a record, by the same accounting and at the same ε as in our own system. Noise on
  a whole hospital's update (client level) would be far worse at ten hospitals: notebook 03 measures it.
- **Its noise cannot be shared**: the aggregator, and every member, reads single updates, so each must be private alone.
- **Content identifiers** are CIDv1 (raw, SHA-256, base32) as IPFS computes them for one block; the store is a local
  one, without a network. The digest inside goes on chain.
- **Work** is records × steps, claimed by the member and signed by its commitment; the weight in the mean follows it.
  Nobody can verify a claim without the records: only an upper bound is enforced. PPBFL elects a miner by it; the
  ledger here has no leader to elect.
- **Pseudonyms** take the place of ring signatures: drawn once, registered by a registrar that alone knows whose they
  are. Rounds are linkable, and `reidentify` shows what the claims of work give away.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from bfl_stpc import federated, privacy
from bfl_stpc.baselines import plain
from bfl_stpc.baselines.cohort import Patients, Table, model
from bfl_stpc.baselines.report import Card, Costs, Exposure, Report, View, costs, report
from bfl_stpc.errors import Corrupt, FederatedError, IntegrityError, RecordMissing
from bfl_stpc.ledger import Identity, Ledger
from bfl_stpc.privacy import NoiseSource, Spent
from bfl_stpc.seeds import derive_seed
from bfl_stpc.system import Meter
from bfl_stpc.ticket import Ticket

EXPERIMENT = "ppflb"
CARD = Card(
    name="PPFLB-style",
    source="PPBFL, arXiv 2401.01204",
    unit="round",
    throughput="bits of noisy updates committed on chain and averaged",
    views=(
        View("aggregator", Exposure.NOISY_UPDATES, "rounds stop; a false mean is refused by the members"),
        View("content store", Exposure.NOISY_UPDATES, "payloads are gone; false ones are refused"),
        View("registrar", Exposure.NOISY_UPDATES, "every pseudonym is opened"),
        View("other member", Exposure.NOISY_UPDATES, "one share of the threshold"),
    ),
    learns="federated",
)
CID_HEAD = bytes([0x01, 0x55, 0x12, 0x20])  # CID version 1, raw bytes, SHA-256 of 32 bytes (multiformats)


@dataclass(frozen=True)
class Settings:
    """How it trains; the defaults are the best of `search.csv`.

    Attributes:
        rounds: global rounds.
        steps: steps of a member in one round.
        clip: C, bound on the norm of a record's gradient.
        learning_rate: of the member's step.
        rate, beta: of the server's momentum.
        epsilon, delta: the promise of every member to its patients.
    """

    rounds: int = 40
    steps: int = 1
    clip: float = 1.0
    learning_rate: float = 20.0
    rate: float = 2.0
    beta: float = 0.5
    epsilon: float = 3.0
    delta: float = 1e-5


def cid(content: bytes) -> str:
    """Return the CIDv1 of `content` as one raw block.

    >>> cid(b"Hello world")
    'bafkreide5semuafsnds3ugrvm6fbwuyw2ijpj43gwjdxemstjkfozi37hq'
    """
    return identifier(hashlib.sha256(content).digest())


def identifier(digest: bytes) -> str:
    """Return the CIDv1 of the raw block whose SHA-256 is `digest` (32 bytes)."""
    return "b" + base64.b32encode(CID_HEAD + digest).decode().rstrip("=").lower()


@dataclass
class ContentStore:
    """Blocks by content identifier, off chain. Whoever holds an identifier reads the block."""

    blocks: dict[str, bytes] = field(default_factory=dict, repr=False)

    def put(self, content: bytes) -> str:
        """Keep `content`; return its identifier."""
        name = cid(content)
        self.blocks[name] = content
        return name

    def get(self, name: str) -> bytes:
        """Return the block called `name`.

        Raises:
            RecordMissing: it is not here.
            IntegrityError: it is not what its name says.
        """
        if name not in self.blocks:
            raise RecordMissing(f"block {name} is not in the store")
        if cid(self.blocks[name]) != name:
            raise IntegrityError(f"block {name} was altered in the store")
        return self.blocks[name]


class Consortium:
    """Members under pseudonyms, an aggregator, a content store, and a ledger unless `ledger` is false.

    Attributes:
        tables: each member's records, by pseudonym.
        registrar: whose pseudonym it is; known to the registrar alone.
        store: of payloads and aggregates.
        meter: where steps are noted.
        payloads: of the last round, by pseudonym.
        budgets: what each member promised and spent.
    """

    def __init__(self, tables: Table, settings: Settings, seed: int, *, ledger: bool = True) -> None:
        pseudonyms = {name: f"member-{derive_seed('pseudonym', name, seed):016x}" for name in tables}
        names = sorted(tables, key=pseudonyms.__getitem__)  # the order of registration tells nothing
        self.registrar = {pseudonyms[name]: name for name in names}
        self.tables = {pseudonyms[name]: tables[name] for name in names}
        self.settings, self.seed = settings, seed
        self.spec = model(next(iter(tables.values())).X.shape[1], 0)
        self.max_work = max(len(t.y) for t in tables.values())
        sigma = privacy.calibrate(settings.epsilon, settings.delta, 1.0, settings.steps * settings.rounds)
        self.config = privacy.DpConfig(
            self.spec, 1.0, settings.steps, settings.clip, sigma, settings.learning_rate, NoiseSource.SIMULATION
        )
        self.budgets = {p: privacy.Budget(p, settings.epsilon, settings.delta) for p in self.tables}
        self.server: federated.server.ServerStep = federated.Momentum(settings.rate, settings.beta)
        self.store, self.meter = ContentStore(), Meter()
        self.book: Ledger | None = None
        self.members: dict[str, Identity] = {}
        if ledger:
            self.book, self.members = plain.found(
                list(self.tables), derive_seed("ppflb identity", seed), admin="registrar"
            )
        self.payloads: dict[str, bytes] = {}

    def local_updates(self, weights: plain.Update, number: int) -> dict[str, plain.Update]:
        """Return each member's noisy update float32 (p,); its budget is charged first."""
        for budget in self.budgets.values():
            budget.spend(Spent(1.0, self.config.noise_multiplier, self.settings.steps))
        seeds = [derive_seed(EXPERIMENT, self.seed, self.registrar[p], number) for p in self.tables]
        updates = federated.local_updates(weights, list(self.tables.values()), self.config, seeds)
        return dict(zip(self.tables, updates))

    def run_round(self, weights: plain.Update, number: int) -> plain.Update:
        """Return the next global weights; on the ledger, if there is one."""
        if self.book is None:
            return self._step(weights, self._read(self.local_updates(weights, number)))
        ticket = plain.open_round(self.book, self.members, weights, self.meter)
        with self.meter.step("train", "members"):
            updates = self.local_updates(weights, number)
        self.payloads = {}
        for name, update in updates.items():
            with self.meter.step("protect", name) as step:
                self.payloads[name] = plain.encode(update, len(self.tables[name].y), ticket)
                self.store.put(self.payloads[name])
                step.sent = step.update = len(self.payloads[name])
        plain.submit(self.book, self.members, ticket, self.payloads, self.meter)
        with self.meter.step("aggregate", "aggregator"):
            aggregate = self.aggregate(ticket)
            self.store.put(aggregate)
        before = self.server
        after = self._apply(weights, aggregate)

        def recompute(_: str) -> tuple[bytes, plain.Update]:
            own = self.aggregate(ticket)
            return own, before.apply(weights, np.frombuffer(own, "<f8"))[0]

        plain.publish(self.book, ticket, aggregate, self.meter)
        plain.sign(self.book, self.members, ticket, aggregate, after, recompute, self.meter, self.epsilon)
        return after

    def aggregate(self, ticket: Ticket) -> bytes:
        """Return the work-weighted mean of the round's payloads, float64 bytes, fetched by the digests on chain.

        Raises:
            RecordMissing, IntegrityError: the store lost or altered a block.
            Corrupt: a claim of work is beyond what any member can have done.
        """
        return plain.mean(self.read(ticket)).tobytes()

    def read(self, ticket: Ticket) -> plain.Read:
        """Return the round's updates and claims, checked; see `aggregate`."""
        payloads = {n: self.store.get(identifier(d)) for n, d in self.ledger.revealed(ticket).items()}
        read = plain.collect(self.ledger, ticket, payloads, self.spec.size)
        for name, (_, work) in read.items():
            if work > self.max_work:
                raise Corrupt(f"{name} claims the work of {work} records; no member has more than {self.max_work}")
        return read

    @property
    def ledger(self) -> Ledger:
        """Its ledger.

        Raises:
            FederatedError: it keeps none.
        """
        if self.book is None:
            raise FederatedError("this consortium keeps no ledger")
        return self.book

    @property
    def epsilon(self) -> float:
        """Largest ε that a member has spent."""
        return max(budget.epsilon() for budget in self.budgets.values())

    def _read(self, updates: Mapping[str, plain.Update]) -> plain.Read:
        return {name: (update, len(self.tables[name].y)) for name, update in updates.items()}

    def _step(self, weights: plain.Update, read: plain.Read) -> plain.Update:
        return self._apply(weights, plain.mean(read).tobytes())

    def _apply(self, weights: plain.Update, aggregate: bytes) -> plain.Update:
        after, self.server = self.server.apply(weights, np.frombuffer(aggregate, "<f8"))
        return after


def train(patients: Patients, settings: Settings | None = None) -> plain.Update:
    """Return the weights float32 (p,) after all rounds: the mean of the last half of the models."""
    settings = settings or Settings()
    consortium = Consortium(patients.private_tables, settings, patients.seed, ledger=False)
    weights, models = np.zeros(consortium.spec.size, np.float32), []
    for number in range(1, settings.rounds + 1):
        weights = consortium.run_round(weights, number)
        models.append(weights)
    return np.mean(models[-max(1, round(0.5 * len(models))) :], axis=0, dtype=np.float64).astype(np.float32)


def run(patients: Patients, settings: Settings | None = None) -> Report:
    """Return the report of a training on `patients`."""
    weights = train(patients, settings)
    X = patients.private_test
    return report(CARD.name, weights, patients, federated.predict(weights, model(X.shape[1], 0), X))


def operate(patients: Patients, settings: Settings | None = None, *, rounds: int = 1) -> tuple[Consortium, Costs]:
    """Return a consortium after `rounds` rounds on its ledger, and what a round costs."""
    settings = settings or Settings()
    consortium = Consortium(patients.private_tables, settings, patients.seed)
    weights = np.zeros(consortium.spec.size, np.float32)
    for number in range(1, rounds + 1):
        weights = consortium.run_round(weights, number)
    measured = costs(consortium.meter.steps, runs=rounds, operations=settings.rounds, parameters=consortium.spec.size)
    return consortium, measured


def seen(consortium: Consortium, ticket: Ticket) -> dict[str, NDArray[np.float32]]:
    """Return what aggregator, store and members see of a round: each pseudonym's noisy update, float32 (p,)."""
    return {n: plain.decode(p, consortium.spec.size, ticket)[0] for n, p in consortium.payloads.items()}


def reidentify(claims: Mapping[str, int], sizes: Mapping[str, int]) -> dict[str, str]:
    """Return the hospital behind each pseudonym, matching claims of work with public sizes by rank."""
    by_claim, by_size = sorted(claims, key=claims.__getitem__), sorted(sizes, key=sizes.__getitem__)
    return dict(zip(by_claim, by_size))
