"""Where the randomness of a private step comes from."""

from __future__ import annotations

import enum
import secrets
from typing import TYPE_CHECKING

import numpy as np
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from numpy.typing import NDArray

from bfl_stpc.lazy import Lazy

if TYPE_CHECKING:
    import tensorflow as tf
else:
    tf = Lazy("tensorflow")


class NoiseSource(enum.Enum):
    """Where sampling and noise of DP-SGD come from.

    SYSTEM is for deployment: Gaussian noise from an AES-128-CTR stream, and the key of the Poisson sampling, both
    keyed by the operating system. SIMULATION derives all from the seed, so that a study repeats: whoever knows the
    seed takes the noise off, so it protects nobody.
    """

    SYSTEM = "system"
    SIMULATION = "simulation only"


def gaussian(rows: tf.Tensor, columns: int, deviation: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
    """Return independent normal draws of this deviation, float32 (rows, columns), for simulation only.

    Box and Muller's transform of TensorFlow's Philox generator, keyed by `seed` int64 (2,): in whole-array operations
    it takes half the time of `tf.random.stateless_normal`, which transforms number by number. Uniforms have 23 bits, as
    there, so no draw exceeds 5.65 deviations.
    """
    half = (columns + 1) // 2
    u, turn = tf.unstack(tf.random.stateless_uniform([2, rows, half], seed, alg="philox"))
    radius = tf.sqrt(-2.0 * deviation**2 * tf.math.log(1.0 - u))
    angle = 2 * np.pi * turn
    return tf.concat([radius * tf.cos(angle), radius * tf.sin(angle)], 1)[:, :columns]


def system_gaussian(size: int) -> NDArray[np.float32]:
    """Return independent standard normal draws float32 (size,), by Box and Muller from an AES-128-CTR stream.

    Does not: defend against attacks on the low bits of floating-point noise (Mironov 2012).
    """
    half = (size + 1) // 2
    stream = Cipher(algorithms.AES(secrets.token_bytes(16)), modes.CTR(secrets.token_bytes(16))).encryptor()
    bits = np.frombuffer(stream.update(bytes(16 * half)), "<u8") >> np.uint64(11)
    u = (bits + 0.5) * 2.0**-53
    radius, angle = np.sqrt(-2 * np.log(u[:half])), 2 * np.pi * u[half:]
    return np.concatenate([radius * np.cos(angle), radius * np.sin(angle)])[:size].astype(np.float32)


def system_key() -> NDArray[np.float32]:
    """Return 64 bits of the operating system's randomness as four 16-bit numbers, float32 (4,)."""
    return np.frombuffer(secrets.token_bytes(8), "<u2").astype(np.float32)
