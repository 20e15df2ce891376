"""The catalogue's attacks in rounds with components switched off; and honest rounds, in which nothing is noticed."""

import pytest

from bfl_stpc.ablation import Combination
from bfl_stpc.ablation import detectability as d
from bfl_stpc.ablation.rehearsal import Partial, Rehearsal
from bfl_stpc.errors import SumRefuted
from bfl_stpc.seeds import generator
from bfl_stpc.stpc.hazmat import fixed_point

WHOLE = Combination(True, True, True, True)
NO_LEDGER = Combination(True, False, True, True)
NO_MASKS = Combination(True, True, True, False)


@pytest.fixture(scope="module")
def found():
    counts = {WHOLE: 1, NO_LEDGER: 2, Combination(True): 2}
    return {c: {r.kind: r for r in d.examine(c, injections=n, seed=1)} for c, n in counts.items()}


def test_the_whole_system_notices_every_kind(found):
    assert {row.state for row in found[WHOLE].values()} == {"noticed"}


def test_without_the_ledger_what_it_stopped_goes_through(found):
    through = {kind for kind, row in found[NO_LEDGER].items() if row.state == "unnoticed"}
    assert {"withdrawn_key", "late_update", "swapped_update", "tampered_model", "no_consent"} <= through
    assert found[NO_LEDGER]["lying_sum"].state == "noticed"  # the masks' verified sum needs no ledger for that


def test_bare_federated_learning_notices_little_and_has_no_place_for_what_is_not_there(found):
    bare = found[Combination(True)]
    assert bare["lying_sum"].state == bare["double_counting"].state == "unnoticed"
    assert bare["forged_share"].state == bare["lying_authority"].state == "no place"
    assert bare["malformed_update"].state == "noticed"


@pytest.mark.parametrize("combination", [c for c in d.SETTINGS if not c.ledger or c == NO_MASKS], ids=lambda c: c.name)
def test_an_honest_round_gives_the_sum(combination):
    bench = Rehearsal(combination, 3)
    play = bench.play(generator("rehearsal in tests")).until(None)
    exact = sum(play.updates.values())
    assert abs(play.total.sum - exact).max() <= len(play.updates) * bench.params.step / 2


def test_an_objection_in_an_honest_round_is_counted_and_there_is_none(monkeypatch):
    combination, asked = Combination(True, masks=True), []
    assert d.false_alarms(combination, rounds=2, seed=2) == 0

    def object_once(play):
        asked.append(play)
        if len(asked) == 2:  # the first is the round with which a rehearsal begins
            raise SumRefuted("for the sake of the test")

    monkeypatch.setattr(Partial, "_verify", object_once)
    assert d.false_alarms(combination, rounds=2, seed=2) == 1


def test_what_is_off_is_really_gone():
    bench = Rehearsal(NO_LEDGER, 1)
    assert not hasattr(bench, "book")
    play = Rehearsal(Combination(True), 1).play(generator("rehearsal in tests", 1)).until("add")
    slots = play.read(play.uploads["hospital-00"].payload)  # in the clear: anyone reads it
    size, params = play.updates["hospital-00"].size, play.bench.params
    read, _ = fixed_point.decode(slots, size, 1, params)
    assert abs(read - play.updates["hospital-00"]).max() <= params.step


def test_without_masks_a_lying_aggregator_is_believed():
    rows = {r.kind: r for r in d.examine(NO_MASKS, injections=1, seed=1)}
    assert rows["lying_sum"].state == "unnoticed"
    play = Rehearsal(WHOLE, 1).play(generator("rehearsal in tests", 2)).until("announce")
    play.total.sum[0] += play.bench.params.step
    with pytest.raises(SumRefuted):
        play.until(None)


def test_a_centre_has_records_to_protect_and_no_rounds():
    rows = {r.kind: r.state for r in d.examine(Combination(ledger=True), injections=1, seed=1)}
    assert {kind for kind, state in rows.items() if state != "no place"} == set(d.ACCESS)
