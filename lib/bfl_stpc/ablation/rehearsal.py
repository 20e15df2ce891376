"""The round of `detection` with components really switched off, so that the catalogue's attacks can be injected.

What is off is gone, and nothing stands in for it. Without the **ledger** the aggregator keeps the books: hospitals,
key authority and hospitals' checks hear from it what was uploaded, what was published and what the random vectors are,
and it remembers no model. Without **encryption** slots travel as they are, and nobody holds a key. Without **masks**
there are no shares, no unmasking and no verified sum, which rests on masked vectors.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence

import numpy as np

from bfl_stpc import ledger, stpc
from bfl_stpc.ablation.combinations import Combination
from bfl_stpc.detection.rounds import RECORDS, SIZE, THRESHOLD, Play, RoundBench
from bfl_stpc.errors import CommitmentMismatch, Foreign, Oversized, Truncated
from bfl_stpc.stpc.hazmat import bfv, fixed_point, masks
from bfl_stpc.stpc.hazmat.unmasking import remove_masks
from bfl_stpc.ticket import Ticket

Slots = np.ndarray


class Rehearsal(RoundBench):
    """Five hospitals and their third parties, of which only the components of `combination` are there.

    Attributes:
        combination: what is on; noise changes what is inside an update, which no check looks at, and is ignored.
        word: what the aggregator says of the present round where there is no ledger.
    """

    def __init__(self, combination: Combination, seed: int) -> None:
        """Set up the roles, and run a first honest round."""
        self.combination, self.word, self._rounds = combination, stpc.Attestation({}), 0
        super().__init__(seed)
        if not combination.ledger:
            del self.book, self.chain  # whoever still asked them would fail

    def attest(self, ticket: Ticket) -> stpc.Attestation:
        """Return what is known of a round: the ledger's record, or the aggregator's word."""
        return super().attest(ticket) if self.combination.ledger else self.word

    def play(
        self, rng: np.random.Generator, *, away: Sequence[str] = (), durations: ledger.Durations | None = None
    ) -> Partial:
        """Return a round that has not begun, of the components that are on."""
        self._rounds += 1
        if self.combination.ledger:
            honest = super().play(rng, away=away, durations=durations)
            return Partial(self, honest.updates, honest.online, honest.durations)
        updates = {name: rng.uniform(-1, 1, SIZE) * self.params.clip for name in self.ids}
        return Partial(self, updates, [n for n in self.ids if n not in away], durations or ledger.Durations())

    def ticket(self) -> Ticket:
        """Return the ticket of the present round as the aggregator hands it out where there is no ledger."""
        model = hashlib.sha256(self.weights.astype("<f4").tobytes()).digest()
        return Ticket(self._rounds, model, 1337, bytes(20), tuple(self.ids), THRESHOLD)


class Partial(Play):
    """One round of a `Rehearsal`: each step is that of the whole system, or what is left of it."""

    bench: Rehearsal

    @property
    def on(self) -> Combination:
        """What is on."""
        return self.bench.combination

    def _open(self) -> None:
        bench = self.bench
        if self.on.ledger and self.on.masks:
            super()._open()
            return
        self.ticket = bench.ticket()
        if self.on.ledger:
            bench.login(self.online, self.ticket.model)
            number = bench.book.next_round()
            self.ticket = bench.book.open_round(number, model=self.ticket.model, durations=self.durations)
        bench.word = stpc.Attestation({})

    def _share(self) -> None:
        if self.on.masks:
            super()._share()

    def _protect(self) -> None:
        if self.on.masks:
            super()._protect()  # the ciphertext is thrown away where encryption is off
        for name in self.online:
            if not (self.on.masks and self.on.encryption):
                self.uploads[name] = stpc.Upload(name, self.ticket.round, self._payload(name))

    def _payload(self, name: str) -> bytes:
        """Return what a hospital sends without masks, without encryption or without both."""
        bench = self.bench
        if self.on.masks:
            secrets = bench.parties[name].secrets
            assert secrets is not None
            assert secrets.masked is not None
            return self.clear(masks.from_bytes(secrets.masked, bench.params.modulus))
        slots = np.concatenate(list(fixed_point.encode(self.updates[name], RECORDS, bench.params)))
        return self.sealed(slots) if self.on.encryption else self.clear(slots)

    def clear(self, slots: Slots) -> bytes:
        """Return slots uint64 (n,) as they travel without encryption: bound to the round, and no more."""
        return hashlib.sha256(self.ticket.context()).digest() + masks.to_bytes(slots, self.bench.params.modulus)

    def sealed(self, slots: Slots) -> bytes:
        """Return slots uint64 (n,) as ciphertexts without masks inside."""
        key, params = self.bench.authority.public_key, self.bench.params
        blocks, peers = bfv.encrypt([slots], key, params), bfv.peers_digest(self.online)
        return bfv.write(blocks, size=SIZE, round_context=self.ticket.context(), peers=peers, key=key, params=params)

    def read(self, payload: bytes) -> Slots:
        """Return the slots uint64 (n,) that travelled without encryption.

        Raises:
            Truncated, Oversized: another length than an update's.
            Foreign: made for another round.
        """
        params, due = self.bench.params, len(self.clear(np.zeros(self.bench.params.slots(SIZE), np.uint64)))
        if len(payload) != due:
            raise (Truncated if len(payload) < due else Oversized)(f"{len(payload)} bytes came; {due} are due")
        if payload[:32] != hashlib.sha256(self.ticket.context()).digest():
            raise Foreign(f"the payload was made for another round than {self.ticket.round}")
        return masks.from_bytes(payload[32:], params.modulus) % np.uint64(params.modulus)

    def _commit(self) -> None:
        if self.on.ledger:
            super()._commit()

    def _reveal(self) -> None:
        if self.on.ledger:
            super()._reveal()

    def _add(self) -> None:
        if not self.on.ledger:
            self.bench.word = stpc.Attestation({name: upload.digest for name, upload in self.uploads.items()})
        if self.on.encryption:
            super()._add()
            return
        recorded = self.bench.attest(self.ticket).uploads
        for name in {*recorded, *self.uploads}:
            if name not in self.uploads or self.uploads[name].digest != recorded.get(name):
                raise CommitmentMismatch(f"the upload of {name} is not the one that was recorded")
        self.aggregate = self.sum_of(list(self.uploads.values()), tuple(self.uploads))

    def _publish(self) -> None:
        if self.on.ledger:
            super()._publish()
            return
        said = {name: self.uploads[name].digest for name in self.aggregate.survivors}
        self.bench.word = stpc.Attestation(said, self.aggregate.digest)

    def _decrypt(self) -> None:
        if self.on.encryption:
            super()._decrypt()
            return
        self.slots = self.read(self.aggregate.payload)

    def _answer(self) -> None:
        if self.on.masks:
            super()._answer()
            return
        self.request = stpc.UnmaskRequest(self.ticket, self.aggregate.survivors, ())

    def _unmask(self) -> None:
        bench, params = self.bench, self.bench.params
        if self.on.masks and self.on.encryption:
            super()._unmask()
            return
        clear = self.slots
        if self.on.masks:
            clear = remove_masks(self.slots, self.request, self.directory, self.answers, params.modulus)
        total, records = fixed_point.decode(clear, SIZE, len(self.aggregate.survivors), bench.params)
        self.total = stpc.Total(total, records, self.slots, self.request, tuple(self.answers), params)

    def _announce(self) -> None:
        if self.on.ledger:
            super()._announce()
            return
        seed = os.urandom(32)  # the aggregator says that it drew it
        self.challenge = stpc.Challenge.draw(seed, self.ticket, self.total.published, self.bench.params)

    def _tag(self) -> None:
        if self.on.masks:
            super()._tag()

    def _post(self) -> None:
        if self.on.ledger and self.on.masks:
            super()._post()
            return
        # The aggregator carries the check values, and passes on those that suit its list.
        self.tags = {name: tag for name, tag in self.tags.items() if name in self.total.survivors}

    def _verify(self) -> None:
        if self.on.masks:
            super()._verify()

    def _close(self) -> None:
        if self.on.ledger:
            super()._close()
            return
        self.bench.weights = self.learnt()

    def result(self) -> ledger.Result:
        """Return what the round produced; without masks there are no check values."""
        if self.on.masks:
            return super().result()
        model = hashlib.sha256(self.learnt().astype("<f4").tobytes()).digest()
        return ledger.Result(self.aggregate.digest, model, len(self.total.survivors), 0.5)

    def sum_of(self, uploads: Sequence[stpc.Upload], survivors: Sequence[str]) -> stpc.Aggregate:
        """Return the sum of any uploads, under any list of survivors."""
        if self.on.encryption:
            return super().sum_of(uploads, survivors)
        modulus = np.uint64(self.bench.params.modulus)
        total = np.zeros(self.bench.params.slots(SIZE), np.uint64)
        for upload in uploads:
            total = (total + self.read(upload.payload)) % modulus
        return stpc.Aggregate(tuple(survivors), self.clear(total))
