"""What travels between hospitals, aggregator, key authority and ledger: small frozen records of bytes and names."""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from numpy.typing import NDArray

from bfl_stpc.errors import Corrupt, Foreign, OutOfOrder, TooFewUploads
from bfl_stpc.stpc.parameters import Parameters, Weighting
from bfl_stpc.ticket import Ticket


@dataclass(frozen=True)
class Advert:
    """A hospital's two X25519 public keys for one round, signed by its registered Ed25519 key.

    Attributes:
        hospital: its name.
        mask_key: X25519 public key from which pair masks derive.
        seal_key: X25519 public key under which peers seal their shares.
        seed_commitment: binds the hospital to its self-mask seed, so that a forged share is noticed.
        signature: Ed25519 over all of this and the round's context.
    """

    hospital: str
    mask_key: bytes
    seal_key: bytes
    seed_commitment: bytes
    signature: bytes = field(default=b"", repr=False)

    def signed_bytes(self, ticket: Ticket) -> bytes:
        """Return what the signature covers."""
        name = self.hospital.encode()
        head = b"BFL-STPC advert/1" + ticket.context() + len(name).to_bytes(4, "big") + name
        return head + self.mask_key + self.seal_key + self.seed_commitment


@dataclass(frozen=True)
class Directory:
    """The verified adverts of one round, in ledger order. Make it with `verify`."""

    ticket: Ticket
    adverts: Mapping[str, Advert]

    @classmethod
    def verify(cls, adverts: Iterable[Advert], ticket: Ticket, identities: Mapping[str, bytes]) -> "Directory":
        """Return the directory of `adverts` after checking every signature.

        Args:
            adverts: one a hospital; hospitals may be missing.
            ticket: the round.
            identities: Ed25519 public keys (32 bytes) by hospital, as registered on the ledger.

        Raises:
            Foreign: a hospital is not a member of the round.
            OutOfOrder: a hospital advertises twice.
            Corrupt: a signature fails, for any reason.
            TooFewUploads: fewer adverts than the threshold.
        """
        found: dict[str, Advert] = {}
        for advert in adverts:
            if advert.hospital not in ticket.members:
                raise Foreign(f"{advert.hospital!r} is not a member of round {ticket.round}")
            if advert.hospital in found:
                raise OutOfOrder(f"{advert.hospital!r} advertises twice in round {ticket.round}")
            try:
                key = Ed25519PublicKey.from_public_bytes(identities[advert.hospital])
                key.verify(advert.signature, advert.signed_bytes(ticket))
            except (InvalidSignature, KeyError, ValueError) as error:
                raise Corrupt(f"the advert of {advert.hospital!r} is not signed by its registered key") from error
            found[advert.hospital] = advert
        require(len(found), ticket, "adverts")
        return cls(ticket, {name: found[name] for name in ticket.members if name in found})

    def index(self, hospital: str) -> int:
        """Return the Shamir abscissa of `hospital`: its place among the members, counted from 1."""
        return self._indices[hospital]

    @cached_property
    def _indices(self) -> dict[str, int]:
        return {name: i for i, name in enumerate(self.ticket.members, start=1)}


@dataclass(frozen=True)
class SealedShares:
    """Shares of one hospital's two secrets for another, encrypted and authenticated for that one alone."""

    sender: str
    recipient: str
    box: bytes = field(repr=False)


@dataclass(frozen=True)
class Upload:
    """A hospital's masked and encrypted update.

    Attributes:
        hospital: its name.
        round: number of the round.
        payload: canonical bytes of the ciphertexts.
    """

    hospital: str
    round: int
    payload: bytes = field(repr=False)

    @cached_property
    def digest(self) -> bytes:
        """SHA-256 of `payload`: what the ledger records."""
        return hashlib.sha256(self.payload).digest()


@dataclass(frozen=True)
class Attestation:
    """What the ledger says of one round.

    Attributes:
        uploads: committed upload digests by hospital; fixed once commitments are closed.
        aggregate: digest of the published aggregate ciphertext, or None before that.
    """

    uploads: Mapping[str, bytes]
    aggregate: bytes | None = None


@dataclass(frozen=True)
class Aggregate:
    """The ciphertext sum of the uploads of `survivors`, in ledger order."""

    survivors: tuple[str, ...]
    payload: bytes = field(repr=False)

    @cached_property
    def digest(self) -> bytes:
        """SHA-256 of `payload`: what the aggregator publishes."""
        return hashlib.sha256(self.payload).digest()


@dataclass(frozen=True)
class UnmaskRequest:
    """The aggregator's question to each hospital still online: whose masks must go."""

    ticket: Ticket
    survivors: tuple[str, ...]
    dropped: tuple[str, ...]


@dataclass(frozen=True)
class UnmaskAnswer:
    """Shares of survivors' self-mask seeds and of dropped hospitals' mask keys; never both for one hospital."""

    hospital: str
    seeds: Mapping[str, bytes] = field(repr=False)
    keys: Mapping[str, bytes] = field(repr=False)


@dataclass(frozen=True)
class Total:
    """The opened sum of a round, with the transcript that lets anyone redo the opening.

    Attributes:
        sum: float64 (d,), the exact fixed-point sum of the survivors' updates; each scaled by
            records / max_records under `Weighting.RECORDS`.
        records: summed record count of the survivors.
        masked: uint64 (n,), the masked sum modulo t that the key authority decrypted.
        request: whose masks were removed.
        answers: the shares that removed them.
        params: the parameters of the study.
    """

    sum: NDArray[np.float64] = field(repr=False)
    records: int
    masked: NDArray[np.uint64] = field(repr=False)
    request: UnmaskRequest = field(repr=False)
    answers: tuple[UnmaskAnswer, ...] = field(repr=False)
    params: Parameters = field(repr=False)

    @property
    def survivors(self) -> tuple[str, ...]:
        """The hospitals inside the sum."""
        return self.request.survivors

    @cached_property
    def published(self) -> bytes:
        """SHA-256 of `masked` (little-endian): record it on the ledger before the challenge is drawn."""
        return hashlib.sha256(np.ascontiguousarray(self.masked, dtype="<u8").data).digest()

    @property
    def mean(self) -> NDArray[np.float64]:
        """float64 (d,): the mean update, weighted as `params.weighting` says."""
        if self.params.weighting is Weighting.RECORDS:
            return self.sum * (self.params.max_records / self.records)
        return self.sum / len(self.survivors)


def seed_commitment(ticket: Ticket, hospital: str, seed: bytes) -> bytes:
    """Return the hash that binds `hospital` to its 32-byte random self-mask seed in this round."""
    return hashlib.sha256(b"BFL-STPC seed/1" + ticket.context() + hospital.encode() + b"\0" + seed).digest()


def require(count: int, ticket: Ticket, what: str) -> None:
    """Raise TooFewUploads if `count` is below the threshold of `ticket`."""
    if count < ticket.threshold:
        raise TooFewUploads(f"{count} {what} in round {ticket.round}; the threshold is {ticket.threshold}")
