import numpy as np
import pytest

from bfl_stpc import federated
from bfl_stpc.errors import FederatedError

W = np.array([1.0, -2.0, 0.5], np.float32)
D = np.array([0.1, 0.2, -0.4])


def test_averaging_with_rate_one_adds_the_mean():
    new, again = federated.Averaging().apply(W, D)
    np.testing.assert_array_equal(new, (W + D).astype(np.float32))
    assert again == federated.Averaging()


def test_momentum_accumulates():
    step = federated.Momentum(rate=0.5, beta=0.9)
    w, step = step.apply(W, D)
    w, step = step.apply(w, D)
    np.testing.assert_allclose(w, W + 0.5 * D + 0.5 * 1.9 * D, rtol=1e-6)


def test_adam_equals_keras():
    import tensorflow as tf

    variable = tf.Variable(W)
    keras = tf.keras.optimizers.Adam(0.1, beta_1=0.9, beta_2=0.99, epsilon=1e-7)
    step, w = federated.FedAdam(rate=0.1, beta1=0.9, beta2=0.99, adaptivity=1e-7), W
    for number in range(5):
        mean = D * (number + 1)
        keras.apply_gradients([(tf.constant(-mean, tf.float32), variable)])
        w, step = step.apply(w, mean)
    # Keras scales ε by the bias correction, which does not show at ε = 1e-7.
    np.testing.assert_allclose(w - W, variable.numpy() - W, rtol=1e-4)


def test_yogi_follows_its_recursion_and_forgets_large_updates_slowly():
    step, w, m, v = federated.FedYogi(rate=0.1, beta1=0.5, beta2=0.9, adaptivity=1e-2), W, 0.0, 0.0
    for t, mean in enumerate((10 * D, 0.1 * D, 0.1 * D), 1):
        w_before, (w, step) = w, step.apply(w, mean)
        m, v = 0.5 * m + 0.5 * mean, v - 0.1 * mean**2 * np.sign(v - mean**2)
        expected = 0.1 * (m / (1 - 0.5**t)) / (np.sqrt(v / (1 - 0.9**t)) + 1e-2)
        np.testing.assert_allclose(w - w_before, expected, rtol=1e-4)
    adam, w = federated.FedAdam(rate=0.1, beta1=0.5, beta2=0.9, adaptivity=1e-2), W
    for mean in (10 * D, 0.1 * D, 0.1 * D):
        w, adam = adam.apply(w, mean)
    assert (step.moments[1] > 1.1 * adam.moments[1]).all()


def test_a_step_does_not_change_what_it_came_from():
    first = federated.FedAdam()
    first.apply(W, D)
    assert first.moments is None


def test_the_weighted_mean_is_the_record_weighted_one():
    np.testing.assert_allclose(federated.weighted_mean([W, 3 * W], [3, 1]), 1.5 * W)


@pytest.mark.parametrize(("updates", "weights"), [([], []), ([W], [1, 2]), ([W], [0]), ([W, W], [2, -1])])
def test_weights_that_make_no_mean_are_refused(updates, weights):
    with pytest.raises(FederatedError):
        federated.weighted_mean(updates, weights)


@pytest.mark.parametrize("mean", [np.zeros(2), np.array([np.nan, 0, 0])])
def test_a_mean_that_does_not_fit_is_refused(mean):
    with pytest.raises(FederatedError, match="mean update"):
        federated.apply_update(W, mean)
