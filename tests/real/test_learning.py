"""Ways of learning on a small table whose signal is known, the whole system on it, and FLamby's trap."""

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy.optimize import minimize_scalar
from scipy.special import expit

from bfl_stpc import federated, real
from bfl_stpc.ehr import Tabular, heart_disease
from bfl_stpc.ehr.heart_disease import Parts
from bfl_stpc.errors import DataError, DataMissing
from bfl_stpc.real import learning, search
from bfl_stpc.seeds import generator


@pytest.fixture(scope="module")
def table():
    """Three hospitals whose patients differ in level and in how many are ill; one of them never measures `v`."""
    rng = generator("test real table", 1)
    hospital = np.repeat([0, 1, 2], [60, 40, 20]).astype(np.int16)
    z = rng.normal(size=(120, 2))
    shift = np.array([-1.0, 0.0, 1.5])[hospital]
    y = (rng.random(120) < expit(2 * z[:, 0] + shift)).astype(np.int8)
    X = (np.array([50, 5]) + np.array([10, 2]) * z).astype(np.float32)
    X[hospital == 2, 1] = np.nan
    sex = np.where(rng.random(120) < 0.5, "men", "women")
    return Tabular(
        "toy", X, y, hospital, ("a", "b", "c"), ("u", "v"), "ill", {"sex": sex}, "", {"u": (50, 10), "v": (5, 2)}
    )


@pytest.fixture(scope="module")
def parts(table):
    return real.folds(table, 3, seed=1)[0]


def test_every_patient_is_tested_once_and_never_trained_on(table):
    every = real.folds(table, 4, seed=3)
    assert sorted(np.concatenate([p.test for p in every]).tolist()) == list(range(120))
    for p in every:
        assert not set(p.train) & set(p.test)
        assert [int((table.hospital[p.test] == k).sum()) for k in range(3)] == [15, 10, 5]
        assert abs(table.y[p.test].sum() - table.y.sum() / 4) <= 3  # outcomes are dealt evenly, too


def test_all_ways_find_the_signal_and_none_finds_it_in_shuffled_labels(table):
    settings = real.Settings(learning_rate=0.3)
    dealt = table.shuffled(generator("test", 5))
    for learn in (real.together(settings), real.at_home(settings), real.pooled(settings), real.private(50.0)):
        assert real.estimate(real.auc, real.cross_fitted(learn, table, 2, [1]), draws=1).value > 0.75
        assert "nothing to learn" in real.verdict(real.estimate(real.auc, real.cross_fitted(learn, dealt, 2, [1])))


def test_the_gap_at_a_hospital_is_marked_and_scaling_is_the_pooled_one(table, parts):
    scale = real.shared_scaling(table, parts.train)
    assert scale.marked.tolist() == [1]
    assert scale.scaler.mean == pytest.approx(np.nanmean(table.X[parts.train], axis=0), rel=1e-6)
    secure = real.secure_scaling(table, parts.train)
    assert secure.scaler.mean == pytest.approx(scale.scaler.mean, rel=1e-9)
    assert secure.scaler.deviation == pytest.approx(scale.scaler.deviation, rel=1e-9)


def test_public_scaling_reads_no_patient(table):
    one, other = real.Scaling.public(table), real.Scaling.public(replace(table, X=table.X * 3 + 1))
    assert np.array_equal(one.scaler.mean, other.scaler.mean)
    assert np.array_equal(one.scaler.deviation, other.scaler.deviation)
    with pytest.raises(DataError, match=r"\['v'\]"):
        real.Scaling.public(replace(table, reference={"u": (50, 10)}))


def test_alone_reads_only_its_own_records(table, parts):
    learn = real.alone(real.Settings())
    X = table.X.copy()
    X[table.hospital != 0] += 100
    here = table.hospital[parts.test] == 0
    before, after = learn(table, parts, 1), learn(replace(table, X=X), parts, 1)
    assert np.array_equal(before[here], after[here])
    assert not np.array_equal(before[~here], after[~here])


def test_a_hospital_with_one_outcome_or_no_record_answers_all_the_same(table):
    y = table.y.copy()
    y[table.at(1)] = 1
    train = np.concatenate([table.at(0), table.at(1)[:10]])
    p = real.alone(real.Settings())(
        replace(table, y=y), Parts(train, np.concatenate([table.at(1)[10:], table.at(2)])), 1
    )
    assert p[:30] == pytest.approx(np.full(30, 11 / 12))
    assert p[30:] == pytest.approx(np.full(20, 0.5))


