"""Clipping example by example against TF-Privacy's own optimiser; noise, sampling and their sources."""

import hashlib
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from scipy import stats

from bfl_stpc import federated, privacy
from bfl_stpc.errors import PrivacyError
from bfl_stpc.privacy import dpsgd
from bfl_stpc.privacy.dpsgd import BLOCK, _join, sampled
from bfl_stpc.privacy.ghost import backpropagate, clipped_sum, joined, squared_norms
from bfl_stpc.privacy.noise import gaussian

SPEC = federated.Mlp((6, 8, 4, 1))
RNG = np.random.default_rng(5)
X = RNG.normal(size=(40, 6)).astype(np.float32)
Y = (RNG.random(40) < 0.4).astype(np.float32)
W = federated.init_weights(SPEC, 2)
SILENT = privacy.DpConfig(SPEC, 0.5, 3, 0.7, 0.0, 0.1, privacy.NoiseSource.SIMULATION)


def per_example():
    """The gradient of each record by itself, by TensorFlow's own differentiation."""
    return np.stack([SPEC.loss_and_gradient(tf.constant(W), X[i : i + 1], Y[i : i + 1])[1] for i in range(len(Y))])


def test_ghost_norms_equal_the_norms_of_per_example_gradients():
    norms = tf.sqrt(squared_norms(*backpropagate(SPEC, tf.constant(W), tf.constant(X), tf.constant(Y))))
    np.testing.assert_allclose(norms, np.linalg.norm(per_example(), axis=1), rtol=1e-5)


@pytest.mark.parametrize("clip", [0.05, 0.5, 100.0])
def test_the_clipped_sum_equals_clipping_one_by_one(clip):
    gradients = per_example()
    norms = np.linalg.norm(gradients, axis=1)
    expected = (gradients * np.minimum(1, clip / norms)[:, None]).sum(0)
    assert (norms > clip).any() == (clip < 10)
    np.testing.assert_allclose(clipped_sum(SPEC, W, *joined(X), Y, tf.constant(clip)), expected, atol=2e-5)


@pytest.mark.slow
@pytest.mark.parametrize("record", range(3))
def test_each_record_moves_the_weights_as_under_tf_privacy(record):
    """TF-Privacy's vectorised Keras optimiser, noise off, one record at a time and all together."""
    from tensorflow_privacy.privacy.optimizers.dp_optimizer_keras_vectorized import VectorizedDPKerasSGDOptimizer

    rows = slice(None) if record == 0 else slice(record, record + 1)
    model = tf.keras.Sequential(
        [tf.keras.layers.InputLayer(input_shape=(6,))]
        + [tf.keras.layers.Dense(width, "relu") for width in SPEC.layers[1:-1]]
        + [tf.keras.layers.Dense(1)]
    )
    model.set_weights([np.array(part) for layer in SPEC.unflatten(W) for part in layer])
    count = len(Y[rows])
    optimizer = VectorizedDPKerasSGDOptimizer(
        l2_norm_clip=0.7, noise_multiplier=0.0, num_microbatches=count, learning_rate=0.1
    )
    loss = tf.keras.losses.BinaryCrossentropy(from_logits=True, reduction=tf.losses.Reduction.NONE)
    optimizer.minimize(lambda: loss(Y[rows][:, None], model(X[rows])), model.trainable_variables)
    theirs = np.concatenate([np.ravel(part) for part in model.get_weights()])
    client = federated.ClientData(X[rows], Y[rows])
    ours = W + federated.local_updates(W, [client], replace(SILENT, sampling_rate=1.0, steps=1), [1])[0]
    np.testing.assert_allclose(ours, theirs, atol=2e-6)


def test_poisson_sampling_takes_each_record_by_itself():
    draws = sampled(200, 2000, 0.1, tf.constant([9, 0], tf.int64)).numpy()
    sizes = draws.sum(1)
    assert abs(sizes.mean() - 200) < 4 * np.sqrt(180 / 200)
    assert 0.75 < sizes.var(ddof=1) / 180 < 1.25  # binomial, not fixed
    assert abs(draws.mean(0) - 0.1).max() < 5 * np.sqrt(0.09 / 200)


def noise_of(source, steps=1):
    flat = federated.Mlp((4000, 1))
    config = privacy.DpConfig(flat, 0.5, steps, 2.0, 3.0, 0.25, source)
    empty = federated.ClientData(np.zeros((10, 4000), np.float32), np.zeros(10))
    start = np.zeros(flat.size, np.float32)
    start[-1] = -50  # a sure and right answer: no gradient, so the update is the noise alone
    return federated.local_updates(start, [empty], config, [4])[0]


