import numpy as np
import pytest
from figures.drawing import draw

from bfl_stpc.figures import detection as plots
from bfl_stpc.figures.style import COLORS, FULL


def kind(name, family, basis, recall, false_rate=0.0, steps=1.0):
    high = None if false_rate is None else false_rate + 0.01
    shares = {"recall": recall, "low": max(0.0, recall - 0.1), "high": min(1.0, recall + 0.1)}
    return {
        "name": name,
        "family": family,
        "basis": basis,
        "false_rate": false_rate,
        "false_high": high,
        "steps": steps,
        **shares,
    }


KINDS = [
    kind("forged credential", "credentials", "cryptographic", 1.0, steps=0.0),
    kind("copy kept after revocation", "access", "none", 0.0, false_rate=None, steps=None),
    kind("label flip", "poisoning", "statistical", 0.6, false_rate=0.02, steps=7.0),
    kind("wrong global model to one hospital", "aggregator", "cryptographic", 1.0),
]
CHOICES = [
    {"choice": "as published", "recall": 0.87, "low": 0.85, "high": 0.88},
    {"choice": "without the cryptographic kinds", "recall": 0.4, "low": 0.3, "high": 0.5},
]
DATA = {
    "recall_by_kind": {"kinds": KINDS},
    "weights": {"choices": CHOICES, "printed": 96.79},
    "milliseconds": {
        "families": [{"family": "access", "median_ms": [3.0, 0.0]}, {"family": "faults", "median_ms": [900.0]}]
    },
}


@pytest.mark.parametrize("name", DATA)
def test_draws_within_the_page(name):
    fig, pixels = draw(getattr(plots, name), DATA[name])
    assert fig.get_figwidth() <= FULL
    assert np.frombuffer(pixels, np.uint8).std() > 10


def test_shows_recall_at_its_place_and_says_where_nothing_looks():
    fig, _ = draw(plots.recall_by_kind, DATA["recall_by_kind"])
    recall, alarms, steps = fig.axes
    points = [line for line in recall.lines if line.get_marker() not in ("None", None, "")]
    assert [float(np.ravel(p.get_xdata())[0]) for p in points] == [100.0, 0.0, 60.0, 100.0]
    assert points[1].get_color() == COLORS["red"]
    assert [t.get_text().strip() for t in alarms.texts] == ["no detector"]
    assert steps.texts[0].get_text().strip() == "never"
    assert {t.get_text() for t in steps.texts[1:]} == {"credentials", "access", "poisoning", "aggregator"}


def test_every_basis_is_told_apart_without_colour():
    assert len({marker for marker, _, _ in plots.BASES.values()}) == len(plots.BASES)


def test_the_printed_value_stands_where_it_should():
    fig, _ = draw(plots.weights, DATA["weights"])
    assert any(list(line.get_xdata()) == [96.79, 96.79] for line in fig.axes[0].lines)
