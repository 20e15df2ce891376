"""Packed BFV over TenSEAL: keys, encryption slot by slot, addition, and a container that refuses foreign bytes.

One ciphertext holds N slots modulo t. TenSEAL would cut a longer vector itself, with a printed warning each time,
so the cutting happens here. Secret keys never leave `SecretKey`.
"""

import hashlib
import io
import itertools
import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import tenseal as ts
from numpy.typing import NDArray
from tenseal.sealapi import Decryptor

from bfl_stpc.errors import Corrupt, Foreign, NoiseExhausted, Oversized, Truncated
from bfl_stpc.stpc.parameters import Parameters

_HEAD = struct.Struct(">8s32s32s32s32sQ")  # magic; SHA-256 of parameters, key, round context, peers; update size
_LENGTH = struct.Struct(">I")
_MAGIC = b"BSTPCct1"
MAX_SIZE = 1 << 32  # parameters of one update: a bound on what a header may claim


def _context(data: bytes) -> ts.Context:
    return ts.context_from(data, 1)


class Container(NamedTuple):
    """The contents of a payload: size of the update, digest of the hospitals whose masks bind it, ciphertexts."""

    size: int
    peers: bytes
    blocks: list[memoryview]


@dataclass(frozen=True)
class PublicKey:
    """The key authority's BFV public key with its parameters.

    Attributes:
        data: TenSEAL context with the public key and nothing secret.
        parameters: digest of the `Parameters` that it was made for.
        digest: SHA-256 of `data`.
    """

    data: bytes = field(repr=False)
    parameters: bytes = field(repr=False)
    digest: bytes = field(init=False)
    context: ts.Context = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        try:
            context = _context(self.data)
        except (RuntimeError, ValueError) as error:
            raise Corrupt("the public key cannot be read") from error
        if context.is_private() or not context.has_public_key():
            raise Corrupt("these bytes are not a public key alone: a secret key must never be distributed")
        object.__setattr__(self, "context", context)
        object.__setattr__(self, "digest", hashlib.sha256(self.data).digest())

    def __reduce__(self) -> tuple[type["PublicKey"], tuple[bytes, bytes]]:
        return PublicKey, (self.data, self.parameters)


class SecretKey:
    """The key authority's BFV secret key; made by SEAL from the operating system's randomness."""

    def __init__(self, params: Parameters, *, secret: bytes | None = None, public: bytes | None = None) -> None:
        """Generate a key pair for `params`, or take up one whose `secret` was exported with `public` beside it.

        Raises:
            Corrupt: the bytes are no such key pair.
        """
        self._params = params
        self._context = self._generate() if secret is None else self._read(secret)
        if public is None:
            public = self._context.serialize(
                save_public_key=True, save_secret_key=False, save_galois_keys=False, save_relin_keys=False
            )
        self.public = PublicKey(public, params.digest)  # kept: SEAL serialises the same key to other bytes each time
        self._decryptor = Decryptor(self._context.seal_context().data, self._context.secret_key().data)

    def export(self) -> bytes:
        """Return the key pair as bytes: **secret**, for the owner's own store."""
        return bytes(
            self._context.serialize(
                save_public_key=True, save_secret_key=True, save_galois_keys=False, save_relin_keys=False
            )
        )

    def _generate(self) -> ts.Context:
        params = self._params
        return ts.context(
            ts.SCHEME_TYPE.BFV,
            params.ring_degree,
            plain_modulus=params.modulus,
            coeff_mod_bit_sizes=list(params.coeff_bits),
            n_threads=1,
        )

    def _read(self, secret: bytes) -> ts.Context:
        try:
            context = _context(secret)
        except (RuntimeError, ValueError) as error:
            raise Corrupt("the secret key cannot be read") from error
        if not context.is_private():
            raise Corrupt("these bytes hold no secret key")
        return context

    def decrypt(self, blocks: Iterable[bytes | memoryview], slots: int) -> NDArray[np.uint64]:
        """Return the uint64 (slots,) plaintext of ciphertext `blocks`, each value below t.

        Raises:
            NoiseExhausted: a block has no noise budget left, so its plaintext would be wrong.
            Corrupt: a block is not a ciphertext under these parameters.
        """
        parts = []
        for block in blocks:
            vector = load(block, self._context, self._params)
            if self._decryptor.invariant_noise_budget(vector.ciphertext()[0]) < 1:
                raise NoiseExhausted("a ciphertext has no noise budget left: it is not a sum of the allowed size")
            parts.append(np.array(vector.decrypt(), dtype=np.int64))
        return np.mod(np.concatenate(parts)[:slots], self._params.modulus).astype(np.uint64)

    def budgets(self, blocks: Iterable[bytes | memoryview]) -> list[int]:
        """Return the noise budget of each ciphertext block, in bits."""
        loaded = (load(b, self._context, self._params) for b in blocks)
        return [int(self._decryptor.invariant_noise_budget(v.ciphertext()[0])) for v in loaded]


