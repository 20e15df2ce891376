"""Scores with intervals: against scikit-learn and by hand, and honest where there is nothing to score."""

import numpy as np
import pytest
from sklearn.metrics import balanced_accuracy_score, roc_auc_score
from sklearn.metrics import log_loss as reference_log_loss

from bfl_stpc import real
from bfl_stpc.errors import DataError
from bfl_stpc.seeds import generator


def scored(n=200, slope=1.0, seed=1):
    rng = generator("test real", seed)
    x = rng.normal(size=n)
    y = (rng.random(n) < 1 / (1 + np.exp(-x))).astype(int)
    p = np.round(1 / (1 + np.exp(-slope * x)), 2)  # rounded, so that there are ties
    return real.Scored(p[None], y, np.zeros(n, int), np.arange(n))


def test_scores_are_those_of_scikit_learn():
    s = scored()
    p = s.p[0]
    found = {m: real.estimate(m, s, draws=50).value for m in (real.auc, real.balanced_accuracy, real.log_loss)}
    assert found[real.auc] == pytest.approx(roc_auc_score(s.y, p))
    assert found[real.balanced_accuracy] == pytest.approx(balanced_accuracy_score(s.y, p >= 0.5))
    assert found[real.log_loss] == pytest.approx(reference_log_loss(s.y, np.clip(p, 1e-7, 1 - 1e-7)))


def test_counts_are_patients_taken_so_often():
    s = scored(30)
    counts = generator("test real", 2).integers(0, 3, (4, 30)).astype(float)
    for metric in (real.auc, real.accuracy, real.brier, real.net_benefit(0.3), real.sensitivity(0.4)):
        told = metric(s.p[0], s.y, counts)
        for row, value in zip(counts.astype(int), told):
            taken = np.repeat(np.arange(30), row)
            assert metric(s.p[0][taken], s.y[taken], np.ones((1, taken.size)))[0] == pytest.approx(value)


def test_net_benefit_by_hand():
    y = np.repeat([1, 0, 1, 0], [30, 20, 10, 40])  # 30 treated rightly, 20 needlessly
    s = real.Scored(np.repeat([0.9, 0.9, 0.1, 0.1], [30, 20, 10, 40])[None], y, y, np.arange(100))
    assert real.estimate(real.net_benefit(0.2), s, draws=2).value == pytest.approx(0.25)


def test_the_interval_covers_as_often_as_it_says():
    # Accuracy of a fixed rule on fresh samples: the truth lies inside about 95 times of 100.
    truth = np.mean([real.estimate(real.accuracy, scored(2000, seed=s), draws=1).value for s in range(100, 110)])
    inside = [real.estimate(real.accuracy, scored(150, seed=s), draws=300).interval for s in range(60)]
    share = np.mean([low <= truth <= high for low, high in inside])
    assert 0.85 <= share <= 1


def test_one_outcome_has_no_auc():
    s = scored(20)
    ill = s.only(s.y == 1)
    assert str(real.estimate(real.auc, ill)) == "–"
    assert "cannot be told" in real.verdict(real.estimate(real.auc, ill))
    assert real.estimate(real.accuracy, ill).patients == len(ill.y)


def test_differences_are_paired():
    s = scored(300)
    worse = real.Scored(np.clip(s.p + 0.02, 0, 1), s.y, s.hospital, s.rows)
    apart = real.difference(real.brier, worse, s)
    alone = real.estimate(real.brier, s)
    assert apart.high - apart.low < (alone.high - alone.low) / 3
    with pytest.raises(DataError, match="other patients"):
        real.difference(real.brier, s, s.only(np.arange(300) < 200))


def test_what_is_no_probability_is_refused():
    with pytest.raises(DataError, match="probability"):
        real.Scored(np.array([[1.2]]), np.array([1]), np.array([0]), np.array([0]))
    with pytest.raises(DataError, match="1 patients"):
        real.Scored(np.array([[0.2, 0.3]]), np.array([1]), np.array([0]), np.array([0]))


def test_the_verdict_tells_signal_from_none():
    coin = scored(400, slope=0.0)
    assert "nothing to learn" in real.verdict(real.estimate(real.auc, coin))
    assert "something to learn" in real.verdict(real.estimate(real.auc, scored(400)))
