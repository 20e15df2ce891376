"""What a round costs, and the paper's words for it."""

import pytest

from bfl_stpc import system
from bfl_stpc.system import Step


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
