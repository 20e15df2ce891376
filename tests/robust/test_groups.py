"""Groups: drawn by a block hash alone, uniformly; and the chance that colluders isolate somebody, by brute force."""

from itertools import combinations

import numpy as np
import pytest

from bfl_stpc.errors import ConfigError
from bfl_stpc.robust import clip, draw_groups, group_means, isolation_risk, smallest_group

NAMES = [f"hospital-{i:02d}" for i in range(7)]
BLOCK = bytes(range(32))


def named(groups, names):
    return {frozenset(names[i] for i in members) for members in groups}


@pytest.mark.parametrize(("size", "sizes"), [(1, [1] * 7), (2, [2, 2, 3]), (3, [3, 4]), (4, [7]), (7, [7])])
def test_every_hospital_sits_in_one_group_and_none_is_smaller_than_asked(size, sizes):
    groups = draw_groups(BLOCK, 1, NAMES, size)
    assert sorted(len(members) for members in groups) == sizes
    assert sorted(int(i) for members in groups for i in members) == list(range(7))


def test_the_draw_depends_on_block_and_round_and_on_nothing_else():
    first = named(draw_groups(BLOCK, 1, NAMES, 3), NAMES)
    assert named(draw_groups(BLOCK, 1, NAMES[::-1], 3), NAMES[::-1]) == first  # not on the order of the names
    others = [draw_groups(BLOCK, number, NAMES, 3) for number in range(2, 12)]
    others += [draw_groups(bytes([k]) * 32, 1, NAMES, 3) for k in range(10)]
    assert len({frozenset(named(groups, NAMES)) for groups in others}) > 10


def test_who_leaves_does_not_choose_whom_the_others_meet():
    """The order of the rest stays: a hospital that stays away cannot reshuffle them."""
    groups = draw_groups(BLOCK, 1, NAMES, 1)
    order = [NAMES[int(members[0])] for members in groups]
    rest = [name for name in NAMES if name != "hospital-03"]
    assert [rest[int(m[0])] for m in draw_groups(BLOCK, 1, rest, 1)] == [n for n in order if n != "hospital-03"]


def test_the_draw_is_uniform():
    """Over 3000 blocks every pair meets equally often: chi-squared against the uniform draw's rate."""
    names, draws = [str(i) for i in range(6)], 3000
    met = np.zeros((6, 6))
    for number in range(draws):
        for members in draw_groups(BLOCK, number, names, 2):
            for i, j in combinations(members, 2):
                met[i, j] += 1
    pairs = met[np.triu_indices(6, 1)]
    expected = draws / 5  # each meets one of five others
    assert pairs.sum() == 3 * draws
    assert ((pairs - expected) ** 2 / expected).sum() < 31  # 14 degrees of freedom: 1 in 200


@pytest.mark.parametrize(("names", "size"), [(NAMES, 0), (NAMES, 8), ([*NAMES[:6], NAMES[0]], 2)])
def test_a_draw_that_makes_no_sense_is_refused(names, size):
    with pytest.raises(ConfigError, match=f"{len(names)} hospitals in groups of {size}"):
        draw_groups(BLOCK, 1, names, size)


def test_a_mean_is_the_opened_sum_by_the_public_size():
    updates = np.array([[1.0, 0.0], [3.0, 2.0], [5.0, 7.0]])
    means = group_means(updates, (np.array([0, 1]), np.array([2])))
    assert means.tolist() == [[2.0, 1.0], [5.0, 7.0]]


def test_clipping_shortens_and_keeps_the_direction():
    rows = np.array([[3.0, 4.0], [0.3, 0.4], [0.0, 0.0]])
    assert clip(rows, 1.0) == pytest.approx(np.array([[0.6, 0.8], [0.3, 0.4], [0.0, 0.0]]))


@pytest.mark.parametrize(("hospitals", "colluders", "size"), [(8, 3, 2), (8, 3, 4), (9, 2, 3), (9, 1, 3), (9, 0, 3)])
def test_the_chance_of_isolation_is_that_of_all_draws(hospitals, colluders, size):
    """Brute force: hospital 0 is the victim, the last ones collude; every possible company of it counts once."""
    companies = list(combinations(range(1, hospitals), size - 1))
    alone = sum(all(i >= hospitals - colluders for i in company) for company in companies)
    assert isolation_risk(hospitals, colluders, size) == pytest.approx(alone / len(companies))
    assert isolation_risk(hospitals, colluders, size, 5) == pytest.approx(1 - (1 - alone / len(companies)) ** 5)


def test_the_chance_of_isolation_is_that_of_the_real_draw():
    names = [str(i) for i in range(9)]
    colluders, alone = {5, 6, 7, 8}, 0
    for number in range(4000):
        (own,) = (set(map(int, members)) for members in draw_groups(BLOCK, number, names, 3) if 0 in members)
        alone += own - {0} <= colluders
    assert alone / 4000 == pytest.approx(isolation_risk(9, 4, 3), abs=0.02)


def test_the_smallest_group_keeps_the_risk_and_one_smaller_does_not():
    size = smallest_group(20, 4, 20, 0.05)
    assert isolation_risk(20, 4, size, 20) <= 0.05 < isolation_risk(20, 4, size - 1, 20)
    assert smallest_group(20, 4, 10**9, 0.0) == 6  # colluders + 2 always do
    with pytest.raises(ConfigError, match="every group size exposes"):
        smallest_group(5, 4, 1, 0.0)
    with pytest.raises(ConfigError, match="make no sense"):
        isolation_risk(5, 5, 2)
