"""The figures of notebook 11, drawn from made-up data."""

import inspect

import pytest
from figures.drawing import draw

from bfl_stpc.figures import real

POINT = {"value": 0.7, "low": 0.6, "high": 0.8, "patients": 20}
NONE = {"value": None, "low": None, "high": None, "patients": 1}
WAYS = [{"name": f"way {k}", "kind": k} for k in ("alone", "together", "home", "pooled")]
CURVE = {"value": [0.3, 0.2, 0.1], "low": [0.2, 0.1, 0.0], "high": [0.4, 0.3, 0.2]}
DATA = {
    "flamby": {
        "rows": [
            {"name": n, "ours": o, "federated": f, "value": 0.8, "low": 0.75, "high": 0.85}
            for n, o, f in (("FLamby: pooled", False, False), ("FLamby: cyclic", False, True), ("ours", True, True))
        ],
        "best": 0.785,
    },
    "ways": {"tables": [{"name": n, "rows": [w | POINT for w in WAYS]} for n in ("one", "two", "three")]},
    "hospitals": {
        "hospitals": [{"name": n, "patients": 16, "majority": 0.9} for n in ("here", "there")],
        "ways": WAYS,
        "panels": [{"title": t, "points": [[POINT] * 4, [POINT, NONE, POINT, POINT]]} for t in ("accuracy", "AUC")],
    },
    "gain": {"size": [1, 10, 92], "gain": [-0.1, 0.02, 0.03], "mean": {"value": 0.01, "low": 0.0, "high": 0.02}},
    "benefit": {
        "tables": [
            {"name": n, "threshold": [0.1, 0.2, 0.3], "all": [0.3, 0.1, -0.2],
             "curves": [{"name": k, "kind": k} | CURVE for k in ("home", "private", "alone")]}
            for n in ("one", "two")
        ]
    },
    "fairness": {
        "rows": [
            {"table": t, "group": g, "patients": 20, "auc": POINT, "excess": {"value": 0.0, "low": -0.1, "high": 0.1}}
            for t in ("one", "two") for g in ("men", "women")
        ]
    },
}  # fmt: skip


def test_every_figure_has_data():
    drawn = {n for n, f in inspect.getmembers(real, inspect.isfunction) if f.__module__ == real.__name__}
    assert {name for name in drawn if not name.startswith("_")} == set(DATA)


@pytest.mark.parametrize("name", sorted(DATA))
def test_draws_the_same_pixels_twice_and_no_text_leaves_the_picture(name):
    fig, pixels = draw(getattr(real, name), DATA[name])
    assert pixels == draw(getattr(real, name), DATA[name])[1]
    width, height = fig.canvas.get_width_height()
    texts = [text for ax in fig.axes for text in ax.texts] + [t for legend in fig.legends for t in legend.get_texts()]
    for text in texts:
        box = text.get_window_extent()
        assert box.x0 > -2, text.get_text()
        assert box.x1 < width + 2, text.get_text()
        assert box.y0 > -2, text.get_text()
        assert box.y1 < height + 2, text.get_text()


def test_a_score_that_is_not_defined_is_not_drawn():
    whole, _ = draw(real.hospitals, DATA["hospitals"])
    both = {**DATA["hospitals"], "panels": [{"title": "accuracy", "points": [[POINT] * 4] * 2}] * 2}
    full, _ = draw(real.hospitals, both)
    assert len(full.axes[0].lines) == len(whole.axes[0].lines) + 2


def test_who_is_better_alone_is_hollow():
    fig, _ = draw(real.gain, DATA["gain"])
    faces = {
        len(line.get_xdata()): line.get_markerfacecolor() for line in fig.axes[0].lines if line.get_marker() in "ov"
    }
    assert faces == {2: real.COLORS["blue"], 1: "white"}
