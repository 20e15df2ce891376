"""A hospital's side of the round: advertise keys, share secrets, protect the update, help to unmask the sum."""

import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from numpy.typing import NDArray

from bfl_stpc.errors import Corrupt, Foreign, OutOfOrder, UnmaskRefused, UpdateError
from bfl_stpc.stpc.hazmat import bfv, fixed_point, masks, shamir
from bfl_stpc.stpc.hazmat.fixed_point import Slots
from bfl_stpc.stpc.messages import (
    Advert,
    Attestation,
    Directory,
    SealedShares,
    UnmaskAnswer,
    UnmaskRequest,
    Upload,
    require,
    seed_commitment,
)
from bfl_stpc.stpc.parameters import Parameters
from bfl_stpc.stpc.verify import Challenge
from bfl_stpc.ticket import Ticket


@dataclass
class RoundSecrets:
    """What a hospital remembers of one round; dropped with the next advert. It may lie in its own store, nowhere else.

    Attributes:
        ticket: the round.
        mask_secret: X25519 private key from which pair masks derive (32 bytes).
        seal_secret: X25519 private key that opens the peers' shares (32 bytes).
        self_seed: seed of its self mask (32 bytes).
        directory: the adverts that it shared its secrets with, once it has.
        shares: what it holds of each hospital's secrets, by name: seed share, then key share.
        received: whether the shares are complete.
        masked: the slots that it uploaded, for their tag; None before.
        unmasked: whether it has revealed shares.
    """

    ticket: Ticket
    mask_secret: bytes = field(repr=False)
    seal_secret: bytes = field(repr=False)
    self_seed: bytes = field(repr=False)
    directory: Directory | None = None
    shares: Mapping[str, bytes] = field(default_factory=dict, repr=False)
    received: bool = False
    masked: bytes | bytearray | None = field(default=None, repr=False)
    unmasked: bool = False

    @cached_property
    def context(self) -> bytes:
        """The bytes that keys and masks are bound to."""
        return self.ticket.context()

    @cached_property
    def mask_private(self) -> X25519PrivateKey:
        """The key from which pair masks derive."""
        return X25519PrivateKey.from_private_bytes(self.mask_secret)

    @cached_property
    def seal_private(self) -> X25519PrivateKey:
        """The key that opens the peers' shares."""
        return X25519PrivateKey.from_private_bytes(self.seal_secret)

    @cached_property
    def agreed(self) -> dict[bytes, bytes]:
        """What `seal_private` has agreed on with each peer, by the peer's key: the same in both directions."""
        return {}


