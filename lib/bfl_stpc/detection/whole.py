"""The bench of the whole system: roles that talk in sealed messages; and messages, models and roles that go astray."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial

import numpy as np
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from bfl_stpc import federated
from bfl_stpc.detection.catalogue import Level
from bfl_stpc.detection.injection import Clean, Outcome, injects, trial
from bfl_stpc.detection.rounds import sha
from bfl_stpc.detection.updates import flip
from bfl_stpc.errors import PeerLost, RoundAborted, TooFewUploads
from bfl_stpc.ledger import Action, Identity, Purpose
from bfl_stpc.seeds import derive_seed, generator
from bfl_stpc.system import State, found, run_round
from bfl_stpc.system.consortium import Absence
from bfl_stpc.system.embedded import InProcess
from bfl_stpc.system.roles import AUTHORITY, Hospital
from bfl_stpc.system.wire import Endpoint
from bfl_stpc.ticket import Ticket

HOSPITALS, RECORDS, INPUTS = 5, 8, 6
SPEC = federated.Mlp((INPUTS, 4, 1))
WIRE = ("Forged", "Stranger", "Replayed", "NoSession")


@dataclass
class Cut(InProcess):
    """A transport that counts, and that loses roles for good at one moment.

    Attributes:
        posts, parcels: how often it was used, and for how many messages.
        heard: number of the last post with a message for each role.
        moment: number of the post before which the roles called `lost` die; 0 for never.
    """

    posts: int = 0
    parcels: int = 0
    heard: dict[str, int] = field(default_factory=dict)
    moment: int = 0
    lost: tuple[str, ...] = ()

    def post(self, parcels: Mapping[str, bytes]) -> dict[str, bytes | PeerLost]:
        """Hand the parcels over, once those that are to die are dead."""
        self.posts += 1
        self.parcels += len(parcels)
        self.heard |= dict.fromkeys(parcels, self.posts)
        if self.posts == self.moment:
            for name in self.lost:
                self.services.pop(name, None)
        return super().post(parcels)


class SystemBench:
    """Five hospitals with a few consented records each, a key authority and an aggregator, in sealed messages.

    Attributes:
        consortium: as the aggregator works with it.
        transport: what carries its messages.
        state: the last global model.
        pseudonyms: of every hospital's records, by its name.
        patient: whose they all are.
        last: number of the post in a round that brings each role its last message.
    """

    def __init__(self, seed: int) -> None:
        """Found the consortium, have every patient consent, and run a first round."""
        names = [f"hospital-{i:02d}" for i in range(HOSPITALS)]
        rng, self._seed = generator("detection-records", seed), seed
        records = {name: _records(rng) for name in names}
        pseudonyms = {name: [rng.bytes(32) for _ in range(RECORDS)] for name in names}
        self.consortium = found(
            records,
            federated.TrainConfig(SPEC, epochs=1, batch=4, learning_rate=0.1),
            experiment="detection",
            seed=seed,
            clip=0.3,
            max_records=100,
            pseudonyms=pseudonyms,
        )
        self.transport = Cut(self.consortium.transport.services)
        self.consortium.transport = self.consortium.caller._transport = self.transport
        patient = Identity.derive("patient", derive_seed("detection-identities", seed))
        for name in names:
            admissions = [(record, patient, sha("commitment")) for record in pseudonyms[name]]
            custodian, consents = self.hospital(name).identity, self.consortium.book.consents
            consents.admit(custodian, admissions, Purpose.RESEARCH, Action.TRAIN, seconds=10**8)
        self.pseudonyms, self.patient = pseudonyms, patient
        self.state = run_round(State(0, np.zeros(SPEC.size, np.float32)), self.consortium)
        self.transport.posts = 0
        self.round()
        self.last = dict(self.transport.heard)  # of a round in sessions that are open already

    def hospital(self, name: str) -> Hospital:
        """Return the role of a hospital itself."""
        role = self.consortium.role(name)
        assert isinstance(role, Hospital)
        return role

    def round(self) -> None:
        """Run one more round from the last model."""
        self.state = run_round(self.state, self.consortium)

    def someone(self, rng: np.random.Generator, count: int = 1) -> list[str]:
        """Return `count` hospitals at random."""
        return [str(name) for name in rng.choice(self.consortium.hospitals, size=count, replace=False)]

    def clean(self, events: int) -> list[Clean]:
        """Run rounds without an attack, at least `events` messages of them; an event is a message, or a round."""
        self.round()  # greets anew the roles that an earlier trial restarted
        services = self.transport.services.values()
        for service in services:
            service.refused.clear()
        self.consortium.absences.clear()
        first, rounds, aborted = self.transport.parcels, 0, 0
        while self.transport.parcels - first < events:
            rounds += 1
            try:
                self.round()
            except RoundAborted:
                aborted += 1
        messages = self.transport.parcels - first
        refused = sum(sum(service.refused.values()) for service in services)
        return [
            Clean("message", WIRE, messages, refused),
            Clean("request", ("Foreign", "PeerLost"), messages, len(self.consortium.absences)),
            Clean("round", ("RoundAborted",), rounds, aborted),
        ]


def _records(rng: np.random.Generator) -> federated.ClientData:
    X = rng.normal(size=(RECORDS, INPUTS)).astype(np.float32)
    return federated.ClientData(X, (X[:, 0] > 0).astype(np.int8))


@injects("wrong_model", SystemBench)
def wrong_model(bench: SystemBench, level: Level, rng: np.random.Generator) -> Outcome:
    """Ask one hospital to train from another global model than the others."""
    c, (victim,) = bench.consortium, bench.someone(rng)
    other = State(bench.state.round, bench.state.weights + rng.normal(size=SPEC.size).astype(np.float32))
    with suppress(RoundAborted), c.opened(bench.state) as true:
        ticket = true
        if level.name == "a ticket that matches":
            ticket = Ticket(true.round, other.digest, true.chain_id, true.contract, true.members, true.threshold)
        outcome = trial(partial(c.caller.call, victim, true.round, "train", ticket, other, gives=float))
        raise TooFewUploads("the trial is over")
    return outcome


@injects("forged_message", SystemBench)
def forged_message(bench: SystemBench, level: Level, rng: np.random.Generator) -> Outcome:
    """Bring a hospital a message that was altered, is for another, or comes from a stranger."""
    (reader, other), sender = bench.someone(rng, 2), _end(bench, AUTHORITY)
    ends = {name: bench.transport.services[name].endpoint for name in (reader, other)}
    if level.name == "a stranger's greeting":
        own = Ed25519PrivateKey.generate()
        stranger = Endpoint(AUTHORITY, own, {**sender.cards, AUTHORITY: own.public_key().public_bytes_raw()})
        return trial(lambda: ends[reader].answer(stranger.greet(reader)))
    if level.name == "another role's greeting":
        return trial(lambda: ends[reader].answer(sender.greet(other)))
    sender.meet(reader, ends[reader].answer(sender.greet(reader)))
    sealed = sender.seal(reader, rng.bytes(int(rng.integers(1, 200))))
    if level.name == "one bit altered":
        return trial(lambda: ends[reader].open(flip(sealed, rng)))
    return trial(lambda: ends[other].open(sealed))


@injects("replayed_message", SystemBench)
def replayed_message(bench: SystemBench, level: Level, rng: np.random.Generator) -> Outcome:
    """Bring a hospital a message that it has had, or that was overtaken, or of the time before its restart."""
    (reader,), sender = bench.someone(rng), _end(bench, AUTHORITY)
    end = bench.transport.services[reader].endpoint
    sender.meet(reader, end.answer(sender.greet(reader)))
    first, second = sender.seal(reader, rng.bytes(20)), sender.seal(reader, rng.bytes(20))
    end.open(first if level.name == "at once" else second)
    if level.name == "after a restart":
        bench.consortium.restart(reader)
        end = bench.transport.services[reader].endpoint
    return trial(lambda: end.open(first))


def _end(bench: SystemBench, name: str) -> Endpoint:
    """Return a second end of a role, in sessions of its own: the system's stay as they are."""
    end = bench.transport.services[name].endpoint
    return Endpoint(name, end._key, end.cards)


