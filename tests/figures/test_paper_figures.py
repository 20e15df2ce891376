"""The committed figures of the paper profile, drawn from their sidecars: nothing is cut off at the edge of the page."""

import json

import pytest
from figures.drawing import draw

from bfl_stpc.figures import render
from bfl_stpc.study import paths

SIDECARS = sorted((paths.FIGURES / "paper").glob("*.json"))
SLACK = 0.01  # inches


def beyond(fig):
    """Return how far what is drawn reaches over the left, lower, right and upper edge of the figure, in inches."""
    render._lay_out(fig)
    box, (width, height) = fig.get_tightbbox(), fig.get_size_inches()
    return -box.x0, -box.y0, box.x1 - width, box.y1 - height


def test_what_is_cut_off_is_seen():
    fig, _ = draw(lambda fig, _: fig.text(0.9, 0.5, "a long word at the edge"), {})
    assert [reach > SLACK for reach in beyond(fig)] == [False, False, True, False]


@pytest.mark.parametrize("sidecar", SIDECARS, ids=lambda path: path.stem)
def test_nothing_is_cut_off(sidecar):
    about = json.loads(sidecar.read_text())
    fig, _ = draw(render.plot_function(about["plot"]), about["data"])
    assert max(beyond(fig)) < SLACK
