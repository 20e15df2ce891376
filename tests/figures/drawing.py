"""Draw a plot function in the project's style and hand back the figure with its pixels."""

import matplotlib as mpl
from matplotlib import style
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from bfl_stpc.figures.style import STYLE


def draw(plot, data):
    with mpl.rc_context():
        style.use(["default", STYLE])
        fig = Figure()
        canvas = FigureCanvasAgg(fig)
        plot(fig, data)
        canvas.draw()
        return fig, bytes(canvas.buffer_rgba())
