"""The figures of the whole system say what their data say."""

import pytest
from figures.drawing import draw

from bfl_stpc.figures import system as plots

PHASES = ["authenticate", "train", "commit"]
DATA = {
    "waterfall": {"phases": [{"phase": p, "ms": ms} for p, ms in zip(PHASES, (40.0, 120.5, 8.25))], "plain_ms": 23.0},
    "bytes_by_sender": {
        "phases": PHASES,
        "series": [
            {"label": "all hospitals", "kilobytes": [0.9, 0.9, 661.0]},
            {"label": "aggregator", "kilobytes": [0.9, 269.0, 7.4]},
            {"label": "key authority", "kilobytes": [0.0, 0.0, 27.0]},
        ],
    },
    "protections": {
        "names": ["plain", "+ ledger", "all"],
        "median": [1.0, 2.8, 6.5],
        "low": [1.0, 2.7, 6.4],
        "high": [1.0, 2.9, 6.7],
    },
    "apart": {
        "hospitals": [3, 5, 10],
        "one_process": [0.3, 0.5, 1.1],
        "processes": [0.4, 0.6, 1.0],
        "on_paper": [3, 10],
        "paper_one": [0.3, 1.0],
        "paper_apart": [0.2, 0.5],
        "cores": 2,
    },
    "scaling": {
        "measured": [
            {"hospitals": k, "parameters": d, "seconds": s}
            for k, d, s in ((5, 1000, 0.2), (10, 1000, 0.5), (5, 10_000, 0.3), (10, 10_000, 0.6))
        ],
        "by_hospitals": [{"label": "d = 1,000", "at": 1000, "x": [5, 10, 100], "seconds": [0.2, 0.5, 9.0]}],
        "by_parameters": [{"label": "K = 5", "at": 5, "x": [1000, 10_000], "seconds": [0.2, 0.3]}],
        "roles": [{"label": "ledger", "x": [5, 10_000], "seconds": [0.1, 200.0]}],
    },
}


@pytest.mark.parametrize("name", DATA)
def test_every_figure_draws_its_data(name):
    plot = getattr(plots, name)
    fig, pixels = draw(plot, DATA[name])
    assert draw(plot, DATA[name])[1] == pixels
    assert fig.axes


def test_each_phase_begins_where_the_one_before_ends():
    fig, _ = draw(plots.waterfall, DATA["waterfall"])
    bars = fig.axes[0].patches
    ends = [bar.get_x() + bar.get_width() for bar in bars]
    assert [bar.get_x() for bar in bars] == [0.0, *ends[:-1]]
    assert ends[-1] == pytest.approx(168.75)


def test_points_lie_on_the_panel_of_what_they_share():
    fig, _ = draw(plots.scaling, DATA["scaling"])
    hospitals, parameters, _ = (ax.lines for ax in fig.axes)
    assert list(hospitals[1].get_xdata()) == [5, 10]
    assert list(parameters[1].get_xdata()) == [1000, 10_000]
