"""Figures of homomorphic encryption and multiparty computation."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from bfl_stpc.figures.style import COLORS, COLUMN, FULL


def _name(ax: Axes, x: float, y: float, text: str, color: str, **more: Any) -> None:
    """Write a series' name beside its last point."""
    settings: dict[str, Any] = {"xytext": (5, 0), "textcoords": "offset points", "va": "center", "fontsize": 7} | more
    ax.annotate(text, (x, y), color=color, **settings)


def noise_budget(fig: Figure, data: Mapping[str, Any]) -> None:
    """Draw the noise budget left against the number of ciphertexts added.

    `data`: summands (n); series, a list of records label, measured (n) in bits, predicted (n) in bits.
    """
    fig.set_size_inches(COLUMN, 2.5)
    ax = fig.subplots()
    for series, color, marker in zip(data["series"], (COLORS["blue"], COLORS["orange"], COLORS["green"]), "os^"):
        ax.plot(data["summands"], series["measured"], marker, color=color, ms=4)
        ax.plot(data["summands"], series["predicted"], "-", color=color, lw=0.9)
        _name(ax, data["summands"][-1], series["predicted"][-1], series["label"], color)
    ax.axhspan(-1, 0, color=COLORS["grey"], alpha=0.25, lw=0)
    ax.text(data["summands"][0], -0.5, "decryption refused", fontsize=7, va="center")
    ax.set_xscale("log", base=2)
    ax.set(xlabel="ciphertexts added", ylabel="noise budget left (bits)", ylim=(-1, None))
    ax.margins(x=0.02)
    ax.set_xlim(right=data["summands"][-1] * 3.2)
    ax.set_xticks(data["summands"][::2], [str(s) for s in data["summands"][::2]])


def bytes_per_parameter(fig: Figure, data: Mapping[str, Any]) -> None:
    """Draw bytes a parameter against the size of the model, with the information bound.

    `data`: sizes (n); series, a list of records label, bytes (n); bound, bytes a parameter.
    """
    fig.set_size_inches(COLUMN, 2.6)
    ax = fig.subplots()
    for series, name, marker in zip(data["series"], ("red", "blue", "green"), "sov"):
        ax.loglog(data["sizes"], series["bytes"], marker + "-", color=COLORS[name], ms=3.5)
        _name(ax, data["sizes"][-1], series["bytes"][-1], series["label"], COLORS[name], va="bottom")
    ax.axhline(data["bound"], color=COLORS["black"], lw=0.9, ls="--")
    ax.text(data["sizes"][0], data["bound"] * 0.84, "information bound", fontsize=7, va="top")
    ax.set(xlabel="parameters of the model", ylabel="bytes a parameter", xlim=(None, data["sizes"][-1] * 60))
    ax.set_ylim(data["bound"] * 0.5, None)
    ax.set_xticks([s for s in data["sizes"] if np.log10(s) % 1 == 0])


def time_per_size(fig: Figure, data: Mapping[str, Any]) -> None:
    """Draw CPU seconds against the size of the model.

    `data`: sizes (n); series, a list of records label, seconds (n).
    """
    fig.set_size_inches(COLUMN, 2.5)
    ax = fig.subplots()
    for series, name, marker in zip(data["series"], ("red", "blue", "green"), "sov"):
        ax.loglog(data["sizes"], series["seconds"], marker + "-", color=COLORS[name], ms=3.5)
        _name(ax, data["sizes"][-1], series["seconds"][-1], series["label"], COLORS[name])
    ax.set(xlabel="parameters of the model", ylabel="CPU seconds", xlim=(None, data["sizes"][-1] * 40))
    ax.set_xticks([s for s in data["sizes"] if np.log10(s) % 1 == 0])


def error_and_auc(fig: Figure, data: Mapping[str, Any]) -> None:
    """Draw the error of the sum, and what it does to the model, against the width of a field.

    `data`: bits (n); error, bound (n); ckks, one error; auc (n), auc_plain.
    """
    fig.set_size_inches(FULL, 2.4)
    left, right = fig.subplots(1, 2)
    left.semilogy(data["bits"], data["bound"], "-", color=COLORS["grey"], lw=1)
    left.semilogy(data["bits"], data["error"], "o", color=COLORS["blue"])
    _name(left, data["bits"][0], data["bound"][0], "K · step / 2", COLORS["grey"], xytext=(8, 3))
    left.axhline(data["ckks"], color=COLORS["red"], lw=1, ls="--")
    left.text(data["bits"][0], data["ckks"] * 0.8, "CKKS (2⁴⁰ scale)", color=COLORS["red"], fontsize=7, va="top")
    left.set(xlabel="bits a field", ylabel="largest error of the sum", title="the error is the rounding, no more")
    left.set_ylim(data["ckks"] / 6, None)
    right.plot(data["bits"], data["auc"], "o-", color=COLORS["blue"])
    right.axhline(data["auc_plain"], color=COLORS["black"], lw=0.9, ls="--")
    reach = max(0.01, 1.2 * float(np.abs(np.array(data["auc"]) - data["auc_plain"]).max()))
    right.set_ylim(data["auc_plain"] - reach, data["auc_plain"] + reach)
    _name(right, data["bits"][-1], data["auc_plain"], "dashed: without protection", "black", xytext=(0, 8), ha="right")
    right.set(xlabel="bits a field", ylabel="AUC on held-out patients", title="the model does not notice")
    for ax in (left, right):
        ax.set_xticks(data["bits"][::2])


