"""Inject every kind many times, run clean events beside, and count."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from bfl_stpc.detection.catalogue import Basis, Catalogue, Kind
from bfl_stpc.detection.injection import Bench, Clean, Outcome, registry
from bfl_stpc.errors import ConfigError
from bfl_stpc.seeds import generator
from bfl_stpc.study.intervals import wilson_interval


@dataclass(frozen=True)
class Trial:
    """One injection: what, how hard, on which bench, and what became of it."""

    kind: str
    level: str
    seed: int
    number: int
    outcome: Outcome


@dataclass(frozen=True)
class Campaign:
    """All trials, and the clean events of every bench.

    Attributes:
        trials: in the order of the catalogue.
        clean: by the name of the bench's class, summed over seeds; one a check.
    """

    trials: tuple[Trial, ...]
    clean: Mapping[str, tuple[Clean, ...]]


def run(
    catalogue: Catalogue,
    *,
    seeds: Sequence[int],
    injections: int,
    clean_events: int,
    tell: Callable[[Kind], object] = lambda _: None,
) -> Campaign:
    """Inject each kind, every level equally often, then run the clean events, on one bench a seed.

    Args:
        catalogue: the kinds.
        seeds: of the benches; each is set up once a class and shared by all its kinds.
        injections: fewest of each kind; rounded up to a multiple of its levels.
        clean_events: fewest clean events of each class of bench, over all seeds.
        tell: hears of each kind before its first injection.

    Raises:
        ConfigError: a kind has no injector, or a notice is credited to a detector that the catalogue does not name.
    """
    known = registry()
    if missing := [name for name in catalogue.kinds if name not in known]:
        raise ConfigError(f"no code injects {', '.join(missing)}")
    classes = list(dict.fromkeys(known[name].bench for name in catalogue.kinds))
    trials: dict[str, list[Trial]] = {}
    clean: dict[str, tuple[Clean, ...]] = {}
    for bench_class in classes:  # one class after the other: a bench is dropped when its kinds are done
        benches = {seed: bench_class(seed) for seed in seeds}
        for kind in catalogue.kinds.values():
            if known[kind.id].bench is bench_class:
                tell(kind)
                trials[kind.id] = _trials(kind, benches, injections)
        each = -(-clean_events // len(seeds))
        clean[bench_class.__name__] = _summed([row for bench in benches.values() for row in bench.clean(each)])
    return Campaign(tuple(t for name in catalogue.kinds for t in trials[name]), clean)


def _trials(kind: Kind, benches: Mapping[int, Bench], injections: int) -> list[Trial]:
    inject, seeds, found = registry()[kind.id].inject, list(benches), []
    for number in range(-(-injections // len(kind.levels)) * len(kind.levels)):
        level = kind.levels[number % len(kind.levels)]
        seed = seeds[number // len(kind.levels) % len(seeds)]
        outcome = inject(benches[seed], level, generator("detection", kind.id, level.name, number))
        if outcome.detected and outcome.by not in kind.detectors:
            raise ConfigError(f"{kind.id} at {level.name!r} was noticed by {outcome.by}, which its entry does not name")
        found.append(Trial(kind.id, level.name, seed, number, outcome))
    return found


def _summed(rows: Sequence[Clean]) -> tuple[Clean, ...]:
    counts: dict[tuple[str, tuple[str, ...]], list[int]] = defaultdict(lambda: [0, 0])
    for row in rows:
        count = counts[row.check, row.detectors]
        count[0] += row.events
        count[1] += row.alarms
    return tuple(Clean(check, detectors, *count) for (check, detectors), count in counts.items())


def by_kind(campaign: Campaign, catalogue: Catalogue) -> pd.DataFrame:
    """Return a row a kind: recall with its 95 % Wilson interval, who noticed, steps, false alarms of the detectors.

    Columns: kind, name, family, basis, consequence, weight, injections, detected, recall, low, high (shares of 1),
    by (names, in the catalogue's order), steps (median of the detected, None if there are none), blamed (honest
    hospitals, over all injections), clean_events and false_alarms (of the checks of its bench at which one of its
    detectors looks), false_rate and false_high (their share of 1 and the upper end of its interval; None without
    clean events).
    """
    rows = []
    for kind in catalogue.kinds.values():
        outcomes = [t.outcome for t in campaign.trials if t.kind == kind.id]
        hits = [o for o in outcomes if o.detected]
        low, high = wilson_interval(len(hits), len(outcomes))
        watched = campaign.clean[registry()[kind.id].bench.__name__]
        clean = [c for c in watched if set(c.detectors) & set(kind.detectors)]
        by = [name for name in kind.detectors if any(o.by == name for o in hits)]
        events, alarms = sum(c.events for c in clean), sum(c.alarms for c in clean)
        rows.append(
            {
                "kind": kind.id,
                "name": kind.name,
                "family": kind.family,
                "basis": kind.basis.value,
                "consequence": kind.consequence,
                "weight": kind.weight,
                "injections": len(outcomes),
                "detected": len(hits),
                "recall": len(hits) / len(outcomes),
                "low": low,
                "high": high,
                "by": ", ".join(by) or "nothing",
                "steps": float(np.median([o.steps for o in hits])) if hits else None,
                "blamed": sum(o.alarms for o in outcomes),
                "clean_events": events,
                "false_alarms": alarms,
                "false_rate": alarms / events if events else None,
                "false_high": wilson_interval(alarms, events)[1] if events else None,
            }
        )
    return pd.DataFrame(rows)


def tidy(table: pd.DataFrame) -> list[dict[str, object]]:
    """Return the rows of a table as records, with None where there is no number: for figures and files."""
    return [{k: None if pd.isna(v) else v for k, v in row.items()} for row in table.to_dict(orient="records")]  # type: ignore[misc]


def by_level(campaign: Campaign) -> pd.DataFrame:
    """Return a row a kind and level: kind, level, injections, detected, recall, low, high."""
    rows = []
    cells: dict[tuple[str, str], list[bool]] = defaultdict(list)
    for t in campaign.trials:
        cells[t.kind, t.level].append(t.outcome.detected)
    for (kind, level), found in cells.items():
        low, high = wilson_interval(sum(found), len(found))
        counts = {"injections": len(found), "detected": sum(found), "recall": sum(found) / len(found)}
        rows.append({"kind": kind, "level": level, **counts, "low": low, "high": high})
    return pd.DataFrame(rows)


def milliseconds(campaign: Campaign) -> pd.DataFrame:
    """Return a row a kind: median and 95th percentile of the milliseconds to the notice, of what was noticed."""
    rows = []
    for kind in dict.fromkeys(t.kind for t in campaign.trials):
        ms = [t.outcome.ms for t in campaign.trials if t.kind == kind and t.outcome.detected]
        middle, late = np.percentile(ms, [50, 95]) if ms else (None, None)
        rows.append({"kind": kind, "median_ms": middle, "p95_ms": late})
    return pd.DataFrame(rows)


def clean_events(campaign: Campaign) -> pd.DataFrame:
    """Return a row a bench and check: events, alarms, rate, and the rate's 95 % Wilson interval."""
    rows = []
    for bench, found in campaign.clean.items():
        for c in found:
            low, high = wilson_interval(c.alarms, c.events)
            counts = {"events": c.events, "alarms": c.alarms, "rate": c.alarms / c.events, "low": low, "high": high}
            rows.append({"bench": bench, "check": c.check, "detectors": ", ".join(c.detectors), **counts})
    return pd.DataFrame(rows)


