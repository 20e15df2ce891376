"""Every injection meets what its entry names; without it the same steps pass; without the check it goes unnoticed."""

import numpy as np
import pytest

from bfl_stpc import detection
from bfl_stpc.detection.catalogue import Basis, Level
from bfl_stpc.detection.rounds import STEPS, RoundBench
from bfl_stpc.errors import Corrupt
from bfl_stpc.seeds import generator

CATALOGUE = detection.load()
CERTAIN = [kind for kind in CATALOGUE.kinds.values() if kind.basis is Basis.CRYPTOGRAPHIC]
UNSEEN = [kind for kind in CATALOGUE.kinds.values() if kind.basis is Basis.NONE]


def inject(bench, kind, level, number=0):
    rng = generator("detection", kind.id, level.name, number)
    return detection.registry()[kind.id].inject(bench(kind.id), level, rng)


@pytest.mark.parametrize("kind", CERTAIN, ids=lambda kind: kind.id)
def test_a_check_that_cannot_be_passed_is_not_passed(bench, kind):
    for level in kind.levels:
        outcome = inject(bench, kind, level)
        assert outcome.detected, level.name
        assert outcome.by in kind.detectors
        assert outcome.alarms == 0


@pytest.mark.parametrize("kind", UNSEEN, ids=lambda kind: kind.id)
def test_what_nothing_looks_for_is_counted_as_unnoticed(bench, kind):
    found = [inject(bench, kind, level) for level in kind.levels]
    assert not all(outcome.detected for outcome in found)
    assert all(outcome.by in kind.detectors for outcome in found if outcome.detected)


@pytest.mark.parametrize(("kind", "value"), [("late_update", 0), ("expired_login", -1)])
def test_what_comes_in_the_last_second_is_in_time(bench, kind, value):
    outcome = inject(bench, CATALOGUE.kinds[kind], Level("in time", value))
    assert not outcome.detected


@pytest.mark.parametrize("kind", ["forged_login", "malformed_update", "lying_authority", "tampered_block", "lost_role"])
def test_a_trial_repeats_on_another_bench(bench, kind):
    """Keys of masks and encryption are fresh on every bench: what is noticed, by whom and when must not depend on them."""
    kind = CATALOGUE.kinds[kind]
    inject_on = detection.registry()[kind.id].inject
    other = detection.registry()[kind.id].bench(1)
    for level in kind.levels:
        first = inject(bench, kind, level, 3)
        again = inject_on(other, level, generator("detection", kind.id, level.name, 3))
        assert (first.detected, first.by, first.steps) == (again.detected, again.by, again.steps)


def test_a_round_without_an_injection_is_noticed_by_nobody(bench):
    play = bench("lying_sum").play(generator("test"))
    outcome = detection.trial(*play.rest())
    assert (outcome.detected, outcome.by, outcome.steps) == (False, "", len(STEPS))
    assert np.allclose(play.total.sum, sum(play.updates.values()), atol=5 * play.bench.params.step)


@pytest.mark.parametrize(
    ("kind", "level", "check", "then"),
    [
        ("lying_sum", "one step in one parameter", "bfl_stpc.stpc.verify_sum", ""),
        ("wrong_model", "the true ticket", "bfl_stpc.system.state.State.digest", ""),
        # The second line of defence: the victim does not find its own keys in the directory.
        ("forged_advert", "own keys, own signature", "bfl_stpc.stpc.messages.Ed25519PublicKey", "Foreign"),
    ],
)
def test_without_its_check_an_attack_passes_it(bench, monkeypatch, kind, level, check, then):
    """The negative control of the catalogue: what catches an injection is the check, and not the way it is made."""
    kind = CATALOGUE.kinds[kind]
    (level,) = [one for one in kind.levels if one.name == level]
    set_up = bench(kind.id)
    blind = {"verify_sum": lambda *_: None, "Ed25519PublicKey": _Gullible}
    if check.endswith("digest"):
        blind["digest"] = set_up.state.digest
    monkeypatch.setattr(check, blind[check.split(".")[-1]])
    assert inject(bench, kind, level).by == then


class _Gullible:
    """A public key that finds every signature right."""

    @classmethod
    def from_public_bytes(cls, _):
        return cls()

    def verify(self, *_):
        return


def test_the_harness_does_not_take_a_bug_for_a_detection():
    def bug():
        raise KeyError("a bug")

    with pytest.raises(KeyError):
        detection.trial(bug)


def test_a_trial_counts_the_steps_to_the_notice():
    def refuse():
        raise Corrupt("refused")

    assert detection.trial(refuse).steps == 0
    late = detection.trial(lambda: None, lambda: None, refuse)
    assert (late.detected, late.by, late.steps) == (True, "Corrupt", 2)


def test_an_unfinished_round_does_not_stand_in_the_way(bench):
    set_up = bench("late_update")
    assert isinstance(set_up, RoundBench)
    set_up.play(generator("test")).until("reveal")
    play = set_up.play(generator("test")).until(None)
    assert set_up.book.round(play.ticket.round).phase == "finalised"
