"""What lying hospitals send, worked out by hand; and when those who know the defence act."""

import numpy as np
import pytest

from bfl_stpc.attacks import poisoning as p

TRAINED = np.array([[3.0, 4.0], [0.0, 2.0]])
GROUPS = [np.array([0, 1, 2]), np.array([3, 4, 5])]


def view(number=1, last=(6.0, 8.0)):
    return p.View(number, 6, np.array(last), GROUPS, np.random.default_rng(1))


TRIGGER = p.Trigger((0, 2), (9.0, -9.0))


@pytest.mark.parametrize(
    ("attack", "sent"),
    [
        (p.Honest(), TRAINED),
        (p.SignFlip(), -3 * TRAINED),
        (p.Scaling(), 10 * TRAINED),
        (p.Backdoor(TRIGGER), 3 * TRAINED),  # six hospitals, two of them attackers
        (p.Backdoor(TRIGGER, boost=2.0), 2 * TRAINED),
        (p.Sybil(p.Scaling(2.0)), np.array([[3.0, 6.0]] * 2)),
        (p.Adaptive(p.Scaling(10.0), limit=2.0), 2 * TRAINED),
        (p.Adaptive(p.Scaling(0.5), limit=2.0), 0.5 * TRAINED),
        (p.FreeRider(ratio=0.0), np.array([[6.0, 8.0]] * 2)),
    ],
)
def test_an_update_is_what_its_attack_says(attack, sent):
    assert attack.updates(TRAINED, view()) == pytest.approx(sent)


def test_noise_and_free_riders_add_what_they_say():
    noise = p.Noise(5.0).updates(TRAINED, view()) - TRAINED
    assert np.linalg.norm(noise, axis=1) == pytest.approx(5 * np.linalg.norm(TRAINED, axis=1))
    own = p.FreeRider(0.1).updates(TRAINED, view()) - np.array([6.0, 8.0])
    assert np.linalg.norm(own, axis=1) == pytest.approx([1.0, 1.0])


def test_records_are_flipped_or_stamped():
    X, y = np.arange(6, dtype=np.float32).reshape(2, 3), np.array([1, 0])
    same, flipped = p.LabelFlip().records(X, y)
    assert same is X
    assert flipped.tolist() == [0, 1]
    assert p.LabelFlip(share=0.5).records(X, y)[1].tolist() == [0, 0]
    both, wanted = p.Backdoor(TRIGGER).records(X, y)
    assert both.tolist() == [[0, 1, 2], [3, 4, 5], [9, 1, -9], [9, 4, -9]]
    assert wanted.tolist() == [1, 0, 0, 0]
    assert X[0, 0] == 0  # the hospital's own table is left alone


@pytest.mark.parametrize(
    ("attack", "attackers", "acting"),
    [
        (p.Adaptive(p.Honest()), [0, 3], [True, True]),
        (p.Adaptive(p.Honest(), company=2), [0, 3], [False, False]),
        (p.Adaptive(p.Honest(), company=2), [0, 1, 3], [True, True, False]),
        (p.Sybil(p.Adaptive(p.Honest(), company=2)), [0, 1, 3], [True, True, False]),
    ],
)
def test_who_waits_for_company_waits(attack, attackers, acting):
    assert attack.active(view(), np.array(attackers)).tolist() == acting


def test_who_sits_alone_by_the_rules_has_all_the_company_there_is():
    single = p.View(1, 2, np.zeros(2), [np.array([0]), np.array([1])], np.random.default_rng(1))
    assert p.Adaptive(p.Honest(), company=2).active(single, np.array([1])).tolist() == [True]


def test_a_duty_of_a_third_acts_in_every_third_round():
    resting = p.Adaptive(p.Honest(), duty=1 / 3)
    assert [t for t in range(1, 13) if resting.active(view(t), np.array([0])).all()] == [3, 6, 9, 12]
