"""One whole round: the result is exact, repeats, is recorded, and whatever is altered is refused."""

import math
from dataclasses import replace

import numpy as np
import pytest
from system.small_system import CLIP, SPEC, small_consortium, small_records

from bfl_stpc import federated, privacy, stpc, system
from bfl_stpc.errors import (
    CommitmentMismatch,
    ConfigError,
    FederatedError,
    NotAMember,
    PrivacyError,
    SumForged,
    SumRefuted,
)
from bfl_stpc.ledger import Result


def test_the_new_model_is_the_weighted_mean_up_to_rounding(consortium, start):
    after = system.run_round(start, consortium)
    updates = system.inspection.plain_updates(consortium, start.weights, round=1)
    counts = np.array([40, 60, 80])
    expected = start.weights + counts @ updates / counts.sum()
    bound = consortium.params.step * 3 / 2 * consortium.params.max_records / counts.sum()
    assert np.abs(after.weights - expected).max() <= bound + np.finfo(np.float32).eps
    assert np.abs(updates).max() > 10 * bound  # the comparison would notice a missing hospital
    assert after.round == 1


def test_updates_are_clipped(consortium, start):
    updates = system.inspection.plain_updates(consortium, start.weights, round=1)
    norms = np.linalg.norm(updates, axis=1)
    assert (norms <= CLIP * (1 + 1e-12)).all()
    assert norms.max() > 0.9 * CLIP


def test_two_rounds_repeat_bit_for_bit_under_fresh_keys(start):
    ends = []
    for _ in range(2):
        consortium = small_consortium()
        state = system.run_round(system.run_round(start, consortium), consortium)
        ends.append(federated.digest(state.weights))
    assert ends[0] == ends[1]


def test_the_ledger_records_the_round(consortium, start):
    after = system.run_round(start, consortium)
    recorded = consortium.book.round(1)
    assert recorded.phase == "finalised"
    assert recorded.model == federated.digest(start.weights)
    assert recorded.commits == recorded.reveals == recorded.checks == 3
    finalised = [event for event in consortium.book.events() if event.name == "RoundFinalised"]
    assert finalised[0].values["model"] == federated.digest(after.weights)


def test_no_upload_holds_the_update(consortium, start):
    system.run_round(start, consortium)
    updates = system.inspection.plain_updates(consortium, start.weights, round=1)
    slots = system.inspection.masked_uploads(consortium)
    first_fields = updates[:, :: consortium.params.fields]
    for plain, masked in zip(first_fields, slots):
        correlation = np.corrcoef(plain, masked[: plain.size].astype(float))[0, 1]
        assert abs(correlation) < 5 / np.sqrt(plain.size)


def test_an_altered_upload_is_refused(consortium, start):
    system.run_round(start, consortium)
    with pytest.raises(CommitmentMismatch, match="hospital-0"):
        system.inspection.add_altered_upload(consortium)


def test_a_stranger_is_refused(consortium, start):
    with pytest.raises(NotAMember):
        system.inspection.log_stranger_in(consortium, start.weights)


def test_hospitals_refuse_a_forged_sum(consortium, start, monkeypatch):
    honest = system.Consortium.open_sum

    def forged(self, aggregate, ticket, directory):
        total = stpc.open_sum(
            aggregate, ticket, directory, authority=self.authority, aggregator=self.aggregator,
            helpers=[hospital.party for hospital in self.hospitals],
        )  # fmt: skip
        masked = total.masked.copy()
        masked[0] = (masked[0] + 1) % self.params.modulus
        lie = replace(total, masked=masked)
        self.book.publish_opening(ticket, lie.published)
        return lie

    monkeypatch.setattr(system.Consortium, "open_sum", forged)
    with pytest.raises(SumRefuted):
        system.run_round(start, consortium)
    assert consortium.book.round(1).phase == "aggregate"
    monkeypatch.setattr(system.Consortium, "open_sum", honest)
    consortium.book.abort_round(consortium.ticket, "forged sum")
    assert system.run_round(start, consortium).round == 2  # the next round starts


def test_hospitals_refuse_a_model_that_the_sum_does_not_give(consortium, start, monkeypatch):
    signed = system.Hospital.approve

    def approve(self, book, ticket, result, opening):
        backdoor = replace(result, model=federated.digest(opening.before + np.float32(1)))
        return signed(self, book, ticket, backdoor, opening)

    monkeypatch.setattr(system.Hospital, "approve", approve)
    with pytest.raises(FederatedError, match="hospital-0 refuses round 1"):
        system.run_round(start, consortium)


def test_the_contract_refuses_false_checks(consortium, start, monkeypatch):
    signed = system.Hospital.approve

    def approve(self, book, ticket, result, opening):
        return signed(self, book, ticket, false(result), opening)

    def false(result: Result) -> Result:
        return replace(result, checks=(result.checks[0] ^ 1, result.checks[1]))

    close = system.Consortium.close_round
    monkeypatch.setattr(system.Hospital, "approve", approve)
    monkeypatch.setattr(
        system.Consortium,
        "close_round",
        lambda self, ticket, result, approvals: close(self, ticket, false(result), approvals),
    )
    with pytest.raises(SumForged):
        system.run_round(start, consortium)


def private(promise):
    config = privacy.DpConfig(SPEC, 0.5, 4, 0.2, 2.0, 0.5, privacy.NoiseSource.SIMULATION)
    return system.found(
        small_records(), config, experiment="private", seed=1, clip=CLIP, max_records=1000, promise=promise
    )


def epsilon_on_chain(consortium, number):
    finalised = [e.values for e in consortium.book.events() if e.name == "RoundFinalised"]
    return next(values["epsilonNano"] for values in finalised if values["round"] == number)


def test_the_ledger_records_epsilon_and_none_is_not_zero(consortium, start):
    system.run_round(start, consortium)
    assert epsilon_on_chain(consortium, 1) == 2**64 - 1  # no promise at all
    with_promise = private((10.0, 1e-5))
    system.run_round(start, with_promise)
    spent = with_promise.hospitals[0].budget.epsilon()
    assert 0 < spent <= 10
    assert epsilon_on_chain(with_promise, 1) == math.ceil(spent * 1e9)


def test_a_spent_budget_stops_the_round_before_training(start):
    one_round = privacy.epsilon([privacy.Spent(0.5, 2.0, 4)], 1e-5)
    consortium = private((1.2 * one_round, 1e-5))
    after = system.run_round(start, consortium)
    with pytest.raises(PrivacyError, match="hospital-0 promised"):
        system.run_round(after, consortium)
    assert all(hospital.budget.epsilon() == pytest.approx(one_round) for hospital in consortium.hospitals)


def test_a_promise_and_private_training_belong_together():
    with pytest.raises(ConfigError, match="belong together"):
        private(None)
