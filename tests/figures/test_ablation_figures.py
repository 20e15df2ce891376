"""The figures of notebook 10, drawn from made-up data."""

import copy
import inspect
from itertools import product

import pytest
from figures.drawing import draw

from bfl_stpc.figures import ablation

CEILINGS = [75.0, 85.0, 92.0, 96.0, 98.0, 99.9]
PARTS = ["FL", "ledger", "HE", "SMPC", "DP"]
SETTINGS = [
    (fl, *rest) for fl in (False, True) for rest in product((False, True), repeat=4) if fl or not any(rest[1:3])
]
ROWS = [
    {
        "on": [fl, book, he, smpc, dp],
        "group": ["centre", "federated", "federated, DP"][fl + (fl and dp)],
        "noisy": dp,
        "accuracy": 97.6 - dp,
        "low": 97.4 - dp,
        "high": 97.9 - dp,
        "answered": [0 if smpc else 3, 0 if he else 3, 2] if fl else [4, 4, None],
        "unnoticed": 1 + 6 * (fl and not book),
        "places": 16 if fl else 2,
        "ratio": (20.0 if book else 1.2) if fl else None,
    }
    for fl, book, he, smpc, dp in sorted(SETTINGS, key=lambda on: (on[0], on[0] and on[4]))
]
DATA = {
    "overview": {
        "components": PARTS, "rows": ROWS, "seats": ["third party", "aggregator + half", "anyone"], "questions": 4,
        "kinds": 16,
    },
    "unnoticed": {
        "kinds": ["lying aggregator", "tampered model"], "components": PARTS[1:4],
        "columns": [{"name": "FL", "on": [False] * 3}, {"name": "all", "on": [True] * 3}],
        "states": [["unnoticed", "noticed"], ["sometimes", "no place"]],
    },
    "difficulty": {
        "ceilings": CEILINGS,
        "systems": {
            name: {"accuracy": [c - i for c in CEILINGS], "gap": [0.5 + i] * 6, "low": [0.4 + i] * 6, "high": [0.6 + i] * 6}
            for i, name in enumerate(ablation.LINES)
        },
        "printed": [
            {"name": "ours", "system": "BFL-STPC", "value": 97.38, "ceiling": 97.4},
            {"name": "PPFLB", "system": "PPFLB-style", "value": 91.14, "ceiling": None},
        ],
    },
}  # fmt: skip


def test_every_figure_has_data():
    drawn = {n for n, f in inspect.getmembers(ablation, inspect.isfunction) if f.__module__ == ablation.__name__}
    assert {name for name in drawn if not name.startswith("_")} == set(DATA)


@pytest.mark.parametrize("name", sorted(DATA))
def test_draws_the_same_pixels_twice_and_no_text_leaves_the_picture(name):
    fig, pixels = draw(getattr(ablation, name), DATA[name])
    assert pixels == draw(getattr(ablation, name), DATA[name])[1]
    width, height = fig.canvas.get_width_height()
    for ax in fig.axes:
        for text in [*ax.texts, ax.xaxis.label, ax.title]:
            if not text.get_text():
                continue
            box = text.get_window_extent()
            assert box.x0 > -2, text.get_text()
            assert box.x1 < width + 2, text.get_text()
            assert box.y0 > -2, text.get_text()
            assert box.y1 < height + 2, text.get_text()


@pytest.mark.parametrize("part", ["accuracy", "unnoticed", "ratio", "answered"])
def test_every_part_of_a_row_is_drawn(part):
    changed = copy.deepcopy(DATA["overview"])
    row = changed["rows"][-1]
    row[part] = [1, 1, 1] if part == "answered" else row[part] + 1
    assert draw(ablation.overview, changed)[1] != draw(ablation.overview, DATA["overview"])[1]


def test_a_printed_number_that_is_nowhere_reached_gets_no_star():
    fig, _ = draw(ablation.difficulty, DATA["difficulty"])
    assert sum(line.get_marker() == "*" for line in fig.axes[0].lines) == 1
