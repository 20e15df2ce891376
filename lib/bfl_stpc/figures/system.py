"""Figures of the whole system: what a round costs."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter

from bfl_stpc.figures.style import COLORS, FULL, PLATE


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


def waterfall(fig: Figure, data: Mapping[str, Any]) -> None:
    """Draw one round as a waterfall: each phase begins where the one before it ends.

    Args:
        fig: an empty figure.
        data: `phases`, records with `phase` and `ms` in the round's order; `plain_ms`, a plain round of TFF.
    """
    fig.set_size_inches(FULL, 0.24 * len(data["phases"]) + 0.9)
    ax, begin = fig.subplots(), 0.0
    total = sum(row["ms"] for row in data["phases"])
    for place, row in enumerate(data["phases"]):
        color = COLORS["green"] if row["phase"] == "train" else COLORS["blue"]
        ax.barh(place, row["ms"], left=begin, height=0.7, color=color)
        begin += row["ms"]
        shown = f"{row['ms']:,.0f} ms" if row["ms"] >= 10 else f"{row['ms']:.1f} ms"
        ax.annotate(
            shown, (begin, place), xytext=(3, 0), textcoords="offset points", va="center", fontsize=6.5, bbox=PLATE
        )
    ax.axvline(data["plain_ms"], color=COLORS["black"], lw=0.9, ls="--")
    ax.annotate(
        "a plain round of TFF", (data["plain_ms"], len(data["phases"]) - 0.6), xytext=(4, 0),
        textcoords="offset points", fontsize=7, va="bottom",
    )  # fmt: skip
    ax.set_yticks(range(len(data["phases"])), [row["phase"] for row in data["phases"]])
    ax.invert_yaxis()
    ax.set(xlabel="milliseconds since the round began", xlim=(0, 1.13 * total))
    ax.tick_params(axis="y", length=0)


def bytes_by_sender(fig: Figure, data: Mapping[str, Any]) -> None:
    """Draw what each kind of role sends in a round, by phase.

    Args:
        fig: an empty figure.
        data: `phases` (n names); `series`, records with `label` and `kilobytes` (n).
    """
    fig.set_size_inches(FULL, 2.7)
    axes = fig.subplots(1, len(data["series"]), sharey=True)
    for ax, series, color in zip(axes, data["series"], ("blue", "orange", "purple")):
        _bars(ax, data["phases"], series["kilobytes"], COLORS[color], f"{series['label']}, kilobytes")
    axes[0].set_yticks(range(len(data["phases"])), data["phases"])
    axes[0].invert_yaxis()


def protections(fig: Figure, data: Mapping[str, Any]) -> None:
    """Draw the time of a round under each protection as a ratio to the plain round of the same turn.

    Args:
        fig: an empty figure.
        data: `names` (n); `median`, `low`, `high` (n), ratios and their quartiles.
    """
    fig.set_size_inches(FULL, 0.3 * len(data["names"]) + 0.8)
    ax, rows = fig.subplots(), range(len(data["names"]))
    ax.hlines(rows, 1, data["median"], color=COLORS["grey"], lw=1)
    ax.hlines(rows, data["low"], data["high"], color=COLORS["blue"], lw=4, alpha=0.4)
    ax.plot(data["median"], rows, "o", color=COLORS["blue"], ms=5)
    for row, value, high in zip(rows, data["median"], data["high"]):
        ax.annotate(f"{value:.2f} ×", (max(value, high), row), xytext=(7, 0), textcoords="offset points", va="center")
    ax.axvline(1, color=COLORS["black"], lw=0.9, ls="--")
    ax.set_yticks(rows, data["names"])
    ax.invert_yaxis()
    ax.set(xlabel="time of a round ÷ plain round of the same turn", xlim=(0, 1.15 * max(data["high"])))


def scaling(fig: Figure, data: Mapping[str, Any]) -> None:
    """Draw rounds measured and on paper against hospitals and parameters, and each role's work up to many hospitals.

    Args:
        fig: an empty figure.
        data: `measured`, records with `hospitals`, `parameters`, `seconds`; `by_hospitals` and `by_parameters`, curves
            of the model, records with `label`, `x`, `seconds`, and `at`, what the points on the curve share; `roles`,
            records with `label`, `x` (hospitals) and `seconds`.
    """
    fig.set_size_inches(FULL, 2.9)
    left, middle, right = fig.subplots(1, 3)
    colors = [COLORS[name] for name in ("blue", "orange", "green", "purple")]
    panels = ((left, "by_hospitals", "hospitals", "parameters"), (middle, "by_parameters", "parameters", "hospitals"))
    for ax, curves, along, fixed in panels:
        for curve, color, marker in zip(data[curves], colors, "os^v"):
            ax.plot(curve["x"], curve["seconds"], color=color, lw=1)
            found = [row for row in data["measured"] if row[fixed] == curve["at"]]
            ax.plot([r[along] for r in found], [r["seconds"] for r in found], marker, color=color, ms=4)
        ax.set(xlabel=along, ylabel="seconds a round, one core")
    for curve, color in zip(data["roles"], colors):
        right.plot(curve["x"], curve["seconds"], color=color, lw=1.2)
    right.set(xlabel="hospitals", ylabel="seconds of one role, on paper")
    for ax in (left, middle, right):
        ax.set(xscale="log", yscale="log")
        ax.yaxis.set_minor_formatter(NullFormatter())
        ax.set_xlim(right=ax.get_xlim()[1] * 12)
    for ax, curves in ((left, "by_hospitals"), (middle, "by_parameters"), (right, "roles")):
        _name_ends(ax, data[curves], colors)


def _name_ends(ax: Axes, curves: Sequence[Mapping[str, Any]], colors: Sequence[str]) -> None:
    """Write each curve's name at its end; names keep seven points from each other, the lower one giving way."""
    ends = [(curve["x"][-1], curve["seconds"][-1]) for curve in curves]
    heights = [ax.transData.transform(end)[1] * 72 / ax.figure.dpi for end in ends]
    place = math.inf
    for height, end, curve, color in sorted(zip(heights, ends, curves, colors), key=lambda named: -named[0]):
        place = min(height, place - 7)
        ax.annotate(
            curve["label"], end, xytext=(3, place - height), textcoords="offset points", va="center", fontsize=6,
            color=color,
        )  # fmt: skip


def apart(fig: Figure, data: Mapping[str, Any]) -> None:
    """Draw the time of a round against hospitals, all roles in one process and each in its own, beside the model.

    Args:
        fig: an empty figure.
        data: `hospitals` (n); `one_process`, `processes` (n), seconds; `on_paper` (m hospitals); `paper_one`,
            `paper_apart` (m), seconds; `cores`, of the machine.
    """
    fig.set_size_inches(FULL, 2.6)
    ax, many = fig.subplots(), data["hospitals"]
    lines = (
        ("one_process", "one process", COLORS["blue"], "o-"),
        ("processes", f"a process each, on {data['cores']} cores", COLORS["orange"], "s-"),
        ("paper_one", "on paper: one core", COLORS["blue"], "--"),
        ("paper_apart", "on paper: a core each, no network", COLORS["orange"], ":"),
    )
    for key, label, color, style in lines:
        ax.plot(
            many if "process" in key else data["on_paper"], data[key], style, color=color, lw=1.1, ms=4, label=label
        )
    ax.set(xlabel="hospitals", ylabel="seconds a round", ylim=(0, None))
    ax.set_xticks(sorted({*many, data["on_paper"][-1]}))
    ax.legend(loc="center left", bbox_to_anchor=(1.01, 0.5), frameon=False, fontsize=7)
