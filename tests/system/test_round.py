"""One whole round: the result is exact, repeats, is recorded, and whatever is altered is refused."""

import math
import os
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from system.small_system import CLIP, SPEC, small_consortium, small_records

from bfl_stpc import federated, ledger, privacy, stpc, system
from bfl_stpc.errors import (
    CommitmentMismatch,
    ConfigError,
    FederatedError,
    NotAMember,
    RoundAborted,
    SumForged,
    SumRefuted,
    TooFewUploads,
)
from bfl_stpc.ledger import Action, Ledger, Purpose, Result
from bfl_stpc.system.codec import encode


def test_the_new_model_is_the_weighted_mean_up_to_rounding(consortium, start):
    after = system.run_round(start, consortium)
    updates = system.inspection.plain_updates(consortium, start, round=1)
    counts = np.array([40, 60, 80])
    expected = start.weights + counts @ updates / counts.sum()
    bound = consortium.params.step * 3 / 2 * consortium.params.max_records / counts.sum()
    assert np.abs(after.weights - expected).max() <= bound + np.finfo(np.float32).eps
    assert np.abs(updates).max() > 10 * bound  # the comparison would notice a missing hospital
    assert after.round == 1


def test_updates_are_clipped(consortium, start):
    updates = system.inspection.plain_updates(consortium, start, round=1)
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
    updates = system.inspection.plain_updates(consortium, start, round=1)
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
        system.inspection.log_stranger_in(consortium, start)


def refuses(consortium, start, cause):
    with pytest.raises(RoundAborted) as aborted:
        system.run_round(start, consortium)
    found = aborted.value.__cause__
    while found is not None and not isinstance(found, cause):
        found = found.__cause__
    assert isinstance(found, cause)
    assert consortium.book.round(1).phase == "aborted"
    return str(found)


def forging(honest):
    def forged(self, aggregate, ticket):
        slots = honest(self, aggregate, ticket).copy()
        slots[0] = (slots[0] + 1) % self.params.modulus
        return slots

    return forged


