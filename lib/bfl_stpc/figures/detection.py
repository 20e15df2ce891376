"""Figures of what is noticed: recall by kind beside false alarms and time, and what the aggregate depends on."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import groupby
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from bfl_stpc.figures.style import COLORS, COLUMN, FULL

# By what a kind's detectors rest on: marker, colour and legend.
BASES = {
    "cryptographic": ("o", COLORS["blue"], "a check that it cannot pass"),
    "statistical": ("s", COLORS["orange"], "a score and a threshold"),
    "none": ("X", COLORS["red"], "nothing looks for it"),
}


def recall_by_kind(fig: Figure, data: Mapping[str, Any]) -> None:
    """Draw recall with its interval, false alarms on clean events, and steps to the notice: a row a kind.

    Args:
        fig: an empty figure.
        data: `kinds`, a list of records name, family, basis, recall, low, high, false_rate, false_high (shares of 1,
            None where no detector looks) and steps (None where nothing was noticed); families are contiguous.
    """
    kinds = data["kinds"]
    fig.set_size_inches(FULL, 0.152 * len(kinds) + 0.9)
    recall, alarms, steps = fig.subplots(1, 3, sharey=True, width_ratios=(5, 3, 2.4))
    rows = np.arange(len(kinds))
    for kind, row in zip(kinds, rows):
        marker, color, _ = BASES[kind["basis"]]
        recall.plot([100 * kind["low"], 100 * kind["high"]], [row, row], "-", color=color, lw=1.1)
        recall.plot(100 * kind["recall"], row, marker, color=color, ms=3.6)
        if kind["false_rate"] is None:
            alarms.text(0, row, " no detector", fontsize=5.5, va="center", color=COLORS["grey"])
        else:
            alarms.plot([100 * kind["false_rate"], 100 * kind["false_high"]], [row, row], "-", color=color, lw=1.1)
            alarms.plot(100 * kind["false_rate"], row, marker, color=color, ms=3.6, clip_on=False)
        if kind["steps"] is None:
            steps.text(0, row, " never", fontsize=5.5, va="center", color=COLORS["grey"])
        else:
            steps.plot(kind["steps"], row, marker, color=color, ms=3.6, clip_on=False)
    _families((recall, alarms, steps), [kind["family"] for kind in kinds])
    recall.set_yticks(rows, [kind["name"] for kind in kinds], fontsize=6)
    recall.set(xlim=(-2, 102), ylim=(len(kinds) - 0.5, -0.5), xlabel="noticed (%)", title="recall")
    alarms.set(xlabel="clean events (%)", title="false alarms")
    alarms.set_xlim(left=0)
    steps.set(xlabel="steps after the injection", title="when (median)")
    steps.set_xlim(left=0)
    steps.xaxis.set_major_locator(MaxNLocator(4, integer=True))
    for ax in (recall, alarms, steps):
        ax.tick_params(axis="y", length=0)
        ax.spines["left"].set_visible(False)
    used = {kind["basis"] for kind in kinds}
    shown = [Line2D([], [], marker=m, color=c, ms=4, lw=1.1, label=t) for b, (m, c, t) in BASES.items() if b in used]
    fig.legend(handles=shown, loc="outside lower center", ncols=len(shown), title="what its detectors rest on")


def _families(axes: tuple[Axes, ...], families: list[str]) -> None:
    """Shade every other family, and write its name at the right edge."""
    start = 0
    for number, (family, members) in enumerate(groupby(families)):
        end = start + len(list(members))
        for ax in axes:
            if number % 2:
                ax.axhspan(start - 0.5, end - 0.5, color=COLORS["grey"], alpha=0.12, lw=0)
        axes[-1].annotate(
            family,
            (1.0, (start + end - 1) / 2),
            xycoords=("axes fraction", "data"),
            xytext=(4, 0),
            textcoords="offset points",
            rotation=270 if end - start > 2 else 0,
            ha="left",
            va="center",
            fontsize=6.5,
        )
        start = end


def weights(fig: Figure, data: Mapping[str, Any]) -> None:
    """Draw the aggregate recall under several choices of weights, beside the printed value.

    Args:
        fig: an empty figure.
        data: `choices`, a list of records choice, recall, low, high (shares of 1); `printed`, per cent.
    """
    choices = data["choices"]
    fig.set_size_inches(COLUMN, 0.2 * len(choices) + 0.75)
    ax = fig.subplots()
    for row, choice in enumerate(choices):
        first = row == 0
        color = COLORS["black"] if first else COLORS["blue"]
        ax.plot([100 * choice["low"], 100 * choice["high"]], [row, row], "-", color=color, lw=1.6 if first else 1.1)
        ax.plot(100 * choice["recall"], row, "D" if first else "o", color=color, ms=4, clip_on=False)
    ax.axvline(data["printed"], color=COLORS["red"], lw=0.9, ls="--", zorder=0)
    ax.annotate(
        f"paper: {data['printed']} ",
        (data["printed"], -0.6),
        ha="right",
        va="bottom",
        fontsize=6.5,
        color=COLORS["red"],
    )
    ax.set_yticks(range(len(choices)), [choice["choice"] for choice in choices], fontsize=6.5)
    ax.set(xlim=(0, 101), ylim=(len(choices) - 0.5, -0.7), xlabel="aggregate recall (%)")
    ax.tick_params(axis="y", length=0)


def milliseconds(fig: Figure, data: Mapping[str, Any]) -> None:
    """Draw the milliseconds from injection to notice: a dot a kind, a row a family, on a logarithmic axis.

    Args:
        fig: an empty figure.
        data: `families`, a list of records family, median_ms (a list, one a kind).
    """
    families = data["families"]
    fig.set_size_inches(COLUMN, 0.22 * len(families) + 0.7)
    ax = fig.subplots()
    for row, family in enumerate(families):
        times = np.maximum(family["median_ms"], 1e-2)
        ax.plot(times, np.full(len(times), row), "o", color=COLORS["blue"], alpha=0.55, ms=4, mew=0)
        ax.plot(np.median(times), row, "|", color=COLORS["black"], ms=11, mew=1.4)
    ax.set_xscale("log")
    ax.set_yticks(range(len(families)), [family["family"] for family in families])
    ax.set(ylim=(len(families) - 0.5, -0.5), xlabel="milliseconds from injection to notice")
    ax.tick_params(axis="y", length=0)
