"""The figures of notebook 09, drawn from made-up data."""

import inspect

import numpy as np
import pytest
from figures.drawing import draw

from bfl_stpc.figures import baselines

GRID = np.linspace(0, 1, 21)
KINDS = ("ours", "baseline", "control")
DATA = {
    "accuracy": {
        "systems": [
            {"name": f"system {i}", "kind": k, "values": [97 - i, 97.2 - i], "mean": 97.1 - i, "interval": [96 - i, 98 - i]}
            for i, k in enumerate(KINDS)
        ],
        "ceiling": 98.0,
    },
    "roc": {
        "fpr": GRID, "bayes": GRID**0.1, "curves": {"a": [GRID**0.2], "b": [GRID**0.3]},
        "auc": {"a": 0.99, "b": 0.98, "Bayes": 0.995},
    },
    "detection": {"systems": ["a", "b"], "kinds": ["forged", "replayed"], "recall": [[1.0, None], [0.0, 0.5]]},
    "exposure": {
        "levels": ["nothing", "shares", "records"],
        "systems": [{"name": k, "kind": k, "gap": 0.5 + i, "level": i, "noise": i == 1} for i, k in enumerate(KINDS)],
    },
    "costs": {
        "systems": ["a", "b"],
        "panels": [{"title": "ms", "values": [10, 200]}, {"title": "gas", "values": [3e6, 0]}],
    },
}  # fmt: skip


def test_every_figure_has_data():
    drawn = {n for n, f in inspect.getmembers(baselines, inspect.isfunction) if f.__module__ == baselines.__name__}
    assert {name for name in drawn if not name.startswith("_")} == set(DATA)


@pytest.mark.parametrize("name", sorted(DATA))
def test_draws_the_same_pixels_twice_and_no_text_leaves_the_picture(name):
    fig, pixels = draw(getattr(baselines, name), DATA[name])
    assert pixels == draw(getattr(baselines, name), DATA[name])[1]
    width, height = fig.canvas.get_width_height()
    for ax in fig.axes:
        for text in ax.texts:
            box = text.get_window_extent()
            assert box.x0 > -2, text.get_text()
            assert box.x1 < width + 2, text.get_text()
            assert box.y0 > -2, text.get_text()
            assert box.y1 < height + 2, text.get_text()


def test_a_kind_without_a_place_is_a_dash_and_no_zero():
    fig, _ = draw(baselines.detection, DATA["detection"])
    assert [t.get_text() for t in fig.axes[0].texts] == ["100", "–", "0", "50"]


def test_a_cost_of_zero_is_said_and_not_drawn():
    fig, _ = draw(baselines.costs, DATA["costs"])
    gas = fig.axes[1]
    assert [t.get_text() for t in gas.texts] == ["3 M", "none"]
    assert len(gas.patches) == 1
