import hashlib
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
import tensorflow as tf

from bfl_stpc import federated
from bfl_stpc.errors import FederatedError
from bfl_stpc.federated.training import epoch_order

SEEDS = [11, 22, 2**64 - 1]


@pytest.fixture(scope="module")
def config(spec):
    return federated.TrainConfig(spec, epochs=2, batch=16, learning_rate=0.1, momentum=0.5)


def by_hand(config, weights, client, seed):
    """The same training, step by step in NumPy float64."""
    w, velocity, start = weights.astype(np.float64), 0.0, weights.astype(np.float64)
    for epoch in range(config.epochs):
        order = epoch_order(tf.constant(len(client.y)), np.array(seed, np.uint64).astype(np.int64), epoch).numpy()
        for at in range(0, len(order), config.batch):
            rows = order[at : at + config.batch]
            X, y = client.X[rows].astype(np.float64), client.y[rows]
            (K, b), (k, c) = [(np.array(p), np.array(q)) for p, q in config.spec.unflatten(w)]
            hidden = np.maximum(X @ K + b, 0)
            delta = (1 / (1 + np.exp(-(hidden @ k + c)[:, 0])) - y)[:, None] / len(y)
            back = (delta @ k.T) * (hidden > 0)
            parts = [(X.T @ back).ravel(), back.sum(0), (hidden.T @ delta).ravel(), delta.sum(0)]
            gradient = np.concatenate(parts) + config.proximal * (w - start) + config.decay * w
            velocity = config.momentum * velocity - config.learning_rate * gradient
            w = w + velocity
    return w - start


@pytest.mark.parametrize("changes", [{}, {"proximal": 0.5}, {"decay": 0.3}])
def test_it_equals_the_same_training_written_out_in_numpy(config, weights, clients, changes):
    config = replace(config, **changes)
    updates = federated.local_updates(weights, clients, config, SEEDS)
    for update, client, seed in zip(updates, clients, SEEDS):
        np.testing.assert_allclose(update, by_hand(config, weights, client, seed), atol=2e-6)


def test_one_hospital_alone_gives_the_same_bytes_as_among_others(config, weights, clients):
    together = federated.local_updates(weights, clients, config, SEEDS)
    for update, client, seed in zip(together, clients, SEEDS):
        assert federated.local_updates(weights, [client], config, [seed])[0].tobytes() == update.tobytes()


def test_another_seed_gives_another_update(config, weights, clients):
    first, second = (federated.local_updates(weights, clients[:1], config, [seed])[0] for seed in (1, 2))
    assert not np.array_equal(first, second)


@pytest.mark.slow
def test_another_process_gives_the_same_bytes(config, weights, clients):
    code = f"""
import hashlib, sys
sys.path.insert(0, {str(__file__.rsplit("/", 1)[0])!r})
import conftest
from bfl_stpc import federated
clients, weights = conftest.clients.__wrapped__(), federated.init_weights(conftest.SPEC, 1)
config = federated.TrainConfig(conftest.SPEC, epochs=2, batch=16, learning_rate=0.1, momentum=0.5)
print(hashlib.sha256(b"".join(u.tobytes() for u in federated.local_updates(weights, clients, config, {SEEDS}))).hexdigest())
"""
    there = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()[-1]
    here = b"".join(u.tobytes() for u in federated.local_updates(weights, clients, config, SEEDS))
    assert there == hashlib.sha256(here).hexdigest()


def test_hospitals_may_differ_in_their_settings(config, weights, clients):
    slow = replace(config, learning_rate=0.01)
    mixed = federated.local_updates(weights, clients, [config, slow, config], SEEDS)
    assert np.array_equal(mixed[1], federated.local_updates(weights, clients[1:2], slow, SEEDS[1:2])[0])


def test_a_strong_proximal_term_holds_the_weights(config, weights, clients):
    free, held = (
        np.linalg.norm(federated.local_updates(weights, clients[:1], replace(config, proximal=mu), [1])[0])
        for mu in (0.0, 5.0)
    )
    assert held < free / 2


def test_a_hospital_of_one_class_trains(config, weights, clients):
    only = federated.ClientData(clients[0].X, np.zeros(37, np.int8))
    (update,) = federated.local_updates(weights, [only], config, [1])
    assert federated.predict(weights + update, config.spec, only.X).mean() < 0.4


def test_training_learns(config, weights, clients):
    (update,) = federated.local_updates(weights, clients[1:2], replace(config, epochs=30), [1])
    metrics = federated.evaluate(federated.apply_update(weights, update), config.spec, clients[1].X, clients[1].y)
    assert metrics.accuracy > 0.9


def bad(client, **changes):
    return replace(client, **changes)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda c: federated.ClientData(c.X[:0], c.y[:0]), "no records"),
        (lambda c: federated.ClientData(c.X[:, :5], c.y), "takes"),
        (lambda c: federated.ClientData(np.where(c.X > 2, np.nan, c.X), c.y), "missing or infinite"),
        (lambda c: federated.ClientData(c.X, c.y + 1), "0 or 1"),
    ],
)
def test_unusable_records_are_refused_by_name(config, weights, clients, make, message):
    with pytest.raises(FederatedError, match=f"client 1.*{message}"):
        federated.local_updates(weights, [clients[0], make(clients[1])], config, [1, 2])


def test_divergence_is_named(config, weights, clients):
    with pytest.raises(FederatedError, match="diverged"):
        federated.local_updates(weights, clients[:1], replace(config, learning_rate=1e38), [1])


@pytest.mark.parametrize(
    "settings", [{"epochs": 0}, {"batch": 0}, {"learning_rate": 0}, {"momentum": 1}, {"proximal": -1}]
)
def test_settings_that_make_no_sense_are_refused(spec, settings):
    with pytest.raises(FederatedError):
        federated.TrainConfig(spec, **settings)


def test_counts_must_agree(config, weights, clients):
    with pytest.raises(FederatedError, match="a seed and a configuration for each"):
        federated.local_updates(weights, clients, config, [1])
    with pytest.raises(FederatedError, match="the model has float32"):
        federated.local_updates(weights[:-1], clients, config, SEEDS)