class Party:
    """A hospital. Fresh keys each round, from the operating system's randomness."""

    def __init__(
        self,
        name: str,
        params: Parameters,
        *,
        attest: Callable[[Ticket], Attestation],
        signing_key: Ed25519PrivateKey | None = None,
        secrets: RoundSecrets | None = None,
    ) -> None:
        """Create the hospital `name`.

        Args:
            name: its name on the ledger.
            params: the parameters of the study.
            attest: reads from the ledger what a round has committed; asked before shares are revealed.
            signing_key: its long-term identity; generated if not given.
            secrets: of the round in which its process died, to go on with it.
        """
        self.name = name
        self._params = params
        self._attest = attest
        self._signing_key = signing_key or Ed25519PrivateKey.generate()
        self._round = secrets

    @property
    def identity(self) -> bytes:
        """Ed25519 public key, 32 bytes: register it on the ledger."""
        return self._signing_key.public_key().public_bytes_raw()

    @property
    def secrets(self) -> RoundSecrets | None:
        """What it remembers of the present round, for its own store; None before the first."""
        return self._round

    def advertise(self, ticket: Ticket) -> Advert:
        """Start the round of `ticket` with fresh keys and return their signed public halves.

        Raises:
            Foreign: this hospital is not a member of the round.
            OutOfOrder: it has already advertised in this very round.
        """
        if self.name not in ticket.members:
            raise Foreign(f"{self.name!r} is not a member of round {ticket.round}")
        if self._round and self._round.ticket == ticket:
            raise OutOfOrder(f"{self.name!r} has already advertised in round {ticket.round}")
        self._round = RoundSecrets(ticket, os.urandom(32), os.urandom(32), os.urandom(32))
        mask_key = self._round.mask_private.public_key().public_bytes_raw()
        seal_key = self._round.seal_private.public_key().public_bytes_raw()
        commitment = seed_commitment(ticket, self.name, self._round.self_seed)
        advert = Advert(self.name, mask_key, seal_key, commitment)
        return replace(advert, signature=self._signing_key.sign(advert.signed_bytes(ticket)))

    def share(self, directory: Directory, identities: Mapping[str, bytes]) -> list[SealedShares]:
        """Return shares of this hospital's self-mask seed and mask key, sealed for each hospital of `directory`.

        The hospital checks every advert itself: whoever hands it a directory may have put in keys of his own.

        Args:
            directory: the adverts of the round.
            identities: registered Ed25519 public keys by hospital, as this hospital reads them from the ledger.

        Raises:
            OutOfOrder: called before `advertise` or twice in a round.
            Foreign: the directory is of another round, or does not hold this hospital's own keys.
            Corrupt: an advert is not signed by its registered key.
            TooFewUploads: the directory is smaller than the threshold.
        """
        state = self._state(directory.ticket)
        if state.directory is not None:
            raise OutOfOrder(f"{self.name!r} has already shared its secrets in round {state.ticket.round}")
        directory = Directory.verify(directory.adverts.values(), directory.ticket, identities)
        own = directory.adverts.get(self.name)
        if own is None or own.mask_key != state.mask_private.public_key().public_bytes_raw():
            raise Foreign(f"the directory does not hold the keys that {self.name!r} advertised")
        n, threshold = len(state.ticket.members), state.ticket.threshold
        seeds = shamir.split(state.self_seed, n=n, threshold=threshold)
        keys = shamir.split(state.mask_secret, n=n, threshold=threshold)
        state.directory = directory
        sealed = []
        for peer in directory.adverts:
            both = seeds[directory.index(peer)] + keys[directory.index(peer)]
            if peer == self.name:
                state.shares = {peer: both}
                continue
            nonce = os.urandom(12)
            box = nonce + self._sealer(self.name, peer, peer).encrypt(nonce, both, None)
            sealed.append(SealedShares(self.name, peer, box))
        return sealed

    def receive(self, sealed: Iterable[SealedShares]) -> None:
        """Take in the peers' shares. Their senders, with this hospital, are those whom masks will bind.

        Raises:
            OutOfOrder: before `share`, twice in a round, or two boxes of one sender.
            Foreign: a box is for another hospital or from one outside the directory.
            Corrupt: a box cannot be opened.
            TooFewUploads: fewer hospitals than the threshold have shared.
        """
        state, directory = self._ready(None)
        if state.received:
            raise OutOfOrder(f"{self.name!r} has already received the shares of round {state.ticket.round}")
        opened: dict[str, bytes] = {}
        for item in sealed:
            if item.recipient != self.name or item.sender == self.name or item.sender not in directory.adverts:
                raise Foreign(f"shares from {item.sender!r} for {item.recipient!r} came to {self.name!r}")
            if item.sender in opened:
                raise OutOfOrder(f"{item.sender!r} sent its shares twice")
            try:
                sealer = self._sealer(item.sender, self.name, item.sender)
                opened[item.sender] = sealer.decrypt(item.box[:12], item.box[12:], None)
            except (InvalidTag, ValueError) as error:
                raise Corrupt(f"the shares from {item.sender!r} cannot be opened") from error
        require(len(opened) + 1, state.ticket, "hospitals with shares")
        state.shares = {**state.shares, **opened}
        state.received = True

    def protect(
        self,
        update: NDArray[np.floating],
        ticket: Ticket,
        directory: Directory,
        public_key: bfv.PublicKey,
        *,
        records: int,
        rounding_seed: int | None = None,
    ) -> Upload:
        """Return `update` encoded, masked and encrypted. Commit its digest before sending it.

        Args:
            update: real vector (d,), each |value| at most the clip.
            ticket: the round.
            directory: the one given to `share`.
            public_key: the key authority's.
            records: number of records trained on; travels inside the sum.
            rounding_seed: for stochastic rounding only.

        Raises:
            UpdateError: the update or the record count cannot be encoded.
            Foreign: ticket, directory or key is not this round's.
            OutOfOrder: before `receive`, or twice in a round (two uploads under one mask would reveal a difference).
        """
        state, known = self._ready(ticket)
        if known != directory:
            raise Foreign(f"the directory is not the one that {self.name!r} shared its secrets with")
        if public_key.parameters != self._params.digest:
            raise Foreign("the public key was made for other parameters")
        if not state.received or state.masked is not None:
            raise OutOfOrder(f"{self.name!r} protects one update a round, after it has received the shares")
        if len(ticket.members) > self._params.hospitals:
            raise UpdateError(f"{len(ticket.members)} members exceed the capacity of {self._params.hospitals}")
        update = np.asarray(update)
        fixed_point.check(update, records, self._params, rounding_seed)
        chunks = fixed_point.encode(update, records, self._params, rounding_seed=rounding_seed)
        payload = bfv.write(
            bfv.encrypt(self._masked(chunks, state, known), public_key, self._params),
            size=update.size,
            round_context=state.context,
            peers=bfv.peers_digest(state.shares),
            key=public_key,
            params=self._params,
        )
        return Upload(self.name, ticket.round, payload)

    def unmask(self, request: UnmaskRequest) -> UnmaskAnswer:
        """Reveal the shares that the sum needs: survivors' seeds and dropped hospitals' keys. Once a round.

        Raises:
            Foreign: the request is of another round or another global model.
            OutOfOrder: before `receive`.
            UnmaskRefused: overlapping lists, a survivor list other than the ledger's, hospitals outside the
                set-up, an aggregate that is not published yet, or a second request.
            TooFewUploads: fewer survivors than the threshold.
        """
        state, _ = self._ready(request.ticket)
        if not state.received:
            raise OutOfOrder(f"{self.name!r} holds no shares yet in round {state.ticket.round}")
        survivors, dropped = set(request.survivors), set(request.dropped)
        if state.unmasked:
            raise UnmaskRefused(f"{self.name!r} has already answered in round {state.ticket.round}: one request only")
        if survivors & dropped:
            raise UnmaskRefused(f"{sorted(survivors & dropped)} are called both survivors and dropped")
        if survivors | dropped != set(state.shares):
            raise UnmaskRefused("survivors and dropped are not together the hospitals of the set-up")
        require(len(survivors), state.ticket, "survivors")
        said = self._attest(state.ticket)
        if said.aggregate is None:
            raise UnmaskRefused("the ledger has published no aggregate yet: its list of uploads may still grow")
        if survivors != set(said.uploads):
            raise UnmaskRefused("the survivors are not the hospitals whose uploads the ledger recorded")
        state.unmasked = True
        cut = shamir.SHARE_BYTES
        return UnmaskAnswer(
            self.name,
            seeds={name: state.shares[name][:cut] for name in request.survivors},
            keys={name: state.shares[name][cut:] for name in request.dropped},
        )

    def tag(self, challenge: Challenge) -> tuple[int, ...]:
        """Return ⟨r, own masked vector⟩ modulo t for each r of `challenge`; post it on the ledger.

        Reveals nothing but these values of the masked vector, which the pair masks keep uniform.

        Raises:
            Foreign: the challenge is of another round.
            OutOfOrder: before `protect`.
        """
        state, _ = self._ready(challenge.ticket)
        if state.masked is None:
            raise OutOfOrder(f"{self.name!r} has uploaded nothing in round {state.ticket.round}")
        return challenge.inner(masks.from_bytes(state.masked, self._params.modulus))

    def _state(self, ticket: Ticket | None) -> RoundSecrets:
        if self._round is None:
            raise OutOfOrder(f"{self.name!r} has not advertised yet")
        if ticket is not None and ticket != self._round.ticket:
            own = self._round.ticket
            if ticket.round == own.round and ticket.model != own.model:
                raise Foreign(f"the message names another global model than the ledger's in round {own.round}")
            raise Foreign(f"the message is of another round than {own.round}")
        return self._round

    def _ready(self, ticket: Ticket | None) -> tuple[RoundSecrets, Directory]:
        state = self._state(ticket)
        if state.directory is None:
            raise OutOfOrder(f"{self.name!r} has not shared its secrets yet in round {state.ticket.round}")
        return state, state.directory

    def _sealer(self, sender: str, recipient: str, peer: str) -> AESGCM:
        state, directory = self._ready(None)
        theirs = directory.adverts[peer].seal_key
        if theirs not in state.agreed:
            state.agreed[theirs] = masks.agree(state.seal_private, theirs)
        return AESGCM(masks.derive(state.agreed[theirs], state.context, "share", sender, recipient, length=32))

    def _masked(self, chunks: Iterable[Slots], state: RoundSecrets, directory: Directory) -> Iterator[Slots]:
        masker = masks.Masker(*self._mask_keys(state, directory), self._params.modulus)
        kept = state.masked = bytearray()
        for chunk in chunks:
            masked = masker.apply(chunk)
            kept += masks.to_bytes(masked, self._params.modulus)
            yield masked

    def _mask_keys(self, state: RoundSecrets, directory: Directory) -> tuple[list[bytes], list[bytes]]:
        context = state.context
        plus = [masks.self_key(state.self_seed, context, self.name)]
        minus: list[bytes] = []
        for peer in state.shares:
            if peer != self.name:
                secret = masks.agree(state.mask_private, directory.adverts[peer].mask_key)
                key = masks.pair_key(secret, context, self.name, peer)
                (plus if directory.index(self.name) < directory.index(peer) else minus).append(key)
        return plus, minus
