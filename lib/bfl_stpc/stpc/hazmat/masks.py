"""Masks: pseudorandom vectors modulo t that two hospitals agree on and that vanish in the sum.

A pair agrees on a key by X25519; HKDF-SHA256 binds it to the round's context (model hash, round, chain) and to
both names; AES-128 in counter mode expands it. Word i of the stream, cut to the bits of t, is mask i; where it is
t or more, it is redrawn from a part of the counter space of its own, so that masks are exactly uniform
(for a random key) and do not depend on how the vector is cut into chunks.
"""

from collections.abc import Sequence

import numpy as np
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from numpy.typing import NDArray

from bfl_stpc.errors import Corrupt

CHUNK = 1 << 15  # words expanded at a time: 256 KiB, inside the cache, and a multiple of every ring degree
_ZEROS = bytes(8 * CHUNK)
_REDRAW = 1 << 127


def derive(secret: bytes, context: bytes, label: str, *names: str, length: int = 16) -> bytes:
    """Return `length` key bytes from `secret`, bound to `context`, `label` and the ordered `names` (RFC 5869)."""
    info = b"".join(len(n.encode()).to_bytes(4, "big") + n.encode() for n in (label, *names))
    digest = hashes.Hash(hashes.SHA256())
    digest.update(context)
    return HKDF(hashes.SHA256(), length, salt=digest.finalize(), info=info).derive(secret)


def agree(private: X25519PrivateKey, public: bytes) -> bytes:
    """Return the 32-byte X25519 secret shared with the holder of `public` (RFC 7748).

    Raises:
        Corrupt: `public` is not 32 bytes, or of small order (the secret would be zero).
    """
    try:
        return private.exchange(X25519PublicKey.from_public_bytes(public))
    except ValueError as error:
        raise Corrupt("an advertised key is not a usable X25519 public key") from error


class MaskStream:
    """The mask of one key, written out piece by piece."""

    def __init__(self, key: bytes, modulus: int) -> None:
        """Start the stream of a 16-byte `key` modulo `modulus` (at most 2**63)."""
        self._key, self._modulus, self._position = key, modulus, 0
        self._low = np.uint64((1 << modulus.bit_length()) - 1)
        self._cipher = Cipher(algorithms.AES(key), modes.CTR(bytes(16))).encryptor()

    def next(self, count: int, buffer: bytearray | None = None) -> NDArray[np.uint64]:
        """Return the next `count` (at most CHUNK) mask values, uint64 (count,), as a view of `buffer` if given.

        Args:
            count: how many values.
            buffer: scratch of at least 8 × count + 15 bytes, overwritten.
        """
        buffer = bytearray(8 * count + 15) if buffer is None else buffer
        self._cipher.update_into(memoryview(_ZEROS)[: 8 * count], buffer)
        words = np.frombuffer(buffer, dtype="<u8", count=count)
        words &= self._low
        if int(words.max()) >= self._modulus:
            for i in np.flatnonzero(words >= np.uint64(self._modulus)):
                words[i] = self._redraw(self._position + int(i))
        self._position += count
        return words

    def _redraw(self, position: int) -> int:
        attempt = 0
        while True:
            counter = (_REDRAW + (position << 32) + attempt).to_bytes(16, "big")
            block = Cipher(algorithms.AES(self._key), modes.CTR(counter)).encryptor().update(bytes(8))
            word = int.from_bytes(block, "little") & int(self._low)
            if word < self._modulus:
                return word
            attempt += 1


class Masker:
    """Adds and subtracts many masks at once, chunk by chunk, in constant memory."""

    def __init__(self, plus: Sequence[bytes], minus: Sequence[bytes], modulus: int) -> None:
        """Start the masks of 16-byte keys `plus` (added) and `minus` (subtracted), modulo `modulus`.

        The number of keys plus one, times the modulus, must stay below 2**64: 65,000 keys at 48 bits.
        """
        self._plus = [MaskStream(key, modulus) for key in plus]
        self._minus = [MaskStream(key, modulus) for key in minus]
        self._modulus = np.uint64(modulus)
        self._lift = np.uint64(len(minus) * modulus)  # keeps the difference non-negative
        self._buffer = bytearray(8 * CHUNK + 15)

    def apply(self, slots: NDArray[np.uint64]) -> NDArray[np.uint64]:
        """Return uint64 (n,): the next n ≤ CHUNK `slots`, each below the modulus, with all masks applied."""
        out = slots + self._lift
        for stream in self._plus:
            out += stream.next(out.size, self._buffer)
        for stream in self._minus:
            out -= stream.next(out.size, self._buffer)
        quotient = out // self._modulus
        quotient *= self._modulus
        out -= quotient  # half the time of `out %= modulus`
        return out


def apply_masks(
    slots: NDArray[np.uint64], plus: Sequence[bytes], minus: Sequence[bytes], modulus: int
) -> NDArray[np.uint64]:
    """Return slots + Σ masks of `plus` − Σ masks of `minus`, modulo `modulus`: a new uint64 (n,) array."""
    masker, out = Masker(plus, minus, modulus), np.empty_like(slots)
    for start in range(0, slots.size, CHUNK):
        out[start : start + CHUNK] = masker.apply(slots[start : start + CHUNK])
    return out


def self_key(seed: bytes, context: bytes, name: str) -> bytes:
    """Return the 16-byte key of the self mask of hospital `name`, from its 32-byte seed."""
    return derive(seed, context, "self mask", name)


def pair_key(secret: bytes, context: bytes, one: str, other: str) -> bytes:
    """Return the 16-byte key of the mask shared by two hospitals, the same in either order of names."""
    return derive(secret, context, "pair mask", *sorted((one, other)))


def to_bytes(slots: NDArray[np.uint64], modulus: int) -> bytes:
    """Return uint64 (n,) values below `modulus` in the fewest whole bytes each, little-endian."""
    unit, columns = _units(modulus)
    words = slots.astype("<u8", copy=False).view(unit).reshape(slots.size, -1)
    out = np.empty((slots.size, columns), dtype=unit)
    for i in range(columns):  # column by column: ten times as fast as one strided copy
        out[:, i] = words[:, i]
    return out.tobytes()


def from_bytes(data: bytes | bytearray, modulus: int) -> NDArray[np.uint64]:
    """Return the uint64 (n,) values in `data`; inverse of `to_bytes`."""
    unit, columns = _units(modulus)
    packed = np.frombuffer(data, dtype=unit).reshape(-1, columns)
    words = np.zeros((packed.shape[0], 8 // np.dtype(unit).itemsize), dtype=unit)
    for i in range(columns):
        words[:, i] = packed[:, i]
    return words.reshape(-1).view("<u8")


def _units(modulus: int) -> tuple[str, int]:
    """Return the widest unit that the values of `modulus` fill, as a dtype, and how many of them."""
    width = -(-modulus.bit_length() // 8)
    return ("<u2", width // 2) if width % 2 == 0 else ("u1", width)
