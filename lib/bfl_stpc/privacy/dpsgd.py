"""Record-level DP-SGD at one hospital, as a TensorFlow graph (Abadi et al. 2016)."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from bfl_stpc.errors import PrivacyError
from bfl_stpc.privacy.ghost import clipped_sum
from bfl_stpc.privacy.noise import NoiseSource, system_gaussian, system_key


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
        """Return the weights (p,) after the private steps, in one while loop."""
        rate, clip, sigma, learning_rate = parameters[0], parameters[2], parameters[3], parameters[4]
        steps, size = tf.cast(parameters[1], tf.int32), self.spec.size
        n = tf.shape(X)[0]
        secret = self.noise is NoiseSource.SYSTEM
        key = _join(parameters[5:9]) if secret else seed
        taken = sampled(steps, n, rate, key)

        def noise(step: tf.Tensor) -> tf.Tensor:
            if secret:
                return parameters[9 + step * size : 9 + (step + 1) * size]
            return tf.random.stateless_normal([size], tf.stack([key, tf.cast(step + 1, tf.int64)]))

        def body(step: tf.Tensor, w: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            rows = tf.where(taken[step])[:, 0]
            total = clipped_sum(self.spec, w, tf.gather(X, rows), tf.gather(y, rows), clip)
            mean = (total + sigma * clip * noise(step)) / (rate * tf.cast(n, tf.float32))
            return step + 1, tf.ensure_shape(w - learning_rate * mean, weights.shape)

        return tf.while_loop(lambda step, _: step < steps, body, (tf.constant(0), weights))[1]


def sampled(steps: tf.Tensor, n: tf.Tensor, rate: tf.Tensor, key: tf.Tensor) -> tf.Tensor:
    """Return which of n records each step takes, bool (steps, n): each by itself with probability `rate`."""
    return tf.random.stateless_uniform([steps, n], tf.stack([key, tf.constant(0, tf.int64)])) < rate


def _join(words: tf.Tensor) -> tf.Tensor:
    """Return the int64 whose bits are four 16-bit numbers kept as float32 (4,)."""
    w = tf.cast(words, tf.int64)
    return tf.bitcast(w[0] + w[1] * 2**16 + w[2] * 2**32, tf.int64) + tf.bitwise.left_shift(
        w[3], tf.constant(48, tf.int64)
    )
