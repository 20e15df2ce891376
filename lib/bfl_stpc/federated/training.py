"""Local training in TensorFlow Federated: each client's update comes back CLIENTS-placed, and unsummed."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from bfl_stpc.errors import FederatedError
from bfl_stpc.federated import worker
from bfl_stpc.federated.model import Mlp
from bfl_stpc.lazy import Lazy

if TYPE_CHECKING:
    import tensorflow as tf
    import tensorflow_federated as tff
else:
    tf = Lazy("tensorflow")
    tff = Lazy("tensorflow_federated")


@dataclass(frozen=True)
class ClientData:
    """One hospital's training table: X float32 (n, d) without missing values, y (n,) of 0 and 1."""

    X: NDArray[np.float32]
    y: NDArray


class LocalTraining(Protocol):
    """What a hospital does with its records in one round. `TrainConfig` is plain SGD; DP-SGD is in `privacy`.

    Attributes:
        spec: the model.
    """

    @property
    def spec(self) -> Mlp:
        """The model."""

    def structure(self) -> Hashable:
        """Return what the graph depends on: equal structures share one compiled computation."""

    def parameters(self) -> NDArray[np.float32]:
        """Return the numbers that may differ between hospitals and rounds without compiling again, (k,)."""

    def train(
        self, weights: tf.Tensor, X: tf.Tensor, y: tf.Tensor, parameters: tf.Tensor, seed: tf.Tensor
    ) -> tf.Tensor:
        """Return the trained weights (p,), as a TensorFlow graph; `seed` int64 is the round's and hospital's own."""


