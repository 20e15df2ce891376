"""Figures of the claims: what was measured beside what was printed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from matplotlib.figure import Figure

from bfl_stpc.figures.style import COLORS, FULL


def measured_over_printed(fig: Figure, data: Mapping[str, Any]) -> None:
    """Draw the ratio of measured to printed value for each numeric claim, with its ceiling.

    Args:
        fig: an empty figure.
        data: `claims`, records with `claim`, `ratio` and `ceiling` (each a number or None) and `verdict`.
    """
    claims = data["claims"]
    fig.set_size_inches(FULL, 0.6 + 0.27 * len(claims))
    ax = fig.subplots()
    ax.axvline(1, color="0.6", lw=0.8)
    for place, claim in enumerate(claims):
        if claim["ceiling"] is not None:
            ax.plot(claim["ceiling"], place, "|", color=COLORS["black"], ms=9, mew=1.4)
        if claim["ratio"] is not None:
            ax.plot(claim["ratio"], place, "o", color=COLORS["blue"])
        ax.annotate(claim["verdict"], (1.01, place), xycoords=("axes fraction", "data"), va="center", fontsize=7)
    ax.set_yticks(range(len(claims)), [claim["claim"] for claim in claims])
    shown = [value for claim in claims for value in (claim["ratio"], claim["ceiling"]) if value]
    widest = 1.15 * max([2.0, *shown, *(1 / value for value in shown)])
    ax.set(xscale="log", xlim=(1 / widest, widest), ylim=(len(claims) - 0.5, -0.5))
    ax.set_xlabel("measured / printed (dot); best possible / printed (bar)")
    ticks = {0.1: "⅒", 0.2: "⅕", 0.5: "½", 1: "1", 2: "2", 5: "5", 10: "10"}
    inside = [at for at in ticks if 1 / widest < at < widest]
    ax.set_xticks(inside, [ticks[at] for at in inside])
    ax.minorticks_off()
