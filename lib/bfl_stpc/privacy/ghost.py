"""Per-example gradient norms of a dense network without per-example gradients ("ghost norms").

A dense layer's gradient for one record is the outer product a δᵀ of its input a and the derivative δ of
the loss by its output, and δ for the bias. Its squared norm is therefore ‖δ‖² (‖a‖² + 1), exactly, and
Σᵢ sᵢ aᵢ δᵢᵀ is one matrix product (Goodfellow 2015, "Efficient per-example gradient computations";
Li et al. 2022 for private training).
"""

from __future__ import annotations

import itertools
from typing import Protocol

import numpy as np
import tensorflow as tf


class Dense(Protocol):
    """A network of dense layers with ReLU between them and one logit last, such as `federated.Mlp`."""

    @property
    def layers(self) -> tuple[int, ...]:
        """Widths from the inputs to the logit."""

    @property
    def size(self) -> int:
        """Number of parameters p."""


def backpropagate(
    spec: Dense, weights: tf.Tensor, X: tf.Tensor, y: tf.Tensor
) -> tuple[list[tf.Tensor], list[tf.Tensor]]:
    """Return each layer's inputs (n, in + 1), a 1 last, and derivatives δ (n, out) of each record's own log loss.

    With the 1, kernel and bias are one matrix, as they lie in the flat weights: fewer and larger operations.
    """
    layers = _layers(spec, weights)
    inputs, hidden = [], X
    for number, matrix in enumerate(layers):
        inputs.append(tf.pad(hidden, [[0, 0], [0, 1]], constant_values=1.0))
        hidden = tf.matmul(inputs[-1], matrix)
        if number < len(layers) - 1:
            hidden = tf.nn.relu(hidden)
    deltas = [tf.sigmoid(hidden) - y[:, None]]
    for matrix, activation in zip(layers[:0:-1], inputs[:0:-1]):
        behind = tf.matmul(deltas[0], matrix, transpose_b=True)
        deltas.insert(0, tf.raw_ops.ReluGrad(gradients=behind, features=activation)[:, :-1])
    return inputs, deltas


def _layers(spec: Dense, weights: tf.Tensor) -> list[tf.Tensor]:
    """Return each layer's matrix (in + 1, out), the bias last, of flat weights (p,)."""
    shapes = [(i + 1, o) for i, o in itertools.pairwise(spec.layers)]
    parts = tf.split(weights, [i * o for i, o in shapes])
    return [tf.reshape(part, shape) for part, shape in zip(parts, shapes)]


def squared_norms(inputs: list[tf.Tensor], deltas: list[tf.Tensor]) -> tf.Tensor:
    """Return the squared Euclidean norm of each record's gradient, float32 (n,)."""
    return tf.reduce_sum(_by_layer(inputs) * _by_layer(deltas), 1)


def _by_layer(parts: list[tf.Tensor]) -> tf.Tensor:
    """Return the squared norm of each row of each part (n, width), float32 (n, parts): one product for all."""
    owner = np.repeat(np.arange(len(parts)), [part.shape[1] for part in parts])
    return tf.matmul(tf.square(tf.concat(parts, 1)), tf.constant(np.eye(len(parts), dtype=np.float32)[owner]))


def clipped_sum(spec: Dense, weights: tf.Tensor, X: tf.Tensor, y: tf.Tensor, clip: tf.Tensor) -> tf.Tensor:
    """Return Σᵢ gᵢ · min(1, clip / ‖gᵢ‖), float32 (p,): each record's gradient clipped by itself, then added."""
    inputs, deltas = backpropagate(spec, weights, X, y)
    scale = tf.minimum(1.0, clip * tf.math.rsqrt(squared_norms(inputs, deltas)))[:, None]  # norm 0 gives 1
    return tf.concat([tf.reshape(tf.matmul(a, d * scale, transpose_a=True), [-1]) for a, d in zip(inputs, deltas)], 0)
