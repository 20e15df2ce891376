"""Whatever dies, fills, is lost, altered or late: a round ends exact or aborted by name, and the next one runs."""

import pytest
from system.small_system import CLIP, SPEC, small_records

from bfl_stpc import federated, privacy, stpc, system
from bfl_stpc.errors import LedgerError
from bfl_stpc.system import chaos, faults, service
from bfl_stpc.system.faults import Fault

CONFIG = privacy.DpConfig(SPEC, 0.5, 4, 0.2, 2.0, 0.5, privacy.NoiseSource.SIMULATION)
SCHEDULES = 12
MOST_ROUNDS = 8  # of one consortium: the invariants read its whole chain after every fault
START = system.State(0, federated.init_weights(SPEC, seed=1))


def founded(hospitals=4):
    return system.found(
        small_records(hospitals), CONFIG, experiment="chaos", seed=1, clip=CLIP, max_records=1000,
        promise=(100.0, 1e-5), node=True,
    )  # fmt: skip


def unharmed():
    return {"consortium": faults.FragileConsortium.of(founded(), faults.Trouble()), "state": START}


@pytest.fixture(scope="module")
def worn():
    """A consortium of four that goes from one fault to the next, and its state."""
    return unharmed()


def suffer(worn, *struck):
    if worn["state"].round >= MOST_ROUNDS:
        assert not chaos.replayed(worn["consortium"])
        worn |= unharmed()
    outcome, worn["state"] = chaos.suffer(worn["consortium"], START, worn["state"], struck)
    assert outcome.faults == struck
    assert not outcome.violations
    return outcome


@pytest.mark.slow
def test_random_schedules_violate_nothing():
    outcomes = chaos.chaos(founded, START, range(SCHEDULES), experiment="chaos in tests")
    wrong = [f"{', '.join(map(str, o.faults))}: {v}" for o in outcomes for v in o.violations]
    assert not wrong
    assert sum(len(o.faults) for o in outcomes) >= SCHEDULES  # the faults did strike
    assert any(o.aborted for o in outcomes)
    assert any(count < 4 for o in outcomes for count in o.survivors)


def test_schedules_repeat_by_their_number():
    names = ("a", "b", "c")
    drawn = [faults.draw(names, experiment="x", number=n) for n in range(50)]
    assert drawn == [faults.draw(names, experiment="x", number=n) for n in range(50)]
    assert len(set(drawn)) > 40


@pytest.mark.parametrize("down", [0, 1, 1000])
def test_a_restarted_ledger_keeps_every_block(worn, down):
    """First, while its chain is short: a restart executes every block anew."""
    head = worn["consortium"].book.chain.height()
    outcome = suffer(worn, Fault(system.LEDGER, "submit", "after", down=down))
    assert worn["consortium"].book.chain.height() > head
    assert outcome.finalised


@pytest.mark.parametrize(
    ("kind", "what"),
    [("authenticate", "before"), ("train", "before"), ("receive", "before"), ("commit", "after"), ("send", "after")],
)
def test_a_hospital_killed_for_good_is_left_out_of_the_sum(worn, kind, what):
    outcome = suffer(worn, Fault("hospital-1", kind, what, down=1000))
    assert outcome.survivors[0] == 3
    assert not outcome.aborted


def test_a_hospital_killed_after_revealing_is_in_the_sum_or_the_round_is_aborted(worn):
    outcome = suffer(worn, Fault("hospital-1", "unmask", "before", down=1000))
    assert outcome.aborted  # its tag is missing: the sum can neither be verified nor refuted
    assert outcome.survivors == (4,)  # the next round has everyone again


@pytest.mark.parametrize(
    ("kind", "what"),
    [("train", "during"), ("protect", "during"), ("commit", "during"), ("reveal", "during"), ("unmask", "after"), ("tag", "during")],
)  # fmt: skip
def test_a_hospital_restarted_at_once_goes_on_from_its_store(worn, kind, what):
    outcome = suffer(worn, Fault("hospital-2", kind, what))
    assert not outcome.aborted
    assert set(outcome.survivors) == {4}


@pytest.mark.parametrize(
    "step", ["authenticate", "train", "receive", "commit", "send", "add", "open", "unmask the sum", "tag", "close"]
)
def test_an_aggregator_restarted_in_any_phase_takes_the_round_up(worn, step):
    outcome = suffer(worn, Fault(system.AGGREGATOR, step, "after"))
    assert not outcome.aborted
    assert set(outcome.survivors) == {4}


def test_an_unreachable_key_authority_aborts_the_round_by_name(worn):
    outcome = suffer(worn, Fault(system.AUTHORITY, "open", "before", down=1000))
    assert len(outcome.aborted) == 1
    aborted = [e.values for e in worn["consortium"].book.events() if e.name == "RoundAborted"]
    assert aborted[-1]["reason"].rstrip(b"\0") == b"PeerLost"


def test_a_restarted_key_authority_opens_the_same_aggregate_and_no_other(worn):
    assert not suffer(worn, Fault(system.AUTHORITY, "open", "after")).aborted


def test_a_straggler_past_the_deadline_is_refused(worn):
    outcome = suffer(worn, Fault(system.LEDGER, "submit", "time passes"))
    assert outcome.finalised


@pytest.mark.parametrize("what", faults.WIRE)
def test_what_happens_on_the_wire_costs_at_most_a_retry(worn, what):
    outcome = suffer(worn, Fault("hospital-3", "commit", what))
    assert not outcome.aborted
    assert set(outcome.survivors) == {4}


def test_the_worn_ledgers_blocks_lead_to_its_head(worn):
    assert not chaos.replayed(worn["consortium"])


@pytest.mark.parametrize("role", ["hospital-0", system.AUTHORITY, system.AGGREGATOR, system.LEDGER])
def test_a_full_disk_loses_nothing(worn, role):
    kind = {system.AUTHORITY: "open", system.AGGREGATOR: "send", system.LEDGER: "submit"}.get(role, "protect")
    assert suffer(worn, Fault(role, kind, "disk full")).finalised


def test_a_block_that_was_not_stored_would_be_noticed():
    consortium = faults.FragileConsortium.of(founded(3), faults.Trouble())
    store = consortium.role(system.LEDGER).store
    kept = store.names(0)
    store.put(0, "block 0000000003", store.get(0, "block 0000000002"))
    assert kept == store.names(0)
    outcome, _ = chaos.suffer(consortium, START, START, ())
    assert "the ledger has not stored the blocks that it has told of" in outcome.violations
    with pytest.raises(LedgerError):
        chaos.replayed(consortium)


def test_training_twice_for_one_round_would_be_noticed(monkeypatch):
    monkeypatch.setattr(service.Service, "_keep", lambda *_: None)  # a role that forgets what it has answered
    outcome, _ = chaos.suffer(
        faults.FragileConsortium.of(founded(3), faults.Trouble()),
        START,
        START,
        (Fault("hospital-1", "train", "lose reply"),),
    )
    assert "hospital-1 trained in 2 rounds and booked 3" in outcome.violations


def test_a_sum_that_is_not_exact_would_be_noticed(monkeypatch):
    honest = stpc.Total.mean.fget
    monkeypatch.setattr(stpc.Total, "mean", property(lambda total: honest(total) * 1.01))
    consortium = faults.FragileConsortium.of(founded(3), faults.Trouble())
    outcome, _ = chaos.suffer(consortium, START, START, ())
    assert "not the exact successor" in outcome.violations[0]
