"""The figures of `make bench`: bends are found where they are, and captions follow the data."""

import numpy as np
import pytest
from figures.drawing import draw

from bfl_stpc.figures import bench

COUNTS, SIZES = [5, 10, 20, 50, 100, 200], [1_000, 10_000, 100_000, 1_000_000]


def curve(x, fixed, slope):
    seconds = fixed + slope * np.array(x, float)
    return np.stack([0.95 * seconds, seconds, 1.1 * seconds], 1).tolist()


def scaling(fixed, slope):
    """All of the fixed cost is the call's, and half of the slope."""
    names = bench.SERIES
    share = {name: 0.5 if "without" in name else 1.0 for name in names}
    return {
        "hospitals": {"x": COUNTS, "series": {n: curve(COUNTS, fixed, share[n] * slope) for n in names}},
        "parameters": {"x": SIZES, "series": {n: curve(SIZES, fixed, share[n] * slope / 1000) for n in names}},
    }


COMPARED = {
    "seconds": {
        "round": [0.02, 0.025, 0.03],
        "private round": [0.02, 0.03, 0.04],
        "call without training": [0.01, 0.01, 0.01],
        "TF-Privacy by fit": [0.4, 0.45, 0.6],
        "Flower round": [0.2, 0.2, 0.2],
    },
    "cpu": {"round": 0.03, "private round": 0.04, "call without training": 0.01, "TF-Privacy by fit": 0.4},
}
PARTS = {"call to TFF": 0.012, "Poisson sampling": 0.004, "noise": 0.009, "clipped steps": 0.017}


@pytest.mark.parametrize("noise", [0.0, 0.05])
def test_a_bend_is_found_where_it_is(noise):
    x = np.geomspace(1e3, 1e6, 13)
    seconds = (0.02 + 1e-6 * x) * (1 + noise * np.random.default_rng(3).uniform(-1, 1, x.size))
    found = bench.bend(x, seconds)
    assert found.knee == pytest.approx(20_000, rel=1e-6 if noise == 0 else 0.15)
    assert found.deviation == pytest.approx(noise, abs=0.02)


def test_neither_part_of_a_bend_is_negative():
    growing, falling = bench.bend([1, 10, 100], [0.5, 10, 100]), bench.bend([1, 10, 100], [1.0, 0.9, 0.8])
    assert growing.fixed == 0
    assert growing.knee == 0
    assert falling.fixed == pytest.approx(0.9, rel=0.05)
    assert falling.knee > 1e9


def test_the_caption_says_where_the_curves_bend():
    caption = bench.cost_caption(scaling(0.02, 0.001))
    assert caption.count("bends at 20 hospitals") == 2
    assert caption.count("bends at 20,000 parameters") == 2
    assert caption.count("100% of the fixed cost, 50% of the slope") == 4
    assert "below 5" in bench.cost_caption(scaling(0.001, 0.001))
    assert "above 1000000" in bench.cost_caption(scaling(90.0, 0.001)).replace(",", "")


def test_the_captions_name_what_is_largest():
    assert "Most goes to: clipped steps" in bench.parts_caption(PARTS)
    assert "Most goes to: noise" in bench.parts_caption(PARTS | {"noise": 1.0})
    text = bench.peers_caption({"a ÷ b": [1.0, 2.0, 3.0], "c ÷ d": [4.0, 5.0, 6.0]}, {"a ÷ b": 7.0})
    assert "a ÷ b: 2 (1 to 3); 7 in CPU time" in text
    assert text.endswith("c ÷ d: 5 (4 to 6)")


@pytest.mark.parametrize(
    ("plot", "data", "change"),
    [
        (bench.cost_curves, scaling(0.02, 0.001), scaling(0.02, 0.002)),
        (bench.peers, COMPARED, COMPARED | {"cpu": {}}),
        (bench.parts, {"cpu": PARTS}, {"cpu": PARTS | {"noise": 0.02}}),
    ],
)
def test_a_figure_is_a_function_of_its_data(plot, data, change):
    pixels = draw(plot, data)[1]
    assert pixels == draw(plot, data)[1]
    assert pixels != draw(plot, change)[1]
