"""The ledger's figures: what they show is what they were given."""

import inspect

import pytest
from figures.drawing import draw

from bfl_stpc.figures import ledger as plots
from bfl_stpc.figures.style import FULL

STEPS = dict.fromkeys(("challenge", "typed", "build", "sign", "submit", "execute", "mine", "receipt", "decode"), 4.0)
DATA = {
    "login_steps": {
        "runs": [{"name": "a", "steps": STEPS, "p95": 50}, {"name": "b", "steps": STEPS | {"execute": 30}, "p95": 90}],
        "printed": 72.59,
    },
    "gas": {
        "operations": [
            {"name": "login", "gas": 109_423, "group": "round"},
            {"name": "grant", "gas": 66_984, "group": "consent"},
        ],
        "published": {"name": "published", "gas": 78_000, "operation": "grant"},
    },
    "consents": {
        "rows": ["H1 · treatment", "H2 · research"],
        "grants": [{"row": 0, "start": 5, "end": 30, "text": "read"}],
        "decisions": [{"row": 0, "time": 10, "permitted": True}, {"row": 1, "time": 12, "permitted": False}],
        "marks": [{"time": 40, "text": "withdrawn"}],
    },
    "growth": {
        "points": [
            {"entries": n, "review_s": n / 1e4, "next_100_s": 0.01, "verify_one_ms": 0.3} for n in (100, 1000, 10_000)
        ]
    },
}


def drawn(name):
    return draw(getattr(plots, name), DATA[name])[0]


def test_every_plot_function_is_tried():
    functions = {n for n, f in inspect.getmembers(plots, inspect.isfunction) if f.__module__ == plots.__name__}
    assert functions == set(DATA)


@pytest.mark.parametrize("name", DATA)
def test_it_fits_the_page_and_says_what_its_axes_are(name):
    fig = drawn(name)
    assert fig.get_size_inches()[0] <= FULL
    assert all(ax.get_xlabel() for ax in fig.axes)


def test_the_bars_of_a_login_add_up():
    ax = drawn("login_steps").axes[0]
    ends = {round(p.get_y() + 0.3): p.get_x() + p.get_width() for p in ax.patches}
    assert ends == {0: pytest.approx(36), 1: pytest.approx(62)}


def test_gas_bars_have_the_given_lengths():
    ax = drawn("gas").axes[0]
    assert [p.get_width() for p in ax.patches] == [109.423, 66.984]


def test_refused_and_permitted_decisions_are_told_apart_without_colour():
    ax = drawn("consents").axes[0]
    shapes = {tuple(map(tuple, c.get_paths()[0].vertices.round(3))) for c in ax.collections}
    assert len(shapes) == 2


def test_parts_hold_every_step_once():
    steps = [s for part in plots.PARTS.values() for s in part]
    assert sorted(steps) == sorted(STEPS)
