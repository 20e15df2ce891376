"""Figures of notebook 03: what privacy costs, who pays, and what an attacker still finds."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bfl_stpc.figures.style import COLORS, COLUMN, FULL


def score_vs_epsilon(fig: Figure, data: Mapping[str, Any]) -> None:
    """Draw accuracy and AUC against ε: a dot per seed, a line through the medians, ceiling and non-private level.

    `data`: epsilon (e,), accuracy (e, seeds), auc (e, seeds), ceiling {accuracy, auc}, plain {accuracy, auc}, delta.
    """
    fig.set_size_inches(FULL, 2.7)
    for ax, metric, name in zip(fig.subplots(1, 2), ("accuracy", "auc"), ("test accuracy", "test AUC")):
        values = np.asarray(data[metric])
        for e, row in zip(data["epsilon"], values):
            ax.plot([e] * len(row), row, "o", color=COLORS["blue"], alpha=0.35, ms=3)
        ax.plot(data["epsilon"], np.median(values, axis=1), color=COLORS["blue"])
        level(ax, data["ceiling"][metric], "Bayes ceiling", "grey", "--", 3)
        level(ax, data["plain"][metric], "the same without noise", "black", ":", -9)
        ax.set(xscale="log", xlabel=f"ε at every hospital (δ = {data['delta']:g})", ylabel=name)
        ax.set_xticks(data["epsilon"], [f"{e:g}" for e in data["epsilon"]])
        ax.minorticks_off()


def level(ax: Axes, y: float, name: str, color: str, style: str, offset: float) -> None:
    """Draw a named horizontal line; the name stands `offset` points above it, or below if negative."""
    ax.axhline(y, color=COLORS[color], ls=style, lw=0.9)
    ax.annotate(name, (0.02, y), xycoords=("axes fraction", "data"), xytext=(0, offset), textcoords="offset points",
                color=COLORS[color], fontsize=7)  # fmt: skip


def hospitals_epsilon(fig: Figure, data: Mapping[str, Any]) -> None:
    """Draw each hospital's ε against its records: one σ for all, and σ calibrated; right, the σ that this takes.

    `data`: records (h,), common (h,), calibrated (h,), sigma (h,), common_sigma, promise.
    """
    fig.set_size_inches(FULL, 2.5)
    left, right = fig.subplots(1, 2)
    order = np.argsort(data["records"])
    n = np.asarray(data["records"])[order]
    left.plot(n, np.asarray(data["common"])[order], "v-", color=COLORS["orange"])
    left.plot(n, np.asarray(data["calibrated"])[order], "o-", color=COLORS["blue"])
    left.annotate("one σ for all", (n[0], np.asarray(data["common"])[order][0]), xytext=(8, 0),
                  textcoords="offset points", color=COLORS["orange"], fontsize=7)  # fmt: skip
    left.annotate("σ of its own", (n[-1], data["promise"]), xytext=(0, -11), textcoords="offset points", ha="right",
                  color=COLORS["blue"], fontsize=7)  # fmt: skip
    left.set(xscale="log", yscale="log", xlabel="training records of the hospital", ylabel="ε after the run")
    right.plot(n, np.asarray(data["sigma"])[order], "o-", color=COLORS["blue"])
    level(right, data["common_sigma"], "one σ for all", "orange", "--", 3)
    right.set(xscale="log", xlabel="training records of the hospital", ylabel="noise multiplier σ")
    for ax, ticks in ((left, (0.5, 1, 2, 3, 5, 10, 20, 40)), (right, None)):
        ax.set_xticks((100, 200, 500, 1000, 2000, 5000), ("100", "200", "500", "1k", "2k", "5k"))
        if ticks:
            low, high = ax.get_ylim()
            kept = [t for t in ticks if low <= t <= high]
            ax.set_yticks(kept, [f"{t:g}" for t in kept])
        ax.minorticks_off()
        ax.set_xlim(n[0] / 1.3, n[-1] * 1.3)


def epsilon_over_rounds(fig: Figure, data: Mapping[str, Any]) -> None:
    """Draw ε spent after each round by PLD and by RDP, the promise, and the round at which training stops.

    `data`: rounds (r,), pld (r,), rdp (r,), promise, stops: last round allowed, or None.
    """
    fig.set_size_inches(COLUMN, 2.4)
    ax = fig.subplots()
    for name, color, style, up in (("pld", "blue", "-", -17), ("rdp", "orange", "-.", 5)):
        ax.plot(data["rounds"], data[name], style, color=COLORS[color])
        ax.annotate(name.upper(), (data["rounds"][-1], data[name][-1]), xytext=(-4, up), ha="right",
                    textcoords="offset points", color=COLORS[color], fontsize=7)  # fmt: skip
    level(ax, data["promise"], "promised ε", "black", "--", 3)
    ax.axvline(data["stops"], color=COLORS["red"], lw=0.9)
    ax.annotate("training\nstops", (data["stops"], 0), xytext=(-3, 4), textcoords="offset points", ha="right",
                color=COLORS["red"], fontsize=7)  # fmt: skip
    ax.set(xlabel="round", ylabel="ε spent", ylim=(0, None), xlim=(0, data["rounds"][-1]))


def client_level(fig: Figure, data: Mapping[str, Any]) -> None:
    """Draw the norm of the mean update and of the noise that client-level DP adds to it, against the hospitals.

    `data`: hospitals (k,), signal (k,), noise (k,), needed: hospitals from which the signal exceeds
    the noise.
    """
    fig.set_size_inches(COLUMN, 2.5)
    ax = fig.subplots()
    k = np.asarray(data["hospitals"])
    for name, color, style in (("signal", "blue", "o-"), ("noise", "red", "s--")):
        ax.plot(k, data[name], style, color=COLORS[color])
    ax.annotate("mean update", (k[0], data["signal"][0]), xytext=(0, -22), textcoords="offset points",
                color=COLORS["blue"], fontsize=7)  # fmt: skip
    ax.annotate("noise", (k[0], data["noise"][0]), xytext=(6, 2), textcoords="offset points",
                color=COLORS["red"], fontsize=7)  # fmt: skip
    ax.axvline(data["needed"], color="0.6", lw=0.8)
    ax.annotate(f"{data['needed']:.0f} hospitals", (data["needed"], ax.get_ylim()[1]), xytext=(3, -10),
                textcoords="offset points", fontsize=7, color="0.35")  # fmt: skip
    ax.set(xscale="log", yscale="log", xlabel="hospitals", ylabel="Euclidean norm")
    ticks = [10, 30, 100, 300, 1000, 3000]
    ax.set_xticks(ticks, [f"{t}" for t in ticks])
    low, high = ax.get_ylim()
    heights = [t for e in range(-4, 3) for t in (10.0**e, 3 * 10.0**e) if low <= t <= high]
    ax.set_yticks(heights, [f"{t:g}" for t in heights])
    ax.minorticks_off()
    ax.set_xlim(k[0] / 1.2, k[-1] * 1.2)


def audit(fig: Figure, data: Mapping[str, Any]) -> None:
    """Draw LiRA's ROC on logarithmic axes, and the canary's lower bounds on ε beside the claimed ε.

    `data`: lira {name: {fpr, tpr}}; bounds [{name, bound, claimed or None}], largest: what the trials can show.
    """
    fig.set_size_inches(FULL, 2.7)
    left, right = fig.subplots(1, 2)
    styles = zip(("red", "orange", "blue", "black"), ("-", "-.", "--", ":"))
    for (name, curve), (color, style) in zip(data["lira"].items(), styles):
        left.plot(
            np.maximum(curve["fpr"], 1e-4), np.maximum(curve["tpr"], 1e-4), style, color=COLORS[color], label=name
        )
    left.plot([1e-3, 1], [1e-3, 1], color="0.8", lw=0.8)
    left.set(xscale="log", yscale="log", xlim=(1e-3, 1), ylim=(1e-3, 1.05), xlabel="false-positive rate",
             ylabel="true-positive rate", title="membership inference (LiRA)")  # fmt: skip
    left.legend(loc="lower right")
    for row, one in enumerate(data["bounds"]):
        alarm = one["claimed"] is not None and one["bound"] > one["claimed"]
        right.barh(row, one["bound"], height=0.5, color=COLORS["red" if alarm else "blue"])
        if one["claimed"] is not None:
            right.plot([one["claimed"]] * 2, [row - 0.38, row + 0.38], color=COLORS["black"], lw=1.6)
        right.annotate(f" {one['bound']:.2f}", (one["bound"], row), va="center", fontsize=7)
    right.axvline(data["largest"], color="0.6", lw=0.8, ls=":")
    right.annotate("most that so many\ntrials can show", (data["largest"], len(data["bounds"]) - 0.4), ha="right",
                   xytext=(-3, 0), textcoords="offset points", fontsize=6, color="0.35")  # fmt: skip
    right.set_yticks(range(len(data["bounds"])), [one["name"] for one in data["bounds"]])
    widest = max([data["largest"], *(one["claimed"] or 0 for one in data["bounds"])])
    right.set(xlabel="ε: lower bound (bar), claimed (black mark)", title="canary audit", xlim=(0, 1.15 * widest),
              ylim=(len(data["bounds"]) - 0.1, -0.6))  # fmt: skip