def aggregate(table: pd.DataFrame, weights: ArrayLike | None = None) -> tuple[float, tuple[float, float]]:
    """Return the weighted mean recall (a share of 1) and its 95 % interval.

    The interval joins the Wilson intervals of the kinds by Newcombe's square-and-add (Zou and Donner 2008, MOVER):
    the kinds are sampled independently, and a kind at recall 1 still adds its own doubt.

    Args:
        table: of `by_kind`.
        weights: one a row, at least one of them positive; the catalogue's if not given.
    """
    w = np.asarray(table["weight"] if weights is None else weights, dtype=float)
    w = w / w.sum()
    recall, low, high = (table[c].to_numpy(float) for c in ("recall", "low", "high"))
    value = float(w @ recall)
    down = float(np.sqrt(((w * (recall - low)) ** 2).sum()))
    up = float(np.sqrt(((w * (high - recall)) ** 2).sum()))
    return value, (value - down, value + up)


def sensitivity(table: pd.DataFrame, *, draws: int) -> pd.DataFrame:
    """Return the aggregate under other weights: a row a choice, with `choice`, `recall`, `low`, `high`.

    Choices: the published weights; every kind alike; every family alike; each consequence alone; without the
    cryptographic kinds; and the 2.5 to 97.5 % range over `draws` weights drawn uniformly from the simplex.
    """
    sizes = table.groupby("family")["kind"].transform("size")
    choices: dict[str, np.ndarray] = {
        "as published": table["weight"].to_numpy(float),
        "every kind alike": np.ones(len(table)),
        "every family alike": 1.0 / sizes.to_numpy(float),
    }
    for name in dict.fromkeys(table["consequence"]):
        choices[f"only {name}"] = (table["consequence"] == name).to_numpy(float)
    soft = (table["basis"] != Basis.CRYPTOGRAPHIC.value).to_numpy(float)
    if soft.any():
        choices["without the cryptographic kinds"] = soft * table["weight"].to_numpy(float)
    rows = []
    for choice, weights in choices.items():
        value, (low, high) = aggregate(table, weights)
        rows.append({"choice": choice, "recall": value, "low": low, "high": high})
    random = generator("detection-weights").dirichlet(np.ones(len(table)), draws) @ table["recall"].to_numpy(float)
    low, middle, high = np.percentile(random, [2.5, 50, 97.5])
    rows.append({"choice": "weights at random", "recall": middle, "low": low, "high": high})
    return pd.DataFrame(rows)
