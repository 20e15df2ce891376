"""The roles of a round, each holding only what it may hold, and answering only what it must.

| role | holds | never sees |
|---|---|---|
| hospital | its records, its plain update, its keys and shares | another hospital's update |
| aggregator | ciphertexts, the opened sum | an update, the secret key |
| key authority | the secret key, the masked sum | an update, the sum without its masks |
| ledger | digests, signatures, decisions | anything that they are digests of |
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

import numpy as np
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from numpy.typing import NDArray

from bfl_stpc import federated, privacy, stpc
from bfl_stpc.errors import DuplicateUpload, FederatedError, Foreign, OutOfOrder, RoundNotOpen
from bfl_stpc.ledger import Action, Approval, Identity, Ledger, Purpose, Result
from bfl_stpc.seeds import derive_seed
from bfl_stpc.stpc.party import RoundSecrets
from bfl_stpc.system.codec import decode, encode, travels
from bfl_stpc.system.meter import Meter
from bfl_stpc.system.service import answers
from bfl_stpc.system.state import State
from bfl_stpc.system.store import Store
from bfl_stpc.ticket import Ticket

AGGREGATOR, AUTHORITY, LEDGER = "aggregator", "key authority", "ledger"


def clip_norm(update: NDArray[np.float32], bound: float) -> NDArray[np.float64]:
    """Return `update` (d,), scaled down to Euclidean norm `bound` where it is longer."""
    wide = update.astype(np.float64)
    norm = float(np.linalg.norm(wide))
    return wide * min(1.0, bound / norm) if norm > 0 else wide


def attestation(book: Ledger, ticket: Ticket) -> stpc.Attestation:
    """Return what the ledger says of a round: the revealed digests, and the published aggregate."""
    return stpc.Attestation(uploads=book.revealed(ticket), aggregate=book.round(ticket.round).aggregate)


@dataclass(frozen=True)
class Charter:
    """What the consortium has agreed on, in public.

    Attributes:
        cards: Ed25519 public key (32 bytes) of every role, by name.
        params: fixed point, packing and encryption.
        key: the key authority's public key.
        clip: bound on the Euclidean norm of an update.
        experiment: name from which training seeds derive, with hospital and round.
    """

    cards: Mapping[str, bytes]
    params: stpc.Parameters
    key: stpc.PublicKey
    clip: float
    experiment: str


@travels
@dataclass(frozen=True)
class Opening:
    """What a round published, for every hospital to check.

    Attributes:
        directory: the verified keys of the round.
        total: the opened sum with its transcript.
        tags: each hospital's inner products, by name.
    """

    directory: stpc.Directory
    total: stpc.Total
    tags: Mapping[str, tuple[int, ...]]


@dataclass
class Hospital:
    """A hospital: its records, its model training and its keys. Records and plain updates never leave it.

    Attributes:
        identity: the key with which it signs for the ledger.
        signing_key: the key of its card.
        data: its training records, scaled; the whole round reads them only here.
        config: how it trains: plainly, or by DP-SGD.
        charter: what all have agreed on.
        book: the ledger, as it reads it itself.
        store: what outlives its process.
        budget: its promise of differential privacy; None where it trains without.
        pseudonyms: of its records (32 bytes each), in their order; before it trains it asks the ledger which of
            them their patients permit. None where consent lies outside the system.
    """

    identity: Identity
    signing_key: Ed25519PrivateKey = field(repr=False)
    data: federated.ClientData = field(repr=False)
    config: federated.LocalTraining
    charter: Charter = field(repr=False)
    book: Ledger = field(repr=False)
    store: Store = field(repr=False)
    budget: privacy.Budget | None = None
    pseudonyms: Sequence[bytes] | None = field(default=None, repr=False)
    meter: Meter = field(default_factory=Meter, repr=False)

    def __post_init__(self) -> None:
        if self.pseudonyms is not None and len(self.pseudonyms) != len(self.data.y):
            raise FederatedError(f"{self.name}: {len(self.pseudonyms)} pseudonyms for {len(self.data.y)} records")
        self._trained: tuple[int, NDArray[np.float64], State, int] | None = None
        self.restore()

    @property
    def name(self) -> str:
        """Its name on the ledger."""
        return self.identity.name

    @property
    def epsilon(self) -> float:
        """ε that it has spent so far; infinite where it promises none."""
        return math.inf if self.budget is None else self.budget.epsilon()

    def restore(self) -> None:
        """Go on from what the store holds: what was not kept never happened."""
        spent, trained, secrets = (self.store.get(0, what) for what in ("spent", "trained", "secrets"))
        if self.budget is not None:
            already = decode(spent, tuple[privacy.Spent, ...]) if spent else ()
            self.budget = privacy.Budget(self.name, self.budget.promised, self.budget.delta, list(already))
        self._trained = decode(trained, tuple[int, NDArray[np.float64], State, int]) if trained else None
        self.party = stpc.Party(
            self.name,
            self.charter.params,
            attest=lambda ticket: attestation(self.book, ticket),
            signing_key=self.signing_key,
            secrets=decode(secrets, RoundSecrets) if secrets else None,
        )

    @answers(AGGREGATOR, kept=False)
    def authenticate(self, round: int, model: bytes) -> None:
        """Log in for one round and model: ask for a challenge, sign it, and have the contract verify it."""
        with self.meter.step("authenticate", self.name) as step:
            step.gas = self.book.login(self.identity, round=round, model=model).gas

    @answers(AGGREGATOR)
    def train(self, ticket: Ticket, state: State) -> float:
        """Train from `state` on the records whose patients consent now; return ε spent so far.

        Raises:
            Foreign: the ledger did not open this round, or not on this model.
            FederatedError: no patient consents.
            PrivacyError: the budget does not allow another round; nothing is charged, and no record is read.
        """
        with self.meter.step("train", self.name):
            if self.book.ticket(ticket.round) != ticket or state.digest != ticket.model:
                raise Foreign(f"{self.name} finds another round {ticket.round} on the ledger than it is asked to train")
            data = self.consented()
            if self.budget is not None and isinstance(self.config, privacy.DpConfig):
                steps = self.config
                self.budget.spend(privacy.Spent(steps.sampling_rate, steps.noise_multiplier, steps.steps))
            update = self.clipped_update(state.weights, ticket.round, data)
            self._trained = (ticket.round, update, state, len(data.y))
            self.store.forget(ticket.round)
            self.store.put(0, "trained", encode(list(self._trained)))
            if self.budget is not None:
                self.store.put(0, "spent", encode(list(self.budget.spent)))
            return self.epsilon

    def consented(self) -> federated.ClientData:
        """Return the records that the ledger permits this hospital to train on for research, now.

        Raises:
            FederatedError: there are none.
        """
        if self.pseudonyms is None:
            return self.data
        permitted = self.book.consents.are_permitted(self.pseudonyms, self.name, Purpose.RESEARCH, Action.TRAIN)
        rows = np.flatnonzero(permitted)
        if not rows.size:
            raise FederatedError(f"no patient of {self.name} permits training now: it sits this round out")
        return federated.ClientData(self.data.X[rows], self.data.y[rows])

    def clipped_update(
        self, weights: NDArray[np.float32], round: int, data: federated.ClientData | None = None
    ) -> NDArray[np.float64]:
        """Return the update float64 (d,) of one round's training, at most `clip` long; a function of data and seed."""
        seed = derive_seed(self.charter.experiment, self.name, round)
        trained = federated.local_updates(weights, [data or self.data], self.config, [seed])
        return clip_norm(trained[0], self.charter.clip)

    @answers(AGGREGATOR)
    def advertise(self, ticket: Ticket) -> stpc.Advert:
        """Return this round's fresh public keys, signed."""
        with self.meter.step("share keys", self.name):
            advert = self.party.advertise(ticket)
            self._keep_secrets()
            return advert

    @answers(AGGREGATOR)
    def share(self, directory: stpc.Directory) -> tuple[stpc.SealedShares, ...]:
        """Return shares of its secrets, sealed for each hospital of `directory`."""
        with self.meter.step("share keys", self.name):
            sealed = tuple(self.party.share(directory, self.charter.cards))
            self._keep_secrets()
            return sealed

    @answers(AGGREGATOR)
    def receive(self, boxes: tuple[stpc.SealedShares, ...]) -> None:
        """Take in the shares of the others."""
        with self.meter.step("share keys", self.name):
            self.party.receive(boxes)
            self._keep_secrets()

    @answers(AGGREGATOR)
    def protect(self, ticket: Ticket) -> bytes:
        """Encode, mask and encrypt the update, its record count inside; return the digest of the upload (32 bytes).

        Raises:
            OutOfOrder: it has not trained in this round.
        """
        with self.meter.step("protect", self.name):
            if self._trained is None or self._trained[0] != ticket.round:
                raise OutOfOrder(f"{self.name} has not trained in round {ticket.round}")
            _, update, _, records = self._trained
            secrets = self.party.secrets
            if secrets is None or secrets.directory is None:
                raise OutOfOrder(f"{self.name} has not shared its secrets in round {ticket.round}")
            upload = self.party.protect(update, ticket, secrets.directory, self.charter.key, records=records)
            self._keep_secrets()
            self.store.put(ticket.round, "upload", upload.payload)
            return upload.digest

    @answers(AGGREGATOR)
    def commit(self, ticket: Ticket) -> None:
        """Commit on chain to the digest of the upload. After a crash: find that it already has."""
        upload = self._upload(ticket)
        with self.meter.step("commit", self.name) as step:
            try:
                step.gas = self.book.commit(self.identity, ticket, upload.digest).gas
            except (DuplicateUpload, RoundNotOpen):  # the last one's moved the round on
                self.book.rounds.check_own_commitment(self.identity, ticket, upload.digest)

    @answers(AGGREGATOR, kept=False)
    def send(self, ticket: Ticket) -> stpc.Upload:
        """Hand over the upload that it has committed to."""
        with self.meter.step("commit", self.name) as step:
            upload = self._upload(ticket)
            step.update = len(upload.payload)
            return upload

    @answers(AGGREGATOR)
    def reveal(self, ticket: Ticket) -> None:
        """Open the commitment, once all are made. After a crash: find that it already is."""
        upload = self._upload(ticket)
        with self.meter.step("commit", self.name) as step:
            try:
                step.gas = self.book.reveal(self.identity, ticket, upload.digest).gas
            except (DuplicateUpload, RoundNotOpen):  # the last one's moved the round on
                self.book.check_commitment(self.name, ticket, upload.digest)

    @answers(AGGREGATOR)
    def unmask(self, request: stpc.UnmaskRequest) -> stpc.UnmaskAnswer:
        """Reveal the shares that the sum needs, of hospitals that the ledger names as survivors or not."""
        with self.meter.step("open the sum", self.name):
            answer = self.party.unmask(request)
            self._keep_secrets()
            return answer

    @answers(AGGREGATOR)
    def tag(self, ticket: Ticket, published: bytes) -> tuple[int, ...]:
        """Post on chain the inner products of the masked upload with the vectors that the ledger's seed yields."""
        with self.meter.step("verify", self.name) as step:
            tag = self.party.tag(self._challenge(ticket, published))
            with suppress(DuplicateUpload):  # posted before a crash: the seed was fixed then, and so is the tag
                step.gas = self.book.post_check(self.identity, ticket, tag).gas
            return tag

    @answers(AGGREGATOR, kept=False)
    def approve(self, ticket: Ticket, opening: Opening, result: Result) -> Approval:
        """Repeat the verification and the server step itself; sign the result only if both agree with it.

        Raises:
            Foreign: the sum was encoded under other parameters.
            SumRefuted: the opened sum is not that of the committed uploads.
            FederatedError: the result's model is not what the sum gives.
        """
        with self.meter.step("record", self.name):
            if self._trained is None or self._trained[0] != ticket.round:
                raise OutOfOrder(f"{self.name} has not trained in round {ticket.round}")
            if opening.total.params != self.charter.params:
                raise Foreign(f"{self.name} has agreed on other parameters than the sum's")
            challenge = self._challenge(ticket, opening.total.published)
            stpc.verify_sum(opening.total, opening.tags, challenge, opening.directory)
            if self._trained[2].after(opening.total.mean, ticket.round).digest != result.model:
                raise FederatedError(f"{self.name} refuses round {ticket.round}: the model is not what the sum gives")
            return self.book.approve(self.identity, ticket, result)

    def _keep_secrets(self) -> None:
        self.store.put(0, "secrets", encode(self.party.secrets))

    def _upload(self, ticket: Ticket) -> stpc.Upload:
        payload = self.store.get(ticket.round, "upload")
        if payload is None:
            raise OutOfOrder(f"{self.name} has protected nothing in round {ticket.round}")
        return stpc.Upload(self.name, ticket.round, payload)

    def _challenge(self, ticket: Ticket, published: bytes) -> stpc.Challenge:
        return stpc.Challenge.draw(self.book.random_seed(ticket), ticket, published, self.charter.params)


