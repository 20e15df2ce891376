"""The verifiable sum: an aggregator or authority that alters the sum is caught.

After the uploads and the digest of the masked sum are fixed on the ledger, a later block's hash yields random
vectors r over Z_t. Each hospital posts its tags ⟨r, own masked vector⟩; their sum must be ⟨r, published masked sum⟩.
If the published sum is wrong, a random r fails to show it with probability 1/t; independent vectors multiply.

Assumes: the block hash is unpredictable when the digest is fixed (who can grind k hashes gains a factor k);
every survivor posts its tag; a hospital that colludes with the aggregator can still change its own contribution.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bfl_stpc.errors import Corrupt, Foreign, SumRefuted, TooFewUploads
from bfl_stpc.stpc.hazmat import masks
from bfl_stpc.stpc.hazmat.fixed_point import decode
from bfl_stpc.stpc.hazmat.unmasking import remove_masks
from bfl_stpc.stpc.messages import Directory, Total
from bfl_stpc.stpc.parameters import Parameters
from bfl_stpc.ticket import Ticket

SOUNDNESS_BITS = 80
_LIMB = np.uint64(24)
_LOW = np.uint64((1 << 24) - 1)


@dataclass(frozen=True)
class Challenge:
    """The random vectors of one round's verification.

    Attributes:
        ticket: the round.
        published: SHA-256 of the masked sum that the ledger fixed before the vectors were drawn.
        keys: one 16-byte key for each vector.
        modulus: t.
    """

    ticket: Ticket
    published: bytes
    keys: tuple[bytes, ...]
    modulus: int

    @classmethod
    def draw(cls, block_hash: bytes, ticket: Ticket, published: bytes, params: Parameters) -> "Challenge":
        """Return the challenge that follows from a block *later* than the one that recorded `published`.

        Args:
            block_hash: 32 bytes.
            ticket: the round.
            published: `Total.published`, recorded on the ledger.
            params: gives t, and with it the number of vectors for a soundness error below 2**-SOUNDNESS_BITS.

        Raises:
            Corrupt: `block_hash` is not 32 bytes.
        """
        if len(block_hash) != 32:
            raise Corrupt(f"a block hash has 32 bytes; this has {len(block_hash)}")
        vectors = math.ceil(SOUNDNESS_BITS / math.log2(params.modulus))
        context = ticket.context() + published
        keys = tuple(masks.derive(block_hash, context, "challenge", str(i)) for i in range(vectors))
        return cls(ticket, published, keys, params.modulus)

    @property
    def soundness_bits(self) -> float:
        """−log2 of the probability that a wrong sum passes."""
        return len(self.keys) * math.log2(self.modulus)

    def inner(self, vector: NDArray[np.uint64]) -> tuple[int, ...]:
        """Return ⟨r, vector⟩ modulo t for each r; `vector` is uint64 (n,), each value below t."""
        return tuple(_inner(masks.MaskStream(key, self.modulus), vector, self.modulus) for key in self.keys)


def verify_sum(total: Total, tags: Mapping[str, tuple[int, ...]], challenge: Challenge, directory: Directory) -> None:
    """Check the published sum against the survivors' tags, and the opened sum against the published one.

    Args:
        total: the opened sum with its transcript.
        tags: by hospital, as posted on the ledger by each itself.
        challenge: drawn after `total.published` was recorded.
        directory: of the round.

    Raises:
        Foreign: the challenge is of another round or another published sum.
        TooFewUploads: a survivor's tag is missing, or one is too many: the sum is neither verified nor refuted.
        SumRefuted: the published sum is not the sum of the committed vectors, or the opening does not follow from it.
    """
    if challenge.ticket != total.request.ticket or challenge.published != total.published:
        raise Foreign("the challenge is of another round or of another published sum")
    if set(tags) != set(total.survivors):
        raise TooFewUploads(f"tags of {sorted(set(tags) ^ set(total.survivors))} are missing or unasked for")
    expected = challenge.inner(total.masked)
    if any(len(tag) != len(expected) for tag in tags.values()):
        raise SumRefuted(f"a tag does not have {len(expected)} values")
    summed = tuple(sum(column) % challenge.modulus for column in zip(*tags.values(), strict=True))
    if summed != expected:
        raise SumRefuted("the published sum is not the sum of the committed uploads")
    clear = remove_masks(total.masked, total.request, directory, total.answers, challenge.modulus)
    opened, records = decode(clear, total.sum.size, len(total.survivors), total.params)
    if not np.array_equal(opened, total.sum) or records != total.records:
        raise SumRefuted("the opened sum does not follow from the published one")


def _inner(stream: masks.MaskStream, vector: NDArray[np.uint64], modulus: int) -> int:
    """Return ⟨stream, vector⟩ modulo `modulus`: 24-bit limbs, whose products of 2**14 terms fit 64 bits."""
    total = 0
    piece = 1 << 14
    for start in range(0, vector.size, piece):
        v = vector[start : start + piece]
        r = stream.next(v.size)
        r1, r0, v1, v0 = r >> _LIMB, r & _LOW, v >> _LIMB, v & _LOW
        high, low = int(np.dot(r1, v1)), int(np.dot(r0, v0))
        middle = int(np.dot(r1, v0)) + int(np.dot(r0, v1))
        total += (high << 48) + (middle << 24) + low
    return total % modulus
