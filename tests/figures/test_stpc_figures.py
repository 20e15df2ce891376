import inspect

import numpy as np
import pytest
from figures.drawing import draw

from bfl_stpc.figures import stpc as plots
from bfl_stpc.figures.style import FULL

SIZES = [100, 1000, 10_000, 100_000, 10**6, 10**7]
RNG = np.random.default_rng(1)
FLAT = RNG.poisson(120, 33).tolist()
PEAK = [0] * 16 + [8192] + [0] * 16


def falling(label, top):
    steps = np.arange(9)
    return {"label": label, "measured": np.floor(top - steps / 2).tolist(), "predicted": (top - steps / 2).tolist()}


DATA = {
    "noise_budget": {
        "summands": [2**k for k in range(9)],
        "series": [falling("t ≈ 2^42", 11), falling("t ≈ 2^45", 8), falling("t ≈ 2^48", 5)],
    },
    "bytes_per_parameter": {
        "sizes": SIZES,
        "bound": 3.0,
        "series": [
            {"label": "CKKS (FLARE)", "bytes": [2350, 235, 70, 59, 58, 57]},
            {"label": "packed BFV", "bytes": [657, 66, 13, 8.5, 8.1, 8.0]},
            {"label": "masks alone", "bytes": [3.1, 3, 3, 3, 3, 3]},
        ],
    },
    "time_per_size": {
        "sizes": SIZES,
        "series": [
            {"label": "CKKS (FLARE)", "seconds": [0.004, 0.004, 0.01, 0.1, 1, 11]},
            {"label": "packed BFV", "seconds": [0.001, 0.001, 0.003, 0.02, 0.2, 1.6]},
        ],
    },
    "error_and_auc": {
        "bits": list(range(4, 21, 2)),
        "error": [0.5 * 4.0**-i for i in range(9)],
        "bound": [0.7 * 4.0**-i for i in range(9)],
        "ckks": 2e-8,
        "auc": [0.91, 0.93, *[0.935] * 7],
        "auc_plain": 0.935,
    },
    "key_recovery": {"ckks": PEAK, "bfv": FLAT, "true": [-0.05, 0, 0.04], "read": [-0.05, 0, 0.04]},
    "coalitions": {
        "labels": ["no protection", "both + 5 hospitals (threshold − 1)", "both + 9 hospitals (everybody else)"],
        "accuracy": [1.0, 0.501, 0.999],
        "guess": 0.518,
    },
    "dropouts": {
        "hospitals": [5, 200],
        "percent": [0, 40, 60],
        "outcome": [["exact", "exact", "TooFewUploads"], ["exact", "exact", "TooFewUploads"]],
    },
    "cost_per_hospital": {
        "hospitals": [5, 10, 20, 50, 100, 200],
        "series": [
            {"label": "set-up", "seconds": [0.001, 0.002, 0.004, 0.01, 0.02, 0.04]},
            {"label": "protect", "seconds": [0.2, 0.2, 0.2, 0.25, 0.3, 0.4]},
            {"label": "of it masks", "seconds": [0.005, 0.01, 0.02, 0.05, 0.1, 0.2]},
        ],
    },
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


def test_a_broken_coalition_looks_different_from_one_that_guesses():
    safe = DATA["coalitions"] | {"accuracy": [1.0, 0.501, 0.501]}
    assert draw(plots.coalitions, safe)[1] != draw(plots.coalitions, DATA["coalitions"])[1]
    fig, _ = draw(plots.coalitions, DATA["coalitions"])
    marked = {line.get_marker(): len(line.get_xdata()) for line in fig.axes[0].get_lines()}
    assert marked == {"o": 1, "X": 2}


def test_each_cell_of_the_grid_shows_its_outcome():
    fig, _ = draw(plots.dropouts, DATA["dropouts"])
    shown = [text.get_text() for text in fig.axes[0].texts]
    assert shown == ["=", "=", "×", "=", "=", "×"]
