"""Every baseline learns, and what it does around the learning changes nothing of it."""

import ast
import json
from dataclasses import asdict, replace

import nbformat
import numpy as np
import pandas as pd
import pytest

from bfl_stpc import baselines, federated, system
from bfl_stpc.baselines import controls, ejss, feacs, flbm_iot, ours, ppflb, search
from bfl_stpc.baselines.search import BUDGET, SEARCH, best
from bfl_stpc.errors import FederatedError, PrivacyError
from bfl_stpc.study import paths

SHORT = {"ppflb": ppflb.Settings(rounds=4), "flbm_iot": flbm_iot.Settings(rounds=4, inner=2)}
CENTRAL = controls.Settings(epochs=20)


def test_systems_that_collect_records_end_with_the_model_of_the_centre(patients):
    centre = controls.centralised(patients, CENTRAL)
    for other in (feacs.run(patients, CENTRAL), ejss.run(patients, CENTRAL)):
        assert other.weights.tobytes() == centre.weights.tobytes()


@pytest.mark.parametrize("collect", [
    lambda records: feacs.Deployment.fill(records).collect(),
    lambda records: ejss.Deployment.fill(records, 1).collect(),
])  # fmt: skip
def test_collected_records_are_the_recorded_ones_missing_values_included(patients, collect):
    for name, own in collect(patients.records).items():
        true = patients.records[name]
        assert own.X.tobytes() == true.X.tobytes()
        assert own.y.tobytes() == true.y.tobytes()
    assert np.isnan(true.X).any()


def test_ppflb_learns_the_same_with_its_ledger_and_without(patients):
    with_ledger = ppflb.Consortium(patients.private_tables, SHORT["ppflb"], 1)
    without = ppflb.Consortium(patients.private_tables, SHORT["ppflb"], 1, ledger=False)
    one = other = np.zeros(with_ledger.spec.size, np.float32)
    for number in (1, 2):
        one, other = with_ledger.run_round(one, number), without.run_round(other, number)
        assert one.tobytes() == other.tobytes()
    assert with_ledger.ledger.round(2).phase == "finalised"


def test_flbm_iot_learns_the_same_with_its_ledgers_and_without(patients):
    settings = replace(SHORT["flbm_iot"], clusters=2)
    with_ledgers = flbm_iot.Federation(patients.own_tables, settings, 1)
    without = flbm_iot.Federation(patients.own_tables, settings, 1, ledger=False)
    one = other = federated.init_weights(with_ledgers.spec, 1)
    for number in (1, 2):
        one, other = with_ledgers.run_exchange(one, number), without.run_exchange(other, number)
        assert one.tobytes() == other.tobytes()
    for cluster in with_ledgers.clusters:  # each on its own chain, all at the same model
        assert cluster.ledger.rounds.contract.ask("model") == federated.digest(one)


def test_one_cluster_without_inner_rounds_is_federated_averaging(patients):
    settings = flbm_iot.Settings(clusters=1, rounds=3, inner=1, beta=0.0)
    config = ours.Settings(beta=0.0).config(patients.test.shape[1])
    plain = federated.train(
        federated.init_weights(config.spec, 1),
        patients.own_tables,
        config,
        federated.Averaging(),
        rounds=3,
        experiment=flbm_iot.EXPERIMENT,
        seed=1,
        tail=0.5,
    )
    assert np.allclose(flbm_iot.train(patients, settings), plain.weights, atol=1e-6)


def test_ppflb_keeps_its_promise_and_refuses_a_round_more(patients):
    consortium = ppflb.Consortium(patients.private_tables, SHORT["ppflb"], 1, ledger=False)
    weights = np.zeros(consortium.spec.size, np.float32)
    for number in range(1, 5):
        weights = consortium.run_round(weights, number)
    assert 0.98 * 3 < consortium.epsilon <= 3
    with pytest.raises(PrivacyError):
        consortium.run_round(weights, 5)