@pytest.mark.parametrize("source", list(privacy.NoiseSource))
@pytest.mark.parametrize("steps", [1, 4, 2 * BLOCK // 4001 + 9])  # the last in three blocks, none with another's noise
def test_the_noise_has_the_promised_deviation(source, steps):
    noise = noise_of(source, steps)[:-1] / np.sqrt(steps)
    expected = 0.25 * 3.0 * 2.0 / (0.5 * 10)  # rate · σ · C ÷ (q n)
    assert abs(noise.std() / expected - 1) < 0.05
    assert abs(noise.mean()) < 5 * expected / np.sqrt(noise.size)
    assert abs(np.mean((noise / expected) ** 4) - 3) < 0.5  # as heavy-tailed as a Gaussian


@pytest.mark.parametrize("columns", [7, 4000])
def test_simulated_noise_is_gaussian_and_independent(columns):
    rows = 200_000 // columns
    draws = gaussian(rows, columns, 3.0, tf.constant([5, 1], tf.int64)).numpy() / 3.0
    assert draws.shape == (rows, columns)
    assert stats.kstest(draws.ravel(), "norm").pvalue > 0.01
    assert stats.kstest(1.02 * draws.ravel(), "norm").pvalue < 0.01  # the test is sharp enough to see two percent
    assert 4 < abs(draws).max() < 5.7
    halves = draws[:, : columns // 2], draws[:, -(columns // 2) :]  # cosine and sine of the same angle and radius
    for first, second in (halves, np.square(halves), (draws[:-1], draws[1:])):
        assert abs(stats.pearsonr(first.ravel(), second.ravel())[0]) < 4 / np.sqrt(first.size)


def test_seeded_noise_repeats_and_the_system_s_does_not():
    simulated, system = privacy.NoiseSource.SIMULATION, privacy.NoiseSource.SYSTEM
    assert np.array_equal(noise_of(simulated), noise_of(simulated))
    assert not np.array_equal(noise_of(system), noise_of(system))


@pytest.mark.slow
def test_another_process_gives_the_same_bytes():
    code = """
import sys
sys.path.insert(0, sys.argv[1])
import test_dpsgd as here
print(here.fingerprint())
"""
    command = [sys.executable, "-c", code, str(Path(__file__).parent)]
    there = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert there.strip() == fingerprint()


def fingerprint():
    config = replace(SILENT, noise_multiplier=1.0, steps=9)
    clients = [federated.ClientData(X[:n], Y[:n]) for n in (40, 23, 5)]
    updates = federated.local_updates(W, clients, config, [1, 2, 3])
    return hashlib.sha256(b"".join(update.tobytes() for update in updates)).hexdigest()


def test_the_system_s_noise_is_the_default():
    assert privacy.DpConfig(SPEC, 0.5, 1, 1.0, 1.0, 0.1).noise is privacy.NoiseSource.SYSTEM


def test_one_hospital_alone_gives_the_same_bytes_as_among_others():
    config = replace(SILENT, noise_multiplier=1.0)
    clients = [federated.ClientData(X, Y), federated.ClientData(X[:7], Y[:7])]
    together = federated.local_updates(W, clients, config, [1, 2])
    assert federated.local_updates(W, clients[1:], config, [2])[0].tobytes() == together[1].tobytes()


def test_removing_one_record_moves_a_step_by_at_most_the_clip():
    full = replace(SILENT, sampling_rate=1.0, steps=1, clip=0.3, learning_rate=1.0)
    (all_,) = federated.local_updates(W, [federated.ClientData(X, Y)], full, [1])
    (less,) = federated.local_updates(W, [federated.ClientData(X[1:], Y[1:])], full, [1])
    assert np.linalg.norm(40 * all_ - 39 * less) <= 0.3 * (1 + 1e-4)
    unclipped = replace(full, clip=1e6)
    outlier = X.copy()
    outlier[0] *= 100
    (all_,) = federated.local_updates(W, [federated.ClientData(outlier, Y)], unclipped, [1])
    (less,) = federated.local_updates(W, [federated.ClientData(X[1:], Y[1:])], unclipped, [1])
    assert np.linalg.norm(40 * all_ - 39 * less) > 0.3  # without clipping the bound is broken


@pytest.mark.parametrize(
    "change", [{"sampling_rate": 0}, {"sampling_rate": 1.1}, {"steps": 0}, {"clip": 0}, {"noise_multiplier": -1}, {"learning_rate": 0}],
)  # fmt: skip
def test_settings_that_make_no_sense_are_refused(change):
    with pytest.raises(PrivacyError, match="|".join(key.replace("_", " ") for key in change)):
        replace(SILENT, **change)


def test_no_two_draws_of_a_round_share_a_seed(monkeypatch):
    """Noise drawn by the sampling's seed would tell who was in the batch."""
    seeds = []

    def kept(draw):
        def drawing(*arguments):
            seeds.append(tuple(arguments[-1].numpy().tolist()))
            return draw(*arguments)

        return drawing

    for name in ("sampled", "gaussian"):
        monkeypatch.setattr(dpsgd, name, kept(getattr(dpsgd, name)))
    monkeypatch.setattr(dpsgd, "BLOCK", 1)  # every step is a block of its own
    config = replace(SILENT, noise_multiplier=1.0, steps=5)
    key = tf.constant(7, tf.int64)
    config.train(tf.constant(W), tf.constant(X), tf.constant(Y), tf.constant(config.parameters()), key)
    assert len(seeds) == len(set(seeds)) == 2 * config.steps


def test_the_key_of_the_sampling_keeps_every_bit_of_its_words():
    for words in ([1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1], [2**16 - 1] * 4, [513, 1027, 2055, 40000]):
        expected = np.array(words, "<u2").view("<i8")[0]
        assert _join(tf.constant(words, tf.float32)).numpy() == expected


def test_rounds_of_another_length_share_a_graph_unless_the_system_s_noise_is_their_input():
    assert replace(SILENT, steps=9).structure() == SILENT.structure()
    secret = replace(SILENT, noise=privacy.NoiseSource.SYSTEM)
    assert replace(secret, steps=9).structure() != secret.structure()
    assert replace(secret, clip=9).structure() == secret.structure()