def encrypt(chunks: Iterable[NDArray[np.uint64]], key: PublicKey, params: Parameters) -> Iterator[bytes]:
    """Yield one serialised ciphertext for each N slots of uint64 `chunks`.

    Every chunk but the last must be a multiple of N slots; the last ciphertext is padded with zeros.
    Calls the native class that `ts.bfv_vector` wraps: its detour over a tensor costs a quarter more time.
    """
    for slots in chunks:
        for start in range(0, slots.size, params.ring_degree):
            block = slots[start : start + params.ring_degree].astype(np.int64)
            block = np.pad(block, (0, params.ring_degree - block.size))
            yield ts._ts_cpp.BFVVector(key.context.data, block.tolist()).serialize()


def load(block: bytes | memoryview, context: ts.Context, params: Parameters) -> ts.BFVVector:
    """Return the ciphertext in `block`.

    Raises:
        Corrupt: not a fresh-sized ciphertext (two polynomials, N slots) under the parameters of `context`.
    """
    try:
        vector = ts.bfv_vector_from(context, bytes(block))
        ciphertexts = vector.ciphertext()
    except (RuntimeError, ValueError) as error:
        raise Corrupt("a block is not a ciphertext under these parameters") from error
    if vector.size() != params.ring_degree or len(ciphertexts) != 1 or ciphertexts[0].size() != 2:
        raise Corrupt("a block is not one ciphertext of two polynomials with N slots")
    return vector


def add(columns: Iterable[tuple[bytes | memoryview, ...]], key: PublicKey, params: Parameters) -> Iterator[bytes]:
    """Yield the serialised sum of each tuple of ciphertext blocks (one block of each upload)."""
    for blocks in columns:
        total = load(blocks[0], key.context, params)
        for block in blocks[1:]:
            total.add_(load(block, key.context, params))
        yield total.serialize()


def write(
    blocks: Iterable[bytes],
    *,
    size: int,
    round_context: bytes,
    peers: bytes,
    key: PublicKey,
    params: Parameters,
) -> bytes:
    """Return the container of ciphertext `blocks`, ending in its SHA-256.

    Blocks are consumed one by one: the container is the only thing held whole.

    Args:
        blocks: from `encrypt` or `add`.
        size: parameters of the update.
        round_context: `Ticket.context()`.
        peers: 32-byte digest of the hospitals among whom the masks cancel, from `peers_digest`.
        key: the key that the blocks are encrypted under.
        params: the parameters of the study.
    """
    out, checksum = io.BytesIO(), hashlib.sha256()
    head = _HEAD.pack(_MAGIC, params.digest, key.digest, hashlib.sha256(round_context).digest(), peers, size)
    for piece in itertools.chain([head], (p for block in blocks for p in (_LENGTH.pack(len(block)), block))):
        out.write(piece)
        checksum.update(piece)
    out.write(checksum.digest())
    return out.getvalue()


def peers_digest(names: Iterable[str]) -> bytes:
    """Return the digest of a set of hospitals."""
    return hashlib.sha256(b"".join(len(n.encode()).to_bytes(4, "big") + n.encode() for n in sorted(names))).digest()


def read(payload: bytes, *, round_context: bytes, key: PublicKey, params: Parameters) -> Container:
    """Return the contents of a container; blocks are checked when they are loaded.

    Raises:
        Truncated, Oversized, Foreign, Corrupt: the reason is in the name and the message.
    """
    if len(payload) < _HEAD.size + 32:
        raise Truncated(f"a payload of {len(payload)} bytes is shorter than its header")
    magic, parameters, public, context, peers, size = _HEAD.unpack_from(payload)
    if magic != _MAGIC:
        raise Foreign(f"payload version {magic!r}; this library reads {_MAGIC!r}")
    if parameters != params.digest:
        raise Foreign("the payload was made under other parameters")
    if public != key.digest:
        raise Foreign("the payload was encrypted under another public key")
    if context != hashlib.sha256(round_context).digest():
        raise Foreign("the payload belongs to another round or another global model")
    if not 1 <= size <= MAX_SIZE:
        raise Oversized(f"the payload claims an update of {size} parameters; 1 to {MAX_SIZE} are allowed")
    count = -(-params.slots(size) // params.ring_degree)
    limit = 16 * params.ring_degree * (len(params.coeff_bits) - 1) + 1024  # two polynomials, 8 bytes a coefficient
    if len(payload) > _HEAD.size + 32 + count * (limit + _LENGTH.size):
        raise Oversized(f"{len(payload)} bytes are more than {count} ciphertexts can need")
    view = memoryview(payload)  # blocks are slices of it: an upload is not held twice
    blocks: list[memoryview] = []
    position, end = _HEAD.size, len(payload) - 32
    for _ in range(count):
        if position + _LENGTH.size > end:
            raise Truncated(f"the payload ends after {len(blocks)} of {count} ciphertexts")
        (length,) = _LENGTH.unpack_from(payload, position)
        if length > limit:
            raise Oversized(f"a ciphertext of {length} bytes exceeds {limit}")
        position += _LENGTH.size
        if position + length > end:
            raise Truncated(f"the payload ends inside ciphertext {len(blocks) + 1} of {count}")
        blocks.append(view[position : position + length])
        position += length
    if position != end:
        raise Oversized(f"{end - position} bytes follow the last ciphertext")
    if hashlib.sha256(view[:end]).digest() != payload[end:]:
        raise Corrupt("the checksum of the payload fails")
    return Container(size, peers, blocks)
