"""The fast path equals `tff.learning`'s own federated averaging, seed for seed."""

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_federated as tff

from bfl_stpc import federated
from bfl_stpc.federated.training import epoch_order

RATE, BATCH, ROUNDS = 0.1, 16, 3


def keras_model(spec):
    layers = [tf.keras.layers.InputLayer(input_shape=(spec.layers[0],))]
    layers += [tf.keras.layers.Dense(width, "relu") for width in spec.layers[1:-1]]
    return tf.keras.Sequential([*layers, tf.keras.layers.Dense(1)])


def oracle(spec, clients, weights, seed_of):
    """Weights after each round of `build_weighted_fed_avg` on batches in the same order."""
    signature = (
        tf.TensorSpec([None, spec.layers[0]], tf.float32),
        tf.TensorSpec([None, 1], tf.float32),
    )

    def model():
        loss = tf.keras.losses.BinaryCrossentropy(from_logits=True)
        return tff.learning.models.from_keras_model(keras_model(spec), loss=loss, input_spec=signature)

    process = tff.learning.algorithms.build_weighted_fed_avg(
        model,
        client_optimizer_fn=tff.learning.optimizers.build_sgdm(RATE),
        server_optimizer_fn=tff.learning.optimizers.build_sgdm(1.0),
    )
    parts = [np.array(part) for layer in spec.unflatten(weights) for part in layer]
    state = process.set_model_weights(process.initialize(), tff.learning.models.ModelWeights(parts, []))
    for number in range(ROUNDS):
        tables = []
        for k, client in enumerate(clients):
            order = epoch_order(tf.constant(len(client.y)), tf.constant(seed_of(k, number), tf.int64), 0).numpy()
            rows = (client.X[order], client.y[order].astype(np.float32)[:, None])
            tables.append(tf.data.Dataset.from_tensor_slices(rows).batch(BATCH))
        state = process.next(state, tables).state
        yield np.concatenate([np.ravel(part) for part in process.get_model_weights(state).trainable])


@pytest.mark.slow
def test_rounds_equal_those_of_tff_learning(spec, clients, weights):
    def seed_of(k, number):
        return 1000 * k + number

    federated.worker.start()
    config = federated.TrainConfig(spec, batch=BATCH, learning_rate=RATE)
    records = [len(client.y) for client in clients]
    w = weights
    for number, expected in enumerate(oracle(spec, clients, weights, seed_of)):
        seeds = [seed_of(k, number) for k in range(len(clients))]
        updates = federated.local_updates(w, clients, config, seeds)
        w = federated.apply_update(w, federated.weighted_mean(updates, records))
        np.testing.assert_allclose(w, expected, atol=3e-6)
    unweighted = federated.apply_update(weights, federated.weighted_mean(updates, [1, 1, 1]))
    assert np.abs(unweighted - expected).max() > 1e-3  # the tolerance tells the two weightings apart
