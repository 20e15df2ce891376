"""The roles of a round, each holding only what it may hold."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from bfl_stpc import federated, privacy, stpc
from bfl_stpc.errors import FederatedError
from bfl_stpc.ledger import Approval, Identity, Ledger, Result
from bfl_stpc.seeds import derive_seed
from bfl_stpc.system.meter import Meter
from bfl_stpc.ticket import Ticket


def clip_norm(update: NDArray[np.float32], bound: float) -> NDArray[np.float64]:
    """Return `update` (d,), scaled down to Euclidean norm `bound` where it is longer."""
    wide = update.astype(np.float64)
    norm = float(np.linalg.norm(wide))
    return wide * min(1.0, bound / norm) if norm > 0 else wide


@dataclass
class Hospital:
    """A hospital: its records, its model training and its keys. Records and plain updates never leave it.

    Attributes:
        identity: the key with which it signs for the ledger.
        party: its side of the secure sum.
        data: its training records, scaled; the whole round reads them only here.
        config: how it trains: plainly, or by DP-SGD.
        clip: bound on the Euclidean norm of its update.
        experiment: name from which its training seeds derive, with hospital and round.
        meter: where its steps are noted.
        budget: its promise of differential privacy; None where it trains without.
    """

    identity: Identity
    party: stpc.Party
    data: federated.ClientData
    config: federated.LocalTraining
    clip: float
    experiment: str
    meter: Meter = field(repr=False)
    budget: privacy.Budget | None = None

    @property
    def name(self) -> str:
        """Its name on the ledger."""
        return self.identity.name

    @property
    def epsilon(self) -> float:
        """ε that it has spent so far; infinite where it promises none."""
        return math.inf if self.budget is None else self.budget.epsilon()

    def authenticate(self, book: Ledger, round: int, model: bytes) -> None:
        """Log in for one round and model: ask for a challenge, sign it, and have the contract verify it."""
        with self.meter.step("authenticate", self.name) as step:
            step.gas = book.login(self.identity, round=round, model=model).gas

    def train(self, weights: NDArray[np.float32], ticket: Ticket) -> NDArray[np.float64]:
        """Return the clipped update float64 (d,) of local training from `weights` on this hospital's records.

        Raises:
            PrivacyError: the budget does not allow another round; nothing is charged, and no record is read.
        """
        with self.meter.step("train", self.name):
            if self.budget is not None and isinstance(self.config, privacy.DpConfig):
                steps = self.config
                self.budget.spend(privacy.Spent(steps.sampling_rate, steps.noise_multiplier, steps.steps))
            return self.clipped_update(weights, ticket.round)

    def clipped_update(self, weights: NDArray[np.float32], round: int) -> NDArray[np.float64]:
        """Return the update float64 (d,) of one round's training, at most `clip` long; a function of data and seed."""
        seed = derive_seed(self.experiment, self.name, round)
        return clip_norm(federated.local_updates(weights, [self.data], self.config, [seed])[0], self.clip)

    def protect(
        self, update: NDArray[np.float64], ticket: Ticket, directory: stpc.Directory, key: stpc.PublicKey
    ) -> stpc.Upload:
        """Return the update encoded, masked and encrypted, with its record count inside."""
        with self.meter.step("protect", self.name) as step:
            upload = self.party.protect(update, ticket, directory, key, records=len(self.data.y))
            step.sent = len(upload.payload)
            return upload

    def commit(self, book: Ledger, ticket: Ticket, upload: stpc.Upload) -> None:
        """Commit on chain to the hash of the upload."""
        with self.meter.step("commit", self.name) as step:
            step.gas = book.commit(self.identity, ticket, upload.digest).gas

    def reveal(self, book: Ledger, ticket: Ticket, upload: stpc.Upload) -> None:
        """Open the commitment, once all are made."""
        with self.meter.step("commit", self.name) as step:
            step.gas = book.reveal(self.identity, ticket, upload.digest).gas

    def tag(self, book: Ledger, challenge: stpc.Challenge) -> tuple[int, ...]:
        """Post on chain the inner products of the masked upload with the challenge's random vectors."""
        with self.meter.step("verify", self.name) as step:
            tag = self.party.tag(challenge)
            step.gas = book.post_check(self.identity, challenge.ticket, tag).gas
            return tag

    def approve(self, book: Ledger, ticket: Ticket, result: Result, opened: Opening) -> Approval:
        """Repeat the verification and the server step itself; sign the result only if both agree with it.

        Raises:
            SumRefuted: the opened sum is not that of the committed uploads.
            FederatedError: the result's model is not what the sum gives.
        """
        with self.meter.step("record", self.name):
            stpc.verify_sum(opened.total, opened.tags, opened.challenge, opened.directory)
            if federated.digest(federated.apply_update(opened.before, opened.total.mean)) != result.model:
                raise FederatedError(f"{self.name} refuses round {ticket.round}: the model is not what the sum gives")
            return book.approve(self.identity, ticket, result)


