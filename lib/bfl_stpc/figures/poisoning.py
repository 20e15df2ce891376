"""Figures of poisoning: what each defence saves, what it takes to find the attacker, and what that costs in privacy."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from bfl_stpc.figures.style import COLORS, COLUMN, FULL

# colour, line and mark: black for none, warm for single updates (which secure aggregation hides), cold for group sums
LOOK = {
    "no defence": ("black", ":", "x"),
    "sums: bound on the total": ("grey", "--", "s"),
    "sums: median of groups": ("sky", "--", "v"),
    "sums: groups intersected": ("green", "-.", "^"),
    "sums: groups decoded": ("blue", "-", "o"),
    "single: median": ("orange", "--", "<"),
    "single: trimmed mean": ("brown", "-.", "D"),
    "single: Krum": ("purple", ":", "P"),
    "single: multi-Krum": ("red", "-", "s"),
    "single: decoded": ("red", "--", "o"),
}


def backdoor(fig: Figure, data: Mapping[str, Any]) -> None:
    """Draw backdoor success and accuracy against the share of attackers; bars are intervals over seeds.

    `data`: shares (s,); defences {name: {success, accuracy: {mean (s,), low (s,), high (s,)}}}, of shares of 1.
    """
    fig.set_size_inches(FULL, 3.5)
    axes = fig.subplots(1, 2)
    x = 100 * np.asarray(data["shares"], float)
    width = 0.5 * np.diff(x).min(initial=10.0) / max(len(data["defences"]), 1)
    for k, (name, curves) in enumerate(data["defences"].items()):
        color, line, mark = LOOK[name]
        at = x + width * (k - (len(data["defences"]) - 1) / 2)
        for ax, what in zip(axes, ("success", "accuracy")):
            values = {part: 100 * np.asarray(curves[what][part], float) for part in ("mean", "low", "high")}
            ax.vlines(at, values["low"], values["high"], color=COLORS[color], lw=0.7, alpha=0.55)
            ax.plot(at, values["mean"], line, marker=mark, color=COLORS[color], ms=3.5, lw=1, label=name)
    axes[0].set(xlabel="attackers among the hospitals (%)", ylabel="backdoor success (%)", ylim=(-3, 103))
    middle = [100 * m for curves in data["defences"].values() for m in curves["accuracy"]["mean"]]
    axes[1].set(xlabel="attackers among the hospitals (%)", ylabel="accuracy without the trigger (%)")
    axes[1].set_ylim(min(middle) - 4, min(max(middle) + 4, 100))  # longer bars are cut: the means are what differs
    for ax in axes:
        ax.set_xticks(x, [f"{v:g}" for v in x])
    handles, labels = axes[0].get_legend_handles_labels()
    fig.legend(handles, labels, loc="outside lower center", ncols=4, fontsize=6.5)


def adaptive(fig: Figure, data: Mapping[str, Any]) -> None:
    """Draw, for each way to evade, backdoor success (left) and the share of attackers found (right): dots are seeds.

    `data`: attacks [name]; defences {name: {success: [[a seed's] by attack], found: the same, traces: whether it looks
    for attackers at all}}, of shares of 1.
    """
    fig.set_size_inches(FULL, 0.42 * len(data["attacks"]) + 1.2)
    left, right = fig.subplots(1, 2, sharey=True)
    for ax, what in ((left, "success"), (right, "found")):
        _rows(ax, data, what, [name for name, each in data["defences"].items() if what == "success" or each["traces"]])
        ax.set_xlim(-4, 104)
    left.set_xlabel("backdoor success (%)")
    right.set_xlabel("attackers identified (%)")
    handles, labels = left.get_legend_handles_labels()
    fig.legend(handles, labels, loc="outside lower center", ncols=len(labels), fontsize=6.5)


def _rows(ax: Axes, data: Mapping[str, Any], what: str, names: Sequence[str]) -> None:
    """Draw a row an attack: small dots are seeds, large marks their mean; one line of marks a defence."""
    everyone = list(data["defences"])
    for name in names:
        color, _, mark = LOOK[name]
        for row, values in enumerate(data["defences"][name][what]):
            at = row + 0.6 * ((everyone.index(name) + 0.5) / len(everyone) - 0.5)
            ax.plot(100 * np.asarray(values, float), [at] * len(values), mark, color=COLORS[color], ms=2.5, alpha=0.45)
            label = name if row == 0 else "_nolegend_"
            ax.plot(100 * np.mean(values), at, mark, color=COLORS[color], ms=5, label=label, clip_on=False)
    for row in range(len(data["attacks"]) - 1):
        ax.axhline(row + 0.5, color="0.9", lw=0.6)
    ax.set_yticks(range(len(data["attacks"])), data["attacks"])
    ax.set_ylim(len(data["attacks"]) - 0.5, -0.5)


def found(fig: Figure, data: Mapping[str, Any]) -> None:
    """Draw, over the share of attackers, how many are shut out (bars: 95 % Wilson) and after which round.

    `data`: rows, records defence, share, rate, low, high (shares of 1), median_round, last_round (None where nobody was
    found), blamed, honest; rounds of the training.
    """
    fig.set_size_inches(FULL, 2.7)
    left, right = fig.subplots(1, 2)
    names = list(dict.fromkeys(row["defence"] for row in data["rows"]))
    for k, name in enumerate(names):
        color, line, mark = LOOK[name]
        rows = [row for row in data["rows"] if row["defence"] == name]
        at = np.array([100 * row["share"] for row in rows]) + 1.2 * (k - (len(names) - 1) / 2)
        look = {"marker": mark, "color": COLORS[color], "ms": 4, "lw": 1, "ls": line}
        left.vlines(at, [100 * r["low"] for r in rows], [100 * r["high"] for r in rows], color=COLORS[color], lw=0.8)
        left.plot(at, [100 * r["rate"] for r in rows], label=name, **look)
        seen = [(x, r["median_round"], r["last_round"]) for x, r in zip(at, rows) if r["median_round"] is not None]
        for x, middle, last in seen:
            right.plot([x, x], [middle, last], color=COLORS[color], lw=0.8)
        right.plot([x for x, _, _ in seen], [m for _, m, _ in seen], **(look | {"ls": "none"}))
    left.set(xlabel="attackers among the hospitals (%)", ylabel="attackers shut out (%)", ylim=(-3, 103))
    right.set(
        xlabel="attackers among the hospitals (%)", ylabel="round: median to last", ylim=(0, data["rounds"] + 0.5)
    )
    ticks = sorted({100 * row["share"] for row in data["rows"]})
    for ax in (left, right):
        ax.set_xticks(ticks, [f"{v:g}" for v in ticks])
        ax.set_xlim(min(ticks) - 5, max(ticks) + 5)
    handles, labels = left.get_legend_handles_labels()
    fig.legend(handles, labels, loc="outside lower center", ncols=len(labels))


def tracing(fig: Figure, data: Mapping[str, Any]) -> None:
    """Draw what larger groups cost the defence and spare the hospitals.

    `data`: sizes (s,); found: share of attackers identified by each round, {size: (R,)}; one_round (s,): cosine of a
    hospital's deviation with its group's in a round; over_rounds {size: (R,)}: with what is decoded; isolation (s,):
    chance that colluders isolate a given hospital once in the training; hospitals, colluders.
    """
    fig.set_size_inches(FULL, 2.7)
    found, shown, alone = fig.subplots(1, 3)
    styles = dict(
        zip(map(str, data["sizes"]), zip(("orange", "sky", "blue", "black", "red"), ("-.", "--", "-", ":", "-")))
    )
    for size, (color, line) in styles.items():
        rounds = np.arange(1, len(data["found"][size]) + 1)
        found.step(rounds, 100 * np.asarray(data["found"][size], float), line, where="post", color=COLORS[color],
                   label=f"groups of {size}")  # fmt: skip
        shown.plot(rounds, data["over_rounds"][size], line, color=COLORS[color])
    found.set(xlabel="round", ylabel="attackers identified (%)", ylim=(-3, 103))
    shown.set(xlabel="round", ylabel="cosine with the hospital's own", ylim=(0, 1.03), title="decoded over rounds")
    found.set_title("who is found")
    for ax in (found, shown):
        ax.xaxis.set_major_locator(MaxNLocator(6, integer=True))
    x = np.arange(len(data["sizes"]))
    alone.plot(x, data["one_round"], "o-", color=COLORS["blue"])
    alone.plot(x, data["isolation"], "s--", color=COLORS["red"])
    alone.text(
        0.97, 0.93, "cosine in one round", transform=alone.transAxes, ha="right", color=COLORS["blue"], fontsize=7
    )
    alone.text(0.97, 0.85, f"chance that {data['colluders']} of {data['hospitals']}\ncolluders isolate one",
               transform=alone.transAxes, ha="right", va="top", color=COLORS["red"], fontsize=7)  # fmt: skip
    alone.set_xticks(x, [str(size) for size in data["sizes"]])
    alone.set(xlabel="size of the groups", ylim=(-0.03, 1.25), title="what a sum shows")
    alone.set_yticks([0, 0.25, 0.5, 0.75, 1])
    handles, labels = found.get_legend_handles_labels()
    fig.legend(handles, labels, loc="outside lower center", ncols=len(labels))


def trails(fig: Figure, data: Mapping[str, Any]) -> None:
    """Draw the trail detector's ROC beside its controls, and each kind of abuse seen and unseen in training.

    `data`: fpr (g,); curves {name: (seeds, g)}; auc {name: mean}; kinds {name: {seen: AUCs, unseen: AUCs}}, one a seed.
    """
    fig.set_size_inches(FULL, 2.9)
    left, right = fig.subplots(1, 2, width_ratios=(1, 1.1))
    looks = zip(("blue", "black", "orange", "grey"), ("-", ":", "-.", "--"))
    for (name, curves), (color, line) in zip(data["curves"].items(), looks):
        c = np.asarray(curves, float)
        left.plot(data["fpr"], c.mean(0), line, color=COLORS[color], label=f"{name}  {data['auc'][name]:.3f}")
        left.fill_between(data["fpr"], c.min(0), c.max(0), color=COLORS[color], alpha=0.15, lw=0)
    left.set(xlabel="false-positive rate", ylabel="true-positive rate", xlim=(0, 1), ylim=(0, 1.01))
    left.legend(loc="lower right", title="AUC")
    for row, kind in enumerate(data["kinds"].values()):
        for shift, what, color, mark in ((-0.12, "seen", "blue", "o"), (0.12, "unseen", "red", "v")):
            values = kind[what]
            right.plot(values, [row + shift] * len(values), mark, color=COLORS[color], ms=2.5, alpha=0.45)
            right.plot(np.mean(values), row + shift, mark, color=COLORS[color], ms=5.5,
                       label=f"{what} in training" if row == 0 else "_nolegend_")  # fmt: skip
    right.axvline(0.5, color="0.6", lw=0.8, ls=":")
    right.set_yticks(range(len(data["kinds"])), list(data["kinds"]))
    right.invert_yaxis()
    right.set(xlabel="AUC of this kind against normal weeks", xlim=(0, 1.03))
    fig.legend(*right.get_legend_handles_labels(), loc="outside lower right", ncols=2)


def shut_out(fig: Figure, data: Mapping[str, Any]) -> None:
    """Draw, for each attack, accuracy under several defences: dots are seeds, large marks their mean.

    `data`: attacks [name]; defences {name: {accuracy: [[a seed's] by attack]}}; clean: accuracy without attackers.
    """
    fig.set_size_inches(COLUMN, 0.4 * len(data["attacks"]) + 1.3)
    ax = fig.subplots()
    ax.axvline(100 * data["clean"], color="0.6", lw=0.8, ls=":")
    _rows(ax, data, "accuracy", list(data["defences"]))
    ax.set_xlabel("accuracy (%); dotted: without attackers")
    handles, labels = ax.get_legend_handles_labels()
    fig.legend(handles, labels, loc="outside lower center", ncols=2, fontsize=6.5)
