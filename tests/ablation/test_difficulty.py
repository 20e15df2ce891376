"""The four models, the same patients at other difficulties, and shuffled outcomes."""

import numpy as np
import pytest

from bfl_stpc import baselines, ehr, federated
from bfl_stpc.ablation import Combination, difficulty, learn, models
from bfl_stpc.baselines import Patients
from bfl_stpc.errors import ConfigError

PATIENTS = 600


@pytest.fixture(scope="module")
def features():
    return ehr.generate(ehr.CohortConfig(patients=PATIENTS, hospitals=4)).features()


@pytest.fixture(scope="module")
def patients(features):
    return Patients.draw(features, 1, baselines.public_scaling(PATIENTS))


def test_only_the_outcomes_change_and_the_ceiling_is_the_one_asked_for(features):
    other = difficulty.at(features, 0.8, 1)
    assert other.X is features.X
    assert ehr.ceiling(other.p).accuracy == pytest.approx(0.8, abs=1e-6)
    assert difficulty.at(features, 0.98, 1).p == pytest.approx(features.p)  # the ceiling of its own
    assert not np.array_equal(other.y, difficulty.at(features, 0.8, 2).y)


@pytest.mark.parametrize("ceiling", [0.5, 0.9999])
def test_a_difficulty_that_the_generator_does_not_offer_is_refused(features, ceiling):
    with pytest.raises(ConfigError, match=str(ceiling)):
        difficulty.at(features, ceiling, 1)


def test_shuffled_outcomes_keep_their_number_and_lose_their_order(patients):
    shuffled = difficulty.shuffled(patients)
    assert shuffled.features.y.sum() == patients.features.y.sum()
    assert not np.array_equal(shuffled.features.y, patients.features.y)
    auc = models.trained(shuffled, Combination(True), share=0.1).auc
    assert abs(auc - 0.5) < 0.2 < models.trained(patients, Combination(True), share=0.1).auc - 0.5


def test_the_four_models_learn_and_noise_costs(patients):
    got = {c: models.trained(patients, c, share=0.1) for c in (Combination(True), Combination(True, noise=True))}
    got |= {c: models.trained(patients, c, share=0.1) for c in (Combination(), Combination(noise=True))}
    assert all(report.auc > 0.6 for report in got.values())
    assert got[Combination(True)].gap < got[Combination(True, noise=True)].gap


def test_what_is_trained_is_what_learn_gives_on_the_whole_path(patients):
    tables, config, server, rounds, experiment = models.hospital_side(patients, Combination(True), 0.1)
    whole = Combination(True, True, True, True)
    first = models.first_model(patients, whole)
    run = learn(tables, config, server, whole, first=first, rounds=rounds, experiment=experiment, seed=1)
    assert run.weights.tobytes() == models.trained(patients, Combination(True), share=0.1).weights.tobytes()


def test_the_sweep_has_a_row_for_every_system_and_the_order_of_its_ceilings(features, patients):
    rows = difficulty.sweep(features, [0.8, 0.99], seeds=[1], scaling=patients.scaling, share=0.1)
    assert [r["system"] for r in rows] == 2 * list(difficulty.SYSTEMS)
    assert all(r["accuracy"] <= r["bayes"] + 0.06 for r in rows)
    hard, easy = (next(r for r in rows if r["ceiling"] == c and r["system"] == "central") for c in (0.8, 0.99))
    assert hard["accuracy"] < easy["accuracy"]


def test_where_a_value_is_reached():
    assert difficulty.reached_at([80, 90, 100], [78, 88, 98], 93) == pytest.approx(95)
    assert difficulty.reached_at([80, 90], [78, 88], 93) is None
    assert difficulty.reached_at([80, 90], [78, 88], 70) is None


def teardown_module():
    federated.worker.close()
