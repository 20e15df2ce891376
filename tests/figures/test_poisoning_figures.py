import numpy as np
import pytest
from figures.drawing import draw

from bfl_stpc.figures import poisoning as plots
from bfl_stpc.figures.style import COLORS, FULL

SHARES = [0.0, 0.2]


def over(mean):
    return {"mean": mean, "low": [m - 0.05 for m in mean], "high": [m + 0.05 for m in mean]}


def traced(defence, share, rate, middle, last):
    shares = {"share": share, "rate": rate, "low": rate - 0.1, "high": rate + 0.1}
    return {"defence": defence, **shares, "median_round": middle, "last_round": last, "blamed": 0, "honest": 16}


def attacked(*values):
    return {
        "accuracy": [[v, v] for v in values],
        "success": [[v, v] for v in values],
        "found": [[0.0, 1.0] for _ in values],
        "traces": True,
    }


DATA = {
    "backdoor": {
        "shares": SHARES,
        "defences": {name: {"success": over([0.1, 0.8]), "accuracy": over([0.9, 0.85])} for name in plots.LOOK},
    },
    "found": {
        "rows": [
            traced("sums: groups decoded", 0.1, 0.5, 5.0, 8),
            traced("sums: groups decoded", 0.2, 0.2, None, None),
            traced("single: decoded", 0.1, 0.9, 2.0, 2),
        ],
        "rounds": 12,
    },
    "tracing": {
        "sizes": [2, 3],
        "found": {"2": [0.0, 1.0], "3": [0.0, 0.5]},
        "one_round": [0.7, 0.5],
        "over_rounds": {"2": [0.4, 0.9], "3": [0.3, 0.7]},
        "isolation": [0.8, 0.2],
        "hospitals": 20,
        "colluders": 4,
    },
    "adaptive": {
        "attacks": ["backdoor", "only in company"],
        "defences": {
            "sums: groups decoded": attacked(0.7, 0.1),
            "single: multi-Krum": attacked(0.0, 0.2) | {"traces": False},
        },
    },
    "shut_out": {
        "attacks": ["label flip", "sign flip"],
        "defences": {"no defence": attacked(0.8, 0.7), "sums: groups decoded": attacked(0.85, 0.8)},
        "clean": 0.9,
    },
    "trails": {
        "fpr": [0.0, 0.5, 1.0],
        "curves": {"federated": [[0.0, 0.9, 1.0]] * 2, "labels shuffled": [[0.0, 0.5, 1.0]] * 2},
        "auc": {"federated": 0.7, "labels shuffled": 0.5},
        "kinds": {"snooping": {"seen": [0.9, 0.95], "unseen": [0.04, 0.1]}},
    },
}


@pytest.mark.parametrize("name", DATA)
def test_draws_within_the_page(name):
    fig, pixels = draw(getattr(plots, name), DATA[name])
    assert fig.get_figwidth() <= FULL
    assert np.frombuffer(pixels, np.uint8).std() > 10


def test_every_defence_is_told_apart_without_colour():
    assert len({(line, mark) for _, line, mark in plots.LOOK.values()}) == len(plots.LOOK)


def test_only_who_traces_stands_among_the_found():
    fig, _ = draw(plots.adaptive, DATA["adaptive"])
    success, found = fig.axes
    colors = {COLORS["blue"], COLORS["red"]}
    assert {line.get_color() for line in success.lines} >= colors
    assert {line.get_color() for line in found.lines} & colors == {COLORS["blue"]}


def test_what_nobody_found_has_no_round():
    fig, _ = draw(plots.found, DATA["found"])
    left, right = fig.axes
    points = [line for line in right.lines if line.get_marker() not in ("None", None, "")]
    assert sorted(len(line.get_xdata()) for line in points) == [1, 1]
    assert [len(line.get_xdata()) for line in left.lines] == [2, 1]


def test_the_legend_of_abuse_covers_no_point():
    fig, _ = draw(plots.trails, DATA["trails"])
    assert fig.axes[1].get_legend() is None
    assert len(fig.legends) == 1
