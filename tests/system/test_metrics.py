"""What a round costs, and the paper's words for it."""

import pytest

from bfl_stpc import system
from bfl_stpc.system import Step
from bfl_stpc.system import metrics as metrics_module


def test_metrics_follow_their_definitions():
    steps = [
        Step("authenticate", "a", ms=10),
        Step("authenticate", "b", ms=30),
        Step("train", "a", ms=900),
        Step("protect", "a", ms=20, sent=32, update=1000),
        Step("protect", "b", ms=20, sent=32, update=1000),
        Step("commit", "a", ms=5, gas=7),
        Step("aggregate", "aggregator", ms=15),
    ]
    metrics = system.measure(steps, parameters=50)
    assert metrics.authentication_ms == 20
    assert metrics.execution_ms == pytest.approx((20 + 20 + 5 + 15) / 2)  # training is left out
    assert metrics.throughput_kbps == pytest.approx(8 * 2000 / 1.0 / 1000)  # the steps take one second together
    assert metrics.goodput_kbps == pytest.approx(8 * 4 * 50 * 2 / 1.0 / 1000)


def one_round(login=10.0, block=6.0):
    return [
        Step("authenticate", "a", ms=login),
        Step("authenticate", "b", ms=login),
        Step("authenticate", system.LEDGER, ms=block),
        Step("train", "a", ms=100),
        Step("protect", "a", ms=20),
        Step("protect", "b", ms=40),
        Step("commit", "a", ms=1, update=1000),
        Step("commit", "b", ms=1, update=1000),
        Step("commit", system.LEDGER, ms=8),
        Step("aggregate", system.AGGREGATOR, ms=2),
    ]


def test_what_hospitals_share_is_borne_by_all_of_them():
    metrics = system.measure(one_round(), parameters=50)
    assert metrics.authentication_ms == metrics.authentication_p95_ms == 13
    assert metrics.execution_ms == pytest.approx((20 + 40 + 1 + 1 + 8 + 2) / 2)
    assert metrics.execution_p95_ms == pytest.approx(26 + 0.95 * 20)


def test_rounds_are_told_apart_and_wall_time_counts_what_lies_between():
    steps = [*one_round(), *one_round(login=50.0)]
    assert [len(round) for round in metrics_module.split(steps)] == [10, 10]
    metrics = system.measure(steps, parameters=50)
    assert metrics.authentication_ms == pytest.approx((2 * 13 + 2 * 53) / 4)
    assert metrics.authentication_p95_ms == 53
    slower = system.measure(steps, parameters=50, wall_ms=2 * sum(step.ms for step in steps))
    assert slower.throughput_kbps == pytest.approx(metrics.throughput_kbps / 2)
    assert slower.execution_ms == metrics.execution_ms


def test_the_blocks_of_a_round_are_metered(consortium, start):
    system.run_round(start, consortium)
    ledger = [step for step in consortium.meter.steps if step.actor == system.LEDGER]
    assert [step.phase for step in ledger] == ["authenticate", "commit", "commit", "verify"]
    assert all(step.ms > 0 for step in ledger)
    commits = [event.block for event in consortium.book.events() if event.name == "UploadCommitted"]
    assert len(commits) == len(consortium.hospitals)
    assert len(set(commits)) == 1  # one block holds all of them


def test_meter_adds_up_by_phase_in_order(consortium, start):
    system.run_round(start, consortium)
    phases = consortium.meter.by_phase()
    assert [step.phase for step in phases] == [
        "authenticate", "open", "train", "share keys", "protect", "commit", "aggregate", "open the sum", "verify", "record",
    ]  # fmt: skip
    by_name = {step.phase: step for step in phases}
    uploads = system.inspection.uploads(consortium).values()
    assert by_name["commit"].update == sum(len(upload.payload) for upload in uploads) < by_name["commit"].sent
    assert by_name["commit"].gas > by_name["open the sum"].gas > 0
    assert sum(step.ms for step in phases) == pytest.approx(consortium.meter.total_ms())
