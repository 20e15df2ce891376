"""Training among attackers: the mean by hand, who was shut out stays out, and nobody is in clean runs."""

from dataclasses import replace

import numpy as np
import pytest

from bfl_stpc.errors import ConfigError
from bfl_stpc.federated import init_weights, local_updates
from bfl_stpc.robust import Defence, Trace, Trials, defences, identified, simulate, tables, versus
from bfl_stpc.seeds import derive_seed

ROUNDS = 7


@pytest.fixture(scope="module")
def trials():
    return Trials([1], hospitals=12, patients=1200, rounds=ROUNDS, clean_runs=2)


@pytest.fixture(scope="module")
def decoded():
    return defences(2)["sums: groups decoded"]


def test_without_a_defence_the_model_moves_by_the_mean_of_what_hospitals_train(trials):
    scene, _ = trials.scenes[1]
    course = simulate(scene, Defence(0), rounds=1, experiment="test", seed=3)
    start = init_weights(scene.config.spec, derive_seed("test", 3, "weights"))
    seeds = [derive_seed("test", 3, name, 1) for name in scene.tables]
    trained = local_updates(start, list(scene.tables.values()), scene.config, seeds)
    assert course.updates[0] == pytest.approx(np.asarray(trained))
    assert course.models[0] == pytest.approx(start + np.mean(trained, axis=0), abs=1e-6)


def test_a_training_repeats_bit_for_bit_and_depends_on_its_seed(trials):
    scene, _ = trials.scenes[1]
    one, two, other = (
        simulate(scene, Defence(3, "median"), rounds=2, experiment="test", seed=seed).models for seed in (3, 3, 4)
    )
    assert one.tobytes() == two.tobytes() != other.tobytes()


def test_clean_runs_blame_nobody_and_cost_no_accuracy(trials, decoded):
    (clean,) = trials.run(decoded, "", 0)
    (plain,) = trials.run(Defence(0), "", 0)
    assert (clean.blamed, clean.attackers, clean.rounds) == (0, 0, ())
    assert clean.accuracy > plain.accuracy - 0.03
    assert clean.success < 0.2  # the control: the trigger alone


def test_a_backdoor_gets_in_where_nothing_looks_and_is_found_where_sums_are_decoded(trials, decoded):
    (open_,) = trials.run(Defence(0), "backdoor", 1 / 12)
    (guarded,) = trials.run(decoded, "backdoor", 1 / 12)
    assert open_.success > 0.6
    assert open_.accuracy > 0.8  # and nothing shows
    assert (guarded.found, guarded.attackers, guarded.blamed) == (1, 1, 0)
    course = trials.course(decoded, "backdoor", 1 / 12, 1)
    (attacker,), out = course.attackers, next(iter(course.caught.values()))
    assert np.any(course.updates[out - 1, attacker])
    assert not np.any(course.updates[out:, attacker])
    assert all(attacker not in members for groups in course.groups[out:] for members in groups)


def test_one_hospital_a_round_is_shut_out_and_most_never(trials, decoded):
    fixed = trials.thresholds(2)
    eager = replace(fixed, low=np.zeros(ROUNDS), high=np.zeros(ROUNDS))  # accuses everybody, always
    scene, _ = trials.scenes[1]
    course = simulate(scene, decoded, rounds=ROUNDS, experiment="test", seed=3, thresholds=eager)
    assert sorted(course.excluded.values()) == [4, 5, 6, 7]  # accused from round 3 on, so shut out from round 4 on
    longer = replace(eager, low=np.zeros(14), high=np.zeros(14), bound=np.ones(14))
    course = simulate(scene, decoded, rounds=14, experiment="test", seed=3, thresholds=longer)
    assert len(course.excluded) == 5  # of twelve


def test_what_makes_no_sense_is_refused(trials):
    scene, _ = trials.scenes[1]
    with pytest.raises(ConfigError, match="name the attack"):
        simulate(scene, Defence(0), rounds=1, experiment="test", seed=3, attackers=1)
    with pytest.raises(ConfigError, match="calibrate them on clean runs"):
        simulate(scene, Defence(3, trace=Trace.DECODE), rounds=1, experiment="test", seed=3)
    with pytest.raises(ConfigError, match="no attack 'backdor'"):
        trials.run(Defence(0), "backdor", 0.2)


def test_thresholds_come_from_consortia_that_no_trial_uses(trials):
    fixing = [updates[0, 0] for updates in trials._clean]
    tried = trials.course(Defence(0), "", 0, 1).updates[0, 0]
    assert not any(np.allclose(each, tried) for each in fixing)


def test_tables_count_what_the_runs_say(trials, decoded):
    both = {"no defence": Defence(0), "sums: groups decoded": decoded}
    who = identified(trials, both, "backdoor", [0, 1 / 12])
    assert list(who.defence) == ["sums: groups decoded"]
    assert (who.found[0], who.attackers[0], who.honest[0], who.blamed[0]) == (1, 1, 11, 0)
    assert who.median_round[0] == who.last_round[0] == trials.run(decoded, "backdoor", 1 / 12)[0].rounds[0]
    against = versus(trials, "sums: groups decoded", both, "backdoor", [1 / 12])
    assert against.difference[0] < -0.5
    assert against.verdict[0] == "open"  # one seed has no interval
    drawn = tables.curves(trials, both, "backdoor", [0, 1 / 12])
    assert (
        drawn["defences"]["no defence"]["success"]["mean"][1] == trials.run(Defence(0), "backdoor", 1 / 12)[0].success
    )
    costs = tables.costs(trials, [2], "backdoor", 1 / 12)
    assert costs["found"]["2"][-1] == 1.0
    assert costs["found"]["2"][0] == 0.0
    assert abs(costs["of_another"][0]) < 0.4 < costs["over_rounds"]["2"][-1]


@pytest.mark.parametrize(
    ("differences", "verdict"), [([0.3, 0.4], "loss"), ([-0.3, -0.4], "win"), ([0.3, -0.4], "open")]
)
def test_a_verdict_needs_an_interval_that_leaves_out_zero(monkeypatch, differences, verdict):
    from bfl_stpc.robust.trials import Result

    many = [x + d for d in (0.01, -0.01) for x in differences] * 4

    def run(self, defence, attack, share):
        ours = np.array(many) if defence.size else np.zeros(8 * 2)
        return [Result(k, 1, 0.9, float(v), (None,), 0) for k, v in enumerate(ours)]

    monkeypatch.setattr(Trials, "run", run)
    table = versus(Trials([1]), "b", {"a": Defence(0), "b": Defence(2)}, "backdoor", [0, 0.2])
    assert list(table.verdict) == [verdict]
