"""Draw a plot function in the project's style and hand back the figure with its pixels."""

from contextlib import contextmanager

import matplotlib as mpl
from matplotlib import style
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from bfl_stpc.figures.style import STYLE


@contextmanager
def figure(plot, data):
    """The figure that `plot` makes of `data`, within the project's style, before anything is laid out."""
    with mpl.rc_context():
        style.use(["default", STYLE])
        fig = Figure()
        FigureCanvasAgg(fig)
        plot(fig, data)
        yield fig


def draw(plot, data):
    with figure(plot, data) as fig:
        fig.canvas.draw()
        return fig, bytes(fig.canvas.buffer_rgba())