@dataclass(frozen=True)
class Opening:
    """What a round published, for every hospital to check.

    Attributes:
        before: flat float32 weights (d,) that the round started from.
        directory: the verified keys of the round.
        total: the opened sum with its transcript.
        challenge: the random vectors, drawn after the sum was fixed on chain.
        tags: each hospital's inner products, by name.
    """

    before: NDArray[np.float32]
    directory: stpc.Directory
    total: stpc.Total
    challenge: stpc.Challenge
    tags: dict[str, tuple[int, ...]]


@dataclass
class Consortium:
    """All roles in one process: hospitals, aggregator, key authority and ledger.

    Attributes:
        hospitals: in ledger order.
        aggregator: adds ciphertexts that it cannot read.
        authority: holds the secret key, and opens only the aggregate that the ledger publishes.
        params: fixed point, packing and encryption, agreed by all.
        book: the ledger.
        meter: where the third parties' steps are noted.
        ticket: of the last round, if any.
        received: the uploads that the aggregator received in it.
    """

    hospitals: list[Hospital]
    aggregator: stpc.Aggregator
    authority: stpc.KeyAuthority
    params: stpc.Parameters
    book: Ledger
    meter: Meter
    ticket: Ticket | None = None
    received: list[stpc.Upload] = field(default_factory=list, repr=False)

    def open_round(self, number: int, model: bytes) -> Ticket:
        """Open the round on chain, demanding check values modulo t."""
        with self.meter.step("open", "aggregator"):
            self.ticket = self.book.open_round(number, model=model, check_modulus=self.params.modulus)
            return self.ticket

    def share_keys(self, ticket: Ticket) -> stpc.Directory:
        """Have every hospital advertise its keys and share its secrets with the others."""
        identities = {hospital.name: hospital.party.identity for hospital in self.hospitals}
        with self.meter.step("share keys", "hospitals"):
            return stpc.set_up([hospital.party for hospital in self.hospitals], ticket, identities)

    def add(self, uploads: list[stpc.Upload], ticket: Ticket) -> stpc.Aggregate:
        """Check the uploads against their commitments, add the ciphertexts, and publish the sum's hash."""
        with self.meter.step("aggregate", "aggregator") as step:
            self.received = uploads
            aggregate = self.aggregator.add(uploads, ticket, self.book.revealed(ticket))
            step.gas = self.book.publish_aggregate(ticket, aggregate.digest).gas
            step.sent = len(aggregate.payload)
            return aggregate

    def open_sum(self, aggregate: stpc.Aggregate, ticket: Ticket, directory: stpc.Directory) -> stpc.Total:
        """Decrypt the published sum, take off the masks, and fix on chain what was opened."""
        helpers = [hospital.party for hospital in self.hospitals]
        with self.meter.step("open the sum", "key authority") as step:
            total = stpc.open_sum(
                aggregate, ticket, directory, authority=self.authority, aggregator=self.aggregator, helpers=helpers
            )
            step.gas, step.sent = self.book.publish_opening(ticket, total.published).gas, total.masked.nbytes
            return total

    def draw_challenge(self, total: stpc.Total, ticket: Ticket) -> stpc.Challenge:
        """Return the random vectors that follow from a block later than the opened sum."""
        with self.meter.step("verify", "ledger"):
            seed = self.book.random_seed(ticket)
            return stpc.Challenge.draw(seed, ticket, total.published, self.params)

    def close_round(self, ticket: Ticket, result: Result, approvals: list[Approval]) -> None:
        """Fix the result on chain with the hospitals' signatures."""
        with self.meter.step("record", "aggregator") as step:
            step.gas = self.book.close_round(ticket, result, approvals).gas


def attestation(book: Ledger, ticket: Ticket) -> stpc.Attestation:
    """Return what the ledger says of a round: the revealed digests, and the published aggregate."""
    return stpc.Attestation(uploads=book.revealed(ticket), aggregate=book.round(ticket.round).aggregate)
