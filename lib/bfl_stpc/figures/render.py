"""Draw a figure from its sidecar: the plotted data decide everything, so a redraw recomputes nothing."""

from __future__ import annotations

import importlib
import io
from collections.abc import Callable, Mapping
from typing import Any

import matplotlib as mpl
import matplotlib.style
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from bfl_stpc.errors import ConfigError
from bfl_stpc.figures.style import FORMATS, STYLE

# Metadata that would change from run to run is left out, so that equal data give equal bytes.
METADATA: dict[str, dict[str, Any]] = {
    "pdf": {"CreationDate": None, "Producer": None, "Creator": None},
    "svg": {"Date": None, "Creator": None},
    "png": {"Software": None},
}


def plot_function(name: str) -> Callable[[Figure, Mapping[str, Any]], None]:
    """Return the function named `package.module:function`.

    Raises:
        ConfigError: there is no such module or function.
    """
    module, _, function = name.partition(":")
    try:
        return getattr(importlib.import_module(module), function)
    except (ImportError, AttributeError) as error:
        raise ConfigError(f"plot {name!r} does not exist: {error}") from error


def draw(plot: str, data: Mapping[str, Any], *, watermark: str | None = None) -> dict[str, bytes]:
    """Return the figure that `plot` draws of `data`, as bytes by format (pdf, svg, png).

    The bytes are a function of the arguments and of the style alone.
    """
    with mpl.rc_context():
        mpl.style.use(["default", STYLE])
        figure = Figure()
        FigureCanvasAgg(figure)
        plot_function(plot)(figure, data)
        if watermark:
            figure.set_layout_engine("constrained", rect=(0, 0.03, 1, 0.97))
            figure.text(0.995, 0.005, watermark, ha="right", va="bottom", color="0.55", fontsize=5, in_layout=False)
        _lay_out(figure)
        drawn = {}
        for kind in FORMATS:
            buffer = io.BytesIO()
            figure.savefig(buffer, format=kind, metadata=METADATA[kind])
            drawn[kind] = buffer.getvalue()
    return drawn


def _lay_out(figure: Figure) -> None:
    """Fix where axes stand. The solver of the layout differs in the last bit from run to run, and SVG names by it."""
    figure.draw_without_rendering()
    figure.set_layout_engine("none")
    for ax in figure.axes:
        left, bottom, width, height = (round(bound, 6) for bound in ax.get_position(original=True).bounds)
        ax.set_position((left, bottom, width, height))
