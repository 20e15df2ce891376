"""Figures of notebook 10: what each combination of components gives, and the same under other difficulties."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from bfl_stpc.figures.style import COLORS, FULL

STATES = {
    "noticed": ("#dbe9f4", "●"),
    "sometimes": ("#f2c27b", "◐"),
    "unnoticed": (COLORS["red"], "○"),
    "no place": ("white", "–"),
}
LINES: Mapping[str, tuple[str, str]] = {  # colour and marker with line style, in the order in which they are drawn
    "BFL-STPC": ("blue", "o-"),
    "BFL-STPC, ε = 3": ("sky", "o--"),
    "PPFLB-style": ("orange", "s--"),
    "FLBM-IoT-style": ("green", "D:"),
    "central": ("black", "^-."),
    "alone": ("grey", "v-"),
}
HOLLOW = ("FLBM-IoT-style",)  # learns as ours does: its marks stand around ours


def overview(fig: Figure, data: Mapping[str, Any]) -> None:
    """Draw every combination in a row: what is on, accuracy, attacks that succeed, attacks unnoticed, cost.

    `data`: components [name]; rows [{on (components,) of bool, group, noisy, accuracy, low, high (%; None without
    interval), answered (seats,) counts or None, unnoticed, places (counts), ratio or None}], drawn from top to bottom
    with a rule where `group` (text) changes; seats [name], questions, kinds (counts).
    """
    rows = data["rows"]
    n = len(rows)
    fig.set_size_inches(FULL, 0.185 * n + 1.35)
    axes = fig.subplots(1, 5, sharey=True, width_ratios=(1.25, 1.5, 1.2, 1.25, 1.35))
    _switches(axes[0], data["components"], [row["on"] for row in rows])
    _accuracies(axes[1], rows)
    _answers(axes[2], rows, data["seats"], data["questions"])
    _unnoticed(axes[3], rows, data["kinds"])
    _ratios(axes[4], rows)
    for ax in axes:
        for place in range(1, n):
            if rows[place]["group"] != rows[place - 1]["group"]:
                ax.axhline(place - 0.5, color="0.55", lw=0.7)
        ax.axhspan(n - 1.5, n - 0.5, color="0.92", lw=0, zorder=0)
        ax.tick_params(axis="y", length=0)
        ax.set_ylim(n - 0.5, -0.5)
    axes[0].set_yticks([])
    groups = [row["group"] for row in rows]
    for name in dict.fromkeys(groups):
        middle = float(np.mean([place for place, group in enumerate(groups) if group == name]))
        axes[0].annotate(name, (-0.06, middle), xycoords=("axes fraction", "data"), rotation=90, ha="right",
                         va="center", fontsize=7)  # fmt: skip


def _switches(ax: Axes, names: Sequence[str], on: Sequence[Sequence[bool]]) -> None:
    for row, switches in enumerate(on):
        for column, switch in enumerate(switches):
            ax.plot(column, row, "o", ms=5, color="black" if switch else "0.86", mec="none")
    ax.set_xticks(range(len(names)), names, rotation=60, ha="left", rotation_mode="anchor")
    ax.set_xlim(-0.6, len(names) - 0.4)
    _heads(ax)


def _heads(ax: Axes) -> None:
    ax.tick_params(axis="x", top=True, labeltop=True, bottom=False, labelbottom=False, length=0)
    for side in ax.spines.values():
        side.set_visible(False)


def _accuracies(ax: Axes, rows: Sequence[Mapping[str, Any]]) -> None:
    for place, row in enumerate(rows):
        color = COLORS["orange" if row["noisy"] else "blue"]
        if row["low"] is not None:
            ax.plot([row["low"], row["high"]], [place, place], color=color, lw=1.4)
        ax.plot(row["accuracy"], place, "s" if row["noisy"] else "o", color=color, ms=3.5)
    ax.set_xlabel("accuracy (%)")


def _answers(ax: Axes, rows: Sequence[Mapping[str, Any]], seats: Sequence[str], questions: int) -> None:
    shade = LinearSegmentedColormap.from_list("answers", ["#ffffff", COLORS["red"]])
    for place, row in enumerate(rows):
        for column, count in enumerate(row["answered"]):
            if count is None:
                ax.text(column, place, "·", ha="center", va="center", fontsize=7, color="0.5")
                continue
            box = (column - 0.46, place - 0.44)
            ax.add_patch(Rectangle(box, 0.92, 0.88, fc=shade(count / questions), ec="0.8", lw=0.4))
            dark = "white" if count / questions > 0.6 else "0.2"
            ax.text(column, place, str(count), ha="center", va="center", fontsize=6.5, color=dark)
    ax.set_xticks(range(len(seats)), seats, rotation=60, ha="left", rotation_mode="anchor")
    ax.set_xlim(-0.6, len(seats) - 0.4)
    _heads(ax)
    ax.set_xlabel(f"secrets read,\nof {questions}")


def _unnoticed(ax: Axes, rows: Sequence[Mapping[str, Any]], kinds: int) -> None:
    for place, row in enumerate(rows):
        ax.barh(place, row["places"], color="#dbe9f4", height=0.72)
        ax.barh(place, row["unnoticed"], color=COLORS["red"], height=0.72)
        label = str(row["unnoticed"])
        ax.text(row["places"] + 0.3, place, label, ha="left", va="center", fontsize=6.5)
    ax.set(xlim=(0, kinds * 1.16), xlabel=f"kinds of attack\nlet through, of {kinds}")
    ax.set_xticks([0, kinds // 2, kinds])


def _ratios(ax: Axes, rows: Sequence[Mapping[str, Any]]) -> None:
    known = [row["ratio"] for row in rows if row["ratio"] is not None]
    low, high = min(0.5, *known), max(known)
    for place, row in enumerate(rows):
        if row["ratio"] is None:
            ax.text(low * 1.1, place, "collected once", va="center", fontsize=6.5, color="0.4")
            continue
        ax.plot([low, row["ratio"]], [place, place], color="0.75", lw=0.8)
        ax.plot(row["ratio"], place, "o", color="0.25", ms=3.5)
        ax.text(row["ratio"] * 1.18, place, f"{row['ratio']:.1f}", va="center", fontsize=6.5)
    ax.set(xscale="log", xlim=(low, high * 3), xlabel="time of a round,\n× bare FL")
    ticks = [tick for tick in (1, 10, 100, 1000) if tick < high * 3]
    ax.set_xticks(ticks, [str(tick) for tick in ticks])
    ax.minorticks_off()


def unnoticed(fig: Figure, data: Mapping[str, Any]) -> None:
    """Draw what became of each kind of attack (a row) under each combination (a column).

    `data`: kinds [name]; columns [{name, on (components,) of bool}]; components [name]; states (kinds, columns) of
    `noticed`, `sometimes`, `unnoticed` or `no place`.
    """
    kinds, columns, parts = data["kinds"], data["columns"], data["components"]
    fig.set_size_inches(FULL * 0.72, 0.2 * (len(kinds) + len(parts)) + 0.75)
    top, below = fig.subplots(2, 1, sharex=True, height_ratios=(len(parts), len(kinds)))
    for column, entry in enumerate(columns):
        for row, switch in enumerate(entry["on"]):
            top.plot(column, row, "o", ms=5, color="black" if switch else "0.86", mec="none")
    top.set_yticks(range(len(parts)), parts)
    top.set_ylim(len(parts) - 0.5, -0.5)
    for row, states in enumerate(data["states"]):
        for column, state in enumerate(states):
            color, mark = STATES[state]
            below.add_patch(Rectangle((column - 0.47, row - 0.45), 0.94, 0.9, fc=color, ec="0.8", lw=0.4))
            ink = "white" if state == "unnoticed" else "0.25"
            below.text(column, row, mark, ha="center", va="center", fontsize=7, color=ink)
    below.set_yticks(range(len(kinds)), kinds)
    below.set(xlim=(-0.6, len(columns) - 0.4), ylim=(len(kinds) - 0.5, -0.5))
    below.set_xlabel("● noticed every time   ◐ sometimes   ○ never   – no place for it")
    for ax in (top, below):
        ax.set_xticks([])
        ax.tick_params(length=0)
        for side in ax.spines.values():
            side.set_visible(False)


def difficulty(fig: Figure, data: Mapping[str, Any]) -> None:
    """Draw accuracy, and points below the Bayes rule, against the Bayes ceiling; and where printed numbers could lie.

    A printed number may lie anywhere on its band, right of the Bayes ceiling; the star is where our system reaches it.

    `data`: ceilings (k,) in %; systems {name: {accuracy, gap (k,), and low, high (k,) of the gap or None}};
    printed [{name, system, value in %, ceiling in % or None}].
    """
    fig.set_size_inches(FULL, 3.3)
    left, right = fig.subplots(1, 2)
    x = np.asarray(data["ceilings"], float)
    left.plot(x, x, color="0.6", lw=0.8)
    left.annotate("Bayes ceiling", (x[0], x[0]), xytext=(8, 12), textcoords="offset points", fontsize=6.5,
                  color="0.4", rotation=38)  # fmt: skip
    for name, system in data["systems"].items():
        color, style = LINES[name]
        look = {"color": COLORS[color], "lw": 1.0, "ms": 3}
        if name in HOLLOW:
            look |= {"ms": 6.5, "mfc": "none", "mew": 1.0}
        left.plot(x, system["accuracy"], style, **look)
        right.plot(x, system["gap"], style, **look, label=name)
        if system["low"] is not None:
            right.vlines(x, system["low"], system["high"], color=COLORS[color], lw=0.8)
    for entry in data["printed"]:
        color = COLORS[LINES[entry["system"]][0]]
        left.plot([x[0], entry["value"]], [entry["value"]] * 2, color=color, lw=0.7, ls=(0, (1, 2)))
        left.plot([entry["value"], 100], [entry["value"]] * 2, color=color, lw=3.0, alpha=0.25, solid_capstyle="butt")
        left.annotate(f"{entry['name']} {entry['value']:.2f}", (x[0], entry["value"]), xytext=(0, 2),
                      textcoords="offset points", fontsize=6.5, color=color)  # fmt: skip
        if entry["ceiling"] is not None:
            left.plot(entry["ceiling"], entry["value"], "*", color=color, ms=10, mfc="white", mew=1.0, zorder=4)
    left.set(xlabel="Bayes ceiling (%)", ylabel="test accuracy (%)", title="accuracy, and the printed numbers (☆)")
    right.set(xlabel="Bayes ceiling (%)", ylabel="points below the Bayes rule", title="what is missing to the ceiling")
    right.set_ylim(0, None)
    fig.legend(*right.get_legend_handles_labels(), loc="outside lower center", ncol=3)
