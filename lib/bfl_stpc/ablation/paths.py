"""The way of an update from hospital to model under each combination, really taken: masks, ciphertexts, contracts."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from bfl_stpc import ledger
from bfl_stpc.ablation.combinations import Combination
from bfl_stpc.seeds import derive_seed
from bfl_stpc.stpc import Parameters, Weighting
from bfl_stpc.stpc.hazmat import bfv, fixed_point, masks
from bfl_stpc.ticket import Ticket

Slots = NDArray[np.uint64]


@dataclass(frozen=True)
class Cost:
    """What the way of one round's updates cost, training excluded.

    Attributes:
        ms: wall time in milliseconds.
        sent: bytes from hospitals to the aggregator.
        gas: gas of all transactions.
    """

    ms: float
    sent: int
    gas: int


class Path:
    """The roles of one study, with the components of `combination` between them."""

    def __init__(
        self, names: tuple[str, ...], combination: Combination, *, clip: float, max_records: int, seed: int
    ) -> None:
        """Set the roles up.

        Args:
            names: of the hospitals.
            combination: what is on.
            clip: bound on the absolute value of each coordinate of an update.
            max_records: most records of one hospital.
            seed: of the ledger's simulated identities.
        """
        self.names, self.combination = names, combination
        self.params = Parameters.widest(len(names), clip=clip, weighting=Weighting.RECORDS, max_records=max_records)
        self._key = bfv.SecretKey(self.params) if combination.encryption else None
        self._book = _Book(names, seed) if combination.ledger else None
        self.costs: list[Cost] = []

    def mean(
        self, updates: Mapping[str, NDArray[np.floating]], records: Mapping[str, int], model: bytes
    ) -> NDArray[np.float64]:
        """Return the weighted mean float64 (d,) of one round's updates (d,), at fixed point, as this path gives it.

        Args:
            updates: by hospital, within the clip.
            records: weight of each.
            model: digest of the global model that the round starts from (32 bytes).

        Raises:
            UpdateError: an update cannot be encoded.
            LedgerError: a contract refused.
        """
        started, size = time.perf_counter(), len(next(iter(updates.values())))
        slots = {n: np.concatenate(list(fixed_point.encode(u, records[n], self.params))) for n, u in updates.items()}
        if self.combination.masks:
            slots = self._masked(slots)
        sent = {name: self._payload(own) for name, own in slots.items()}
        gas = 0 if self._book is None else self._book.record({n: b"".join(blocks) for n, blocks in sent.items()}, model)
        total = self._opened(sent, self.params.slots(size))
        summed, count = fixed_point.decode(total, size, len(updates), self.params)
        bytes_sent = sum(len(block) for blocks in sent.values() for block in blocks)
        self.costs.append(Cost(1e3 * (time.perf_counter() - started), bytes_sent, gas))
        return summed * (self.params.max_records / count)

    def finish(self, model: bytes) -> None:
        """Fix the digest of the new model (32 bytes) on the ledger, if there is one."""
        if self._book is not None:
            started = time.perf_counter()
            gas = self._book.finish(model)
            last = self.costs[-1]
            self.costs[-1] = Cost(last.ms + 1e3 * (time.perf_counter() - started), last.sent, last.gas + gas)

    def _masked(self, slots: Mapping[str, Slots]) -> dict[str, Slots]:
        """Add and subtract a mask for each pair, agreed upon afresh: what one adds the other subtracts."""
        plus: dict[str, list[bytes]] = {name: [] for name in slots}
        minus: dict[str, list[bytes]] = {name: [] for name in slots}
        for one, other in combinations(slots, 2):
            key = masks.pair_key(os.urandom(32), b"ablation", one, other)
            plus[one].append(key)
            minus[other].append(key)
        modulus = self.params.modulus
        return {name: masks.apply_masks(own, plus[name], minus[name], modulus) for name, own in slots.items()}

    def _payload(self, slots: Slots) -> list[bytes]:
        """Return what a hospital sends: ciphertexts, or its slots as they are."""
        if self._key is None:
            return [masks.to_bytes(slots, self.params.modulus)]
        return list(bfv.encrypt([slots], self._key.public, self.params))

    def _opened(self, sent: Mapping[str, list[bytes]], slots: int) -> Slots:
        """Return the sum of what was sent, uint64 (slots,): decrypted, or added as it is."""
        if self._key is not None:
            added = bfv.add(zip(*sent.values(), strict=True), self._key.public, self.params)
            return self._key.decrypt(list(added), slots)
        total = np.zeros(slots, np.uint64)
        for (own,) in sent.values():
            total = (total + masks.from_bytes(own, self.params.modulus)) % np.uint64(self.params.modulus)
        return total


def collection(records: Mapping[str, bytes], combination: Combination, seed: int) -> Cost:
    """Return what it costs to bring all records (canonical bytes by hospital) into one centre, once.

    With a ledger each hospital logs in and commits to the digest of its records, and all sign what the centre took.
    """
    started, gas = time.perf_counter(), 0
    if combination.ledger:
        book = _Book(tuple(records), seed)
        started = time.perf_counter()  # contracts are deployed once, as for a `Path`
        nothing_yet = hashlib.sha256().digest()  # no model stands before the collection
        gas = book.record(records, nothing_yet) + book.finish(hashlib.sha256(b"".join(records.values())).digest())
    return Cost(1e3 * (time.perf_counter() - started), sum(map(len, records.values())), gas)


class _Book:
    """The ledger's part of a round: logins, commitments, reveals, what was summed, and the hospitals' approval."""

    def __init__(self, names: tuple[str, ...], seed: int) -> None:
        self._who = {name: ledger.Identity.derive(name, derive_seed("ablation", seed)) for name in names}
        self._book = ledger.Ledger.deploy(
            ledger.Chain.in_memory(),
            admin=ledger.Identity.derive("consortium", derive_seed("ablation", seed)),
            hospitals={name: who.address for name, who in self._who.items()},
            threshold=len(names) // 2 + 1,
        )
        self._ticket: Ticket | None = None
        self._summed = b""

    def record(self, payloads: Mapping[str, bytes], model: bytes) -> int:
        """Log in, open the round on `model`, commit and reveal the payloads, publish their sum; return the gas."""
        book, number = self._book, self._book.next_round()
        gas = sum(book.login(who, round=number, model=model).gas for who in self._who.values())
        ticket = self._ticket = book.open_round(number, model=model)
        digests = {name: hashlib.sha256(payload).digest() for name, payload in payloads.items()}
        for send in (book.commit, book.reveal):
            gas += sum(send(self._who[name], ticket, digest).gas for name, digest in digests.items())
        self._summed = hashlib.sha256(b"".join(digests.values())).digest()
        gas += book.publish_aggregate(ticket, self._summed).gas
        return gas + book.publish_opening(ticket, self._summed).gas

    def finish(self, model: bytes) -> int:
        """Have all hospitals sign the new model, and finalise the round; return the gas."""
        assert self._ticket is not None
        result = ledger.Result(self._summed, model, len(self._who))
        approvals = [self._book.approve(who, self._ticket, result) for who in self._who.values()]
        return self._book.close_round(self._ticket, result, approvals).gas
