"""Record-level DP-SGD at one hospital, as a TensorFlow graph (Abadi et al. 2016)."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from bfl_stpc.errors import PrivacyError
from bfl_stpc.lazy import Lazy
from bfl_stpc.privacy.ghost import clipped_sum, joined
from bfl_stpc.privacy.noise import NoiseSource, gaussian, system_gaussian, system_key

if TYPE_CHECKING:
    import tensorflow as tf
else:
    tf = Lazy("tensorflow")

BLOCK = 2**18  # noise drawn at once, in numbers: 1 MB a hospital, whatever the model's size and the steps


@dataclass(frozen=True)
class DpConfig:
    """How a hospital trains privately; pass it to `federated.local_updates` in place of a `TrainConfig`.

    Each step takes every record by itself with probability q (Poisson sampling, so that the accounting of the
    sampled Gaussian mechanism holds), clips each record's gradient to norm C, adds N(0, σ²C²) to their sum and
    divides by the expected batch qn. Batches have the size that they happen to have: nothing is padded or cut,
    and an empty batch still adds its noise. n itself counts as public.

    Attributes:
        spec: the model, of dense layers.
        sampling_rate: q, in (0, 1].
        steps: steps in one round.
        clip: C, bound on the norm of each record's gradient.
        noise_multiplier: σ; 0 means no noise and no privacy.
        learning_rate: step size.
        noise: where the randomness comes from. `local_updates` gives its seed to SIMULATION only.
    """

    spec: Any
    sampling_rate: float
    steps: int
    clip: float
    noise_multiplier: float
    learning_rate: float
    noise: NoiseSource = NoiseSource.SYSTEM

    def __post_init__(self) -> None:
        if not 0 < self.sampling_rate <= 1:
            raise PrivacyError(f"sampling rate is {self.sampling_rate}; it must lie in (0, 1]")
        if self.steps < 1 or not self.clip > 0 or self.noise_multiplier < 0 or not self.learning_rate > 0:
            raise PrivacyError(
                f"steps {self.steps} must be at least 1, clip {self.clip} and learning rate {self.learning_rate} "
                f"positive, noise multiplier {self.noise_multiplier} not negative"
            )

    def structure(self) -> Hashable:
        """Return the model and the source of noise; with the system's noise also the steps, whose noise is input."""
        return "dp-sgd", self.spec, self.noise, self.steps if self.noise is NoiseSource.SYSTEM else 0

    def parameters(self) -> NDArray[np.float32]:
        """Return q, steps, C, σ and the learning rate, then fresh randomness where the system supplies it."""
        values = (self.sampling_rate, self.steps, self.clip, self.noise_multiplier, self.learning_rate)
        if self.noise is NoiseSource.SIMULATION:
            return np.array(values, np.float32)
        return np.concatenate([values, system_key(), system_gaussian(self.steps * self.spec.size)]).astype(np.float32)

    def train(
        self, weights: tf.Tensor, X: tf.Tensor, y: tf.Tensor, parameters: tf.Tensor, seed: tf.Tensor
    ) -> tf.Tensor:
        """Return the weights (p,) after the private steps, in blocks of steps that draw their randomness at once."""
        rate, clip, sigma, learning_rate = (parameters[i] for i in (0, 2, 3, 4))
        steps, size = tf.cast(parameters[1], tf.int32), self.spec.size
        n, longest = tf.shape(X)[0], max(1, BLOCK // size)
        Z, squares = joined(X)
        pace = learning_rate / (rate * tf.cast(n, tf.float32))
        secret = self.noise is NoiseSource.SYSTEM
        key = _join(parameters[5:9]) if secret else seed

        def noise(start: tf.Tensor, count: tf.Tensor) -> tf.Tensor:
            if secret:
                given = parameters[9 + start * size : 9 + (start + count) * size]
                return sigma * clip * tf.reshape(given, [count, size])
            return gaussian(count, size, sigma * clip, _seed(key, start, 1))

        def block(start: tf.Tensor, w: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            count = tf.minimum(longest, steps - start)
            batches = _batches(sampled(count, n, rate, _seed(key, start, 0)))
            noises = noise(start, count)

            def step(number: tf.Tensor, w: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
                rows = batches.read(number)
                z, norms, labels = (tf.gather(part, rows) for part in (Z, squares, y))
                total = clipped_sum(self.spec, w, z, norms, labels, clip)
                return number + 1, tf.ensure_shape(w - pace * (total + tf.gather(noises, number)), weights.shape)

            return start + count, tf.while_loop(lambda number, _: number < count, step, (tf.constant(0), w))[1]

        return tf.while_loop(lambda start, _: start < steps, block, (tf.constant(0), weights))[1]


def sampled(steps: tf.Tensor, n: tf.Tensor, rate: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
    """Return which of n records each step takes, bool (steps, n): each by itself with probability `rate`.

    `seed` int64 (2,) keys TensorFlow's counter-based Philox generator.
    """
    return tf.random.stateless_uniform([steps, n], seed, alg="philox") < rate


def _batches(taken: tf.Tensor) -> tf.TensorArray:
    """Return the rows int64 (m,) that each step takes, of bool (steps, n): as many as there are, none included."""
    places = tf.where(taken)
    lengths = tf.math.count_nonzero(taken, 1, dtype=tf.int32)
    empty = tf.TensorArray(tf.int64, tf.shape(taken)[0], infer_shape=False, element_shape=[None])
    return empty.split(places[:, 1], lengths)


def _seed(key: tf.Tensor, start: tf.Tensor, purpose: int) -> tf.Tensor:
    """Return the seed int64 (2,) of a block's sampling (purpose 0) or noise (1): no two blocks share one."""
    return tf.stack([key, 2 * tf.cast(start, tf.int64) + purpose])


def _join(words: tf.Tensor) -> tf.Tensor:
    """Return the int64 whose bits are four 16-bit numbers kept as float32 (4,)."""
    w = tf.cast(words, tf.int64)
    return tf.bitcast(w[0] + w[1] * 2**16 + w[2] * 2**32, tf.int64) + tf.bitwise.left_shift(
        w[3], tf.constant(48, tf.int64)
    )
