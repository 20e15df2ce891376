"""What the trials of `Trials` add up to: curves over the share of attackers, who was found, and what groups cost.

All functions return plain values for figures and tables: shares of 1, None where there is no number.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from bfl_stpc.robust.defence import Defence, Trace
from bfl_stpc.robust.groups import isolation_risk
from bfl_stpc.robust.trials import Trials
from bfl_stpc.study.intervals import mean_interval, wilson_interval

Defences = Mapping[str, Defence]


def curves(trials: Trials, defences: Defences, attack: str, shares: Sequence[float]) -> dict[str, Any]:
    """Return success of the backdoor and accuracy over the share of attackers, with 95 % intervals over seeds.

    {shares (s,), defences {name: {success, accuracy: {mean (s,), low (s,), high (s,)}}}}; the ends of an interval are
    cut to what a share can be, and are the mean itself where there is one seed.
    """
    drawn: dict[str, Any] = {}
    for name, defence in defences.items():
        runs = [trials.run(defence, attack, share) for share in shares]
        drawn[name] = {
            "success": _over_seeds([[r.success for r in results] for results in runs]),
            "accuracy": _over_seeds([[r.accuracy for r in results] for results in runs]),
        }
    return {"shares": list(shares), "defences": drawn}


def _over_seeds(rows: Sequence[ArrayLike]) -> dict[str, list[float]]:
    found: dict[str, list[float]] = {"mean": [], "low": [], "high": []}
    for values in rows:
        mean, interval = mean_interval(values)
        low, high = interval or (mean, mean)
        for part, value in (("mean", mean), ("low", max(low, 0.0)), ("high", min(high, 1.0))):
            found[part].append(value)
    return found


def identified(trials: Trials, defences: Defences, attack: str, shares: Sequence[float]) -> pd.DataFrame:
    """Return who was found, a row for each defence that traces and each share above 0.

    Columns: defence, share, attackers (over all seeds), found, rate with its 95 % Wilson interval low and high, median
    and last round after which a found attacker was shut out (None if none was), blamed (honest hospitals over all
    seeds), honest (how many there were).
    """
    rows = []
    for name, defence in defences.items():
        for share in shares:
            if not share or defence.trace is Trace.NONE:
                continue
            results = trials.run(defence, attack, share)
            attackers, found = sum(r.attackers for r in results), sum(r.found for r in results)
            rounds = [number for r in results for number in r.rounds if number is not None]
            low, high = wilson_interval(found, attackers)
            rows.append(
                {
                    "defence": name,
                    "share": share,
                    "attackers": attackers,
                    "found": found,
                    "rate": found / attackers,
                    "low": low,
                    "high": high,
                    "median_round": float(np.median(rounds)) if rounds else None,
                    "last_round": max(rounds) if rounds else None,
                    "blamed": sum(r.blamed for r in results),
                    "honest": trials.hospitals * len(results) - attackers,
                }
            )
    return pd.DataFrame(rows)


def versus(trials: Trials, ours: str, defences: Defences, attack: str, shares: Sequence[float]) -> pd.DataFrame:
    """Return how much more of the backdoor gets past `ours` than past each other defence, paired by seed.

    Columns: share, against, difference of success (positive: ours lets more through), its 95 % interval low and high
    (None for one seed), verdict: `win` or `loss` of ours where the interval leaves 0 out, else `open`.
    """
    rows = []
    for share in shares:
        own = np.array([r.success for r in trials.run(defences[ours], attack, share)])
        for name, defence in defences.items():
            if name == ours or not share:
                continue
            other = np.array([r.success for r in trials.run(defence, attack, share)])
            mean, interval = mean_interval(own - other)
            low, high = interval or (None, None)
            verdict = "open"
            if low is not None and high is not None:
                verdict = "loss" if low > 0 else "win" if high < 0 else "open"
            rows.append(
                {"share": share, "against": name, "difference": mean, "low": low, "high": high, "verdict": verdict}
            )
    return pd.DataFrame(rows)


def by_attack(trials: Trials, defences: Defences, attacks: Sequence[str], share: float) -> dict[str, Any]:
    """Return, for each defence, a seed's values under each attack: {attacks, defences {name: {…}}}.

    For each name: accuracy, success and found (share of the attackers), each a list over attacks of lists over seeds;
    blamed, honest hospitals shut out over all seeds, a list over attacks.
    """
    drawn: dict[str, Any] = {}
    for name, defence in defences.items():
        runs = [trials.run(defence, attack, share) for attack in attacks]
        drawn[name] = {
            "accuracy": [[r.accuracy for r in results] for results in runs],
            "success": [[r.success for r in results] for results in runs],
            "found": [[r.found / max(r.attackers, 1) for r in results] for results in runs],
            "blamed": [sum(r.blamed for r in results) for results in runs],
        }
    return {"attacks": list(attacks), "defences": drawn}


def costs(trials: Trials, sizes: Sequence[int], attack: str, share: float) -> dict[str, Any]:
    """Return what groups of each size find and show: the data of the figure `tracing`.

    {sizes; found {size: share of the attackers shut out by each round (R,)}; one_round (s,); over_rounds {size: (R,)};
    of_another (s,); isolation (s,): chance that as many colluders as attackers isolate a given hospital once in the
    training; hospitals; colluders}. Keys of dictionaries are texts, as in a file.
    """
    colluders = round(share * trials.hospitals)
    found, shown = {}, {}
    for size in sizes:
        results = trials.run(Defence(size, "median", bounded=True, trace=Trace.DECODE), attack, share)
        out = np.array([np.inf if n is None else n for r in results for n in r.rounds])
        found[str(size)] = [float(np.mean(out <= t)) for t in range(1, trials.rounds + 1)]
        shown[str(size)] = trials.exposure(size)
    return {
        "sizes": list(sizes),
        "found": found,
        "one_round": [e.one_round for e in shown.values()],
        "over_rounds": {size: list(map(float, e.over_rounds)) for size, e in shown.items()},
        "of_another": [e.of_another for e in shown.values()],
        "isolation": [isolation_risk(trials.hospitals, colluders, size, trials.rounds) for size in sizes],
        "hospitals": trials.hospitals,
        "colluders": colluders,
    }
