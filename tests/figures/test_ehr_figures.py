import inspect

import numpy as np
import pytest
from figures.drawing import draw

from bfl_stpc.figures import ehr as plots
from bfl_stpc.figures.style import FULL

K = 10
NAMES = [f"H{k + 1:02d}" for k in range(K)]
QUANTITIES = ["systolic", "respiratory_rate", "spo2", "ntprobnp", "lactate"]
RNG = np.random.default_rng(3)


def curve(label, n=6):
    observed = np.linspace(20, 95, n)
    x = np.linspace(3, 6, n)
    return {
        "label": label,
        "x": x,
        "observed": observed,
        "expected": observed + 1,
        "low": observed - 4,
        "high": observed + 4,
    }


PREVALENCE, BEST = np.linspace(10, 50, K), np.linspace(97.6, 98.9, K)
STEEPNESS = np.geomspace(1, 260, 30)
MISSING = RNG.uniform(0, 90, (K, len(QUANTITIES)))
MISSING[2, 3] = 100
DATA = {
    "hospitals": {
        "names": NAMES, "patients": RNG.integers(100, 900, K), "quantities": QUANTITIES, "missing": MISSING,
        "prevalence": PREVALENCE, "low": PREVALENCE - 3, "high": PREVALENCE + 4,
        "shift": RNG.normal(0, 0.2, (K, len(QUANTITIES))),
    },
    "dependence": {"names": [*QUANTITIES, "heart_failure"], "rho": np.corrcoef(RNG.normal(size=(6, 8)))},
    "risk": {
        "panels": [
            {"xlabel": "potassium (mmol/L)", "legend": "upper center", "curves": [curve("no"), curve("yes")]},
            {"xlabel": "age (years)", "legend": "upper left", "curves": [curve("")]},
        ]
    },
    "roc": {
        "curves": [
            {"ceiling": c, "auc": a, "fpr": [0, 0.2, 1], "tpr": [0, a, 1]} for c, a in ((99.9, 1.0), (98, 0.99), (75, 0.81))
        ]
    },
    "ceiling_sweep": {
        "steepness": STEEPNESS, "accuracy": 100 - 25 / STEEPNESS, "auc": 100 - 19 / STEEPNESS**1.5,
        "majority": 66 - 8 / STEEPNESS, "printed": 97.38, "crossing": 9.5, "default": {"steepness": 12.5, "accuracy": 98},
    },
    "local_ceilings": {
        "names": NAMES, "ceiling": BEST, "low": BEST - 0.5, "high": BEST + 0.5, "pooled": 98.1, "printed": 97.38,
    },
}  # fmt: skip


def test_every_figure_is_tested():
    public = {n for n, f in vars(plots).items() if inspect.isfunction(f) and f.__module__ == plots.__name__}
    assert {n for n in public if not n.startswith("_")} - {"label"} == set(DATA)


@pytest.mark.parametrize("name", DATA)
def test_no_text_is_cut_off_and_the_width_is_that_of_the_page(name):
    fig, _ = draw(getattr(plots, name), DATA[name])
    assert fig.get_figwidth() <= FULL
    drawn = fig.get_tightbbox(fig.canvas.get_renderer())  # in inches; ticks outside the axes are not drawn
    width, height = fig.get_size_inches()
    assert drawn.x0 > -0.01
    assert drawn.y0 > -0.01
    assert drawn.x1 < width + 0.01
    assert drawn.y1 < height + 0.01


def test_the_test_above_sees_a_label_that_is_cut_off():
    fig, _ = draw(plots.local_ceilings, DATA["local_ceilings"])
    fig.text(0.99, 0.5, "cut off")
    assert fig.get_tightbbox(fig.canvas.get_renderer()).x1 > fig.get_figwidth() + 0.01


@pytest.mark.parametrize("name", DATA)
def test_the_picture_is_a_function_of_the_data(name):
    assert draw(getattr(plots, name), DATA[name])[1] == draw(getattr(plots, name), DATA[name])[1]


def test_other_data_give_another_picture():
    moved = DATA["local_ceilings"] | {"printed": 97.5}
    assert draw(plots.local_ceilings, moved)[1] != draw(plots.local_ceilings, DATA["local_ceilings"])[1]


def test_what_was_never_measured_is_crossed_out():
    fig, _ = draw(plots.hospitals, DATA["hospitals"])
    crosses = [line for ax in fig.axes for line in ax.get_lines() if line.get_marker() == "x"]
    assert [(line.get_xdata().tolist(), line.get_ydata().tolist()) for line in crosses] == [([3], [2])]


def test_the_shaded_part_of_the_sweep_ends_where_the_curve_crosses_the_printed_value():
    fig, _ = draw(plots.ceiling_sweep, DATA["ceiling_sweep"])
    spans = [patch.get_extents().transformed(fig.axes[0].transData.inverted()) for patch in fig.axes[0].patches]
    assert len(spans) == 1
    assert spans[0].x1 == pytest.approx(9.5)


def test_names_of_features_are_written_as_clinicians_do():
    assert plots.label("ntprobnp") == "NT-proBNP"
    assert plots.label("heart_failure") == "heart failure"