@dataclass(frozen=True)
class TrainConfig:
    """How a hospital trains: plain minibatch SGD with momentum, shuffled anew in every epoch.

    Attributes:
        spec: the model.
        epochs: passes over the hospital's records in one round.
        batch: records in a minibatch; the last of an epoch may be smaller.
        learning_rate: step size.
        momentum: share of the last step that is kept, 0 for none.
        proximal: μ of FedProx (Li et al. 2020): the loss gains μ/2·‖w − w_global‖²; 0 is FedAvg.
        decay: λ of weight decay: the loss gains λ/2·‖w‖².
    """

    spec: Mlp
    epochs: int = 1
    batch: int = 64
    learning_rate: float = 0.1
    momentum: float = 0.0
    proximal: float = 0.0
    decay: float = 0.0

    def __post_init__(self) -> None:
        if self.epochs < 1 or self.batch < 1:
            raise FederatedError(f"epochs {self.epochs} and batch {self.batch} must be at least 1")
        if not (self.learning_rate > 0 and 0 <= self.momentum < 1 and min(self.proximal, self.decay) >= 0):
            raise FederatedError(
                f"learning rate {self.learning_rate} must be positive, momentum {self.momentum} in [0, 1), "
                f"proximal {self.proximal} and decay {self.decay} not negative"
            )

    def structure(self) -> Hashable:
        """Return the model: the rest are parameters."""
        return "sgd", self.spec

    def parameters(self) -> NDArray[np.float32]:
        """Return epochs, batch, learning rate, momentum, μ and λ, float32 (6,)."""
        values = (self.epochs, self.batch, self.learning_rate, self.momentum, self.proximal, self.decay)
        return np.array(values, np.float32)

    def train(
        self, weights: tf.Tensor, X: tf.Tensor, y: tf.Tensor, parameters: tf.Tensor, seed: tf.Tensor
    ) -> tf.Tensor:
        """Return the weights after all epochs, in one while loop. The order of an epoch is `epoch_order`."""
        return self._descend(weights, weights, X, y, parameters, seed)

    def _descend(
        self, start: tf.Tensor, weights: tf.Tensor, X: tf.Tensor, y: tf.Tensor, parameters: tf.Tensor, seed: tf.Tensor
    ) -> tf.Tensor:
        """Train from `start`, pulled towards `weights` by μ."""
        epochs, batch = tf.cast(parameters[0], tf.int32), tf.cast(parameters[1], tf.int32)
        learning_rate, momentum, proximal, decay = (parameters[i] for i in (2, 3, 4, 5))
        n = tf.shape(X)[0]
        steps = (n + batch - 1) // batch

        def step(i: tf.Tensor, order: tf.Tensor, w: tf.Tensor, velocity: tf.Tensor) -> tuple[tf.Tensor, ...]:
            order = tf.cond(tf.equal(i % steps, 0), lambda: epoch_order(n, seed, i // steps), lambda: order)
            start = (i % steps) * batch
            rows = order[start : tf.minimum(start + batch, n)]
            _, gradient = self.spec.loss_and_gradient(w, tf.gather(X, rows), tf.gather(y, rows))
            gradient += proximal * (w - weights) + decay * w
            velocity = momentum * velocity - learning_rate * gradient
            return i + 1, order, w + velocity, velocity

        state = (tf.constant(0), tf.range(n), start, tf.zeros_like(start))
        shapes = (tf.TensorShape([]), tf.TensorShape([None]), weights.shape, weights.shape)
        return tf.while_loop(lambda i, *_: i < epochs * steps, step, state, shape_invariants=shapes)[2]


@dataclass(frozen=True)
class PersonalConfig(TrainConfig):
    """SGD of a hospital's own model: it starts `offset` away from the global weights and is pulled to them by μ.

    Attributes:
        offset: float32 (p,), the hospital's own model less the global weights.
    """

    offset: NDArray[np.float32] = field(default_factory=lambda: np.zeros(0, np.float32), repr=False)

    def structure(self) -> Hashable:
        """Return the model; the offset is among the parameters."""
        return "personal sgd", self.spec

    def parameters(self) -> NDArray[np.float32]:
        """Return the parameters of plain SGD, then the offset, float32 (6 + p,)."""
        return np.concatenate([super().parameters(), self.offset]).astype(np.float32)

    def train(
        self, weights: tf.Tensor, X: tf.Tensor, y: tf.Tensor, parameters: tf.Tensor, seed: tf.Tensor
    ) -> tf.Tensor:
        """Return the hospital's own model after all epochs; its difference from `weights` is the next offset."""
        return self._descend(weights + parameters[6:], weights, X, y, parameters[:6], seed)


def epoch_order(n: tf.Tensor, seed: tf.Tensor, epoch: tf.Tensor) -> tf.Tensor:
    """Return the order int32 (n,) in which the records of one epoch are seen."""
    key = tf.stack([tf.cast(seed, tf.int64), tf.cast(epoch, tf.int64)])
    return tf.random.experimental.stateless_shuffle(tf.range(n), key)


_computations: dict[Hashable, Any] = {}  # by structure: compiling takes seconds, and rounds share it


def _computation(config: LocalTraining) -> Any:
    """Return the federated computation (weights @ SERVER; X, y, parameters, seed @ CLIENTS) → updates @ CLIENTS."""
    structure = config.structure()
    if structure not in _computations:
        _computations[structure] = _build(config)
    return _computations[structure]


def _build(config: LocalTraining) -> Any:
    types = [
        tff.TensorType(np.float32, [config.spec.size]),
        tff.TensorType(np.float32, [None, config.spec.layers[0]]),
        tff.TensorType(np.float32, [None]),
        tff.TensorType(np.float32, [config.parameters().size]),
        tff.TensorType(np.int64, []),
    ]

    @tff.tensorflow.computation(*types)
    def local(weights, X, y, parameters, seed):  # type: ignore[no-untyped-def]
        return config.train(weights, X, y, parameters, seed) - weights

    placed = [tff.FederatedType(types[0], tff.SERVER), *(tff.FederatedType(t, tff.CLIENTS) for t in types[1:])]

    @tff.federated_computation(*placed)
    def updates(weights, X, y, parameters, seed):  # type: ignore[no-untyped-def]
        return tff.federated_map(local, (tff.federated_broadcast(weights), X, y, parameters, seed))

    return updates


def _check(
    weights: NDArray, clients: Sequence[ClientData], configs: Sequence[LocalTraining], seeds: Sequence[int]
) -> None:
    spec = configs[0].spec
    if weights.shape != (spec.size,) or weights.dtype != np.float32:
        raise FederatedError(f"weights are {weights.dtype} {weights.shape}; the model has float32 ({spec.size},)")
    if not clients or len(clients) != len(seeds) or len(clients) != len(configs):
        raise FederatedError(
            f"{len(clients)} clients, {len(seeds)} seeds, {len(configs)} configurations: "
            "at least one client, a seed and a configuration for each"
        )
    if len({config.structure() for config in configs}) > 1:
        raise FederatedError("the hospitals of one call must train one model by one rule: call once for each")
    for number, client in enumerate(clients):
        rows, inputs = len(client.X), spec.layers[0]
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
    weights: NDArray[np.float32],
    clients: Sequence[ClientData],
    config: LocalTraining | Sequence[LocalTraining],
    seeds: Sequence[int],
) -> list[NDArray[np.float32]]:
    """Train at each client from `weights` float32 (p,); return each client's update float32 (p,).

    An update depends on the client's own data, configuration and seed alone: one client gives the same bytes by
    itself as among others, and in any process. A hospital whose records are all of one class trains like any other.

    Args:
        weights: flat global weights.
        clients: the hospitals' scaled records.
        config: one for all, or one for each client; they must agree in their `structure`.
        seeds: one 64-bit seed for each client, usually `derive_seed(experiment, hospital, round)`.

    Raises:
        FederatedError: shapes or types do not fit the model, a client has no records or unusable ones, or the
            training diverged.
    """
    configs = list(config) if isinstance(config, Sequence) else [config] * len(clients)
    if not configs:
        raise FederatedError("no client and no configuration: give at least one of each")
    _check(weights, clients, configs, seeds)
    worker.start()
    # TFF takes seeds as signed 64-bit integers.
    signed = [np.array(seed, np.uint64).astype(np.int64) for seed in seeds]
    X = [np.ascontiguousarray(client.X, np.float32) for client in clients]
    y = [np.ascontiguousarray(client.y, np.float32) for client in clients]
    parameters = [each.parameters() for each in configs]
    computation = _computation(configs[0])
    updates = [np.asarray(update) for update in computation(weights, X, y, parameters, signed)]
    for number, update in enumerate(updates):
        if not np.isfinite(update).all():
            raise FederatedError(f"client {number}: training diverged: lower the learning rate")
    return updates