def key_recovery(fig: Figure, data: Mapping[str, Any]) -> None:
    """Draw what the attacker recovers: key coefficients under both schemes, and the victim's update.

    `data`: ckks, bfv, each counts (b) of recovered coefficients over equal cells of Z_q; true, read (m), the victim's
    update and the attacker's reading of it.
    """
    fig.set_size_inches(FULL, 2.3)
    axes = fig.subplots(1, 3, gridspec_kw={"width_ratios": [1, 1, 1.1]})
    for ax, scheme, name in zip(axes, ("ckks", "bfv"), ("red", "blue")):
        counts = np.array(data[scheme])
        ax.bar(np.arange(counts.size) - (counts.size - 1) / 2, counts, width=1, color=COLORS[name])
        ax.set(xlabel="coefficient / q", ylabel="coefficients")
        edge = counts.size / 2
        ax.set_xticks([-edge, 0, edge], ["−½", "0", "½"])
    axes[0].set_title("CKKS: −1, 0 and 1 — the key")
    axes[1].set_title("BFV: anything — no key")
    axes[2].plot(data["true"], data["read"], ".", color=COLORS["red"], ms=3)
    axes[2].set(xlabel="victim's update", ylabel="read by the attacker", title="CKKS: and so every update")


def coalitions(fig: Figure, data: Mapping[str, Any]) -> None:
    """Draw the accuracy of gradient inversion for each coalition.

    `data`: labels (n); accuracy (n); guess, the upper edge of luck.
    """
    fig.set_size_inches(FULL, 0.33 * len(data["labels"]) + 0.8)
    ax = fig.subplots()
    rows = np.arange(len(data["labels"]))
    beaten = np.array(data["accuracy"]) > data["guess"]
    ax.hlines(rows, 0.5, data["accuracy"], color=COLORS["grey"], lw=1)
    for broken, marker, name in ((False, "o", "blue"), (True, "X", "red")):
        ax.plot(np.array(data["accuracy"])[beaten == broken], rows[beaten == broken], marker, color=COLORS[name], ms=6)
    ax.axvspan(1 - data["guess"], data["guess"], color=COLORS["grey"], alpha=0.25, lw=0)
    ax.text(0.5, -0.75, "a coin", fontsize=7, ha="center", va="bottom")
    ax.set_yticks(rows, data["labels"])
    ax.invert_yaxis()
    ax.set(xlabel="share of the record that inversion reads correctly", xlim=(0.45, 1.02), ylim=(rows[-1] + 0.5, -0.8))


def dropouts(fig: Figure, data: Mapping[str, Any]) -> None:
    """Draw, for hospitals and dropouts, whether the exact sum came out or the round was aborted by name.

    `data`: hospitals (n), percent (m), outcome (n × m): "exact" or the name of the error.
    """
    fig.set_size_inches(COLUMN, 0.28 * len(data["hospitals"]) + 0.9)
    ax = fig.subplots()
    for i, row in enumerate(data["outcome"]):
        for j, outcome in enumerate(row):
            fine = outcome == "exact"
            ax.add_patch(_tile(j, i, COLORS["green"] if fine else "white", COLORS["green"] if fine else COLORS["grey"]))
            ax.text(j, i, "=" if fine else "×", ha="center", va="center", color="white" if fine else COLORS["black"])
    ax.set_xticks(range(len(data["percent"])), [str(p) for p in data["percent"]])
    ax.set_yticks(range(len(data["hospitals"])), [str(h) for h in data["hospitals"]])
    ax.set(xlim=(-0.5, len(data["percent"]) - 0.5), ylim=(len(data["hospitals"]) - 0.5, -0.5))
    ax.set(xlabel="hospitals lost after set-up (%)", ylabel="hospitals", title="=  exact sum    ×  TooFewUploads")
    ax.tick_params(length=0)
    for side in ("left", "bottom"):
        ax.spines[side].set_visible(False)


def _tile(x: float, y: float, face: str, edge: str) -> Rectangle:
    return Rectangle((x - 0.46, y - 0.46), 0.92, 0.92, facecolor=face, edgecolor=edge, lw=0.8)


def cost_per_hospital(fig: Figure, data: Mapping[str, Any]) -> None:
    """Draw one hospital's CPU time by part, and the aggregator's, against the number of hospitals.

    `data`: hospitals (n); series, a list of records label, seconds (n).
    """
    fig.set_size_inches(COLUMN, 2.5)
    ax = fig.subplots()
    for series, name, marker in zip(data["series"], ("purple", "green", "blue", "black"), "^vos"):
        ax.loglog(data["hospitals"], series["seconds"], marker + "-", color=COLORS[name], ms=3.5)
        _name(ax, data["hospitals"][-1], series["seconds"][-1], series["label"], COLORS[name])
    ax.set(xlabel="hospitals", ylabel="CPU seconds a round", xlim=(None, data["hospitals"][-1] * 6))
    ax.set_xticks(data["hospitals"], [str(h) for h in data["hospitals"]])
    ax.minorticks_off()
