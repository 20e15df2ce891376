import numpy as np
import pytest
import tensorflow as tf

from bfl_stpc import federated
from bfl_stpc.errors import FederatedError


def test_predictions_equal_the_tensorflow_graph(spec, weights, clients):
    logits = spec.logits(tf.constant(weights), tf.constant(clients[0].X))
    np.testing.assert_allclose(federated.predict(weights, spec, clients[0].X), tf.sigmoid(logits), rtol=1e-5)


def test_metrics_of_a_known_model():
    spec = federated.Mlp((1, 1))
    X, y = np.array([[-2.0], [-1.0], [1.0], [2.0]], np.float32), np.array([0, 1, 0, 1])
    metrics = federated.evaluate(np.array([1.0, 0.0], np.float32), spec, X, y)
    assert metrics.accuracy == 0.5
    assert metrics.auc == 0.75
    assert metrics.patients == 4


def test_one_class_has_no_auc_and_no_curve(spec, weights, clients):
    metrics = federated.evaluate(weights, spec, clients[0].X, np.zeros(37))
    assert np.isnan(metrics.auc)
    with pytest.raises(FederatedError, match="all labels are equal"):
        federated.roc(np.zeros(3), np.arange(3), np.linspace(0, 1, 5))
    with pytest.raises(FederatedError, match="no patients"):
        federated.evaluate(weights, spec, clients[0].X[:0], clients[0].y[:0])


def test_the_curve_of_a_perfect_order_is_one():
    curve = federated.roc(np.array([0, 0, 1, 1]), np.array([0.1, 0.2, 0.8, 0.9]), np.array([0.0, 0.5, 1.0]))
    np.testing.assert_array_equal(curve, [1, 1, 1])


def test_calibration_of_calibrated_predictions():
    rng = np.random.default_rng(1)
    p = rng.random(20000)
    y = rng.random(20000) < p
    bins = federated.calibration(y, p)
    assert np.abs(bins["predicted"] - bins["observed"])[bins["patients"] > 500].max() < 0.05
    assert bins["patients"].sum() == 20000
    assert abs(federated.calibration_slope(y, p) - 1) < 0.05
    with pytest.raises(FederatedError, match="no patients"):
        federated.calibration(np.zeros(0), np.zeros(0))


def test_the_slope_tells_too_sure_from_too_cautious():
    rng = np.random.default_rng(2)
    p = rng.random(20000)
    y, odds = rng.random(20000) < p, np.log(p / (1 - p))
    for factor in (0.5, 2.0):
        assert abs(federated.calibration_slope(y, 1 / (1 + np.exp(-factor * odds))) * factor - 1) < 0.06
    with pytest.raises(FederatedError, match="slope"):
        federated.calibration_slope(np.zeros(3), np.full(3, 0.5))


def test_weights_flatten_and_digest(spec, weights):
    parts = [np.ravel(part) for layer in spec.unflatten(weights) for part in layer]
    np.testing.assert_array_equal(np.concatenate(parts), weights)
    assert len(federated.digest(weights)) == 32
    assert federated.digest(weights) != federated.digest(np.nextafter(weights, 1))
    with pytest.raises(FederatedError):
        federated.digest(weights.astype(np.float64))
    with pytest.raises(FederatedError):
        federated.Mlp((3, 2))


def test_the_expected_gap_weighs_wrong_decisions_by_what_they_lose():
    truth = np.array([0.9, 0.6, 0.2, 0.5])
    assert federated.expected_gap(truth, truth) == 0
    # Wrong about the first (0.8) and the second (0.2) of four; the last cannot be lost.
    assert federated.expected_gap(np.array([0.1, 0.4, 0.1, 0.9]), truth) == pytest.approx(100 * (0.8 + 0.2) / 4)
    with pytest.raises(FederatedError, match="one each"):
        federated.expected_gap(truth[:2], truth)


def test_the_optimum_has_no_slope_left():
    rng = np.random.default_rng(4)
    X = rng.normal(size=(500, 3)).astype(np.float32)
    y = (rng.random(500) < 1 / (1 + np.exp(-X @ [1.0, -2.0, 0.5] - 0.3))).astype(float)
    w = federated.optimum(X, y).astype(np.float64)
    residual = 1 / (1 + np.exp(-X @ w[:3] - w[3])) - y
    np.testing.assert_allclose(residual @ X + w[:3], 0, atol=1e-2)  # the penalty's slope balances the loss's
    assert abs(residual.sum()) < 1e-2
