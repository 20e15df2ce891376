"""The committed figures of the paper profile, laid out from their sidecars: nothing is cut off at the page's edge."""

import json

import pytest
from figures.drawing import figure

from bfl_stpc.figures import render
from bfl_stpc.study import paths

SIDECARS = sorted((paths.FIGURES / "paper").glob("*.json"))
SLACK = 0.01  # inches


def beyond(plot, data):
    """Return how far what `plot` draws reaches over the left, lower, right and upper edge of the figure, in inches."""
    with figure(plot, data) as fig:
        render._lay_out(fig)
        box, (width, height) = fig.get_tightbbox(), fig.get_size_inches()
    return -box.x0, -box.y0, box.x1 - width, box.y1 - height


def test_what_is_cut_off_is_seen():
    over = beyond(lambda fig, _: fig.text(0.9, 0.5, "a long word at the edge"), {})
    assert [reach > SLACK for reach in over] == [False, False, True, False]


@pytest.mark.parametrize("sidecar", SIDECARS, ids=lambda path: path.stem)
def test_nothing_is_cut_off(sidecar):
    about = json.loads(sidecar.read_text())
    assert max(beyond(render.plot_function(about["plot"]), about["data"])) < SLACK
