"""The bench of the round: hospitals, aggregator, key authority and ledger, and one round that goes on step by step."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial

import numpy as np
from numpy.typing import NDArray

from bfl_stpc import ledger, stpc
from bfl_stpc.detection.injection import Clean
from bfl_stpc.errors import BflError
from bfl_stpc.ledger import Durations, Identity, Result
from bfl_stpc.seeds import derive_seed, generator
from bfl_stpc.stpc.hazmat import bfv
from bfl_stpc.ticket import Ticket

HOSPITALS, THRESHOLD, SIZE, RECORDS = 5, 3, 16, 100
RUNNING = ("commit", "reveal", "aggregate")
# Each step of a round, and the errors by which it can object.
CHECKS: dict[str, tuple[str, ...]] = {
    "open": ("ModelMismatch", "RoundNotOpen", "NotAuthorised"),
    "share": ("Corrupt", "Foreign", "TooFewUploads"),
    "protect": ("Foreign", "OutOfOrder"),
    "commit": ("RoundDeadline", "RoundNotOpen", "SessionRefused", "DuplicateUpload"),
    "reveal": ("RoundDeadline", "RoundNotOpen", "UploadMismatch"),
    "add": ("CommitmentMismatch", "OutOfOrder", "Corrupt", "Truncated", "Oversized", "Foreign"),
    "publish": ("DuplicateUpload", "RoundNotOpen"),
    "decrypt": ("OpeningRefused", "Foreign", "Corrupt", "NoiseExhausted"),
    "answer": ("UnmaskRefused", "OutOfOrder", "TooFewUploads"),
    "unmask": ("ShareError", "Corrupt", "TooFewUploads"),
    "announce": ("DuplicateUpload", "RoundNotOpen"),
    "tag": ("OutOfOrder",),
    "post": ("InvalidRequest", "RoundDeadline", "DuplicateUpload"),
    "verify": ("SumRefuted", "TooFewUploads"),
    "close": ("RoundTooFew", "NotAMember", "NotAuthorised", "SumForged"),
}
STEPS = tuple(CHECKS)
ONCE = ("open", "publish", "decrypt", "announce")  # all others look at every hospital


def sha(text: str) -> bytes:
    """Return SHA-256 of a text."""
    return hashlib.sha256(text.encode()).digest()


class RoundBench:
    """Five hospitals, their third parties and a chain; an unfinished round is aborted before the next.

    Attributes:
        admin, coordinator, stranger: who owns the contracts, who leads rounds, and who is nobody.
        ids: ledger identities of the hospitals by name.
        book: the ledger.
        params, authority, aggregator, parties: of the secure sum.
        weights: float32 (SIZE,) global model whose digest the ledger holds.
    """

    def __init__(self, seed: int) -> None:
        """Deploy the contracts, make the keys, and finalise a first round, so that the ledger holds a model."""
        scope = derive_seed("detection-identities", seed)
        self.admin, self.coordinator, self.stranger = (
            Identity.derive(name, scope) for name in ("consortium", "aggregator", "stranger")
        )
        self.ids = {name: Identity.derive(name, scope) for name in (f"hospital-{i:02d}" for i in range(HOSPITALS))}
        self.chain = ledger.Chain.in_memory()
        self.book = ledger.Ledger.deploy(
            self.chain,
            admin=self.admin,
            hospitals={name: identity.address for name, identity in self.ids.items()},
            threshold=THRESHOLD,
            coordinator=self.coordinator,
        )
        self.params = stpc.Parameters(hospitals=HOSPITALS, bits=16)
        self.authority = stpc.KeyAuthority(self.params, attest=self.attest)
        self.aggregator = stpc.Aggregator(self.params, self.authority.public_key)
        self.parties = {name: stpc.Party(name, self.params, attest=self.attest) for name in self.ids}
        self.identities = {name: party.identity for name, party in self.parties.items()}
        self.weights = generator("detection-model", seed).normal(size=SIZE).astype(np.float32)
        self._seed, self._said = seed, (-1, -1, stpc.Attestation({}))
        self.play(generator("detection-first-round", seed)).until(None)

    def attest(self, ticket: Ticket) -> stpc.Attestation:
        """Return what the ledger says of a round; asked once a block, since only a block can change it."""
        now = (ticket.round, self.chain.height())
        if self._said[:2] != now:
            said = stpc.Attestation(self.book.revealed(ticket), self.book.round(ticket.round).aggregate)
            self._said = (*now, said)
        return self._said[2]

    def login(self, names: Sequence[str], model: bytes) -> None:
        """Log hospitals in for the next round, all in one block."""
        registry, number = self.book.registry, self.book.next_round()
        calls = []
        for name in names:
            challenge = registry.challenge(self.ids[name].address, round=number, model=model)
            data = registry.contract.encode("login", challenge.request(), challenge.sign(self.ids[name]))
            calls.append((self.ids[name], registry.contract.address, data))
        self.chain.transact_all(calls)

    def play(self, rng: np.random.Generator, *, away: Sequence[str] = (), durations: Durations | None = None) -> Play:
        """Return a round that has not begun, in which all hospitals but those `away` take part.

        A round that an earlier trial left unfinished is aborted first.
        """
        last = self.book.next_round() - 1
        if last and self.book.round(last).phase in RUNNING:
            self.book.rounds.abort(self.coordinator, last, "trial over")
        updates = {name: rng.uniform(-1, 1, SIZE) * self.params.clip for name in self.ids}
        return Play(self, updates, [name for name in self.ids if name not in away], durations or Durations())

    def clean(self, events: int) -> list[Clean]:
        """Play rounds without an attack, until what every hospital does was done `events` times.

        An event is one check of one thing: a step that every hospital takes, or that looks at what each of them sent,
        counts once for each. An alarm ends its round.
        """
        taken, alarms = dict.fromkeys(STEPS, 0), dict.fromkeys(STEPS, 0)
        for number in range(-(-events // HOSPITALS)):
            play = self.play(generator("detection-clean", self._seed, number))
            for step in STEPS:
                taken[step] += 1 if step in ONCE else HOSPITALS
                try:
                    play.take(step)
                except BflError:
                    alarms[step] += 1
                    break
        return [Clean(step, CHECKS[step], taken[step], alarms[step]) for step in STEPS]


@dataclass
class Play:
    """One round in the making: what every role holds after the steps taken so far. Injections alter it between steps.

    Attributes:
        bench: who plays.
        updates: float64 (SIZE,) of every hospital, within the clip.
        online: hospitals that take part, in ledger order; one that leaves it falls silent.
        durations: of the phases, in seconds.
    """

    bench: RoundBench
    updates: dict[str, NDArray[np.float64]]
    online: list[str]
    durations: Durations
    done: int = 0
    ticket: Ticket = field(init=False)
    adverts: list[stpc.Advert] = field(default_factory=list)
    directory: stpc.Directory = field(init=False)
    uploads: dict[str, stpc.Upload] = field(default_factory=dict)
    aggregate: stpc.Aggregate = field(init=False)
    request: stpc.UnmaskRequest = field(init=False)
    slots: NDArray[np.uint64] = field(init=False)
    answers: list[stpc.UnmaskAnswer] = field(default_factory=list)
    total: stpc.Total = field(init=False)
    challenge: stpc.Challenge = field(init=False)
    tags: dict[str, tuple[int, ...]] = field(default_factory=dict)
    approvals: list[ledger.Approval] | None = None
    closer: Identity | None = None

    def take(self, step: str) -> None:
        """Take one step as honest roles would."""
        getattr(self, f"_{step}")()
        self.done = STEPS.index(step) + 1

    def until(self, step: str | None) -> Play:
        """Take every step before `step`, or all of them; return the play."""
        for name in STEPS[self.done : None if step is None else STEPS.index(step)]:
            self.take(name)
        return self

    def rest(self) -> list[Callable[[], object]]:
        """Return the steps that are left, for `trial`."""
        return [partial(self.take, name) for name in STEPS[self.done :]]

    def skip(self, step: str) -> None:
        """Count `step` as taken: somebody took it in a way of its own."""
        self.done = STEPS.index(step) + 1

    # What follows is one honest step each.

    def _open(self) -> None:
        bench = self.bench
        model = _digest(bench.weights)
        bench.login(self.online, model)
        number = bench.book.next_round()
        modulus = bench.params.modulus
        self.ticket = bench.book.open_round(number, model=model, check_modulus=modulus, durations=self.durations)

    def _share(self) -> None:
        bench, parties = self.bench, [self.bench.parties[name] for name in self.online]
        self.adverts = self.adverts or [party.advertise(self.ticket) for party in parties]
        self.directory = stpc.Directory.verify(self.adverts, self.ticket, bench.identities)
        boxes = [box for party in parties for box in party.share(self.directory, bench.identities)]
        for party in parties:
            party.receive([box for box in boxes if box.recipient == party.name])

    def _protect(self) -> None:
        key = self.bench.authority.public_key
        for name in self.online:
            party, update = self.bench.parties[name], self.updates[name]
            self.uploads[name] = party.protect(update, self.ticket, self.directory, key, records=RECORDS)

    def _commit(self) -> None:
        self._together("commit", commitment_calls(self))

    def _reveal(self) -> None:
        calls = []
        for name in self.online:
            digest = self.uploads[name].digest
            calls.append((name, (digest, self.bench.ids[name].salt(self.ticket.context() + digest))))
        self._together("reveal", calls)

    def _add(self) -> None:
        uploads = self.uploads.values()
        self.aggregate = self.bench.aggregator.add(uploads, self.ticket, self.bench.attest(self.ticket).uploads)

    def _publish(self) -> None:
        self.bench.book.publish_aggregate(self.ticket, self.aggregate.digest)

    def _decrypt(self) -> None:
        self.slots = self.bench.authority.open(self.aggregate, self.ticket)

    def _answer(self) -> None:
        self.request = self.bench.aggregator.unmask_request(self.aggregate, self.ticket, self.directory.adverts)
        self.answers = [self.bench.parties[name].unmask(self.request) for name in self.online]

    def _unmask(self) -> None:
        aggregator = self.bench.aggregator
        self.total = aggregator.unmask(self.aggregate, self.request, self.directory, self.slots, self.answers)

    def _announce(self) -> None:
        book = self.bench.book
        book.publish_opening(self.ticket, self.total.published)
        seed = book.random_seed(self.ticket)
        self.challenge = stpc.Challenge.draw(seed, self.ticket, self.total.published, self.bench.params)

    def _tag(self) -> None:
        self.tags = {name: self.bench.parties[name].tag(self.challenge) for name in self.online}

    def _post(self) -> None:
        self._together("postCheck", [(name, (list(values),)) for name, values in self.tags.items()])

    def _verify(self) -> None:
        stpc.verify_sum(self.total, self.tags, self.challenge, self.directory)

    def _close(self) -> None:
        bench, result = self.bench, self.result()
        approvals = self.approvals
        if approvals is None:
            approvals = [bench.book.approve(bench.ids[name], self.ticket, result) for name in self.online]
        bench.book.rounds.finalise(self.closer or bench.coordinator, self.ticket, result, approvals)
        bench.weights = self.learnt()

    def learnt(self) -> NDArray[np.float32]:
        """Return the global model that the opened sum gives: float32 (SIZE,)."""
        return self.bench.weights + self.total.mean.astype(np.float32)

    def result(self) -> Result:
        """Return what the round produced."""
        first, second = self.challenge.inner(self.total.masked)
        uploads = len(self.total.survivors)
        return Result(self.aggregate.digest, _digest(self.learnt()), uploads, 0.5, (first, second))

    def forged_total(self) -> stpc.Total:
        """Return a total that a cheat announces over the decrypted slots, whatever the masks in them."""
        claimed = sum(self.updates[name] for name in self.aggregate.survivors)
        records = RECORDS * len(self.aggregate.survivors)
        params, answers = self.bench.params, tuple(self.answers)
        return stpc.Total(np.asarray(claimed), records, self.slots, self.request, answers, params)

    def sum_of(self, uploads: Sequence[stpc.Upload], survivors: Sequence[str]) -> stpc.Aggregate:
        """Return the ciphertext sum of any uploads, under any list of survivors: what a cheat can always do."""
        key, params, context = self.bench.authority.public_key, self.bench.params, self.ticket.context()
        read = [bfv.read(u.payload, round_context=context, key=key, params=params) for u in uploads]
        payload = bfv.write(
            bfv.add(zip(*(r.blocks for r in read), strict=True), key, params),
            size=SIZE,
            round_context=context,
            peers=read[0].peers,
            key=key,
            params=params,
        )
        return stpc.Aggregate(tuple(survivors), payload)

    def sum_without(self, name: str) -> stpc.Aggregate:
        """Return the ciphertext sum of all uploads but that of hospital `name`: a cheat's second truth."""
        others = [n for n in self.online if n != name]
        return self.sum_of([self.uploads[n] for n in others], others)

    def rewrite(self, name: str, payload: bytes) -> None:
        """Let hospital `name` hold `payload` in place of its update."""
        self.uploads[name] = replace(self.uploads[name], payload=payload)

    def _together(self, function: str, calls: Sequence[tuple[str, tuple[object, ...]]]) -> None:
        contract = self.bench.book.rounds.contract
        encoded = [(n, contract.encode(function, self.ticket.round, *arguments)) for n, arguments in calls]
        self.bench.chain.transact_all([(self.bench.ids[n], contract.address, data) for n, data in encoded])


def commitment_calls(play: Play) -> list[tuple[str, tuple[bytes]]]:
    """Return each online hospital's commitment to its upload."""
    calls = []
    for name in play.online:
        identity, digest = play.bench.ids[name], play.uploads[name].digest
        salt = identity.salt(play.ticket.context() + digest)
        calls.append((name, (ledger.rounds.commitment_of(play.ticket, identity.address, digest, salt),)))
    return calls


def _digest(weights: NDArray[np.float32]) -> bytes:
    return hashlib.sha256(weights.astype("<f4").tobytes()).digest()
