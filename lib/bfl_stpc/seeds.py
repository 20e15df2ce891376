"""Seeds that depend on what they are for, never on run order or global state."""

import hashlib

import numpy as np


def derive_seed(experiment: str, *scope: str | int) -> int:
    """Return a 64-bit seed for `experiment` within `scope`, usually (hospital, round).

    The seed is the head of SHA-256 over the length-prefixed parts, so that no two
    different scopes collide by concatenation. For simulations only: never key material.

    >>> derive_seed("fl", "hospital-03", 7) == derive_seed("fl", "hospital-03", 7)
    True
    >>> derive_seed("fl", "a", "b") != derive_seed("fl", "ab")
    True
    """
    parts = [experiment, *map(str, scope)]
    message = b"".join(len(p.encode()).to_bytes(4, "big") + p.encode() for p in parts)
    return int.from_bytes(hashlib.sha256(message).digest()[:8], "big")


def generator(experiment: str, *scope: str | int) -> np.random.Generator:
    """Return a NumPy generator (PCG64) seeded by `derive_seed(experiment, *scope)`."""
    return np.random.Generator(np.random.PCG64(derive_seed(experiment, *scope)))