def test_the_correction_at_home_is_the_minimum():
    rng = generator("test offset", 1)
    logits, y = rng.normal(size=50), (rng.random(50) < 0.7).astype(float)

    def loss(b):
        return -np.log(expit(np.where(y == 1, logits + b, -logits - b))).sum() + 3 / 2 * b**2

    assert learning.offset(logits, y, 3.0) == pytest.approx(minimize_scalar(loss, tol=1e-12).x, abs=1e-6)


def test_full_rounds_give_the_plain_model(table):
    data = real.tables(table, np.arange(120), real.shared_scaling(table, np.arange(120)))
    width = next(iter(data.values())).X.shape[1]
    got = real.whole(data, real.Settings().config(width), experiment="test", seed=1, rounds=2, clip=5.0)
    assert got.exact
    assert got.as_plain
    assert np.isinf(got.epsilon)
    assert not replace(got, difference=got.rounding * 1.01).as_plain
    private = real.PrivateSettings(rounds=2).config(width, 8.0)
    promised = real.whole(data, private, experiment="test", seed=1, rounds=2, clip=5.0, epsilon=8.0)
    assert promised.exact
    assert 7.9 < promised.epsilon <= 8.0


def test_groups_hospitals_and_curves_are_reported(table):
    s = real.cross_fitted(real.pooled(real.Settings()), table, 3, [1])
    fair = real.report.fairness(s, table, draws=50)
    assert fair.patients.sum() == 120
    local = real.report.by_hospital({"pooled": s}, table, draws=50)
    assert local.patients.tolist() == [60, 40, 20]
    assert all(0.5 <= m <= 1 for m in local.majority)
    curve = real.report.decision_curve(s, [0.01, 0.99], draws=50)
    assert real.report.decision_curve(s, [0.0, 0.5], draws=50)["sure"] == [0.0, 1.0]  # at 0 it treats everybody, too
    assert curve["all"][0] == pytest.approx(table.y.mean() - (1 - table.y.mean()) * 0.01 / 0.99)
    assert curve["all"][1] < 0
    assert real.report.readable(fair).AUC.str.contains(r"\[").all()


def test_the_record_of_the_search_is_whole_and_its_best_is_used():
    tried = pd.read_csv(search.SEARCH)
    for kind in search.KINDS:
        rows = [json.loads(setting) for setting in tried[tried.kind == kind].setting]
        assert rows == list(search.grid(kind))
    best = tried[tried.kind == "alone"].sort_values("log_loss").setting.iloc[0]
    assert real.chosen().own_penalty == json.loads(best)["own_penalty"]


def test_the_search_reads_training_patients_only():
    try:
        part, whole = search.training_part(), heart_disease.load(zeros_missing=True)
    except DataMissing as error:
        pytest.skip(f"needs the heart disease files: {error}")
    test = {row.tobytes() for row in whole.take(heart_disease.flamby_split(whole).test).X}
    shared = [row for row in part.X if row.tobytes() in test]
    assert len(part.y) == 486
    assert len(shared) <= 2  # a few patients have twins with equal records


def test_flambys_pooled_column_scores_other_inputs_than_were_trained_for(table, parts):
    whole = table.take(np.concatenate([table.at(0), table.at(1)]))
    split = real.folds(whole, 3, seed=1)[0]
    trap, own = (real.flamby.own_scaling(real.Settings(), tested_pooled=t)(whole, split, 1) for t in (True, False))
    assert np.abs(trap - own).max() > 0.01
    level = replace(whole, X=np.concatenate([whole.X[whole.at(k)] - whole.X[whole.at(k)].mean(0) for k in (0, 1)]))
    even, same = (real.flamby.own_scaling(real.Settings(), tested_pooled=t)(level, split, 1) for t in (True, False))
    assert np.abs(even - same).mean() < np.abs(trap - own).mean()


def test_a_missing_table_is_left_out_with_its_reason(monkeypatch, table):
    def nowhere():
        raise DataMissing("nowhere")

    from bfl_stpc.real import studies

    monkeypatch.setattr(studies, "LOADERS", {"here": lambda: table, "away": nowhere})
    found, absent = real.available()
    assert set(found) == {"here"}
    assert absent == {"away": "nowhere"}
    assert found["here"].score(real.prevalence, 2, [1]).p.shape == (1, 120)


def teardown_module():
    federated.worker.close()
