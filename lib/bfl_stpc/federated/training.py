"""Local training in TensorFlow Federated: each client's update comes back CLIENTS-placed, and unsummed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import tensorflow as tf
import tensorflow_federated as tff
from numpy.typing import NDArray

from bfl_stpc.errors import FederatedError
from bfl_stpc.federated import worker
from bfl_stpc.federated.model import Mlp


@dataclass(frozen=True)
class ClientData:
    """One hospital's training table: X float32 (n, d) without missing values, y (n,) of 0 and 1."""

    X: NDArray[np.float32]
    y: NDArray


@dataclass(frozen=True)
class TrainConfig:
    """How a hospital trains: plain minibatch SGD with momentum.

    Attributes:
        spec: the model.
        epochs: passes over the hospital's records in one round.
        batch: records in a minibatch; the last of an epoch may be smaller.
        learning_rate: step size.
        momentum: share of the last step that is kept, 0 for none.
    """

    spec: Mlp
    epochs: int = 1
    batch: int = 64
    learning_rate: float = 0.1
    momentum: float = 0.0

    def __post_init__(self) -> None:
        if self.epochs < 1 or self.batch < 1:
            raise FederatedError(f"epochs {self.epochs} and batch {self.batch} must be at least 1")
        if not (self.learning_rate > 0 and 0 <= self.momentum < 1):
            raise FederatedError(
                f"learning rate {self.learning_rate} must be positive, momentum {self.momentum} in [0, 1)"
            )


def _train(config: TrainConfig, weights: tf.Tensor, X: tf.Tensor, y: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
    """Return the update (d,) = trained − given weights, after all epochs, in one while loop."""
    n = tf.shape(X)[0]
    steps = (n + config.batch - 1) // config.batch

    def epoch_order(epoch: tf.Tensor) -> tf.Tensor:
        return tf.random.experimental.stateless_shuffle(tf.range(n), tf.stack([seed, tf.cast(epoch, tf.int64)]))

    def step(i: tf.Tensor, order: tf.Tensor, w: tf.Tensor, velocity: tf.Tensor) -> tuple[tf.Tensor, ...]:
        order = tf.cond(tf.equal(i % steps, 0), lambda: epoch_order(i // steps), lambda: order)
        start = (i % steps) * config.batch
        rows = order[start : tf.minimum(start + config.batch, n)]
        inputs, labels = tf.gather(X, rows), tf.gather(y, rows)
        with tf.GradientTape() as tape:
            tape.watch(w)
            losses = tf.nn.sigmoid_cross_entropy_with_logits(labels=labels, logits=config.spec.logits(w, inputs))
            loss = tf.reduce_mean(losses)
        velocity = config.momentum * velocity - config.learning_rate * tape.gradient(loss, w)
        return i + 1, order, w + velocity, velocity

    state = (tf.constant(0), tf.range(n), weights, tf.zeros_like(weights))
    total = config.epochs * steps
    invariants = (tf.TensorShape([]), tf.TensorShape([None]), weights.shape, weights.shape)
    return tf.while_loop(lambda i, *_: i < total, step, state, shape_invariants=invariants)[2] - weights


@lru_cache(maxsize=32)
def _computation(config: TrainConfig) -> Any:
    """Return the federated computation (weights @ SERVER, X, y, seed @ CLIENTS) → updates @ CLIENTS."""
    worker.start()
    d, inputs = config.spec.size, config.spec.layers[0]
    types = [
        tff.TensorType(np.float32, [d]),
        tff.TensorType(np.float32, [None, inputs]),
        tff.TensorType(np.float32, [None]),
        tff.TensorType(np.int64, []),
    ]

    @tff.tensorflow.computation(*types)
    def local(weights, X, y, seed):  # type: ignore[no-untyped-def]
        return _train(config, weights, X, y, seed)

    placed = [tff.FederatedType(types[0], tff.SERVER), *(tff.FederatedType(t, tff.CLIENTS) for t in types[1:])]

    @tff.federated_computation(*placed)
    def updates(weights, X, y, seed):  # type: ignore[no-untyped-def]
        return tff.federated_map(local, (tff.federated_broadcast(weights), X, y, seed))

    return updates


def _check(weights: NDArray, clients: Sequence[ClientData], config: TrainConfig, seeds: Sequence[int]) -> None:
    if weights.shape != (config.spec.size,) or weights.dtype != np.float32:
        raise FederatedError(
            f"weights are {weights.dtype} {weights.shape}; the model has float32 ({config.spec.size},)"
        )
    if not clients or len(clients) != len(seeds):
        raise FederatedError(f"{len(clients)} clients and {len(seeds)} seeds: at least one client, a seed for each")
    for number, client in enumerate(clients):
        rows, inputs = len(client.X), config.spec.layers[0]
        if rows == 0:
            raise FederatedError(f"client {number} has no records: leave it out of the round")
        if client.X.shape != (rows, inputs) or client.y.shape != (rows,):
            raise FederatedError(
                f"client {number}: X {client.X.shape}, y {client.y.shape}; the model takes (n, {inputs})"
            )
        if not np.isfinite(client.X).all():
            raise FederatedError(f"client {number}: X holds missing or infinite values: scale it with `Scaler` first")
        if not np.isin(client.y, (0, 1)).all():
            raise FederatedError(f"client {number}: labels must be 0 or 1")


def local_updates(
    weights: NDArray[np.float32], clients: Sequence[ClientData], config: TrainConfig, seeds: Sequence[int]
) -> list[NDArray[np.float32]]:
    """Train at each client from `weights` float32 (d,); return each client's update float32 (d,).

    An update depends on the client's own data and seed alone: one client gives the same bytes by itself as among
    others. The shuffling is seeded by (seed, epoch).

    Raises:
        FederatedError: shapes or types do not fit the model, or a client has no records or unusable ones.
    """
    _check(weights, clients, config, seeds)
    # TFF takes seeds as signed 64-bit integers.
    signed = [np.array(seed, np.uint64).astype(np.int64) for seed in seeds]
    X = [np.ascontiguousarray(client.X, np.float32) for client in clients]
    y = [np.ascontiguousarray(client.y, np.float32) for client in clients]
    return [np.asarray(update) for update in _computation(config)(weights, X, y, signed)]


def apply_update(weights: NDArray[np.float32], mean: NDArray[np.float64]) -> NDArray[np.float32]:
    """Return the new global weights float32 (d,): federated averaging with server learning rate 1 (McMahan 2017).

    Raises:
        FederatedError: the mean update has another shape, or is not finite.
    """
    if mean.shape != weights.shape or not np.isfinite(mean).all():
        raise FederatedError(f"mean update of shape {mean.shape} for weights {weights.shape}, or not finite")
    return (weights + mean).astype(np.float32)
