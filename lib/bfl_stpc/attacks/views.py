"""What each observer of a round holds of one hospital's update, under each protection.

A round is really played: parties, aggregator and key authority are those of `stpc`, and what a protection leaves out
is left out. Ciphertexts and masks come from the operating system's randomness, so what is hidden does not repeat.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import tenseal as ts
from numpy.typing import NDArray

from bfl_stpc.attacks import coalition
from bfl_stpc.errors import ConfigError
from bfl_stpc.stpc import Aggregator, Bulletin, Directory, KeyAuthority, Parameters, Party, UnmaskAnswer, set_up
from bfl_stpc.stpc.hazmat import bfv, fixed_point
from bfl_stpc.stpc.recipes import open_sum
from bfl_stpc.ticket import Ticket

Vector = NDArray[np.float64]
Slots = NDArray[np.uint64]


@dataclass(frozen=True)
class Protection:
    """What protects an update.

    Attributes:
        noise: record-level differential privacy while it is trained.
        encryption: BFV under the key authority's key.
        masks: pairwise and self masks.
    """

    noise: bool = False
    encryption: bool = False
    masks: bool = False

    @property
    def name(self) -> str:
        """Name in tables and figures."""
        parts = [part for part, on in (("DP", self.noise), ("HE", self.encryption), ("SMPC", self.masks)) if on]
        return {0: "FL only", 3: "all"}.get(len(parts), "+ " + " + ".join(parts))


FL, DP, HE, SMPC = Protection(), Protection(noise=True), Protection(encryption=True), Protection(masks=True)
ALL = Protection(noise=True, encryption=True, masks=True)
PROTECTIONS = (FL, DP, HE, SMPC, ALL)


@dataclass(frozen=True)
class Observer:
    """Who looks, and with whom it pools what it knows.

    An observer with the aggregator or the key authority in it holds the victim's upload as it travels: the aggregator
    receives it, a curious key authority intercepts it. Every other observer holds the published sum, less the updates
    of its own hospitals.

    Attributes:
        name: name in tables and figures.
        aggregator: whether it has what the aggregator hears, the shares that hospitals reveal among it.
        authority: whether it has the secret key, if there is one.
        hospitals: colluding hospitals, as a function of the round: none, one below the threshold, the threshold, or
            all but the victim.
    """

    name: str
    aggregator: bool = False
    authority: bool = False
    hospitals: str = "none"

    def colluders(self, hospitals: int, threshold: int) -> int:
        """Return how many hospitals collude in a round of so many."""
        counts = {"none": 0, "below": threshold - 1, "threshold": threshold, "others": hospitals - 1}
        if self.hospitals not in counts:
            raise ConfigError(f"colluding hospitals {self.hospitals!r}: choose among {sorted(counts)}")
        return counts[self.hospitals]


ANYONE = Observer("anyone: the published sum")
AGGREGATOR = Observer("aggregator", aggregator=True)
AUTHORITY = Observer("key authority", authority=True)
BOTH = Observer("aggregator + key authority", aggregator=True, authority=True)
BELOW = Observer("both + hospitals below threshold", aggregator=True, authority=True, hospitals="below")
AGGREGATOR_AT = Observer("aggregator + hospitals at threshold", aggregator=True, hospitals="threshold")
AT = Observer("both + hospitals at threshold", aggregator=True, authority=True, hospitals="threshold")
HOSPITALS_BELOW = Observer("hospitals below threshold", hospitals="below")
OTHERS = Observer("all other hospitals", hospitals="others")
OBSERVERS = (ANYONE, AGGREGATOR, AUTHORITY, BOTH, HOSPITALS_BELOW, BELOW, AGGREGATOR_AT, AT, OTHERS)


@dataclass(frozen=True)
class View:
    """What one observer holds.

    Attributes:
        vector: float64 (p,), what it takes for the victim's update; for a ciphertext or masked slots, the numbers
            that decoding them gives.
        inside: the hospitals whose updates are inside: the victim alone, for an upload.
        source: `update`, `ciphertext`, `masked slots` or `sum`.
    """

    vector: Vector = field(repr=False)
    inside: tuple[str, ...]
    source: str


@dataclass(frozen=True)
class Played:
    """One round, with all that its roles saw of it. Only `view` is for attackers.

    Attributes:
        protection: of the round.
        updates: float64 (p,) by hospital, clipped.
        total: float64 (p,), the published sum.
    """

    protection: Protection
    updates: Mapping[str, Vector] = field(repr=False)
    total: Vector = field(repr=False)
    _stage: Stage = field(repr=False)
    _ciphertexts: Mapping[str, Sequence[bytes | memoryview]] = field(default_factory=dict, repr=False)
    _slots: Mapping[str, Slots] = field(default_factory=dict, repr=False)
    _directory: Directory | None = field(default=None, repr=False)
    _answers: Sequence[UnmaskAnswer] = field(default=(), repr=False)

    def view(self, observer: Observer, victim: str) -> View:
        """Return what `observer` holds of the hospital `victim`."""
        stage, names = self._stage, [name for name in self.updates if name != victim]
        colluders = names[: observer.colluders(len(names) + 1, stage.threshold)]
        if not (observer.aggregator or observer.authority):
            own = sum((self.updates[name] for name in colluders), np.zeros(self.total.size))
            inside = tuple(name for name in self.updates if name not in colluders)
            return View(self.total - own, inside, "sum" if len(inside) > 1 else "update")
        if self.protection.encryption and not observer.authority:
            return View(stage.misread(self._ciphertexts[victim], self.total.size), (victim,), "ciphertext")
        if not (self.protection.encryption or self.protection.masks):
            return View(self.updates[victim], (victim,), "update")
        slots, source = self._slots[victim], "update"
        if self._directory is not None:
            answers, parties = (self._answers if observer.aggregator else ()), [stage.parties[n] for n in colluders]
            pooled = len(colluders) >= stage.threshold
            slots = coalition.strip(slots, victim, self._directory, stage.params, answers=answers, colluders=parties)
            source = "update" if pooled else "masked slots"
        fields = fixed_point.unpack(slots[:-1], self.total.size, stage.params)
        return View(fixed_point.dequantise(fields, 1, stage.params), (victim,), source)


class Stage:
    """The roles of a study, ready to play rounds: hospitals, aggregator, key authority and board."""

    def __init__(self, hospitals: int, clip: float) -> None:
        """Create the roles for `hospitals` hospitals whose updates are at most `clip` long."""
        self.params = Parameters(hospitals, clip=clip)
        self.names = self.names_of(hospitals)
        self.threshold = hospitals // 2 + 1
        self._board = Bulletin()
        self.authority = KeyAuthority(self.params, attest=self._board.read)
        self._aggregator = Aggregator(self.params, self.authority.public_key)
        self.parties = {name: Party(name, self.params, attest=self._board.read) for name in self.names}
        self._rounds = 0

    @staticmethod
    def names_of(hospitals: int) -> tuple[str, ...]:
        """Return the names of so many hospitals."""
        return tuple(f"hospital-{k + 1:02d}" for k in range(hospitals))

    def play(self, updates: Sequence[NDArray[np.floating]], protection: Protection) -> Played:
        """Play one round with one update (p,) a hospital, each scaled down to the clip where it is longer.

        Noise is not added here: updates come trained with it.
        """
        clipped = {name: self._clip(update) for name, update in zip(self.names, updates, strict=True)}
        if protection.masks:
            return self._masked(clipped, protection)
        if protection.encryption:
            return self._encrypted(clipped, protection)
        return Played(protection, clipped, sum(clipped.values(), np.zeros(len(updates[0]))), self)

    def misread(self, blocks: Sequence[bytes | memoryview], size: int) -> Vector:
        """Return float64 (size,): the coefficients of a ciphertext, taken modulo t for slots of an update."""
        key, words = self.authority.public_key, []
        for block in blocks:
            ciphertext = ts.bfv_vector_from(key.context, bytes(block)).ciphertext()[0]
            words += [ciphertext[i] % self.params.modulus for i in range(self.params.ring_degree)]
        slots = np.array(words[: self.params.slots(size) - 1], np.uint64)
        return fixed_point.dequantise(fixed_point.unpack(slots, size, self.params), 1, self.params)

    def _clip(self, update: NDArray[np.floating]) -> Vector:
        wide = np.asarray(update, np.float64)
        return wide * min(1.0, self.params.clip / max(float(np.linalg.norm(wide)), 1e-30))

    def _encrypted(self, updates: Mapping[str, Vector], protection: Protection) -> Played:
        """Encryption alone: every hospital encrypts its fixed-point slots, the authority decrypts their sum."""
        size, key = len(next(iter(updates.values()))), self.authority.public_key
        slots = {n: np.concatenate(list(fixed_point.encode(u, 1, self.params))) for n, u in updates.items()}
        sent = {n: list(bfv.encrypt([s], key, self.params)) for n, s in slots.items()}
        added = list(bfv.add(zip(*sent.values(), strict=True), key, self.params))
        opened = self.authority._secret.decrypt(added, self.params.slots(size))
        total, _ = fixed_point.decode(opened, size, len(updates), self.params)
        read = {n: self.authority._secret.decrypt(blocks, self.params.slots(size)) for n, blocks in sent.items()}
        return Played(protection, updates, total, self, sent, read)

    def _masked(self, updates: Mapping[str, Vector], protection: Protection) -> Played:
        """Masks, inside ciphertexts or, without encryption, as they are: the whole protocol either way."""
        self._rounds += 1
        ticket = Ticket(self._rounds, bytes(32), 1337, bytes(20), self.names, self.threshold)
        parties, board, key = self.parties, self._board, self.authority.public_key
        directory = set_up(list(parties.values()), ticket, {n: p.identity for n, p in parties.items()})
        uploads = [parties[n].protect(u, ticket, directory, key, records=1) for n, u in updates.items()]
        for upload in uploads:
            board.commit(ticket, upload.hospital, upload.digest)
        aggregate = self._aggregator.add(uploads, ticket, board.read(ticket).uploads)
        board.publish(ticket, aggregate.digest)
        total = open_sum(
            aggregate,
            ticket,
            directory,
            authority=self.authority,
            aggregator=self._aggregator,
            helpers=list(parties.values()),
        )
        context = ticket.context()
        sent = {
            u.hospital: bfv.read(u.payload, round_context=context, key=key, params=self.params).blocks for u in uploads
        }
        slots = self.params.slots(len(next(iter(updates.values()))))
        read = {n: self.authority._secret.decrypt(blocks, slots) for n, blocks in sent.items()}
        return Played(protection, updates, total.sum, self, sent, read, directory, total.answers)
