"""Per-example gradient norms of a dense network without per-example gradients ("ghost norms").

A dense layer's gradient for one record is the outer product a δᵀ of its input a and the derivative δ of
the loss by its output, and δ for the bias. Its squared norm is therefore ‖δ‖² (‖a‖² + 1), exactly, and
Σᵢ sᵢ aᵢ δᵢᵀ is one matrix product (Goodfellow 2015, "Efficient per-example gradient computations";
Li et al. 2022 for private training).
"""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Protocol

from bfl_stpc.lazy import Lazy

if TYPE_CHECKING:
    import tensorflow as tf
else:
    tf = Lazy("tensorflow")


class Dense(Protocol):
    """A network of dense layers with ReLU between them and one logit last, such as `federated.Mlp`."""

    @property
    def layers(self) -> tuple[int, ...]:
        """Widths from the inputs to the logit."""

    @property
    def size(self) -> int:
        """Number of parameters p."""


def joined(X: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Return records with a 1 at the end (n, d + 1), and the squared norm of each (n,): once for all steps."""
    Z = tf.pad(X, [[0, 0], [0, 1]], constant_values=1.0)
    return Z, _squares(Z)


def backpropagate(
    spec: Dense, weights: tf.Tensor, X: tf.Tensor, y: tf.Tensor
) -> tuple[list[tf.Tensor], list[tf.Tensor]]:
    """Return each layer's inputs (n, in + 1), a 1 last, and derivatives δ (n, out) of each record's own log loss.

    With the 1, kernel and bias are one matrix, as they lie in the flat weights: fewer and larger operations.
    """
    return _backpropagate(spec, weights, joined(X)[0], y)


def _backpropagate(
    spec: Dense, weights: tf.Tensor, Z: tf.Tensor, y: tf.Tensor
) -> tuple[list[tf.Tensor], list[tf.Tensor]]:
    layers = _layers(spec, weights)
    inputs, logits = [Z], tf.matmul(Z, layers[0])
    for matrix in layers[1:]:
        inputs.append(tf.pad(tf.nn.relu(logits), [[0, 0], [0, 1]], constant_values=1.0))
        logits = tf.matmul(inputs[-1], matrix)
    deltas = [tf.sigmoid(logits) - y[:, None]]
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
    return _norms([_squares(a) for a in inputs], deltas)


def _norms(squares: list[tf.Tensor], deltas: list[tf.Tensor]) -> tf.Tensor:
    return tf.add_n([s * _squares(d) for s, d in zip(squares, deltas)])


def _squares(rows: tf.Tensor) -> tf.Tensor:
    return tf.reduce_sum(tf.square(rows), 1)


def clipped_sum(
    spec: Dense, weights: tf.Tensor, Z: tf.Tensor, squares: tf.Tensor, y: tf.Tensor, clip: tf.Tensor
) -> tf.Tensor:
    """Return Σᵢ gᵢ · min(1, clip / ‖gᵢ‖), float32 (p,): each record's gradient clipped by itself, then added.

    `Z` (n, d + 1) and `squares` (n,) are what `joined` makes of the records.
    """
    inputs, deltas = _backpropagate(spec, weights, Z, y)
    norms = _norms([squares, *(_squares(a) for a in inputs[1:])], deltas)
    scale = tf.minimum(1.0, clip * tf.math.rsqrt(norms))[:, None]  # norm 0 gives 1
    return tf.concat([tf.reshape(tf.matmul(a, d * scale, transpose_a=True), [-1]) for a, d in zip(inputs, deltas)], 0)
