"""Arithmetic in Z_q[x]/(x^N + 1) for attackers: the negacyclic transform, and the CKKS embedding.

Polynomials are NumPy object arrays (N,) of Python integers: exact at any q.
"""

import numpy as np
from numpy.typing import NDArray

Poly = NDArray[np.object_]


class Ring:
    """Z_q[x]/(x^N + 1) for a prime q = 1 modulo 2N: multiplication is pointwise after `forward`.

    Values stand in SEAL's order: position i holds the value at ψ^(2·rev(i) + 1), with ψ the least primitive 2N-th root
    of unity modulo q and rev the bit reversal. So x → 1/x turns an array of values round.
    """

    def __init__(self, degree: int, prime: int) -> None:
        """Prepare the powers of ψ for ring degree `degree` and modulus `prime`."""
        self.degree, self.prime = degree, prime
        order = np.zeros(1, dtype=np.int64)
        while order.size < degree:
            order = np.concatenate([2 * order, 2 * order + 1])
        powers = _powers(_least_root(degree, prime), degree, prime)
        self._roots = powers[order]
        self._inverses = np.array([pow(int(r), -1, prime) for r in self._roots], dtype=object)

    def forward(self, poly: Poly) -> Poly:
        """Return the N values of `poly` (N coefficients)."""
        a, half, blocks = poly.reshape(1, -1) % self.prime, self.degree // 2, 1
        while blocks < self.degree:
            a = a.reshape(blocks, 2, half)
            product = a[:, 1] * self._roots[blocks : 2 * blocks, None] % self.prime
            a = np.stack([(a[:, 0] + product) % self.prime, (a[:, 0] - product) % self.prime], axis=1)
            half, blocks = half // 2, 2 * blocks
        return a.reshape(-1)

    def inverse(self, values: Poly) -> Poly:
        """Return the coefficients, centred around zero, of the polynomial with these N `values`."""
        a, half, blocks = values % self.prime, 1, self.degree // 2
        while blocks >= 1:
            a = a.reshape(blocks, 2, half)
            total, gap = a[:, 0] + a[:, 1], a[:, 0] - a[:, 1]
            a = np.stack([total % self.prime, gap * self._inverses[blocks : 2 * blocks, None] % self.prime], axis=1)
            half, blocks = 2 * half, blocks // 2
        coefficients = a.reshape(-1) * pow(self.degree, -1, self.prime) % self.prime
        return np.where(coefficients > self.prime // 2, coefficients - self.prime, coefficients)

    def divide(self, above: Poly, below: Poly) -> Poly:
        """Return above / below, value by value; zero where `below` is zero (about N in q of all keys)."""
        return above * np.array([pow(int(v), self.prime - 2, self.prime) for v in below], dtype=object) % self.prime


def embed(slots: NDArray[np.float64], degree: int) -> NDArray[np.float64]:
    """Return the real polynomial (N,) with the N/2 real `slots` as values at ζ^(3^j), ζ = exp(iπ/N): SEAL's order."""
    at = np.zeros(degree)
    places = _slot_exponents(degree)
    at[(places - 1) // 2] = at[(2 * degree - places - 1) // 2] = slots
    return np.real(np.fft.fft(at) * np.exp(-1j * np.pi * np.arange(degree) / degree)) / degree


def evaluate(poly: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the N/2 real slots of a real polynomial (N,); inverse of `embed`."""
    degree = poly.size
    values = degree * np.fft.ifft(poly * np.exp(1j * np.pi * np.arange(degree) / degree))
    return np.real(values[(_slot_exponents(degree) - 1) // 2])


def _slot_exponents(degree: int) -> NDArray[np.int64]:
    return np.array([pow(3, j, 2 * degree) for j in range(degree // 2)], dtype=np.int64)


def _powers(base: int, count: int, prime: int) -> Poly:
    powers = [1]
    for _ in range(count - 1):
        powers.append(powers[-1] * base % prime)
    return np.array(powers, dtype=object)


def _least_root(degree: int, prime: int) -> int:
    exponent = (prime - 1) // (2 * degree)
    root = next(r for r in (pow(g, exponent, prime) for g in range(2, 1000)) if pow(r, degree, prime) == prime - 1)
    return int(min(_powers(root * root % prime, degree, prime) * root % prime))