@dataclass
class Authority:
    """The key authority: decrypts the one aggregate that the ledger publishes, which is still masked.

    Attributes:
        name: its name.
        params: fixed point, packing and encryption.
        store: what outlives its process, the secret key included.
        book: the ledger, as it reads it itself; set once the contracts are deployed.
    """

    name: str
    params: stpc.Parameters
    store: Store = field(repr=False)
    book: Ledger | None = field(default=None, repr=False)
    meter: Meter = field(default_factory=Meter, repr=False)

    def __post_init__(self) -> None:
        self.restore()

    def restore(self) -> None:
        """Go on with the key pair and the openings that the store holds; make a key pair the first time."""
        kept = self.store.get(0, "secrets")
        self.keys = stpc.KeyAuthority(self.params, attest=self._attest, secrets=kept)
        if kept is None:
            self.store.put(0, "secrets", self.keys.export())

    @answers(AGGREGATOR)
    def open(self, aggregate: stpc.Aggregate, ticket: Ticket) -> NDArray[np.uint64]:
        """Decrypt the aggregate that the ledger publishes: uint64 (n,) slots, still under the survivors' masks."""
        with self.meter.step("open the sum", self.name):
            slots = self.keys.open(aggregate, ticket)
            self.store.forget(ticket.round)
            self.store.put(0, "secrets", self.keys.export())
            return slots

    def _attest(self, ticket: Ticket) -> stpc.Attestation:
        if self.book is None:
            raise OutOfOrder("the key authority has not been shown the ledger yet")
        return attestation(self.book, ticket)
