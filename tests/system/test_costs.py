"""The model on paper: it finds the constants that made the data, its bytes are those on the wire, and limits follow."""

import dataclasses

import numpy as np
import pytest

from bfl_stpc import federated, privacy, system
from bfl_stpc.errors import ConfigError
from bfl_stpc.seeds import generator
from bfl_stpc.system import costs, trials
from bfl_stpc.system.costs import Shape

SHAPES = [Shape(k, d) for k in (5, 10, 20, 50) for d in (1_000, 20_000, 300_000)]
TRUE = generator("true constants", 1).uniform(0.5, 2.0, len(costs.TERMS))


def made(shape, noise=0.0):
    rng = generator("noise", shape.hospitals, shape.parameters)
    phases = dict.fromkeys(costs.PHASES, 0.0)
    for constant, term in zip(TRUE, costs.TERMS):
        phases[term.phase] += constant * term.count(shape)
    return shape, {phase: ms * rng.uniform(1 - noise, 1 + noise) for phase, ms in phases.items()}


def test_fit_finds_the_constants_that_made_the_data():
    model = costs.fit([made(shape) for shape in SHAPES])
    assert model.constants == pytest.approx(list(TRUE), rel=0.01)
    assert model.largest_error < 1e-3


def test_a_noisy_fit_extrapolates_and_tells_its_error():
    model = costs.fit([made(shape, noise=0.05) for shape in SHAPES])
    assert 0 < model.largest_error < 0.1
    far = Shape(200, 1_000_000)
    assert model.total(far) == pytest.approx(sum(made(far)[1].values()), rel=0.2)


def test_phases_and_roles_add_up():
    model, shape = costs.Model(tuple(TRUE), 0.0), Shape(10, 5_000)
    roles = model.roles(shape)
    whole = sum(roles.values()) + (shape.hospitals - 1) * roles[costs.HOSPITAL]
    assert whole == pytest.approx(model.total(shape))
    assert model.apart(shape) < model.total(shape)


def test_what_was_not_measured_is_refused():
    with pytest.raises(ConfigError, match="nothing was measured"):
        costs.fit([])
    shape, ms = made(SHAPES[0])
    with pytest.raises(ConfigError, match="'verify' took no time"):
        costs.fit([(shape, {**ms, "verify": 0.0})])
    with pytest.raises(ConfigError, match="two hospitals"):
        Shape(1, 10)


@pytest.mark.parametrize(("hospitals", "hidden"), [(4, 4), (9, 60)])
def test_bytes_on_paper_are_those_on_the_wire(hospitals, hidden):
    (round,) = trials.of_shape(hospitals, hidden, rows=20, features=12, count=1)
    shape = Shape(hospitals, federated.Mlp((12, hidden, 1)).size)
    paper = costs.bytes_sent(shape)
    names = {step.actor for step in round.steps} - {system.AGGREGATOR, system.AUTHORITY, system.LEDGER}
    given = {p: sum(s.sent for s in round.steps if s.phase == p and s.actor in names) for p in costs.PHASES}
    asked = sum(step.asked for step in round.steps)
    assert hospitals * paper["hospital"]["commit"] == pytest.approx(given["commit"], rel=0.02)
    assert hospitals * sum(paper["hospital"].values()) == pytest.approx(sum(given.values()), rel=0.03)
    assert sum(paper["aggregator"].values()) == pytest.approx(asked, rel=0.15)


def test_shapes_say_what_the_protocol_does():
    shape = Shape(10, 4_000)
    assert shape.threshold == 6
    assert shape.slots == 2_001
    assert shape.ciphertexts == 1
    assert Shape(10, 100_000).ciphertexts == int(np.ceil(50_001 / 4096))


def test_limits_come_in_order_and_move_with_the_machine():
    slow = costs.Model(tuple(TRUE), 0.0)
    fast = dataclasses.replace(slow, constants=tuple(TRUE / 1e9))
    for model in (slow, fast):
        found = costs.limits(model, 5_000)
        reached = [limit.hospitals for limit in found if limit.hospitals]
        assert reached == sorted(reached)
    by_name = {limit.what: limit.hospitals for limit in costs.limits(fast, 5_000)}
    assert by_name["the contracts' bitmap of members"] == costs.LEDGER_MEMBERS + 1
    assert by_name["the ledger's hour for a phase"] is None
    bits = by_name["the bits of a field"]
    assert Shape(bits, 5_000).params.bits < costs.LEAST_BITS <= Shape(bits - 1, 5_000).params.bits
    assert {limit.what: limit.hospitals for limit in costs.limits(slow, 5_000)}["a hospital's hour"] < 10_000


def test_every_rung_learns_the_same_sum():
    spec = federated.Mlp((12, 4, 1))
    plain = federated.TrainConfig(spec, batch=16)
    records = trials.random_records(3, 30, 12)
    private = privacy.DpConfig(spec, 0.5, 2, 2.0, 1.0, 0.1, privacy.NoiseSource.SIMULATION)
    ladder = trials.Ladder(records, plain, private, promise=(10.0, 1e-5))
    updates = ladder._train(plain)
    weighted = (updates * 30 / trials.MAX_RECORDS).sum(axis=0)
    for protected in (ladder._encrypted(updates), ladder._masked(updates)):
        assert np.abs(protected - weighted).max() <= 1.5 * ladder._params.step
    taken = ladder.run(1)
    assert list(taken) == list(ladder.rungs)
    assert trials.ratios(taken, "wall_ms")["plain"] == [1.0]
    assert all(run.wall_ms > 0 for runs in taken.values() for run in runs)
