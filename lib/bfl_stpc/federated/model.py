"""The model: a small multilayer perceptron whose weights are one flat vector."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from bfl_stpc.errors import FederatedError
from bfl_stpc.lazy import Lazy
from bfl_stpc.seeds import generator

if TYPE_CHECKING:
    import tensorflow as tf
else:
    tf = Lazy("tensorflow")


@dataclass(frozen=True)
class Mlp:
    """Layer widths from the inputs to the one logit, for example (70, 32, 1); ReLU between.

    The weight vector holds, layer after layer, the kernel (in × out, row by row) and the bias (out).

    Raises:
        FederatedError: fewer than two layers, an empty layer, or more than one output.
    """

    layers: tuple[int, ...]

    def __post_init__(self) -> None:
        if len(self.layers) < 2 or min(self.layers) < 1 or self.layers[-1] != 1:
            raise FederatedError(
                f"layers {self.layers}: at least inputs and one output, none empty, a single logit last"
            )

    @property
    def shapes(self) -> list[tuple[int, int]]:
        """(in, out) of each layer."""
        return list(zip(self.layers[:-1], self.layers[1:]))

    @property
    def size(self) -> int:
        """Number of parameters d."""
        return sum(i * o + o for i, o in self.shapes)

    def logits(self, weights: tf.Tensor, X: tf.Tensor) -> tf.Tensor:
        """Return the logits float32 (n,) of inputs float32 (n, layers[0]) under flat weights float32 (d,)."""
        hidden = X
        for number, (kernel, bias) in enumerate(self.unflatten(weights)):
            hidden = hidden @ kernel + bias
            if number < len(self.shapes) - 1:
                hidden = tf.nn.relu(hidden)
        return hidden[:, 0]

    def unflatten(self, weights: Any) -> list[tuple[Any, Any]]:
        """Return (kernel (in, out), bias (out,)) of each layer, of a flat NumPy or TensorFlow vector (d,)."""
        reshape = np.reshape if isinstance(weights, np.ndarray) else tf.reshape
        parts, at = [], 0
        for i, o in self.shapes:
            parts.append((reshape(weights[at : at + i * o], (i, o)), weights[at + i * o : at + i * o + o]))
            at += i * o + o
        return parts

    def loss_and_gradient(self, weights: tf.Tensor, X: tf.Tensor, y: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Return the mean log loss, in nats, over records X (n, layers[0]), y (n,), and its gradient (d,)."""
        with tf.GradientTape() as tape:
            tape.watch(weights)
            losses = tf.nn.sigmoid_cross_entropy_with_logits(labels=y, logits=self.logits(weights, X))
            loss = tf.reduce_mean(losses)
        return loss, tape.gradient(loss, weights)


def init_weights(spec: Mlp, seed: int) -> NDArray[np.float32]:
    """Return initial weights float32 (d,): kernels normal with variance 2 / in (He et al. 2015), biases zero."""
    rng = generator("init", seed)
    parts: list[NDArray] = []
    for i, o in spec.shapes:
        parts += [rng.normal(0.0, np.sqrt(2.0 / i), i * o), np.zeros(o)]
    return np.concatenate(parts).astype(np.float32)


def digest(weights: NDArray[np.float32]) -> bytes:
    """Return the SHA-256 (32 bytes) of the canonical bytes of flat weights: little-endian float32.

    Raises:
        FederatedError: the weights are not a flat float32 vector of finite numbers.
    """
    if weights.ndim != 1 or weights.dtype != np.float32 or not np.isfinite(weights).all():
        raise FederatedError(f"weights must be a flat vector of finite float32, not {weights.dtype} {weights.shape}")
    return hashlib.sha256(weights.astype("<f4").tobytes()).digest()
