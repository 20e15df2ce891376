import inspect

import pytest
from figures.drawing import draw

from bfl_stpc.figures import attacks_privacy as plots
from bfl_stpc.figures.style import FULL

COLUMNS = ["FL only", "+ DP", "+ HE", "+ SMPC", "all"]
ROWS = ["aggregator", "aggregator + hospitals at threshold"]
BATCH = [1, 2, 4, 8, 16, 32]


def group(name, guess, rate, stopped):
    shape = [[guess] * 5] * 2
    return {
        "name": name,
        "guess": "guess: 1 in 100",
        "rows": ROWS,
        "rate": rate,
        "baseline": shape,
        "stopped": stopped,
        "interval": [[[0.1, 0.95]] * 5] * 2,
    }


def line(label, top):
    rate = [top / b for b in BATCH]
    return {"label": label, "batch": BATCH, "rate": rate, "low": [0.9 * r for r in rate], "high": rate}


HIT, MISS = [1.0, 0.01, 0.0, 0.0, 0.02], [False, True, True, True, True]
GROUPS = [
    group("closed form, batch of 1", 0.01, [HIT, HIT], [MISS, MISS]),
    group("membership (LiRA)", 0.5, [[0.9, 0.55, 0.5, 0.5, 0.5]] * 2, [MISS, MISS]),
]
PART = {
    "title": "records",
    "series": [line("closed form", 1), line("matching", 0.9)],
    "guess": 0.01,
    "guess_label": "guess",
}
DATA = {
    "matrix": {"groups": GROUPS, "columns": COLUMNS},
    "batches": {"left": PART, "right": PART | {"guess": 0.7}},
}


def test_every_figure_is_tested():
    public = {n for n, f in vars(plots).items() if inspect.isfunction(f) and f.__module__ == plots.__name__}
    assert {n for n in public if not n.startswith("_")} == set(DATA)


@pytest.mark.parametrize("name", DATA)
def test_nothing_is_cut_off_and_the_width_is_that_of_the_page(name):
    fig, _ = draw(getattr(plots, name), DATA[name])
    assert fig.get_figwidth() <= FULL
    drawn = fig.get_tightbbox(fig.canvas.get_renderer())
    width, height = fig.get_size_inches()
    assert drawn.x0 > -0.01
    assert drawn.y0 > -0.01
    assert drawn.x1 < width + 0.01
    assert drawn.y1 < height + 0.01


@pytest.mark.parametrize("name", DATA)
def test_the_picture_is_a_function_of_the_data(name):
    assert draw(getattr(plots, name), DATA[name])[1] == draw(getattr(plots, name), DATA[name])[1]


def test_each_cell_says_its_rate_and_a_circle_marks_a_stopped_attack():
    fig, _ = draw(plots.matrix, DATA["matrix"])
    cells = [text.get_text() for text in fig.axes[0].texts if "%" in text.get_text()]
    assert len(cells) == 2 * len(ROWS) * len(COLUMNS)
    assert cells[:2] == ["100 % (10–95)", "1 % (10–95) ○"]


def test_a_stopped_attack_is_white_and_the_gain_over_a_guess_is_dark():
    fig, _ = draw(plots.matrix, DATA["matrix"])
    faces = [patch.get_facecolor()[:3] for patch in fig.axes[0].patches]
    assert faces[1] == (1, 1, 1)
    darkness = [sum(1 - part for part in face) for face in faces]
    assert darkness[0] > darkness[10] > 0 == darkness[11]