@injects("lost_role", SystemBench)
def lost_role(bench: SystemBench, level: Level, rng: np.random.Generator) -> Outcome:
    """Let roles die for good before a random message of a round that is still due to them."""
    c, transport = bench.consortium, bench.transport
    hospitals = bench.someone(rng, HOSPITALS)[: int(level.value)]
    transport.lost = tuple(hospitals) if level.value else (AUTHORITY,)
    due = min(bench.last[name] for name in transport.lost)
    transport.posts, transport.moment = 0, int(rng.integers(1, due + 1))
    c.absences.clear()
    before = bench.state
    outcome = trial(bench.round, lambda: _raise_absence(c.absences))
    transport.moment = 0
    for name in transport.lost:
        c.restart(name)
    if outcome.by == "RoundAborted":
        bench.state = before
    return outcome


def _raise_absence(absences: Sequence[Absence]) -> None:
    """Raise what the aggregator noted of the first hospital that was not there."""
    if absences:
        raise absences[0].error


@injects("unconsented_training", SystemBench)
def unconsented_training(bench: SystemBench, level: Level, rng: np.random.Generator) -> Outcome:
    """Let a hospital train on `level.value` records whose patients have just withdrawn."""
    c, (cheat,) = bench.consortium, bench.someone(rng)
    role = bench.hospital(cheat)
    asked = role.pseudonyms
    picked = [bench.pseudonyms[cheat][int(i)] for i in rng.choice(RECORDS, size=int(level.value), replace=False)]
    consents = c.book.consents
    for record in picked:
        consents.withdraw(bench.patient, bench.patient, record)
    role.pseudonyms = None  # it no longer asks
    try:
        return trial(bench.round)
    finally:
        role.pseudonyms = asked
        for record in picked:
            purpose, action = Purpose.RESEARCH, Action.TRAIN
            consents.grant(bench.patient, bench.patient, record, cheat, purpose, action, seconds=10**8)
