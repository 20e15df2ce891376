"""Figures of the whole system: what a round costs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bfl_stpc.figures.style import COLORS, FULL


def _bars(ax: Axes, phases: list[str], values: list[float], color: str, title: str) -> None:
    places = range(len(phases))
    ax.barh(places, values, color=color, height=0.7)
    top = max([*values, 1e-9])
    for place, value in zip(places, values):
        if value:
            shown = f"{value:,.0f}" if value >= 10 else f"{value:.1f}"
            ax.annotate(shown, (value, place), xytext=(3, 0), textcoords="offset points", va="center", fontsize=6.5)
    ax.set(title=title, xlim=(0, 1.28 * top))
    ax.set_xticks([])
    ax.spines["bottom"].set_visible(False)
    ax.tick_params(axis="y", length=0)


def round_costs(fig: Figure, data: Mapping[str, Any]) -> None:
    """Draw the costs of one round by phase: milliseconds, kilobytes sent, thousands of gas.

    Args:
        fig: an empty figure.
        data: `phases`, a list of records with `phase`, `ms`, `sent` (bytes) and `gas`, in the round's order.
    """
    fig.set_size_inches(FULL, 2.7)
    phases = [f"{number}. {row['phase']}" for number, row in enumerate(data["phases"], 1)]
    left, middle, right = fig.subplots(1, 3, sharey=True)
    _bars(left, phases, [row["ms"] for row in data["phases"]], COLORS["blue"], "milliseconds")
    _bars(middle, phases, [row["sent"] / 1000 for row in data["phases"]], COLORS["orange"], "kilobytes sent")
    _bars(right, phases, [row["gas"] / 1000 for row in data["phases"]], COLORS["green"], "thousands of gas")
    left.set_yticks(range(len(phases)), phases)
    left.invert_yaxis()


def who_sees_what(fig: Figure, data: Mapping[str, Any]) -> None:
    """Draw one parameter of every hospital three times: as trained, as uploaded, and as what the sum opens to.

    Args:
        fig: an empty figure.
        data: `hospitals` (K names), `plain` (K,) values in units of the largest, `masked` (K,) values as a share of t,
            `mean` the opened mean and `expected` the mean computed in the clear, in the units of `plain`.
    """
    fig.set_size_inches(FULL, 2.3)
    left, middle, right = fig.subplots(1, 3, width_ratios=(5, 5, 2))
    places = range(len(data["plain"]))
    left.bar(places, data["plain"], color=COLORS["blue"])
    left.set(title="inside each hospital: its update", ylabel="one parameter (scaled)", xlabel="hospital")
    middle.bar(places, data["masked"], color=COLORS["grey"])
    middle.set(title="what the key authority could see", ylabel="masked value / t", xlabel="hospital", ylim=(0, 1))
    right.bar([0, 1], [data["expected"], data["mean"]], color=[COLORS["blue"], COLORS["orange"]])
    right.set_xticks([0, 1], ["in the\nclear", "opened\nsum"])
    right.set(title="mean", ylim=left.get_ylim())
    for ax in (left, right):
        ax.axhline(0, color="0.3", lw=0.7)
    for ax in (left, middle):
        ax.set_xticks(list(places))
