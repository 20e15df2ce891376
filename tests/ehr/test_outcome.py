import math

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score

from bfl_stpc import ehr
from bfl_stpc.ehr import outcome
from bfl_stpc.ehr.codes import FEATURES, REFERENCE
from bfl_stpc.errors import ConfigError, DataError


def test_the_printed_formulas_are_what_is_computed(features):
    """Second witness: evaluate the text of each formula, patient by patient, with plain floats."""
    terms = {term.name: term.formula for term in outcome.TERMS}
    scope = {"pos": lambda u: max(u, 0.0), "log": math.log, "__builtins__": {}}
    for row in range(0, len(features.X), 37):
        x = {name: float(value) for name, value in zip(features.names, features.X[row])}
        x = {name: REFERENCE[name] if math.isnan(value) else value for name, value in x.items()}
        points = sum(eval(formula, scope, x) for formula in terms.values())
        computed = outcome.score(features.X[row : row + 1], features.names)[0]
        assert computed == pytest.approx(points - outcome.THRESHOLD, abs=1e-9)


@pytest.mark.parametrize("target", [0.75, 0.8, 0.9, 0.98, 0.999])
def test_the_ceiling_is_met_to_one_in_a_million(features, target):
    margin = outcome.score(features.X, features.names)
    p = outcome.probability(margin, outcome.steepness(margin, target))
    assert ehr.ceiling(p).accuracy == pytest.approx(target, abs=1e-6)


def test_steepness_grows_with_the_ceiling(features):
    margin = outcome.score(features.X, features.names)
    found = [outcome.steepness(margin, c) for c in (0.75, 0.85, 0.95, 0.999)]
    assert found == sorted(found)


def test_probability_neither_overflows_nor_leaves_its_range():
    with np.errstate(over="raise"):
        p = outcome.probability(np.array([-1e6, -1.0, 0.0, 1.0, 1e6]), 10.0)
    assert p[0] == 0
    assert p[2] == 0.5
    assert p[4] == 1
    assert p[1] == pytest.approx(1 / (1 + math.exp(10)))
    assert p[1] + p[3] == pytest.approx(1)


def test_an_unreachable_ceiling_is_refused():
    with pytest.raises(DataError, match=r"0\.98"):
        outcome.steepness(np.zeros(10), 0.98)
    with pytest.raises(ConfigError):
        outcome.steepness(np.ones(10), 0.5)


def test_outcomes_follow_the_stated_probabilities(default):
    features = default.features()
    groups = np.digitize(features.p, [0.001, 0.02, 0.1, 0.3, 0.5, 0.7, 0.9, 0.98, 0.999])
    z = [
        (features.y[g].sum() - features.p[g].sum()) / np.sqrt((features.p[g] * (1 - features.p[g])).sum())
        for g in (groups == k for k in range(10))
    ]
    assert np.abs(z).max() < 4


def test_the_bayes_rule_scores_its_ceiling_on_drawn_outcomes(default):
    features = default.features()
    best = ehr.ceiling(features.p)
    realised = ((features.p > 0.5) == features.y).mean()
    assert abs(realised - best.accuracy) < 4 * best.accuracy_sd
    assert abs(roc_auc_score(features.y, features.p) - best.auc) < 0.001


def test_prevalence_is_about_a_third_and_differs_by_hospital(default):
    features = default.features()
    local = [features.y[features.at(k)].mean() for k in range(10)]
    assert 0.30 < features.y.mean() < 0.40
    assert max(local) - min(local) > 0.1


def test_a_linear_model_does_not_reach_the_ceiling_and_chance_does_not_reach_the_linear_model(default):
    features = default.features()
    parts = ehr.split(features, seed=1)
    filled = np.where(np.isnan(features.X), [REFERENCE.get(n, 0.0) for n in features.names], features.X)
    filled = np.column_stack([np.where(features.skewed, np.log(np.maximum(filled, 0.1)), filled), np.isnan(features.X)])
    scaled = (filled - filled.mean(axis=0)) / (filled.std(axis=0) + 1e-9)
    model = LogisticRegression(C=1.0, max_iter=300).fit(scaled[parts.train], features.y[parts.train])
    accuracy = model.score(scaled[parts.test], features.y[parts.test])
    best = ehr.ceiling(features.p[parts.test])
    assert best.majority + 0.1 < accuracy < best.accuracy - 0.02


def test_only_recorded_features_enter():
    assert "hospital" not in FEATURES
    used = " ".join(term.formula for term in outcome.TERMS)
    assert "hospital" not in used
