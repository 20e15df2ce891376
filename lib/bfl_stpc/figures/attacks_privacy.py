"""Figures of the attacks on privacy: what each protection stops, and what a batch hides."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from bfl_stpc.figures.style import COLORS, FULL


def matrix(fig: Figure, data: Mapping[str, Any]) -> None:
    """Draw the success of attacks, a row each, under protections, a column each; groups of rows under a heading.

    A cell is as dark as the attack gets from its guess (white) to certainty, and says its rate with the interval; a
    circle means that it is not shown to beat the guess.

    `data`: groups, a list of records name, guess, rows (names), rate, baseline, interval and stopped (each rows,
    columns); columns, names of the protections.
    """
    groups, columns = data["groups"], data["columns"]
    height = sum(len(group["rows"]) + 1.0 for group in groups)
    fig.set_size_inches(FULL, 0.21 * height + 0.75)
    ax = fig.subplots()
    y, ticks, names = 0.0, [], []
    for group in groups:
        ax.text(-0.5, y + 0.62, group["name"], fontsize=8, ha="left", va="center", fontweight="bold")
        ax.text(len(columns) - 0.5, y + 0.62, group["guess"], fontsize=7, ha="right", va="center", color="0.35")
        y += 1.0
        for row, name in enumerate(group["rows"]):
            ticks.append(y + 0.5)
            names.append(name)
            for column in range(len(columns)):
                rate, base = group["rate"][row][column], group["baseline"][row][column]
                stopped = group["stopped"][row][column]
                gain = 0.0 if stopped else max(0.0, (rate - base) / (1 - base))
                face = _mixed(COLORS["red"], gain)
                ax.add_patch(Rectangle((column - 0.48, y + 0.04), 0.96, 0.92, lw=0.5, ec="0.75", fc=face))
                low, high = group["interval"][row][column]
                text = f"{100 * rate:.0f} % ({100 * low:.0f}–{100 * high:.0f})" + (" ○" if stopped else "")
                color = "0.4" if stopped else "black"
                ax.text(column, y + 0.52, text, ha="center", va="center", fontsize=6.5, color=color)
            y += 1
    ax.set_yticks(ticks, names)
    ax.set_xticks(range(len(columns)), columns)
    ax.xaxis.tick_top()
    ax.tick_params(length=0)
    for side in ax.spines.values():
        side.set_visible(False)
    ax.set(xlim=(-0.52, len(columns) - 0.48), ylim=(y + 0.1, 0.0))


def _mixed(color: str, share: float) -> tuple[float, float, float]:
    """Return `color` mixed with white: `share` of it."""
    parts = [int(color[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    red, green, blue = (1 - share * (1 - part) for part in parts)
    return red, green, blue


def batches(fig: Figure, data: Mapping[str, Any]) -> None:
    """Draw the success of attacks on one hospital's unprotected update against the records in it.

    `data`: left, right, each records title, series (a list of records label, batch (n), rate (n), low (n), high (n)),
    guess (rate), guess_label.
    """
    fig.set_size_inches(FULL, 3.0)
    styles = (("blue", "o-"), ("sky", "^--"), ("red", "s-."), ("green", "D:"))
    for ax, part in zip(fig.subplots(1, 2), (data["left"], data["right"])):
        for series, (color, style) in zip(part["series"], styles):
            rate = 100 * np.array(series["rate"])
            ends = np.abs(100 * np.array([series["low"], series["high"]]) - rate)
            ax.errorbar(series["batch"], rate, yerr=ends, fmt=style, color=COLORS[color], ms=3.5, lw=1.2,
                        elinewidth=0.8, label=series["label"])  # fmt: skip
        ax.axhline(100 * part["guess"], color="0.5", lw=0.9, ls=(0, (1, 1)), label=part["guess_label"])
        every = sorted({b for series in part["series"] for b in series["batch"]})
        ax.set_xscale("log", base=2)
        ax.set_xticks(every, [str(b) for b in every])
        ax.minorticks_off()
        ax.set(xlabel="records in the hospital's batch", ylabel="%", title=part["title"], ylim=(-4, 104))
        ax.legend(loc="upper center", bbox_to_anchor=(0.5, -0.2), ncol=2, fontsize=6.5)
