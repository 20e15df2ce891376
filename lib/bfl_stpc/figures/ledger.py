"""Figures of the ledger: where a login's time goes, gas, a record's consents, growth of the trail."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bfl_stpc.figures.style import COLORS, COLUMN, FULL, PLATE

# Parts of a login, in the order in which they happen, and the measured steps that each sums.
PARTS = {
    "ask": ("challenge",),
    "sign": ("typed", "build", "sign"),
    "execute": ("execute",),
    "the rest": ("submit", "mine", "receipt", "decode"),
}
SHADES = (COLORS["sky"], COLORS["orange"], COLORS["blue"], "0.8")
INKS = ("black", "black", "white", "black")  # of the text on each shade


def login_steps(fig: Figure, data: Mapping[str, Any]) -> None:
    """Draw the time of a login as a stacked bar for each library, beside the printed value.

    `data`: runs, a list of {name, steps: milliseconds by step, p95 in ms}; printed, ms.
    """
    fig.set_size_inches(FULL, 2.0)
    ax = fig.subplots()
    longest = max(data["printed"], *(sum(run["steps"].values()) for run in data["runs"]))
    for row, run in enumerate(data["runs"]):
        left = 0.0
        for (part, steps), shade, ink in zip(PARTS.items(), SHADES, INKS):
            width = sum(run["steps"][s] for s in steps)
            name = part if row == 0 else None  # in the legend, once
            ax.barh(row, width, left=left, color=shade, edgecolor="white", height=0.6, label=name)
            if width > 0.03 * longest:
                ax.text(left + width / 2, row, f"{width:.1f}", ha="center", va="center", color=ink, fontsize=7)
            left += width
        text = f"{left:.0f} ms\n95 %: {run['p95']:.0f} ms"
        ax.annotate(text, (left, row), xytext=(4, 0), textcoords="offset points", va="center", fontsize=7, bbox=PLATE)
    rows = len(data["runs"])
    ax.axvline(data["printed"], color=COLORS["red"], lw=1, ls="--")
    ax.annotate(
        f"printed: {data['printed']} ms", (data["printed"], rows - 0.5), xytext=(-4, 0), textcoords="offset points",
        color=COLORS["red"], ha="right", va="center", fontsize=8,
    )  # fmt: skip
    ax.set_yticks(range(rows), [run["name"] for run in data["runs"]])
    ax.set(xlabel="time from challenge request to verdict (ms, medians of the steps)", ylim=(-0.5, rows))
    ax.set_xlim(0, 1.12 * longest)
    ax.legend(loc="upper left", ncols=len(PARTS), handlelength=1, columnspacing=1.2)


def gas(fig: Figure, data: Mapping[str, Any]) -> None:
    """Draw the gas of each operation, by group, with one published value beside its own operation.

    `data`: operations, a list of {name, gas, group}; published: {name, gas, operation}.
    """
    operations = data["operations"]
    fig.set_size_inches(FULL, 0.19 * len(operations) + 0.7)
    ax = fig.subplots()
    groups = list(dict.fromkeys(o["group"] for o in operations))
    shades = dict(zip(groups, (COLORS["blue"], COLORS["orange"], COLORS["green"], COLORS["grey"])))
    for row, o in enumerate(operations):
        ax.barh(row, o["gas"] / 1e3, color=shades[o["group"]], height=0.7)
        ax.text(o["gas"] / 1e3 + 1, row, f"{o['gas'] / 1e3:.1f}", va="center", fontsize=7)
        if o["name"] == data["published"]["operation"]:
            at = data["published"]["gas"] / 1e3
            ax.plot(at, row, "D", color="black", ms=4)
            ax.annotate(
                data["published"]["name"], (at, row), xytext=(8, 0), textcoords="offset points", va="center", fontsize=7
            )
    for group in groups:
        middle = float(np.mean([i for i, o in enumerate(operations) if o["group"] == group]))
        ax.text(1.01, middle, group, transform=ax.get_yaxis_transform(), va="center", fontsize=8, color=shades[group])
    ax.set_yticks(range(len(operations)), [o["name"] for o in operations], fontsize=7)
    ax.invert_yaxis()
    ax.set(xlabel="gas (thousands)", xlim=(0, 1.12 * max(o["gas"] for o in operations) / 1e3))


def consents(fig: Figure, data: Mapping[str, Any]) -> None:
    """Draw one record's consents as bars over time, and each decision as a dot on its row.

    `data`: rows, labels; grants, a list of {row, start, end, text}; decisions, a list of {row, time, permitted};
    marks, a list of {time, text} of what happened to the whole record. Times in minutes.
    """
    fig.set_size_inches(FULL, 0.42 * len(data["rows"]) + 1.0)
    ax = fig.subplots()
    for g in data["grants"]:
        ax.barh(
            g["row"], g["end"] - g["start"], left=g["start"], height=0.5, color=COLORS["sky"], edgecolor="0.3", lw=0.6
        )
        ax.text(g["start"] + 0.4, g["row"] - 0.33, g["text"], fontsize=6.5, va="bottom")
    for kind, marker, face in ((True, "o", COLORS["blue"]), (False, "X", COLORS["red"])):
        some = [d for d in data["decisions"] if d["permitted"] is kind]
        ax.scatter(
            [d["time"] for d in some], [d["row"] for d in some], marker=marker, s=34, color=face, edgecolors="white",
            linewidths=0.6, zorder=3, clip_on=False,
        )  # fmt: skip
    for mark in data["marks"]:
        ax.axvline(mark["time"], color="0.4", lw=0.8, ls=":")
        ax.text(mark["time"], -0.75, mark["text"], ha="center", va="bottom", fontsize=7, color="0.25")
    ax.set_yticks(range(len(data["rows"])), data["rows"])
    ax.set(xlabel="minutes since enrolment   (dot: permitted, cross: refused)", ylim=(len(data["rows"]) - 0.5, -0.7))
    ax.set_xlim(left=0)


def growth(fig: Figure, data: Mapping[str, Any]) -> None:
    """Draw the time to review a whole trail, its next hundred entries, and one entry, against its size.

    `data`: points, a list of {entries, review_s, next_100_s, verify_one_ms}.
    """
    fig.set_size_inches(COLUMN, 2.5)
    ax: Axes = fig.subplots()
    size = [p["entries"] for p in data["points"]]
    series = (
        ("all entries", [1e3 * p["review_s"] for p in data["points"]], "o", COLORS["blue"]),
        ("the next 100", [1e3 * p["next_100_s"] for p in data["points"]], "s", COLORS["orange"]),
        ("one, by its proof", [p["verify_one_ms"] for p in data["points"]], "^", COLORS["green"]),
    )
    for name, values, marker, color in series:
        ax.plot(size, values, marker=marker, color=color, ms=4)
        rises = values[-1] > 10 * values[0]
        offset = (-8, 0) if rises else (0, 6)
        ax.annotate(
            name, (size[-1], values[-1]), xytext=offset, textcoords="offset points", color=color, ha="right",
            va="center" if rises else "bottom", fontsize=8,
        )  # fmt: skip
    ax.set(xscale="log", yscale="log", xlabel="entries in the trail", ylabel="time to verify (ms)")
    ax.margins(y=0.2)
