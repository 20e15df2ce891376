"""The campaign counts right: recall, intervals, false alarms, the aggregate and its sensitivity."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from bfl_stpc import detection
from bfl_stpc.detection import injection
from bfl_stpc.detection.catalogue import Basis, Catalogue, Kind, Level
from bfl_stpc.detection.injection import Clean, Outcome
from bfl_stpc.errors import ConfigError
from bfl_stpc.study import wilson_interval


class Toy:
    """Notices what is at least 2 hard, and cries wolf at every tenth clean event."""

    built = 0

    def __init__(self, seed):
        Toy.built += 1
        self.seed = seed

    def clean(self, events):
        return [Clean("toy check", ("toy",), events, events // 10)]


def toy(bench, level, rng):
    return Outcome(level.value >= 2, "toy" if level.value >= 2 else "", int(level.value), 1.0)


def kind(name, weight, *values, basis=Basis.STATISTICAL, consequence="delay"):
    levels = tuple(Level(f"level {v}", v) for v in values)
    return Kind(name, name, "toys", "a toy", levels, ("toy",), basis, consequence, weight)


@pytest.fixture
def toys(monkeypatch):
    registered = {name: injection.Registered(toy, Toy) for name in ("half", "all")}
    monkeypatch.setattr(injection, "_REGISTRY", registered)
    Toy.built = 0
    kinds = {"half": kind("half", 3, 1, 2), "all": kind("all", 1, 3, consequence="evidence")}
    return Catalogue(kinds, {"delay": (3, ""), "evidence": (1, "")}, ("toys",))


@pytest.fixture
def campaign(toys):
    return detection.run(toys, seeds=[1, 2], injections=8, clean_events=100)


def test_levels_take_turns_and_benches_are_shared(campaign):
    assert Toy.built == 2
    half = [t for t in campaign.trials if t.kind == "half"]
    assert [t.level for t in half[:4]] == ["level 1", "level 2"] * 2
    assert {(t.level, t.seed) for t in half} == {(f"level {v}", s) for v in (1, 2) for s in (1, 2)}


def test_every_level_is_injected_equally_often(toys):
    few = detection.run(toys, seeds=[1], injections=1, clean_events=10)
    assert [t.level for t in few.trials] == ["level 1", "level 2", "level 3"]


def test_the_table_holds_recall_intervals_and_false_alarms(campaign, toys):
    table = detection.by_kind(campaign, toys).set_index("kind")
    assert list(table.index) == list(toys.kinds)
    half = table.loc["half"]
    assert (half.injections, half.detected, half.recall, half.by, half.steps) == (8, 4, 0.5, "toy", 2.0)
    assert (half.low, half.high) == wilson_interval(4, 8)
    assert (half.clean_events, half.false_alarms) == (100, 10)
    assert list(detection.by_level(campaign).recall) == [0.0, 1.0, 1.0]
    (row,) = detection.clean_events(campaign).itertuples()
    assert (row.events, row.alarms, row.rate) == (100, 10, 0.1)


def test_an_unnoticed_kind_has_no_steps_and_no_name(toys):
    gone = replace(toys, kinds={"half": kind("half", 3, 1)})
    row = detection.by_kind(detection.run(gone, seeds=[1], injections=2, clean_events=10), gone).iloc[0]
    assert (row.recall, row.by, row.steps) == (0.0, "nothing", None)


def test_the_aggregate_is_the_weighted_mean_and_its_interval_joins_those_of_the_kinds(campaign, toys):
    table = detection.by_kind(campaign, toys)
    value, (low, high) = detection.aggregate(table)
    assert value == pytest.approx((3 * 0.5 + 1 * 1.0) / 4)
    (l1, h1), (l2, _) = wilson_interval(4, 8), wilson_interval(8, 8)
    assert low == pytest.approx(value - np.hypot(0.75 * (0.5 - l1), 0.25 * (1 - l2)))
    assert high == pytest.approx(value + 0.75 * (h1 - 0.5))
    assert detection.aggregate(table, [0, 1])[0] == 1.0


def test_the_interval_of_the_aggregate_covers(toys):
    """Simulated: 40 kinds at several recalls, 20 injections each; the 95 % interval holds the truth about as often."""
    rng = np.random.default_rng(1)
    truth = np.repeat([1.0, 0.9, 0.5, 0.0], 10)
    weights = np.tile([3.0, 1.0], 20)
    inside = 0
    for _ in range(300):
        hits = rng.binomial(20, truth)
        bounds = [wilson_interval(int(h), 20) for h in hits]
        low, high = zip(*bounds)
        table = pd.DataFrame({"weight": weights, "recall": hits / 20, "low": low, "high": high})
        _, (down, up) = detection.aggregate(table)
        inside += down <= weights @ truth / weights.sum() <= up
    assert inside / 300 > 0.93


def test_the_sensitivity_covers_its_extremes(campaign, toys):
    rows = detection.sensitivity(detection.by_kind(campaign, toys), draws=2000).set_index("choice")
    assert rows.loc["as published"].recall == pytest.approx(0.625)
    assert rows.loc["every kind alike"].recall == pytest.approx(0.75)
    assert rows.loc["only delay"].recall == 0.5
    assert rows.loc["only evidence"].recall == 1.0
    random = rows.loc["weights at random"]
    assert 0.5 <= random.low < 0.55 < random.recall < 0.95 < random.high <= 1.0


def test_a_kind_without_an_injector_is_refused(toys):
    more = replace(toys, kinds={**toys.kinds, "new": kind("new", 1, 1)})
    with pytest.raises(ConfigError, match="no code injects new"):
        detection.run(more, seeds=[1], injections=1, clean_events=1)


def test_a_notice_by_somebody_else_is_refused(toys):
    other = replace(toys, kinds={"all": replace(toys.kinds["all"], detectors=("another",))})
    with pytest.raises(ConfigError, match="noticed by toy, which its entry does not name"):
        detection.run(other, seeds=[1], injections=1, clean_events=1)
