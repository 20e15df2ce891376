import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn.metrics import roc_auc_score

from bfl_stpc.ehr import bayes_roc, ceiling
from bfl_stpc.errors import DataError


def auc_by_definition(p):
    """The definition, pair by pair."""
    concordant = pairs = 0.0
    for i in range(len(p)):
        for j in range(len(p)):
            if i != j:
                weight = p[i] * (1 - p[j])
                pairs += weight
                concordant += weight * (1.0 if p[i] > p[j] else 0.5 if p[i] == p[j] else 0.0)
    return concordant / pairs


@settings(deadline=None, max_examples=60)
@given(arrays(float, st.integers(2, 25), elements=st.sampled_from([0.0, 0.1, 0.25, 0.5, 0.5, 0.75, 0.9, 1.0])))
def test_auc_is_the_definition_ties_included(p):
    if sum(p) * sum(1 - p) - sum(p * (1 - p)) < 1e-9:
        with pytest.raises(DataError):
            ceiling(p)
        return
    assert ceiling(p).auc == pytest.approx(auc_by_definition(p), abs=1e-12)


def test_known_values():
    assert ceiling(np.full(10, 0.5)).accuracy == 0.5
    assert ceiling(np.full(10, 0.5)).auc == pytest.approx(0.5)
    sure = ceiling(np.array([0.0, 0.0, 1.0]))
    assert (sure.accuracy, sure.auc, sure.accuracy_sd) == (1.0, 1.0, 0.0)
    assert sure.majority == pytest.approx(2 / 3)


def test_monte_carlo_is_the_second_witness():
    rng = np.random.default_rng(5)
    p = rng.beta(0.3, 0.6, 3000)
    exact = ceiling(p)
    draws = rng.random((300, p.size)) < p
    accuracy = ((p > 0.5) == draws).mean(axis=1)
    auc = np.array([roc_auc_score(y, p) for y in draws])
    standard_error = exact.accuracy_sd / np.sqrt(300)
    assert abs(accuracy.mean() - exact.accuracy) < 4 * standard_error
    assert accuracy.std() == pytest.approx(exact.accuracy_sd, rel=0.15)
    assert abs(auc.mean() - exact.auc) < 4 * auc.std() / np.sqrt(300) + 1e-4


def test_no_other_score_beats_the_bound():
    rng = np.random.default_rng(6)
    p = rng.beta(0.5, 0.8, 2000)
    draws = rng.random((100, p.size)) < p
    noisy = p + 0.1 * rng.standard_normal(p.size)
    assert np.mean([roc_auc_score(y, noisy) for y in draws]) < ceiling(p).auc


def test_the_roc_runs_from_corner_to_corner_and_encloses_the_auc():
    p = np.random.default_rng(7).beta(0.4, 0.9, 5000)
    curve = bayes_roc(p)
    assert (curve["fpr"][0], curve["tpr"][0]) == (0, 0)
    assert (curve["fpr"][-1], curve["tpr"][-1]) == (pytest.approx(1), pytest.approx(1))
    assert (np.diff(curve["fpr"]) >= 0).all()
    assert (np.diff(curve["tpr"]) >= 0).all()
    area = np.trapz(curve["tpr"], curve["fpr"])
    assert area == pytest.approx(ceiling(p).auc, abs=2 / p.size)  # the curve counts i = j as half a tie


def test_a_thinned_roc_keeps_its_ends_and_lies_on_the_curve():
    p = np.random.default_rng(8).random(5000)
    whole, thin = bayes_roc(p), bayes_roc(p, points=50)
    assert thin["fpr"].size <= 50
    assert (thin["fpr"][0], thin["fpr"][-1]) == (0, pytest.approx(1))
    assert set(thin["tpr"]) <= set(whole["tpr"])


@pytest.mark.parametrize("bad", [[], [[0.5]], [0.2, 1.1], [0.2, np.nan], [-0.1, 0.5]])
def test_what_is_no_probability_is_refused(bad):
    with pytest.raises(DataError):
        ceiling(np.array(bad))


@pytest.mark.parametrize("one_sided", [[0.0, 0.0], [1.0, 1.0], [0.5]])
def test_an_undefined_auc_is_refused(one_sided):
    with pytest.raises(DataError, match="AUC"):
        ceiling(np.array(one_sided))
