"""Figures of notebook 09: our system beside the four reconstructed baselines and two controls."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure

from bfl_stpc.figures.style import COLORS, COLUMN, FULL

COLOR = {"ours": "blue", "baseline": "orange", "control": "grey"}
MARK = {"ours": "o", "baseline": "s", "control": "v"}
LINES = ("-", "--", ":", "-.", (0, (5, 1, 1, 1, 1, 1)))


def accuracy(fig: Figure, data: Mapping[str, Any]) -> None:
    """Draw each system's accuracy: a dot per seed, the mean and its 95 % interval, the Bayes ceiling.

    `data`: systems [{name, kind (ours, baseline, control), values (seeds,) in %, mean, interval [low, high] or None}],
    drawn from top to bottom; ceiling in %.
    """
    fig.set_size_inches(COLUMN, 0.27 * len(data["systems"]) + 0.9)
    ax = fig.subplots()
    for row, system in enumerate(data["systems"]):
        color = COLORS[COLOR[system["kind"]]]
        if system["interval"]:
            ax.plot(system["interval"], [row, row], color=color, lw=1.4)
        ax.plot(system["values"], [row] * len(system["values"]), MARK[system["kind"]], color=color, alpha=0.35, ms=3)
        ax.plot(system["mean"], row, MARK[system["kind"]], color=color, ms=5)
        ax.annotate(f"{system['mean']:.2f}", (1.01, row), xycoords=("axes fraction", "data"), fontsize=7, va="center")
    ax.axvline(data["ceiling"], color=COLORS["black"], ls="--", lw=0.8)
    ax.annotate("Bayes", (data["ceiling"], 0), xycoords=("data", "axes fraction"), xytext=(-2, 3), ha="right",
                textcoords="offset points", fontsize=7)  # fmt: skip
    ax.set_yticks(range(len(data["systems"])), [system["name"] for system in data["systems"]])
    ax.set(xlabel="test accuracy (%)", ylim=(len(data["systems"]) - 0.4, -0.6))


def roc(fig: Figure, data: Mapping[str, Any]) -> None:
    """Draw the corner of the ROC curves, mean over seeds, beside the Bayes curve.

    `data`: fpr (g,), curves {name: (seeds, g)}, bayes (g,), auc {name: number, "Bayes": number}.
    """
    fig.set_size_inches(COLUMN, 3.3)
    ax = fig.subplots()
    grid = np.asarray(data["fpr"])
    colors = ("blue", "orange", "green", "red", "purple")
    for number, (name, curves) in enumerate(data["curves"].items()):
        ax.plot(grid, np.mean(curves, axis=0), color=COLORS[colors[number % 5]], ls=LINES[number % 5],
                label=f"{name}  {data['auc'][name]:.4f}")  # fmt: skip
    ax.plot(grid, data["bayes"], color=COLORS["black"], lw=0.8, label=f"Bayes  {data['auc']['Bayes']:.4f}")
    lowest = min(float(np.interp(0.02, grid, np.mean(c, axis=0))) for c in data["curves"].values())
    ax.set(xlabel="false-positive rate", ylabel="true-positive rate", xlim=(0, 0.15), ylim=(lowest - 0.05, 1.003))
    ax.legend(loc="lower right", title="AUC")


def detection(fig: Figure, data: Mapping[str, Any]) -> None:
    """Draw which share of each kind of attack each system notices; a dash where the kind has no place.

    `data`: systems [name], kinds [name], recall (kinds, systems), None where the kind has no place.
    """
    recall = np.array([[np.nan if r is None else r for r in row] for row in data["recall"]], float)
    fig.set_size_inches(FULL * 0.72, 0.19 * len(data["kinds"]) + 1.0)
    ax = fig.subplots()
    shade = LinearSegmentedColormap.from_list("noticed", [COLORS["red"], "#f7e9d0", "#cfe6f5"])
    ax.imshow(recall, cmap=shade, vmin=0, vmax=1, aspect="auto")
    for (row, column), value in np.ndenumerate(recall):
        text = "–" if np.isnan(value) else f"{100 * value:.0f}"
        weak = np.isnan(value) or value >= 0.3
        ax.text(column, row, text, ha="center", va="center", fontsize=7, color="0.2" if weak else "white")
    ax.set_xticks(range(len(data["systems"])), data["systems"], rotation=20, ha="left", rotation_mode="anchor")
    ax.set_yticks(range(len(data["kinds"])), data["kinds"])
    ax.tick_params(top=True, labeltop=True, bottom=False, labelbottom=False, length=0)
    for side in ax.spines.values():
        side.set_visible(False)


def exposure(fig: Figure, data: Mapping[str, Any]) -> None:
    """Draw what accuracy costs in privacy: points below the ceiling, systems grouped by the most that one party sees.

    `data`: levels [text], from nothing to everything; systems [{name, kind, gap (points), level (index), noise}], of
    which those with noise, that is, with differential privacy, are hollow.
    """
    systems = sorted(data["systems"], key=lambda s: (s["level"], s["gap"]))
    fig.set_size_inches(FULL * 0.72, 0.25 * len(systems) + 0.9)
    ax = fig.subplots()
    before, shaded = None, True
    for row, system in enumerate(systems):
        if system["level"] != before:
            rows = [r for r, other in enumerate(systems) if other["level"] == system["level"]]
            before, shaded = system["level"], not shaded
            ax.axhspan(rows[0] - 0.5, rows[-1] + 0.5, color="0.94" if shaded else "white", lw=0, zorder=0)
            ax.annotate(data["levels"][before], (1.02, np.mean(rows)), xycoords=("axes fraction", "data"), fontsize=7,
                        va="center")  # fmt: skip
        color = COLORS[COLOR[system["kind"]]]
        ax.plot([0, system["gap"]], [row, row], color=color, lw=0.8)
        face = "white" if system["noise"] else color
        ax.plot(system["gap"], row, MARK[system["kind"]], color=color, mfc=face, ms=5, mew=1.2)
    ax.annotate("one party sees", (1.02, 1.0), xycoords="axes fraction", xytext=(0, 3), textcoords="offset points",
                fontsize=7, color="0.4")  # fmt: skip
    ax.set_yticks(range(len(systems)), [system["name"] for system in systems])
    ax.set(xlabel="points of accuracy below the Bayes rule", ylim=(len(systems) - 0.5, -0.5), xlim=(0, None))


def costs(fig: Figure, data: Mapping[str, Any]) -> None:
    """Draw four costs of each system as bars on logarithmic axes; "none" where a cost is zero.

    `data`: systems [name]; panels [{title, values (systems,)}].
    """
    fig.set_size_inches(FULL, 0.3 * len(data["systems"]) + 0.9)
    axes = fig.subplots(1, len(data["panels"]), sharey=True)
    for ax, panel in zip(axes, data["panels"]):
        _bars(ax, panel["title"], np.asarray(panel["values"], float))
    axes[0].set_yticks(range(len(data["systems"])), data["systems"])
    axes[0].invert_yaxis()


def _bars(ax: Axes, title: str, values: np.ndarray) -> None:
    shown = values[values > 0]
    low, high = shown.min() / 4, shown.max() * 30
    for row, value in enumerate(values):
        if value > 0:
            ax.barh(row, value - low, left=low, color=COLORS["blue" if row == 0 else "orange"], height=0.6)
        text = f"{value / 1e6:.3g} M" if value >= 1e6 else f"{value:.3g}" if value else "none"
        ax.annotate(text, (max(value, low), row), xytext=(3, 0), textcoords="offset points", va="center", fontsize=6.5)
    ax.set(xscale="log", xlim=(low, high), title=title)
    ax.minorticks_off()
