"""Key recovery against CKKS whose decrypted sums are published (Li and Micciancio, eprint 2020/1533).

A ciphertext (c0, c1) and what CKKS decryption returns for it satisfy c0 + c1·s = m exactly, noise included:
whoever sees both has a linear equation in the secret key s. `ckks_vector` returns only the real parts of the slots,
that is m(x) + m(1/x); two ciphertexts then give two equations in s(x) and s(1/x), and s follows by elimination.
In federated learning both halves are public: ciphertext sums on the ledger, averages in the global model.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import tenseal as ts
from numpy.typing import NDArray
from tenseal.sealapi import BatchEncoder, Plaintext

from bfl_stpc.attacks.ring import Poly, Ring, embed, evaluate


@dataclass(frozen=True)
class Recovered:
    """What the equations give for the secret key.

    Attributes:
        coefficients: object (N,), centred modulo the prime; a SEAL key has only −1, 0 and 1.
    """

    coefficients: Poly

    @property
    def ternary(self) -> float:
        """Share of the coefficients in {−1, 0, 1}: 1 on success, about 3/q on failure."""
        return float(np.mean([abs(int(c)) <= 1 for c in self.coefficients]))


def recover_ckks_key(public: ts.Context, observed: Sequence[tuple[bytes, NDArray[np.float64]]]) -> Recovered:
    """Recover the CKKS secret key from two serialised `ckks_vector` sums and their published float64 decryptions.

    Args:
        public: the public context: parameters, no secret.
        observed: two pairs (ciphertext sum, its N/2 published values); of one round or of two.

    Returns:
        The key, if the published values are what decryption returned; noise otherwise.
    """
    degree, prime = _degree(public), _primes(public)[-1]  # the smallest prime of the level is enough for a ternary key
    ring = Ring(degree, prime)
    rows = []
    for block, published in observed:
        vector = ts.ckks_vector_from(public, block)
        c0, c1 = _polynomials(vector.ciphertext()[0], degree, len(_primes(public)) - 1, len(_primes(public)))
        scale = public.global_scale
        twice = np.rint(embed(2 * scale * published, degree))
        m = ring.forward(np.array([int(c) for c in twice], dtype=object))
        rows.append((c1, c1[::-1], (m - c0 - c0[::-1]) % prime))  # c1·s + c1(1/x)·s(1/x) = m + m(1/x) − c0 − c0(1/x)
    (a, b, u), (c, d, v) = rows
    return Recovered(ring.inverse(ring.divide((u * d - v * b) % prime, (a * d - b * c) % prime)))


def read_ckks(public: ts.Context, block: bytes, key: Recovered) -> NDArray[np.float64]:
    """Return the N/2 values inside a serialised `ckks_vector`, with a recovered key and nothing else."""
    degree, primes = _degree(public), _primes(public)
    ring = Ring(degree, primes[0])
    vector = ts.ckks_vector_from(public, block)
    c0, c1 = _polynomials(vector.ciphertext()[0], degree, 0, len(primes))
    message = ring.inverse((c0 + c1 * ring.forward(key.coefficients)) % primes[0])
    return evaluate(message.astype(np.float64))[: vector.size()] / public.global_scale


def recover_bfv_key(public: ts.Context, modulus: int, block: bytes, published: NDArray[np.uint64]) -> Recovered:
    """Mount the same attack on a serialised `bfv_vector` sum with its published uint64 (N,) slots modulo `modulus`.

    BFV decryption rounds the noise away, so the equation c0 + c1·s = Δm + e keeps an unknown e: this returns noise.
    """
    degree, prime = _degree(public), _primes(public)[0]
    ring = Ring(degree, prime)
    c0, c1 = _polynomials(ts.bfv_vector_from(public, block).ciphertext()[0], degree, 0, 1)
    plain = Plaintext()
    BatchEncoder(public.seal_context().data).encode(published.tolist(), plain)
    known = [plain[i] if i < plain.coeff_count() else 0 for i in range(degree)]
    scaled = np.array([(prime * m + modulus // 2) // modulus for m in known], dtype=object)
    return Recovered(ring.inverse(ring.divide(ring.forward(scaled - c0), ring.forward(c1))))


def _degree(context: ts.Context) -> int:
    return int(context.seal_context().data.first_context_data().parms().poly_modulus_degree())


def _primes(context: ts.Context) -> list[int]:
    return [int(m.value()) for m in context.seal_context().data.first_context_data().parms().coeff_modulus()]


def _polynomials(ciphertext: object, degree: int, prime: int, primes: int) -> tuple[Poly, Poly]:
    """Return (c0, c1) modulo the prime of index `prime`, out of `primes`."""
    words = [
        [ciphertext[(half * primes + prime) * degree + i] for i in range(degree)]  # type: ignore[index]
        for half in (0, 1)
    ]
    return np.array(words[0], dtype=object), np.array(words[1], dtype=object)
