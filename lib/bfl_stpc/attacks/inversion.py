"""From an update back to records: the closed form of the first dense layer, and gradient matching.

For one record x with derivative δ at the hidden units, a dense layer's gradient is x δᵀ for the kernel and δ for the
bias (Phong et al. 2018): any column of the first over its entry of the second is x itself. Over a batch, or over the
steps of a FedAvg update, the same ratio is an average of the records that made the unit fire, and the record itself
where one fired alone.
"""

from __future__ import annotations

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from bfl_stpc.attacks.setting import Setting
from bfl_stpc.federated import Mlp
from bfl_stpc.privacy.ghost import backpropagate

Vector = NDArray[np.floating]


def closed_form(setting: Setting, vector: Vector) -> NDArray[np.float64]:
    """Return a candidate for each hidden unit, float64 (hidden, width), the unit of the largest bias first.

    Args:
        setting: the model.
        vector: (p,), an update or a gradient: scale and sign cancel.
    """
    kernel, bias = setting.spec.unflatten(np.asarray(vector, np.float64))[0]
    order = np.argsort(-np.abs(bias), kind="stable")
    safe = np.where(bias == 0, np.inf, bias)
    candidates = (kernel / safe).T[order]
    low, high = setting.bounds()
    return np.clip(candidates, low - 1, high + 1)  # nobody's values lie far outside: a guess must not either


def recognised(setting: Setting, candidates: NDArray[np.float64], tolerance: float = 0.02) -> NDArray[np.bool_]:
    """Return which candidates (n, width) look like one record rather than an average of several.

    The attacker does not know the truth, but flags and counts of one patient are whole numbers.
    """
    d = len(setting.names)
    whole = setting.decimals == 0
    whole[setting.inputs.measured] = False
    values = candidates[:, :d] * setting.inputs.scaler.deviation + setting.inputs.scaler.mean
    checked = np.concatenate([values[:, whole], candidates[:, d:]], axis=1)
    return np.asarray((np.abs(checked - np.rint(checked)) < tolerance).all(axis=1))


def match(
    setting: Setting,
    weights: NDArray[np.float32],
    vectors: NDArray[np.floating],
    batch: int,
    *,
    steps: int = 300,
    restarts: int = 4,
    rng: np.random.Generator,
) -> NDArray[np.float32]:
    """Return `batch` records for each update, float32 (v, batch, width), whose gradient points where it points.

    Minimises 1 − cos between the mean gradient of dummy records with soft labels and the update's negative (Geiping
    et al. 2020) by Adam; values stay within the ranges of the attacker's own patients, which are its prior. Starts are
    random patients of his; the best of `restarts` by the loss, the only measure that an attacker has, is kept.

    Args:
        setting: the model and the prior.
        weights: float32 (p,), the global model that training started from.
        vectors: (v, p), updates, each −learning rate · gradient, or nearly.
        batch: records to recover from each.
        steps: of Adam.
        restarts: attempts.
        rng: draws the starts.
    """
    low, high = setting.bounds()
    count = len(vectors) * restarts
    x, loss = _descend(
        setting.spec,
        tf.constant(weights),
        tf.constant(np.repeat(_unit(-np.asarray(vectors, np.float64)), restarts, axis=0), tf.float32),
        tf.constant(setting.public[rng.integers(len(setting.public), size=count * batch)]),
        tf.constant(rng.choice([-2.0, 2.0], size=count * batch), tf.float32),
        tf.constant(low),
        tf.constant(high),
        tf.constant(steps),
    )
    best = loss.numpy().reshape(-1, restarts).argmin(axis=1)
    return np.asarray(x.numpy().reshape(len(vectors), restarts, batch, -1)[np.arange(len(vectors)), best])


@tf.function(reduce_retracing=True)  # one graph serves all batch sizes from the second on
def _descend(
    spec: Mlp,
    weights: tf.Tensor,
    target: tf.Tensor,
    x: tf.Tensor,
    label: tf.Tensor,
    low: tf.Tensor,
    high: tf.Tensor,
    steps: tf.Tensor,
) -> tuple[tf.Tensor, tf.Tensor]:
    """Return the records (v · batch, width) after Adam, and the loss (v,), for unit vectors `target` (v, p)."""
    count = tf.shape(target)[0]

    def losses(x: tf.Tensor, label: tf.Tensor) -> tf.Tensor:
        inputs, deltas = backpropagate(spec, weights, x, tf.sigmoid(label))
        parts = []
        for a, d in zip(inputs, deltas):
            a, d = (tf.reshape(part, [count, -1, part.shape[1]]) for part in (a, d))
            parts.append(tf.reshape(tf.matmul(a, d, transpose_a=True), [count, -1]))
        gradient = tf.concat(parts, 1)
        return 1 - tf.reduce_sum(gradient * target, 1) / tf.maximum(tf.norm(gradient, axis=1), 1e-12)

    def step(t: tf.Tensor, *state: tf.Tensor) -> tuple[tf.Tensor, ...]:
        x, label, *moments = state
        with tf.GradientTape() as tape:
            tape.watch([x, label])
            loss = tf.reduce_sum(losses(x, label))
        now = tf.cast(t, tf.float32)
        rate = 0.1 * (1 - (now - 1) / tf.cast(steps, tf.float32))
        moved = []
        for value, slope, m, v in zip((x, label), tape.gradient(loss, [x, label]), moments[::2], moments[1::2]):
            m, v = 0.9 * m + 0.1 * slope, 0.999 * v + 0.001 * slope**2
            moved += [value - rate * (m / (1 - 0.9**now)) / (tf.sqrt(v / (1 - 0.999**now)) + 1e-8), m, v]
        return t + 1, tf.clip_by_value(moved[0], low, high), moved[3], *moved[1:3], *moved[4:]

    start = (tf.constant(1), x, label, tf.zeros_like(x), tf.zeros_like(x), tf.zeros_like(label), tf.zeros_like(label))
    _, x, label, *_ = tf.while_loop(lambda t, *_: t <= steps, step, start)
    return x, losses(x, label)


def cosine(one: NDArray[np.floating], other: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return the cosine similarity over the last axis; 0 where one of the two is zero."""
    return np.asarray((_unit(one) * _unit(other)).sum(axis=-1))


def assigned(recovered: NDArray[np.floating], true: NDArray[np.floating]) -> NDArray[np.floating]:
    """Return `recovered` (batch, width) in the order in which they fit `true` (batch, width) best, by cosine."""
    _, columns = linear_sum_assignment(-cosine(true[:, None], recovered[None]))
    return recovered[columns]


def linked(recovered: NDArray[np.floating], pools: NDArray[np.floating]) -> NDArray[np.bool_]:
    """Return whether the recovered records (v, b, width) point to the first of each pool (v, m, width), by cosine.

    The pool holds the victim first and m − 1 other patients; whoever is nearest to any of the b recovered records is
    accused. All of a pool are treated alike, so that a guess succeeds once in m. Ties do not count.
    """
    near = cosine(recovered[:, :, None], pools[:, None]).max(axis=1)
    return np.asarray(near[:, 0] > near[:, 1:].max(axis=1))


def _unit(x: NDArray[np.floating]) -> NDArray[np.float64]:
    wide = np.asarray(x, np.float64)
    return wide / np.maximum(np.linalg.norm(wide, axis=-1, keepdims=True), 1e-30)