def test_a_forged_sum_is_refuted_and_the_next_round_starts(consortium, start, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(system.Consortium, "open", forging(system.Consortium.open))
        refuses(consortium, start, SumRefuted)
    assert system.run_round(start, consortium).round == 2


def test_hospitals_verify_for_themselves_what_the_aggregator_does_not(consortium, start, monkeypatch):
    monkeypatch.setattr(system.Consortium, "open", forging(system.Consortium.open))
    careless = SimpleNamespace(Directory=stpc.Directory, verify_sum=lambda *_: None)
    monkeypatch.setattr("bfl_stpc.system.round.stpc", careless)
    assert "answered 'approve'" in refuses(consortium, start, TooFewUploads)


def test_hospitals_refuse_a_model_that_the_sum_does_not_give(consortium, start, monkeypatch):
    after = system.State.after
    flag = {"lie": True}

    def poisoned(self, mean, round):
        honest = after(self, mean, round)
        if flag["lie"]:  # the aggregator comes first; the hospitals compute it again
            flag["lie"] = False
            return replace(honest, weights=honest.weights + np.float32(1))
        return honest

    monkeypatch.setattr(system.State, "after", poisoned)
    assert "refuses round 1: the model is not what the sum gives" in refuses(consortium, start, FederatedError)


def test_the_contract_refuses_false_checks(consortium, start, monkeypatch):
    close = system.Consortium.close_round
    approve = Ledger.approve

    def false(result: Result) -> Result:
        return replace(result, checks=(result.checks[0] ^ 1, result.checks[1]))

    monkeypatch.setattr(Ledger, "approve", lambda self, who, ticket, result: approve(self, who, ticket, false(result)))
    monkeypatch.setattr(
        system.Consortium,
        "close_round",
        lambda self, ticket, result, approvals, state: close(self, ticket, false(result), approvals, state),
    )
    refuses(consortium, start, SumForged)


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
    spent = system.inspection.hospital(with_promise, "hospital-0").budget.epsilon()
    assert 0 < spent <= 10
    assert epsilon_on_chain(with_promise, 1) == math.ceil(spent * 1e9)


def test_a_spent_budget_stops_the_round_before_training(start):
    one_round = privacy.epsilon([privacy.Spent(0.5, 2.0, 4)], 1e-5)
    consortium = private((1.2 * one_round, 1e-5))
    after = system.run_round(start, consortium)
    with pytest.raises(RoundAborted, match="hospital-0: PrivacyError, hospital-0 promised"):
        system.run_round(after, consortium)
    hospitals = [system.inspection.hospital(consortium, name) for name in consortium.hospitals]
    assert all(hospital.budget.epsilon() == pytest.approx(one_round) for hospital in hospitals)
    assert all(len(hospital.budget.spent) == 1 for hospital in hospitals)


def test_a_promise_and_private_training_belong_together():
    with pytest.raises(ConfigError, match="belong together"):
        private(None)


def consenting(hospitals=3):
    names = small_records(hospitals)
    pseudonyms = {name: [os.urandom(32) for _ in data.y] for name, data in names.items()}
    consortium = small_consortium(hospitals=hospitals, pseudonyms=pseudonyms)
    patients = {}
    for name, records in pseudonyms.items():
        hospital = system.inspection.hospital(consortium, name)
        patients[name] = [ledger.Identity.derive(f"patient {i}", 7 + i) for i in range(len(records))]
        admissions = [(r, p, bytes([1]) * 32) for r, p in zip(records, patients[name])]
        consents = consortium.book.consents
        consents.admit(hospital.identity, admissions, Purpose.RESEARCH, Action.TRAIN, seconds=10**6)
    return consortium, pseudonyms, patients


def test_only_records_whose_patients_permit_it_are_trained_on(start):
    consortium, pseudonyms, patients = consenting()
    name = "hospital-1"
    hospital = system.inspection.hospital(consortium, name)
    everyone = system.run_round(start, consortium)
    assert everyone.digest == system.run_round(start, small_consortium()).digest
    for i in range(10):
        relay, record = hospital.identity, pseudonyms[name][i]
        consortium.book.consents.revoke(relay, patients[name][i], record, name, Purpose.RESEARCH)
    assert len(hospital.consented().y) == len(hospital.data.y) - 10
    np.testing.assert_array_equal(hospital.consented().X, hospital.data.X[10:])
    fewer = system.run_round(everyone, consortium)
    expected = system.inspection.exact_successor(consortium, everyone, 2, consortium.hospitals)
    assert fewer.digest == expected.digest


def test_a_hospital_without_any_consent_sits_the_round_out(start):
    names = small_records()
    pseudonyms = {name: [os.urandom(32) for _ in data.y] for name, data in names.items()}
    consortium = small_consortium(pseudonyms=pseudonyms)
    with pytest.raises(RoundAborted, match="no patient of hospital-0 permits training now"):
        system.run_round(start, consortium)


def test_every_record_needs_a_pseudonym():
    with pytest.raises(FederatedError, match="hospital-0: 3 pseudonyms for 40 records"):
        small_consortium(pseudonyms={name: [bytes(32)] * 3 for name in small_records()})


def test_each_hospital_may_need_its_own_noise_for_one_promise(start):
    records = small_records()
    configs = {
        name: privacy.DpConfig(SPEC, 0.5, 4, 0.2, 1.5 + k, 0.5, privacy.NoiseSource.SIMULATION)
        for k, name in enumerate(records)
    }
    consortium = system.found(
        records, configs, experiment="private", seed=1, clip=CLIP, max_records=1000, promise=(20.0, 1e-5)
    )
    system.run_round(start, consortium)
    spent = [system.inspection.hospital(consortium, name).epsilon for name in consortium.hospitals]
    assert spent[0] > spent[1] > spent[2] > 0
    assert epsilon_on_chain(consortium, 1) == math.ceil(spent[0] * 1e9)


@pytest.mark.parametrize("server", [federated.Momentum(rate=0.5), federated.FedAdam(rate=0.05)])
def test_a_server_optimiser_is_verified_by_the_hospitals_too(consortium, server):
    state = system.State(0, federated.init_weights(SPEC, seed=1), server)
    for number in (1, 2):
        expected = system.inspection.exact_successor(consortium, state, number, consortium.hospitals)
        state = system.run_round(state, consortium)
        assert state.digest == expected.digest
    assert encode(state.server) != encode(server)


def test_a_round_goes_on_where_a_killed_aggregator_stood(consortium, start):
    class Killed(BaseException):
        pass

    def die(*_):
        raise Killed

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(system.Consortium, "open", die)
        with pytest.raises(Killed):
            system.run_round(start, consortium)
    assert consortium.book.round(1).phase == "aggregate"
    assert system.run_round(start, consortium).round == 1
    assert consortium.latest(start).round == 1
