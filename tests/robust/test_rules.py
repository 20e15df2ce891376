"""Robust rules against answers worked out by hand."""

import numpy as np
import pytest

from bfl_stpc.errors import ConfigError
from bfl_stpc.robust import RULES, rule
from bfl_stpc.robust.rules import krum_scores

# Four that agree, more or less, and one that lies.
ROWS = np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0], [2.0, 2.0], [90.0, -80.0]])


@pytest.mark.parametrize(
    ("name", "bad", "answer"),
    [
        ("mean", 1, [18.6, -15.4]),
        ("median", 1, [1.0, 0.0]),
        ("trimmed mean", 1, [1.0, 1 / 3]),
        ("trimmed mean", 0, [18.6, -15.4]),
        ("trimmed mean", 9, [1.0, 0.0]),  # never more than leaves one: then the median
        ("Krum", 1, [0.0, 0.0]),
        ("multi-Krum", 1, [0.75, 0.75]),
        ("multi-Krum", 9, [0.0, 0.0]),
    ],
)
def test_a_rule_gives_what_was_worked_out_by_hand(name, bad, answer):
    assert rule(name)(ROWS, bad) == pytest.approx(np.array(answer))


def test_krum_scores_are_sums_of_the_nearest_squared_distances():
    # n − bad − 2 = 2 nearest: from (0, 0) to (1, 0) and (0, 1); from (2, 2) to (1, 0) and (0, 1).
    assert krum_scores(ROWS, 1)[:4] == pytest.approx([2.0, 3.0, 3.0, 10.0])
    assert krum_scores(ROWS, 1)[4] > 10_000


@pytest.mark.parametrize("name", RULES)
def test_no_rule_depends_on_the_order_or_moves_what_all_agree_on(name):
    rng = np.random.default_rng(1)
    rows = rng.normal(size=(7, 5))
    assert rule(name)(rows[rng.permutation(7)], 2) == pytest.approx(rule(name)(rows, 2))
    same = np.tile(rows[0], (6, 1))
    assert rule(name)(same, 2) == pytest.approx(rows[0])


@pytest.mark.parametrize("name", [name for name in RULES if name != "mean"])
def test_one_liar_of_seven_moves_a_robust_rule_no_further_than_the_honest_ones_lie_apart(name):
    rng = np.random.default_rng(2)
    rows = rng.normal(size=(7, 5))
    rows[3] = 1e6
    others = np.delete(rows, 3, axis=0)
    assert (rule(name)(rows, 2) <= others.max(0)).all()
    assert (rule(name)(rows, 2) >= others.min(0)).all()
    assert rule("mean")(rows, 2).max() > 1e5  # the control


def test_one_or_two_rows_are_averaged_by_krum():
    assert rule("Krum")(ROWS[:2], 0) == pytest.approx([0.5, 0.0])
    assert rule("multi-Krum")(ROWS[:1], 0) == pytest.approx([0.0, 0.0])


def test_an_unknown_rule_is_named():
    with pytest.raises(ConfigError, match=r"'bulyan'.*trimmed mean"):
        rule("bulyan")
