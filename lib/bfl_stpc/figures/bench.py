"""Figures of `make bench`: a federated round beside its peers, and where its cost curves bend."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from scipy.optimize import nnls

from bfl_stpc.figures.style import COLORS, FULL

SERIES = {
    "round": ("plain round", "blue", "o"),
    "private round": ("private round (DP-SGD)", "red", "s"),
    "call without training": ("call to TFF, no training", "grey", "^"),
}
UNITS = {"hospitals": ("a hospital", 1.0), "parameters": ("per 1000 parameters", 1000.0)}


@dataclass(frozen=True)
class Bend:
    """A cost curve as fixed + slope · x.

    Attributes:
        fixed: seconds that do not depend on x.
        slope: seconds for each unit of x.
        deviation: largest relative difference of a measured time from the fit.
    """

    fixed: float
    slope: float
    deviation: float

    @property
    def knee(self) -> float:
        """Return the x where both parts are equal: below it the curve is flat, above it proportional."""
        return self.fixed / self.slope if self.slope > 0 else float("inf")


def bend(x: Sequence[float], seconds: Sequence[float]) -> Bend:
    """Fit fixed + slope · x, neither negative, to times by least squares of relative errors, so that all sizes count.

    >>> round(bend([1, 10, 100], [3.0, 12.0, 102.0]).knee, 6)
    2.0
    """
    t = np.asarray(seconds, float)
    terms = np.stack([np.ones(t.size), np.asarray(x, float)], 1) / t[:, None]
    best, _ = nnls(terms, np.ones(t.size))
    return Bend(float(best[0]), float(best[1]), float(np.abs(terms @ best - 1).max()))


def cost_curves(fig: Figure, data: Mapping[str, Any]) -> None:
    """Draw a round's time against hospitals and against parameters, each with its fit and its bend.

    `data`: hospitals, parameters, each x (n) and series {name of `SERIES`: (n × quartiles) in seconds}.
    """
    fig.set_size_inches(FULL, 2.8)
    for ax, kind in zip(fig.subplots(1, 2), UNITS):
        x = np.asarray(data[kind]["x"], float)
        for name, (label, color, marker) in SERIES.items():
            _curve(ax, x, 1e3 * np.asarray(data[kind]["series"][name]), label, COLORS[color], marker)
        ax.set(xscale="log", yscale="log", xlabel=kind + (" of the model" if kind == "parameters" else ""))
        ax.set_ylabel("milliseconds a round")
        if kind == "hospitals":
            ax.set_xticks(x, [f"{v:g}" for v in x])
            ax.minorticks_off()
    fig.legend(*fig.axes[0].get_legend_handles_labels(), loc="outside upper center", ncols=4)


def _curve(ax: Axes, x: Any, quartiles: Any, label: str, color: str, marker: str) -> None:
    low, middle, high = quartiles.T
    ax.errorbar(x, middle, (middle - low, high - middle), fmt=marker, color=color, ms=3.5, lw=0.8, label=label)
    found = bend(x, middle)
    grid = np.geomspace(x[0], x[-1], 100)
    ax.plot(grid, found.fixed + found.slope * grid, color=color, lw=1)
    if x[0] <= found.knee <= x[-1]:
        ax.plot([found.knee], [2 * found.fixed], "D", ms=7, mfc="none", mec=color, mew=1)


def cost_caption(data: Mapping[str, Any]) -> str:
    """Return what `cost_curves` shows, from its data: each curve's parts, its bend, the call's share of both."""
    lines = [
        "Time of a round by hospitals and by parameters: medians and quartiles over turns; lines are the fitted "
        "fixed cost + slope; a diamond marks the bend, where both are equal. What the call to TFF without any training "
        "does not account for, training does."
    ]
    for kind, (unit, many) in UNITS.items():
        x = data[kind]["x"]
        fits = {name: bend(x, [point[1] for point in data[kind]["series"][name]]) for name in SERIES}
        lines.append(f"By {kind}, {x[0]:,} to {x[-1]:,}:")
        for name, (label, *_) in SERIES.items():
            fit = fits[name]
            lines.append(
                f"  {label}: {1e3 * fit.fixed:.1f} ms + {1e3 * many * fit.slope:.3g} ms {unit}; "
                f"{_where(fit.knee, x, kind)} (fit within {fit.deviation:.0%})"
            )
        call = fits["call without training"]
        for name in ("round", "private round"):
            fixed, slope = (_share(a, b) for a, b in ((call.fixed, fits[name].fixed), (call.slope, fits[name].slope)))
            lines.append(
                f"  of the {SERIES[name][0]}, the call to TFF alone is {fixed} of the fixed cost, {slope} of the slope"
            )
    return "\n".join(lines)


def _where(knee: float, x: Sequence[float], kind: str) -> str:
    if knee < x[0]:
        return f"in proportion from the first point on, as the bend lies below {x[0]:,}"
    if knee > x[-1]:
        return f"flat to the last point, as the bend lies above {x[-1]:,}"
    return f"bends at {float(f'{knee:.2g}'):,.0f} {kind}"


def _share(part: float, whole: float) -> str:
    return f"{min(1.0, part / whole):.0%}" if whole > 0 else "nothing"


def peers(fig: Figure, data: Mapping[str, Any]) -> None:
    """Draw time and CPU time of each contender, the slowest last, and its multiple of our private round's time.

    `data`: seconds {name: quartiles}; cpu {name: seconds}, without those that run in an environment of their own.
    """
    names = sorted(data["seconds"], key=lambda name: data["seconds"][name][1])
    fig.set_size_inches(FULL, 0.28 * len(names) + 0.9)
    ax = fig.subplots()
    low, middle, high = 1e3 * np.array([data["seconds"][name] for name in names]).T
    unit = 1e3 * data["seconds"]["private round"][1]
    for row, name in enumerate(names):
        color = COLORS["blue" if name in SERIES else "orange"]
        ax.plot([low[row], high[row]], [row, row], color=color, lw=1.2)
        ax.plot([middle[row]], [row], "o", color=color, ms=6)
        ax.text(high[row] * 1.07, row, f"× {middle[row] / unit:.2g}", va="center", fontsize=7)
        if name in data["cpu"]:
            ax.plot([1e3 * data["cpu"][name]], [row], "|", color=COLORS["black"], ms=10, mew=1.5)
    ax.set_yticks(range(len(names)), [f"our {SERIES[name][0]}" if name in SERIES else name for name in names])
    ax.invert_yaxis()
    ax.set(
        xscale="log", xlabel="milliseconds for ten hospitals; black tick: CPU time; ×: multiple of our private round"
    )
    ax.set_xlim(right=high.max() * 1.8)
    ax.grid(axis="x", color="0.9", lw=0.6)
    ax.set_axisbelow(True)


def parts(fig: Figure, data: Mapping[str, Any]) -> None:
    """Draw where the CPU time of a private round goes.

    `data`: cpu {part: seconds}, in the order of the round.
    """
    fig.set_size_inches(FULL, 1.2)
    ax = fig.subplots()
    total, start = sum(data["cpu"].values()), 0.0
    for (name, seconds), color, hatch in zip(
        data["cpu"].items(), ("grey", "green", "red", "blue"), ("", "//", "..", "")
    ):
        share = 100 * seconds / total
        ax.barh(0, share, left=start, color=COLORS[color], hatch=hatch, edgecolor="white", lw=0.6)
        ax.text(start + share / 2, 0.48, f"{name}\n{share:.0f} %", ha="center", va="bottom", fontsize=7)
        start += share
    ax.set(xlabel=f"share of the CPU time of a private round ({1e3 * total:.0f} ms)", xlim=(0, 100), ylim=(-0.42, 0.9))
    ax.set_yticks([])
    ax.spines["left"].set_visible(False)


def peers_caption(ratios: Mapping[str, Sequence[float]], cpu: Mapping[str, float]) -> str:
    """Return the ratios as text: medians with quartiles over turns, and the ratio of CPU time where it is known."""
    lines = ["Ten hospitals of 1,000 records; ratios are medians (quartiles) over turns in one run."]
    for name, (low, middle, high) in ratios.items():
        known = f"; {cpu[name]:.2g} in CPU time" if name in cpu else ""
        lines.append(f"  {name}: {middle:.2g} ({low:.2g} to {high:.2g}){known}")
    return "\n".join(lines)


def parts_caption(cpu: Mapping[str, float]) -> str:
    """Return which part of a private round takes most, and the share of each."""
    total = sum(cpu.values())
    shares = ", ".join(f"{name} {seconds / total:.0%}" for name, seconds in cpu.items())
    return f"CPU time of a private round: {shares}. Most goes to: {max(cpu, key=lambda name: cpu[name])}."
