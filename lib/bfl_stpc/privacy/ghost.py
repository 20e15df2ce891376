"""Per-example gradient norms of a dense network without per-example gradients ("ghost norms").

A dense layer's gradient for one record is the outer product a δᵀ of its input a and the derivative δ of
the loss by its output, and δ for the bias. Its squared norm is therefore ‖δ‖² (‖a‖² + 1), exactly, and
Σᵢ sᵢ aᵢ δᵢᵀ is one matrix product (Goodfellow 2015, "Efficient per-example gradient computations";
Li et al. 2022 for private training).
"""

from __future__ import annotations

from typing import Any, Protocol

import tensorflow as tf


class Dense(Protocol):
    """A network of dense layers with ReLU between them and one logit last, such as `federated.Mlp`."""

    @property
    def layers(self) -> tuple[int, ...]:
        """Widths from the inputs to the logit."""

    @property
    def size(self) -> int:
        """Number of parameters p."""

    def unflatten(self, weights: Any) -> list[tuple[Any, Any]]:
        """Return (kernel, bias) of each layer of flat weights (p,)."""


def backpropagate(
    spec: Dense, weights: tf.Tensor, X: tf.Tensor, y: tf.Tensor
) -> tuple[list[tf.Tensor], list[tf.Tensor]]:
    """Return the inputs a (n, in) and the derivatives δ (n, out) of each layer, of each record's own log loss."""
    layers = spec.unflatten(weights)
    inputs, hidden = [], X
    for number, (kernel, bias) in enumerate(layers):
        inputs.append(hidden)
        hidden = hidden @ kernel + bias
        if number < len(layers) - 1:
            hidden = tf.nn.relu(hidden)
    deltas = [tf.sigmoid(hidden) - y[:, None]]
    for (kernel, _), activation in zip(layers[:0:-1], inputs[:0:-1]):
        deltas.insert(0, tf.matmul(deltas[0], kernel, transpose_b=True) * tf.cast(activation > 0, tf.float32))
    return inputs, deltas


def squared_norms(inputs: list[tf.Tensor], deltas: list[tf.Tensor]) -> tf.Tensor:
    """Return the squared Euclidean norm of each record's gradient, float32 (n,)."""
    parts = [tf.reduce_sum(d * d, 1) * (tf.reduce_sum(a * a, 1) + 1) for a, d in zip(inputs, deltas)]
    return tf.add_n(parts)


def clipped_sum(spec: Dense, weights: tf.Tensor, X: tf.Tensor, y: tf.Tensor, clip: tf.Tensor) -> tf.Tensor:
    """Return Σᵢ gᵢ · min(1, clip / ‖gᵢ‖), float32 (p,): each record's gradient clipped by itself, then added."""
    inputs, deltas = backpropagate(spec, weights, X, y)
    scale = tf.minimum(1.0, clip * tf.math.rsqrt(tf.maximum(squared_norms(inputs, deltas), 1e-24)))
    parts = []
    for a, d in zip(inputs, deltas):
        scaled = d * scale[:, None]
        parts += [tf.reshape(tf.matmul(a, scaled, transpose_a=True), [-1]), tf.reduce_sum(scaled, 0)]
    return tf.concat(parts, 0)
