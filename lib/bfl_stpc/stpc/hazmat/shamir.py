"""Shamir's secret sharing of 32-byte secrets over the prime field of 2**256 + 297 elements."""

import functools
import secrets
from collections.abc import Mapping

from bfl_stpc.errors import ShareError

PRIME = 2**256 + 297  # the smallest prime above 2**256: every 32-byte secret fits
SHARE_BYTES = 33


def split(secret: bytes, *, n: int, threshold: int) -> dict[int, bytes]:
    """Return shares 1 ... n of a 32-byte `secret`: any `threshold` of them recover it.

    Raises:
        ShareError: the secret is not 32 bytes, or not 1 <= threshold <= n.

    Hides: any `threshold - 1` shares reveal nothing; the coefficients come from the operating system.
    """
    if len(secret) != 32:
        raise ShareError(f"secret has {len(secret)} bytes; 32 are shared")
    if not 1 <= threshold <= n:
        raise ShareError(f"threshold {threshold} of {n} shares; it must be between 1 and the number of shares")
    coefficients = [int.from_bytes(secret, "big"), *(secrets.randbelow(PRIME) for _ in range(threshold - 1))]
    shares = {}
    for x in range(1, n + 1):
        value = 0
        for coefficient in reversed(coefficients):
            value = (value * x + coefficient) % PRIME
        shares[x] = value.to_bytes(SHARE_BYTES, "big")
    return shares


def combine(shares: Mapping[int, bytes], *, threshold: int) -> bytes:
    """Recover the 32-byte secret from at least `threshold` shares (Lagrange interpolation at zero).

    >>> shares = split(bytes(range(32)), n=5, threshold=3)
    >>> combine({i: shares[i] for i in (1, 4, 5)}, threshold=3) == bytes(range(32))
    True

    Raises:
        ShareError: too few shares, a share of wrong form, or shares that lie on no polynomial of this degree
            through a 32-byte secret.

    Does not: run in constant time. Shares beyond `threshold` are used to detect a forged one.
    """
    if len(shares) < threshold:
        raise ShareError(f"{len(shares)} shares of {threshold} needed")
    points = {x: int.from_bytes(share, "big") for x, share in shares.items()}
    if any(x < 1 or len(shares[x]) != SHARE_BYTES or y >= PRIME for x, y in points.items()):
        raise ShareError("a share has the wrong form")
    chosen = tuple(sorted(points)[:threshold])
    secret = _at(0, chosen, points)
    if any(_at(x, chosen, points) != points[x] for x in sorted(points)[threshold:]) or secret >> 256:
        raise ShareError("the shares do not belong together: at least one is forged or of another secret")
    return secret.to_bytes(32, "big")


def _at(target: int, chosen: tuple[int, ...], points: Mapping[int, int]) -> int:
    """Return the value at `target` of the polynomial through the `chosen` points."""
    return sum(w * points[x] for w, x in zip(_weights(target, chosen), chosen)) % PRIME


@functools.lru_cache(maxsize=512)
def _weights(target: int, chosen: tuple[int, ...]) -> tuple[int, ...]:
    """Return the Lagrange weights at `target`: the same for every secret that the same hospitals help to recover."""
    weights = []
    for x in chosen:
        above, below = 1, 1
        for other in chosen:
            if other != x:
                above = above * (target - other) % PRIME
                below = below * (x - other) % PRIME
        weights.append(above * pow(below, -1, PRIME) % PRIME)
    return tuple(weights)