def test_every_system_learns_something(patients):
    done = baselines.run_all(patients, share=0.2)
    assert set(done) == set(baselines.CARDS) | {baselines.PRIVATE, baselines.SHARED}
    for name, report in done.items():
        assert report.auc > 0.75, name


def test_shuffled_outcomes_teach_nothing(patients):
    rng = np.random.default_rng(1)
    mixed = {n: replace(r, y=rng.permutation(r.y)) for n, r in patients.records.items()}
    done = controls.report_central("shuffled", patients.tables(mixed), patients, CENTRAL)
    assert abs(done.auc - 0.5) < 0.15


def test_costs_are_counted(patients):
    _, paid = ppflb.operate(patients, SHORT["ppflb"])
    payload = 40 + 4 * (patients.private_test.shape[1] + 1)
    assert paid.sent == 5 * payload + 8 * (patients.private_test.shape[1] + 1)
    assert paid.gas > 0
    assert paid.operations == 4
    _, free = feacs.operate(patients)
    assert free.gas == 0
    assert free.sent > 4 * sum(r.X.size for r in patients.records.values())


def test_settings_are_the_best_of_the_recorded_search_and_all_had_one_budget():
    assert (pd.read_csv(SEARCH).groupby("system").size() == BUDGET).all()
    chosen = {"central": controls.Settings(), "local": controls.LOCAL_SETTINGS, "flbm_iot": flbm_iot.Settings()}
    for name, settings in (chosen | {"ppflb": ppflb.Settings()}).items():
        assert asdict(settings) == best(name), name
    tried = {name: [json.dumps(asdict(s)) for s in settings] for name, (_, settings) in search.grids().items()}
    rows = pd.read_csv(SEARCH)
    for name, settings in tried.items():
        assert rows[rows.system == name].setting.tolist() == settings


def test_ours_had_no_more_trials_than_a_baseline_and_its_settings_are_among_them():
    rows = search.own_trials()
    assert (rows.groupby("system").size() <= BUDGET).all()
    tried = {system: [json.loads(s) for s in part.setting] for system, part in rows.groupby("system")}
    assert {"epochs": 5, "batch": 2048, "rate": 6.0} in tried["ours"]  # what a trial leaves out is as by default
    plain, own, shared = ours.Settings(), ours.PrivateSettings(), ours.SHARED
    assert (plain.epochs, plain.batch, plain.learning_rate, plain.beta) == (5, 2048, 6.0, 0.8)
    for name, s in {"ours, own noise": own, "ours, noise shared": shared}.items():
        wanted = {"rate": s.learning_rate, "rounds": s.rounds, "server_rate": s.rate, "beta": s.beta}
        found = [t for t in tried[name] if wanted.items() <= t.items() and t.get("epochs", 1) == s.steps]
        assert any(t.get("clip", 1.0) == s.clip and t["epsilon"] == s.epsilon for t in found), name


def test_ours_are_the_settings_of_notebook_02():
    book = nbformat.read(paths.ROOT / "notebooks" / "02_federated_learning.ipynb", 4)
    calls = [node for cell in book.cells if cell.cell_type == "code" for node in ast.walk(ast.parse(cell.source))]
    (config,) = [n.value for n in calls if isinstance(n, ast.Assign) and ast.unparse(n.targets[0]) == "training"]
    given = {keyword.arg: ast.literal_eval(keyword.value) for keyword in config.keywords}
    assert replace(ours.Settings(), **given) == ours.Settings()
    assert any(ast.unparse(n) == f"federated.Momentum(rate=1.0, beta={ours.Settings().beta})" for n in calls)


def test_a_private_system_needs_a_public_scaling(patients):
    with pytest.raises(FederatedError, match="public scaling"):
        ppflb.run(baselines.Patients.draw(patients.features, 1))


def test_phases_of_every_system_are_those_of_a_round(patients):
    consortium, _ = ppflb.operate(patients, SHORT["ppflb"])
    known = {"authenticate", "open", "train", "protect", "commit", "aggregate", "record"}
    assert {step.phase for step in consortium.meter.steps} <= known
    assert isinstance(consortium.meter, system.Meter)
