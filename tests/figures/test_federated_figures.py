"""The figures of notebooks 02 and 03, drawn from made-up data."""

import inspect

import numpy as np
import pytest
from figures.drawing import draw
from matplotlib.colors import to_hex

from bfl_stpc.figures import federated, privacy
from bfl_stpc.figures.style import COLORS, FULL

RNG = np.random.default_rng(2)
GRID = np.linspace(0, 1, 11)
BINS = {"predicted": np.linspace(0.01, 0.99, 5), "observed": np.array([0, 0.3, 0.5, 0.7, 1]), "patients": [50] * 5}
DATA = {
    "federated:convergence": {
        "rounds": [1, 2, 3], "pooled": [0.8, 0.9, 0.95], "hospitals": {"a": [0.7, 0.8, 0.9], "b": [0.85, 0.9, 0.96]},
        "ceiling": 0.98, "centralised": 0.96,
    },
    "federated:roc": {
        "fpr": GRID, "bayes": GRID**0.1, "curves": {m: [GRID**0.2, GRID**0.25] for m in ("federated", "pooled", "alone")},
        "auc": {"Bayes": 0.99, "federated": 0.97, "pooled": 0.97, "alone": 0.9},
    },
    "federated:per_hospital": {
        "hospitals": ["hospital-01", "hospital-02", "hospital-03"], "records": [50, 900, 300], "bayes": [0.99, 0.98, 0.99],
        "auc": {m: RNG.uniform(0.9, 0.98, (2, 3)) for m in ("alone", "federated", "personal")},
    },
    "federated:calibration": {"federated": BINS, "alone": BINS},
    "federated:costs": {"natural": [1.0, 1.2], "Dirichlet": [2.0, 2.5]},
    "federated:learning_curve": {
        "models": {m: {"patients": [100, 1000], "gap": [4.0, 1.0]} for m in ("a", "b", "c")}, "goal": 0.5,
        "study": 1000,
    },
    "privacy:score_vs_epsilon": {
        "epsilon": [1, 3], "accuracy": [[0.9, 0.91], [0.95, 0.96]], "auc": [[0.95, 0.96], [0.98, 0.985]],
        "ceiling": {"accuracy": 0.98, "auc": 0.998}, "plain": {"accuracy": 0.97, "auc": 0.99}, "delta": 1e-5,
    },
    "privacy:hospitals_epsilon": {
        "records": [3000, 500, 1000], "common": [1, 8, 3], "calibrated": [3, 3, 3], "sigma": [1, 3, 2], "common_sigma": 2,
        "promise": 3,
    },
    "privacy:epsilon_over_rounds": {
        "rounds": [1, 2, 3], "pld": [1, 2, 3], "rdp": [1.2, 2.3, 3.3], "promise": 3, "stops": 3,
    },
    "privacy:client_level": {
        "hospitals": [10, 100, 1000], "signal": [1, 0.8, 0.5], "noise": [10, 1, 0.1], "epsilon": 8, "needed": 120.0,
    },
    "privacy:audit": {
        "lira": {"no noise": {"fpr": GRID, "tpr": GRID**0.5}},
        "bounds": [
            {"name": "honest", "bound": 1.2, "claimed": 3}, {"name": "noise off", "bound": 4.5, "claimed": 3},
        ],
        "largest": 5.0,
    },
}  # fmt: skip
MODULES = {"federated": federated, "privacy": privacy}


def plot_of(name):
    module, function = name.split(":")
    return getattr(MODULES[module], function)


def drawn(name):
    return draw(plot_of(name), DATA[name])[0]


def test_every_plot_function_is_tested():
    found = {
        f"{name}:{function}"
        for name, module in MODULES.items()
        for function, value in inspect.getmembers(module, inspect.isfunction)
        if value.__module__ == module.__name__ and function != "level"
    }
    assert found == set(DATA)


@pytest.mark.parametrize("name", DATA)
def test_axes_are_labelled_and_the_figure_fits_the_page(name):
    fig = drawn(name)
    assert fig.get_size_inches()[0] <= FULL
    for ax in fig.axes:
        assert ax.get_xlabel()
        assert ax.get_ylabel() or [label.get_text() for label in ax.get_yticklabels()]


@pytest.mark.parametrize("name", DATA)
def test_equal_data_give_equal_pixels(name):
    assert draw(plot_of(name), DATA[name])[1] == draw(plot_of(name), DATA[name])[1]


def test_a_bound_above_its_claim_is_red_and_one_below_is_not():
    bars = [to_hex(patch.get_facecolor()).upper() for patch in drawn("privacy:audit").axes[1].patches]
    assert bars == [COLORS["blue"], COLORS["red"]]


def test_hospitals_stand_in_order_of_size():
    labels = [label.get_text() for label in drawn("federated:per_hospital").axes[0].get_xticklabels()]
    assert labels == ["02\n900", "03\n300", "01\n50"]


def test_a_group_without_events_is_drawn_at_half_an_event():
    line = drawn("federated:calibration").axes[0].lines[1]
    assert line.get_ydata()[0] == pytest.approx(np.log(0.5 / 50.5), rel=1e-6)
