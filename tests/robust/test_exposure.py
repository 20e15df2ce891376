"""What opened sums show, against loops over single hospitals."""

import numpy as np
import pytest

from bfl_stpc.robust import draw_groups, in_one_round, over_rounds

K, P = 12, 30
NAMES = [str(i) for i in range(K)]


def cosine(a, b):
    return float(a @ b / np.sqrt((a @ a) * (b @ b)))


def deal(size, number=1):
    return draw_groups(bytes(32), number, NAMES, size)


def test_one_round_is_the_mean_cosine_of_own_and_group():
    updates = np.random.default_rng(1).normal(size=(K, P)) + 5
    everyone = updates.mean(0)
    expected = [
        cosine(updates[i] - everyone, updates[members].mean(0) - everyone) for members in deal(3) for i in members
    ]
    assert in_one_round(updates, deal(3)) == pytest.approx(np.mean(expected))


@pytest.mark.parametrize("size", [1, 2, 3, 4, 6])
def test_unrelated_deviations_show_about_one_over_the_root_of_the_size(size):
    """Exactly, for K hospitals: the deviations of a group's members from the mean correlate by −1 ÷ (K − 1)."""
    updates = np.random.default_rng(2).normal(size=(K, 20000))
    assert in_one_round(updates, deal(size)) == pytest.approx(np.sqrt((K - size) / (size * (K - 1))), abs=0.02)


def test_groups_of_one_show_all_at_once_and_larger_groups_ever_more():
    rng = np.random.default_rng(3)
    updates = rng.normal(size=(K, P)) + 0.3 * rng.normal(size=(20, K, P))
    alone = over_rounds(updates, [deal(1, t) for t in range(20)])
    groups = [deal(3, t) for t in range(20)]
    three = over_rounds(updates, groups)
    assert alone[-1] > 0.99
    assert three[0] < 0.7 < 0.9 < three[-1]
    assert abs(over_rounds(updates, groups, of_another=True)[-1]) < 0.2  # the control


def test_the_total_shows_nothing_of_one():
    updates = np.random.default_rng(4).normal(size=(5, K, P))
    assert np.abs(over_rounds(updates, [deal(K, t) for t in range(5)])).max() < 1e-6
