"""Figures of the synthetic EHR: how hospitals differ, what depends on what, and the ceiling."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bfl_stpc.figures.style import COLORS, COLUMN, FULL

LABELS = {
    "spo2": "SpO₂",
    "bmi": "BMI",
    "hba1c": "HbA1c",
    "egfr": "eGFR",
    "wbc": "white cells",
    "crp": "CRP",
    "ntprobnp": "NT-proBNP",
}


def label(feature: str) -> str:
    """Return how a figure writes the name of a feature."""
    return LABELS.get(feature, feature.replace("_", " "))


def hospitals(fig: Figure, data: Mapping[str, Any]) -> None:
    """Draw outcome share, instrument shift and missing share of each hospital.

    `data`: names (k); patients (k); prevalence, low, high (k), in per cent; quantities (q);
    shift (k × q), instrument error at the reference value in standard deviations between patients;
    missing (k × q), in per cent, 100 where never measured.
    """
    fig.set_size_inches(FULL, 3.1)
    first, second, third = fig.subplots(1, 3, sharey=True, gridspec_kw={"width_ratios": [0.8, 1.5, 1.5]})
    rows = np.arange(len(data["names"]))
    prevalence, patients = np.array(data["prevalence"]), np.array(data["patients"])
    spread = np.abs(np.array([data["low"], data["high"]]) - prevalence)
    first.errorbar(prevalence, rows, xerr=spread, fmt="none", ecolor=COLORS["grey"], lw=1)
    first.scatter(prevalence, rows, s=70 * patients / patients.max(), color=COLORS["blue"], zorder=3)
    first.set(xlabel="outcome (%)\ndot area: patients", title="case mix", xlim=(0, None))
    first.set_yticks(rows, data["names"])
    first.invert_yaxis()

    shift = np.array(data["shift"])
    bound = float(np.abs(shift).max())
    image = second.imshow(shift, cmap="PuOr", vmin=-bound, vmax=bound, aspect="auto")
    fig.colorbar(image, ax=second, location="bottom", shrink=0.8, aspect=30).set_label("shift (patient SD)")
    second.set(title="instrument calibration")
    image = third.imshow(data["missing"], cmap="Greys", vmin=0, vmax=100, aspect="auto")
    fig.colorbar(image, ax=third, location="bottom", shrink=0.8, aspect=30).set_label("missing (%)")
    third.set(title="missing values (×: never measured)")
    never = np.argwhere(np.array(data["missing"]) >= 100)
    third.plot(never[:, 1], never[:, 0], "x", color="white", ms=4, mew=1.2)
    for ax in (second, third):
        ax.set_xticks(range(len(data["quantities"])), map(label, data["quantities"]), rotation=90, fontsize=6)
        ax.tick_params(length=0)


def dependence(fig: Figure, data: Mapping[str, Any]) -> None:
    """Draw the rank correlations of `names` (m) from `rho` (m × m): lower triangle, strong ones written out."""
    fig.set_size_inches(COLUMN, 3.4)
    ax = fig.subplots()
    names, rho = [label(name) for name in data["names"]], np.array(data["rho"])
    lower = np.where(np.tri(len(names), k=-1, dtype=bool), rho, np.nan)
    image = ax.imshow(lower[1:, :-1], cmap="PuOr", vmin=-1, vmax=1)
    for i, j in np.argwhere(np.abs(np.nan_to_num(lower)) >= 0.2):
        value = f"{lower[i, j]:.1f}".replace("0.", ".").replace("-", "−")
        shade = "white" if abs(lower[i, j]) > 0.6 else "black"
        ax.text(j, i - 1, value, ha="center", va="center", fontsize=5, color=shade)
    ax.set_xticks(range(len(names) - 1), names[:-1], rotation=90, fontsize=6)
    ax.set_yticks(range(len(names) - 1), names[1:], fontsize=6)
    ax.spines[["left", "bottom"]].set_visible(False)
    ax.tick_params(length=0)
    bar = fig.colorbar(image, cax=ax.inset_axes((0.5, 0.88, 0.48, 0.035)), orientation="horizontal", ticks=[-1, 0, 1])
    bar.ax.set_xticklabels(["−1", "0", "1"], fontsize=6)
    bar.set_label("Spearman correlation", fontsize=7)


def risk(fig: Figure, data: Mapping[str, Any]) -> None:
    """Draw the share that deteriorates against three features.

    `data["panels"]`: records with xlabel, legend (its place) and curves: label, x, observed, low,
    high and expected (per cent), each by bin.
    """
    fig.set_size_inches(FULL, 2.3)
    axes = fig.subplots(1, len(data["panels"]), sharey=True)
    looks = ((COLORS["blue"], "o", "-"), (COLORS["red"], "s", "--"))
    for ax, panel in zip(axes, data["panels"]):
        for curve, (color, marker, line) in zip(panel["curves"], looks):
            spread = np.abs(np.array([curve["low"], curve["high"]]) - np.array(curve["observed"]))
            ax.plot(curve["x"], curve["expected"], line, color=color, lw=1)
            ax.errorbar(curve["x"], curve["observed"], yerr=spread, fmt=marker, color=color, ms=3, lw=0.8)
            if curve["label"]:
                ax.plot([], [], line, marker=marker, ms=3, color=color, label=curve["label"])
        if len(panel["curves"]) > 1:
            ax.legend(loc=panel["legend"], handlelength=2.6)
        ax.set(xlabel=panel["xlabel"], ylim=(0, 104))
    axes[0].set_ylabel("deteriorates (%)")


def roc(fig: Figure, data: Mapping[str, Any]) -> None:
    """Draw Bayes ROC curves: `data["curves"]` are records of fpr, tpr, auc and ceiling (per cent)."""
    fig.set_size_inches(COLUMN, 2.8)
    ax = fig.subplots()
    styles = ("-", "--", "-.", (0, (1, 1)))
    colors = (COLORS["black"], COLORS["blue"], COLORS["orange"], COLORS["red"])
    ax.plot([0, 1], [0, 1], color="0.75", lw=0.8)
    ax.text(0.60, 0.56, "chance", color="0.5", fontsize=7, rotation=38, ha="center", va="top", rotation_mode="anchor")
    for curve, style, color in zip(data["curves"], styles, colors):
        text = f"{curve['ceiling']:.1f} %   {curve['auc']:.4f}"
        ax.plot(curve["fpr"], curve["tpr"], ls=style, color=color, label=text)
    ax.legend(title="Bayes accuracy, AUC", title_fontsize=7, loc="lower right", handlelength=2.4)
    ax.set(xlabel="false-positive rate", ylabel="true-positive rate", xlim=(-0.01, 1), ylim=(0, 1.01))


def ceiling_sweep(fig: Figure, data: Mapping[str, Any]) -> None:
    """Draw the Bayes accuracy, Bayes AUC and majority rate against the steepness of p(y|x).

    `data`: steepness (m), accuracy, auc, majority (m), in per cent; printed; default, a record of
    steepness and accuracy; crossing, the steepness at which the Bayes accuracy is the printed value.
    """
    fig.set_size_inches(COLUMN, 2.9)
    ax = fig.subplots()
    s = np.array(data["steepness"])
    ax.axvspan(s[0], data["crossing"], color="0.93", lw=0)
    for name, color, style in (("auc", "green", "--"), ("accuracy", "blue", "-"), ("majority", "grey", ":")):
        ax.plot(s, data[name], color=COLORS[color], ls=style)
    ax.axhline(data["printed"], color=COLORS["red"], lw=0.9)
    ax.plot(data["default"]["steepness"], data["default"]["accuracy"], "o", color=COLORS["blue"])
    ax.annotate("default", (data["default"]["steepness"], data["default"]["accuracy"]), xytext=(10, -18),
                textcoords="offset points", fontsize=7, arrowprops={"arrowstyle": "-", "lw": 0.6})  # fmt: skip
    bend = int(np.searchsorted(data["accuracy"], 88))
    ax.annotate("Bayes accuracy", (s[bend], data["accuracy"][bend]), xytext=(5, -5), textcoords="offset points",
                color=COLORS["blue"], fontsize=7, va="top")  # fmt: skip
    right = s[-1] * 0.96
    ax.text(right, 100.8, "Bayes AUC × 100", color=COLORS["green"], fontsize=7, ha="right", va="bottom")
    ax.text(right, data["printed"] - 1, f"printed: {data['printed']:g} %", color=COLORS["red"], fontsize=7,
            ha="right", va="top")  # fmt: skip
    ax.text(right, data["majority"][-1] - 1, "always the majority", color="0.4", fontsize=7, ha="right", va="top")
    beyond = "here the printed value\nis beyond every classifier"
    ax.text(data["crossing"] * 0.94, 72, beyond, color="0.35", fontsize=6.5, ha="right", va="center")
    ax.set(xscale="log", xlabel="steepness $s$ of p(y|x): easier →", ylabel="per cent", xlim=(s[0], s[-1]))
    _plain_ticks(ax, [1, 3, 10, 30, 100], s)
    ax.set_ylim(min(data["majority"]) - 4, 105)


def _plain_ticks(ax: Axes, ticks: list[int], values: np.ndarray) -> None:
    inside = [t for t in ticks if values[0] <= t <= values[-1]]
    ax.set_xticks(inside, [str(t) for t in inside])
    ax.set_xticks([], minor=True)


def local_ceilings(fig: Figure, data: Mapping[str, Any]) -> None:
    """Draw each hospital's Bayes accuracy with the 95 % range of its realisations, beside the printed value.

    `data`: names (k); ceiling, low, high (k), in per cent; pooled; printed.
    """
    fig.set_size_inches(COLUMN, 2.7)
    ax = fig.subplots()
    rows = np.arange(len(data["names"]))
    best = np.array(data["ceiling"])
    spread = np.abs(np.array([data["low"], data["high"]]) - best)
    ax.errorbar(best, rows, xerr=spread, fmt="o", color=COLORS["blue"], ecolor=COLORS["grey"], lw=1, ms=4)
    ax.axvline(data["pooled"], color=COLORS["black"], lw=0.9, ls="--")
    ax.axvline(data["printed"], color=COLORS["red"], lw=0.9)
    ax.text(data["pooled"], -0.9, " all hospitals", color=COLORS["black"], fontsize=7, va="bottom")
    ax.text(
        data["printed"], -0.9, f"printed {data['printed']:g} ", color=COLORS["red"], fontsize=7, ha="right", va="bottom"
    )
    right = max(data["high"])
    left = min(*data["low"], data["printed"] - 0.25 * (right - data["printed"]))
    pad = 0.03 * (right - left)
    ax.set_xlim(left - pad, right + pad)
    ax.set_yticks(rows, data["names"])
    ax.set_ylim(len(rows) - 0.5, -1.0)
    ax.set_xlabel("Bayes accuracy (%)")
