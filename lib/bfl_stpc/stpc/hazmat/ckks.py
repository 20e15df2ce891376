"""CKKS as federated learning frameworks use it: a comparison and a victim, never a default.

CKKS is approximate: decryption returns the message plus the encryption noise. Publishing what it returns beside the
ciphertexts gives away the secret key (Li and Micciancio, eprint 2020/1533); `bfl_stpc.attacks.ckks` does it.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import tenseal as ts
from numpy.typing import NDArray


@dataclass(frozen=True)
class CkksParameters:
    """CKKS parameters; the defaults are those of NVIDIA FLARE's homomorphic encryption examples.

    Attributes:
        ring_degree: N; a ciphertext holds N/2 real slots.
        coeff_bits: bits of the primes; the last is dropped after encryption.
        scale_bits: values are multiplied by 2**scale_bits before rounding.
    """

    ring_degree: int = 8192
    coeff_bits: tuple[int, ...] = (60, 40, 40)
    scale_bits: int = 40

    @property
    def slots(self) -> int:
        """Real values in one ciphertext."""
        return self.ring_degree // 2


class CkksKeys:
    """One CKKS key pair, with the encrypt, add and decrypt of `ts.ckks_vector`."""

    def __init__(self, params: CkksParameters | None = None) -> None:
        """Generate a key pair."""
        self.params = params or CkksParameters()
        self.secret = ts.context(
            ts.SCHEME_TYPE.CKKS,
            self.params.ring_degree,
            coeff_mod_bit_sizes=list(self.params.coeff_bits),
            n_threads=1,
        )
        self.secret.global_scale = 2.0**self.params.scale_bits
        self.public = ts.context_from(
            self.secret.serialize(
                save_public_key=True, save_secret_key=False, save_galois_keys=False, save_relin_keys=False
            ),
            1,
        )

    def encrypt(self, vector: NDArray[np.floating]) -> list[bytes]:
        """Return one serialised `ckks_vector` for each N/2 values of real (d,) `vector`."""
        step = self.params.slots
        parts = (vector[start : start + step] for start in range(0, vector.size, step))
        return [ts.ckks_vector(self.public, part.tolist()).serialize() for part in parts]

    def add(self, uploads: Sequence[Sequence[bytes]]) -> list[bytes]:
        """Return the serialised sums of corresponding blocks of several uploads."""
        sums = []
        for blocks in zip(*uploads, strict=True):
            total = ts.ckks_vector_from(self.public, blocks[0])
            for block in blocks[1:]:
                total.add_(ts.ckks_vector_from(self.public, block))
            sums.append(total.serialize())
        return sums

    def decrypt(self, blocks: Iterable[bytes]) -> NDArray[np.float64]:
        """Return the float64 values that CKKS decryption gives: the sums plus encryption noise."""
        return np.concatenate([np.array(ts.ckks_vector_from(self.secret, block).decrypt()) for block in blocks])
