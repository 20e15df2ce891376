"""Figures of notebook 11: real hospitals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bfl_stpc.figures.style import COLORS, COLUMN, FULL

COLOR = {
    "alone": "grey",
    "together": "blue",
    "home": "red",
    "pooled": "orange",
    "private": "green",
    "control": "purple",
}
MARK = {"alone": "v", "together": "o", "home": "^", "pooled": "s", "private": "D", "control": "x"}


def _interval(ax: Axes, row: float, point: Mapping[str, Any], kind: str, **style: Any) -> None:
    """Draw a value with its interval on a line; nothing where the value is not defined."""
    if point["value"] is None:
        return
    color = COLORS[COLOR[kind]]
    if point["low"] is not None:
        ax.plot([point["low"], point["high"]], [row, row], color=color, lw=1.2)
    ax.plot(point["value"], row, MARK[kind], color=color, ms=4.5, **style)


def flamby(fig: Figure, data: Mapping[str, Any]) -> None:
    """Draw FLamby's published rows and ours: accuracy on the same test patients.

    `data`: rows [{name, ours (bool), federated (bool), value, low, high}], from top to bottom: of ours the interval
    over patients, of theirs one standard deviation of the seeds to each side; best, the best federated row of theirs.
    """
    fig.set_size_inches(COLUMN * 1.25, 0.25 * len(data["rows"]) + 1.0)
    ax = fig.subplots()
    ax.axvline(data["best"], color="0.6", lw=0.8, ls="--", zorder=0)
    for row, entry in enumerate(data["rows"]):
        color = COLORS["blue" if entry["ours"] else "orange"]
        ax.plot([entry["low"], entry["high"]], [row, row], color=color, lw=1.3 if entry["ours"] else 0.9)
        face = color if entry["federated"] else "white"
        ax.plot(entry["value"], row, "o" if entry["ours"] else "s", color=color, mfc=face, ms=4.5)
        ax.annotate(f"{entry['value']:.3f}", (1.01, row), xycoords=("axes fraction", "data"), fontsize=7, va="center")
    first = sum(not entry["ours"] for entry in data["rows"])
    ax.axhline(first - 0.5, color="0.8", lw=0.6)
    ax.set_yticks(range(len(data["rows"])), [entry["name"] for entry in data["rows"]])
    ax.set(xlabel="accuracy on the pooled test patients (hollow: not federated)", ylim=(len(data["rows"]) - 0.5, -0.5))
    ax.xaxis.label.set_fontsize(7)


def ways(fig: Figure, data: Mapping[str, Any]) -> None:
    """Draw the AUC of each way of learning on each table, with its interval over patients.

    `data`: tables [{name, rows [{name, kind, value, low, high}]}].
    """
    names = [row["name"] for row in data["tables"][0]["rows"]]
    fig.set_size_inches(FULL, 0.24 * len(names) + 0.9)
    axes = np.atleast_1d(fig.subplots(1, len(data["tables"]), sharey=True))
    for ax, table in zip(axes, data["tables"]):
        ax.axvline(0.5, color="0.6", lw=0.8, ls="--", zorder=0)
        for row in table["rows"]:
            _interval(ax, names.index(row["name"]), row, row["kind"])
        ax.set(title=table["name"], xlabel="AUC")
    axes[0].set_yticks(range(len(names)), names)
    axes[0].set_ylim(len(names) - 0.5, -0.5)


def hospitals(fig: Figure, data: Mapping[str, Any]) -> None:
    """Draw accuracy, balanced accuracy and AUC at each hospital, for some ways of learning.

    `data`: hospitals [{name, patients, majority}], ways [{name, kind}], panels [{title, points (hospitals, ways) of
    {value, low, high} or None values}]; the first panel also gets each hospital's majority rate as a bar.
    """
    count, ways_ = len(data["hospitals"]), data["ways"]
    fig.set_size_inches(FULL, 0.62 * count + 1.0)
    axes = fig.subplots(1, len(data["panels"]), sharey=True)
    offsets = np.linspace(-0.27, 0.27, len(ways_))
    for number, (ax, panel) in enumerate(zip(axes, data["panels"])):
        for row, points in enumerate(panel["points"]):
            for offset, way, point in zip(offsets, ways_, points):
                _interval(ax, row + offset, point, way["kind"])
        if number == 0:
            for row, hospital in enumerate(data["hospitals"]):
                ax.plot([hospital["majority"]] * 2, [row - 0.4, row + 0.4], color="black", lw=1.6)
        else:
            ax.axvline(0.5, color="0.6", lw=0.8, ls="--", zorder=0)
        for row in range(1, count):
            ax.axhline(row - 0.5, color="0.9", lw=0.5, zorder=0)
        ax.set(xlabel=panel["title"])
    labels = [f"{h['name']}\n{h['patients']} tested" for h in data["hospitals"]]
    axes[0].set_yticks(range(count), labels)
    axes[0].set_ylim(count - 0.5, -0.5)
    for way in ways_:
        axes[0].plot(
            [], [], MARK[way["kind"]] + "-", color=COLORS[COLOR[way["kind"]]], label=way["name"], ms=4.5, lw=1.2
        )
    axes[0].plot([], [], "|", color="black", ms=8, mew=1.6, label="always the more frequent answer")
    fig.legend(loc="outside upper left", ncols=3)


def gain(fig: Figure, data: Mapping[str, Any]) -> None:
    """Draw what each hospital gains by learning together: the Brier score alone less that of the shared model.

    `data`: size (h,) records, gain (h,), same order; mean {value, low, high} over all patients.
    """
    fig.set_size_inches(COLUMN, 2.6)
    ax = fig.subplots()
    ax.axhspan(data["mean"]["low"], data["mean"]["high"], color=COLORS["blue"], alpha=0.18, lw=0)
    ax.axhline(data["mean"]["value"], color=COLORS["blue"], lw=1)
    ax.axhline(0, color="0.6", lw=0.8, ls="--")
    won = np.asarray(data["gain"]) > 0
    for face, kept, mark in ((COLORS["blue"], won, "o"), ("white", ~won, "v")):
        ax.plot(
            np.asarray(data["size"])[kept], np.asarray(data["gain"])[kept], mark, color=COLORS["blue"], mfc=face, ms=4
        )
    ax.set(xscale="log", xlabel="records of the hospital", ylabel="Brier score alone − together")
    ax.set_xticks([1, 3, 10, 30, 100], ["1", "3", "10", "30", "100"])
    ax.minorticks_off()
    for text, height in (("together is better", 0.97), ("alone is better", 0.03)):
        edge = "top" if height > 0.5 else "bottom"
        ax.annotate(text, (0.98, height), xycoords="axes fraction", ha="right", va=edge, fontsize=7, color="0.35")


def benefit(fig: Figure, data: Mapping[str, Any]) -> None:
    """Draw decision curves: net benefit against the risk at which one would treat.

    `data`: tables [{name, threshold (t,), all (t,), curves [{name, kind, value (t,), low (t,), high (t,)}]}]; the band
    of the first curve is drawn.
    """
    fig.set_size_inches(FULL, 2.5)
    axes = np.atleast_1d(fig.subplots(1, len(data["tables"])))
    lines = {"home": "-", "together": (0, (5, 1)), "private": "--", "alone": ":", "pooled": "-."}
    for ax, table in zip(axes, data["tables"]):
        at = np.asarray(table["threshold"])
        ax.axhline(0, color="0.3", lw=0.8)
        ax.plot(at, table["all"], color="0.6", lw=0.9)
        for number, curve in enumerate(table["curves"]):
            color = COLORS[COLOR[curve["kind"]]]
            if number == 0:
                ax.fill_between(at, curve["low"], curve["high"], color=color, alpha=0.15, lw=0)
            ax.plot(at, curve["value"], ls=lines[curve["kind"]], color=color, label=curve["name"])
        top = max(max(curve["high"] if n == 0 else curve["value"]) for n, curve in enumerate(table["curves"]))
        ax.set(
            title=table["name"], xlabel="risk at which to treat", xlim=(at[0], at[-1]), ylim=(-0.25 * top, 1.08 * top)
        )
    axes[0].set_ylabel("net benefit per patient")
    axes[0].plot([], [], color="0.6", lw=0.9, label="treat everybody")
    axes[0].plot([], [], color="0.3", lw=0.8, label="treat nobody")
    handles, labels = axes[0].get_legend_handles_labels()
    fig.legend(handles, labels, loc="outside upper left", ncols=len(labels))


def fairness(fig: Figure, data: Mapping[str, Any]) -> None:
    """Draw AUC and excess of predicted risk for groups of patients, with intervals.

    `data`: rows [{table, group, patients, auc {value, low, high}, excess {value, low, high}}], in order.
    """
    rows: Sequence[Mapping[str, Any]] = data["rows"]
    fig.set_size_inches(FULL * 0.8, 0.22 * len(rows) + 1.0)
    axes = fig.subplots(1, 2, sharey=True)
    for ax, word, title, zero in zip(axes, ("auc", "excess"), ("AUC", "predicted risk − share of the ill"), (0.5, 0)):
        ax.axvline(zero, color="0.6", lw=0.8, ls="--", zorder=0)
        for number, row in enumerate(rows):
            _interval(ax, number, row[word], "home")
        for number in range(1, len(rows)):
            if rows[number]["table"] != rows[number - 1]["table"]:
                ax.axhline(number - 0.5, color="0.8", lw=0.6, zorder=0)
        ax.set(xlabel=title)
    axes[0].set_yticks(range(len(rows)), [f"{row['table']}: {row['group']} ({row['patients']})" for row in rows])
    axes[0].set_ylim(len(rows) - 0.5, -0.5)
