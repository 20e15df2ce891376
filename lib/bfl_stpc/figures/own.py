"""Figures of a table of one's own that the study of real hospitals does not have."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from matplotlib.figure import Figure

from bfl_stpc.figures.real import COLOR
from bfl_stpc.figures.style import COLORS, COLUMN, FULL

LINES = {"together": "-", "private": "--", "alone": ":", "pooled": "-."}


def cohort(fig: Figure, data: Mapping[str, Any]) -> None:
    """Draw each hospital's number of patients, and its share with the outcome.

    `data`: hospitals [{name, patients, outcome, low, high}], the largest first; share, of all patients.
    """
    rows = data["hospitals"]
    fig.set_size_inches(FULL * 0.8, 0.2 * len(rows) + 0.9)
    left, right = fig.subplots(1, 2, sharey=True)
    places = range(len(rows))
    left.barh(places, [row["patients"] for row in rows], color=COLORS["grey"], height=0.7)
    left.set(xlabel="patients")
    right.axvline(data["share"], color="0.6", lw=0.8, ls="--", zorder=0)
    for place, row in enumerate(rows):
        right.plot([row["low"], row["high"]], [place, place], color=COLORS["blue"], lw=1.2)
        right.plot(row["outcome"], place, "o", color=COLORS["blue"], ms=4.5)
    right.set(xlabel="share with the outcome (dashed: of all)")
    left.set_yticks(places, [row["name"] for row in rows])
    left.set_ylim(len(rows) - 0.5, -0.5)


def roc(fig: Figure, data: Mapping[str, Any]) -> None:
    """Draw ROC curves; the band of the first is its 95 % interval over patients.

    `data`: curves [{name, kind, false (g,), true (g,), low (g,), high (g,)}].
    """
    fig.set_size_inches(COLUMN, COLUMN)
    ax = fig.subplots()
    ax.plot([0, 1], [0, 1], color="0.6", lw=0.8, ls="--", label="a coin")
    for number, curve in enumerate(data["curves"]):
        color = COLORS[COLOR[curve["kind"]]]
        if number == 0:
            ax.fill_between(curve["false"], curve["low"], curve["high"], color=color, alpha=0.15, lw=0)
        ax.plot(curve["false"], curve["true"], LINES[curve["kind"]], color=color, label=curve["name"], lw=1.3)
    ax.set(xlabel="false-positive rate", ylabel="true-positive rate", xlim=(0, 1), ylim=(0, 1.01), aspect="equal")
    ax.legend(loc="lower right")
