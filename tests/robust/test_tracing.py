"""Group tests over rounds: chances against enumeration, the decoder against planted deviations, nobody in clean rounds."""

from itertools import product

import numpy as np
import pytest

from bfl_stpc.errors import ConfigError
from bfl_stpc.robust import (
    Decoder,
    Defence,
    Trace,
    accused,
    calibrate,
    draw_groups,
    first_round,
    group_means,
    intersect,
    stand_out,
)

K, SIZE, ROUNDS, P = 15, 3, 12, 40
NAMES = [str(i) for i in range(K)]


def draw(repetition, number):
    return draw_groups(bytes([repetition]) * 32, number, NAMES, SIZE)


def rounds_of(seed, attackers=(), strength=6.0):
    """Updates (ROUNDS, K, P): what all share, what lasts of each, what does not; attackers add a lasting push."""
    rng = np.random.default_rng(seed)
    lasting, push = rng.normal(size=(K, P)), rng.normal(size=P)
    updates = 3 + lasting + rng.normal(size=(ROUNDS, K, P))
    updates[:, list(attackers)] += strength * push
    return updates


def opened(updates, repetition=9):
    groups = [draw(repetition, t) for t in range(1, len(updates) + 1)]
    return groups, [group_means(each, dealt) for each, dealt in zip(updates, groups)]


def accusations(updates, thresholds):
    groups, means = opened(updates)
    decoder, found = Decoder(K, P), set()
    for t, (dealt, each) in enumerate(zip(groups, means), 1):
        decoder.add(dealt, each / thresholds.bound[t - 1])
        found |= set(np.flatnonzero(accused(stand_out(decoder.profiles()), thresholds, t, len(dealt))).tolist())
    return found


@pytest.fixture(scope="module")
def thresholds():
    return calibrate([rounds_of(seed) for seed in range(100, 108)], draw, repetitions=4)


def test_the_decoder_solves_group_sums_for_every_hospital():
    lasting = np.random.default_rng(1).normal(size=(K, P))
    lasting -= lasting.mean(0)
    groups, means = opened(np.tile(lasting, (40, 1, 1)))
    decoder = Decoder(K, P, ridge=1e-9)
    for dealt, each in zip(groups, means):
        decoder.add(dealt, each)
    profiles = decoder.profiles()
    assert profiles - profiles.mean(0) == pytest.approx(lasting, abs=1e-5)


@pytest.mark.parametrize("attackers", [(4,), (0, 14), (2, 7, 11)])
def test_planted_attackers_are_found_and_nobody_else(thresholds, attackers):
    assert accusations(rounds_of(1, attackers), thresholds) == set(attackers)


def test_clean_rounds_of_other_seeds_accuse_nobody(thresholds):
    assert not any(accusations(rounds_of(seed), thresholds) for seed in range(10))


def test_nobody_is_accused_before_the_sums_determine_anybody(thresholds):
    scores = np.ones(K)
    scores[3] = 1e9
    assert first_round(K, 5) == 4
    assert not accused(scores, thresholds, 3, 5).any()
    assert np.flatnonzero(accused(scores, thresholds, 4, 5)).tolist() == [3]


def test_who_has_nothing_of_its_own_stands_out_too(thresholds):
    scores = np.ones(K)
    scores[3] = 1e-9
    assert np.flatnonzero(accused(scores, thresholds, ROUNDS, 5)).tolist() == [3]


def test_thresholds_lie_beyond_everything_that_the_clean_rounds_show(thresholds):
    for seed in range(100, 108):
        _, means = opened(rounds_of(seed), repetition=seed - 100)
        for t, each in enumerate(means, 1):
            assert np.linalg.norm(each, axis=1).max() < thresholds.bound[t - 1]
            assert not thresholds.flags(each, t).any()


def test_a_group_with_an_attacker_is_flagged(thresholds):
    groups, means = opened(rounds_of(1, (4,), strength=30.0))
    for t, (dealt, each) in enumerate(zip(groups, means), 1):
        assert [4 in members for members in dealt] == thresholds.flags(each, t).tolist()


def test_the_chance_of_innocence_is_that_of_all_seatings():
    """Brute force: hospital 0 takes, in each round, each of the others' seats in turn, independently over rounds."""
    groups = [draw(1, t) for t in (1, 2, 3)]
    flags = [np.array([True, False, False, False, True]), np.array([True] + [False] * 4), np.array([False] * 5)]
    chance = intersect(groups, flags, K)
    rates = [flag @ [len(m) for m in dealt] / (K - 1) for dealt, flag in zip(groups, flags)]
    for i in range(K):
        count = sum(bool(flag) for dealt, f in zip(groups, flags) for members, flag in zip(dealt, f) if i in members)
        enumerated = sum(
            np.prod([rate if hit else 1 - rate for rate, hit in zip(rates, hits)])
            for hits in product((0, 1), repeat=3)
            if sum(hits) >= count
        )
        assert chance[i] == pytest.approx(enumerated)


def test_intersected_flags_point_to_the_planted_attacker_and_spare_who_was_never_dealt():
    groups = [draw(1, t) for t in range(1, 11)]
    flags = [np.array([5 in members for members in dealt]) for dealt in groups]
    chance = intersect(groups, flags, K + 1)
    assert int(chance.argmin()) == 5
    assert chance[5] < 1e-3 < np.sort(chance)[1]
    assert chance[K] == 1.0


def test_the_total_alone_traces_nobody():
    with pytest.raises(ConfigError, match="open sums of groups"):
        Defence(0, trace=Trace.DECODE)
