"""Figures of notebook 02: federated learning beside its controls and its ceiling."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bfl_stpc.figures.style import COLORS, COLUMN, FULL

METHOD = {
    "pooled": "black", "federated": "blue", "alone": "orange", "personal": "green", "multi-task": "purple",
    "Bayes": "grey",
}  # fmt: skip
MARK = {"pooled": "s", "federated": "o", "alone": "v", "personal": "^", "multi-task": "D"}


def convergence(fig: Figure, data: Mapping[str, Any]) -> None:
    """Draw accuracy per round: thin lines for hospitals, a thick one for all patients, dashed for the ceiling.

    `data`: rounds (R,); pooled (R,) accuracy over all test patients, mean over seeds; hospitals {name: (R,)};
    ceiling; centralised: accuracy of pooled training.
    """
    fig.set_size_inches(COLUMN, 2.7)
    ax = fig.subplots()
    rounds, percent = np.asarray(data["rounds"]), 100.0
    for curve in data["hospitals"].values():
        ax.plot(rounds, percent * np.asarray(curve), color=COLORS["sky"], lw=0.6, alpha=0.8)
    ax.plot(rounds, percent * np.asarray(data["pooled"]), color=COLORS["blue"], lw=1.8)
    ax.axhline(percent * data["ceiling"], color=COLORS["grey"], ls="--", lw=0.9)
    ax.axhline(percent * data["centralised"], color=COLORS["black"], ls=":", lw=0.9)
    names = {"Bayes ceiling (dashed)": "grey", "all data pooled (dotted)": "black", "all patients": "blue",
             "each hospital's patients": "sky"}  # fmt: skip
    for row, (name, color) in enumerate(names.items()):
        ax.text(0.98, 0.29 - 0.08 * row, name, transform=ax.transAxes, ha="right", color=COLORS[color], fontsize=7)
    start = np.quantile([curve[0] for curve in data["hospitals"].values()], 0.25)
    ax.set(xlabel="round", ylabel="test accuracy (%)", ylim=(percent * start - 3, 100), xlim=(rounds[0], rounds[-1]))


def level(ax: Axes, y: float, name: str, color: str, style: str, offset: float) -> None:
    """Draw a named horizontal line; the name stands `offset` points above it, or below if negative."""
    ax.axhline(y, color=COLORS[color], ls=style, lw=0.9)
    ax.annotate(name, (0.02, y), xycoords=("axes fraction", "data"), xytext=(0, offset), textcoords="offset points",
                color=COLORS[color], fontsize=7)  # fmt: skip


def roc(fig: Figure, data: Mapping[str, Any]) -> None:
    """Draw ROC curves with bands over seeds, the Bayes ROC beside them; right, the corner enlarged.

    `data`: fpr (g,), curves {method: (seeds, g)}, bayes (g,), auc {method: number, "Bayes": number}.
    """
    fig.set_size_inches(FULL, 3.0)
    whole, corner = fig.subplots(1, 2)
    grid = np.asarray(data["fpr"])
    for ax in (whole, corner):
        ax.plot(grid, data["bayes"], color=COLORS["black"], ls="--", lw=1, label=f"Bayes  {data['auc']['Bayes']:.4f}")
        for name, curves in data["curves"].items():
            c = np.asarray(curves)
            ax.plot(grid, c.mean(0), color=COLORS[METHOD[name]], label=f"{name}  {data['auc'][name]:.4f}",
                    ls={"alone": "-.", "pooled": ":"}.get(name, "-"))  # fmt: skip
            ax.fill_between(grid, c.min(0), c.max(0), color=COLORS[METHOD[name]], alpha=0.2, lw=0)
        ax.set(xlabel="false-positive rate", ylabel="true-positive rate")
    whole.plot([0, 1], [0, 1], color="0.8", lw=0.7)
    whole.set(xlim=(0, 1), ylim=(0, 1.005))
    whole.legend(loc="lower right", title="AUC")
    corner.set(xlim=(0, 0.15), ylim=(0.8, 1.002), title="the corner, enlarged")


def per_hospital(fig: Figure, data: Mapping[str, Any]) -> None:
    """Draw each hospital's AUC under several models, hospitals ordered by size; bars are ranges over seeds.

    `data`: hospitals [name], records [n], auc {method: (seeds, hospitals)}, bayes (hospitals,).
    """
    fig.set_size_inches(FULL, 2.8)
    ax = fig.subplots()
    order = np.argsort(data["records"])[::-1]
    x = np.arange(order.size)
    ax.plot(x, np.asarray(data["bayes"])[order], "_", color=COLORS["grey"], ms=22, mew=1.2)
    ax.annotate("Bayes", (x[-1], data["bayes"][order[-1]]), xytext=(14, 2), textcoords="offset points",
                color=COLORS["grey"], fontsize=7)  # fmt: skip
    for number, (name, values) in enumerate(data["auc"].items()):
        v = np.asarray(values)[:, order]
        at = x + 0.16 * (number - (len(data["auc"]) - 1) / 2)
        ax.vlines(at, v.min(0), v.max(0), color=COLORS[METHOD[name]], lw=1)
        ax.plot(at, v.mean(0), MARK[name], color=COLORS[METHOD[name]], ms=4, label=name)
    names = [f"{data['hospitals'][k].removeprefix('hospital-')}\n{data['records'][k]}" for k in order]
    ax.set_xticks(x, names)
    ax.set(xlabel="hospital, and its training records", ylabel="test AUC", xlim=(-0.6, x[-1] + 0.9))
    ax.legend(ncols=len(data["auc"]), loc="lower left")


def calibration(fig: Figure, data: Mapping[str, Any]) -> None:
    """Draw observed against predicted risk, on log-odds scales, with the share of patients in each group.

    `data`: {method: {predicted: (b,), observed: (b,), patients: (b,)}}.
    """
    fig.set_size_inches(COLUMN, 2.9)
    ax = fig.subplots()
    ticks = [0.0001, 0.001, 0.01, 0.1, 0.5, 0.9, 0.99, 0.999]
    low, high = 5e-5, 1 - 5e-5

    def odds(p: Any) -> Any:
        p = np.clip(p, low, high)
        return np.log(p / (1 - p))

    ax.plot([odds(low), odds(high)], [odds(low), odds(high)], color="0.7", lw=0.8)
    for name, bins in data.items():
        n, observed = np.asarray(bins["patients"]), np.asarray(bins["observed"])
        # A group without events is drawn at half an event, as for a corrected proportion.
        shown = (observed * n + 0.5) / (n + 1)
        ax.plot(odds(bins["predicted"]), odds(shown), f"{MARK[name]}-", color=COLORS[METHOD[name]], lw=0.7, label=name)
    labels = [f"{t:g}" for t in ticks]
    ax.set_xticks(odds(np.array(ticks)), labels, rotation=45)
    ax.set_yticks(odds(np.array(ticks)), labels)
    ax.set(xlabel="predicted risk", ylabel="observed share")
    ax.legend(loc="upper left")


def costs(fig: Figure, data: Mapping[str, Any]) -> None:
    """Draw how far below the ceiling each way of splitting or scaling leaves the model: a dot per seed.

    `data`: {name: [gap in points, one a seed]}; drawn from top to bottom.
    """
    fig.set_size_inches(COLUMN, 0.28 * len(data) + 0.7)
    ax = fig.subplots()
    for row, gaps in enumerate(data.values()):
        ax.plot(gaps, [row] * len(gaps), "o", color=COLORS["blue"], alpha=0.5, ms=3)
        ax.plot(np.mean(gaps), row, "|", color=COLORS["black"], ms=10, mew=1.5)
        ax.annotate(f"{np.mean(gaps):.2f}", (1.01, row), xycoords=("axes fraction", "data"), fontsize=7, va="center")
    ax.set_yticks(range(len(data)), list(data))
    ax.invert_yaxis()
    ax.set(xlabel="points below the Bayes accuracy", xlim=(0, None))


def learning_curve(fig: Figure, data: Mapping[str, Any]) -> None:
    """Draw the gap to the ceiling against the number of training patients, on logarithmic scales.

    `data`: models {name: {patients: (s,), gap: (s,) in points}}, goal: the gap aimed at, study: the study's own number
    of training patients.
    """
    fig.set_size_inches(COLUMN, 2.6)
    ax = fig.subplots()
    styles = zip(("blue", "orange", "black"), ("o-", "v--", "s:"))
    for (name, curve), (color, style) in zip(data["models"].items(), styles):
        ax.plot(curve["patients"], curve["gap"], style, color=COLORS[color], label=name)
    level(ax, data["goal"], "goal", "grey", "--", 2)
    ax.axvline(data["study"], ymax=0.55, color="0.8", lw=2.5, zorder=0, label="patients of the study")
    ax.set(xscale="log", yscale="log", xlabel="training patients, all hospitals", ylabel="points below Bayes accuracy")
    ticks = (0.25, 0.5, 1, 2, 4, 8, 16)
    ax.set_yticks(ticks, [f"{t:g}" for t in ticks])
    ax.minorticks_off()
    ax.set_xticks(curve["patients"], [f"{n:,}" for n in curve["patients"]], rotation=30)
    ax.legend(loc="upper right")
