"""The catalogue of `detection`, injected into every compared system: what is noticed and what is not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Protocol

import numpy as np
import pandas as pd

from bfl_stpc import detection
from bfl_stpc.baselines import ejss, feacs, flbm_iot, ours, ppflb
from bfl_stpc.baselines.door import Injectors
from bfl_stpc.baselines.inject_records import SealedStore, SharedStore
from bfl_stpc.baselines.inject_rounds import ClusterRounds, StoredRounds
from bfl_stpc.detection import Outcome
from bfl_stpc.seeds import generator
from bfl_stpc.study.intervals import wilson_interval


class Bench(Protocol):
    """A baseline that can be injected into."""

    def injectors(self) -> Injectors:
        """Return what can be injected, by kind of the catalogue."""

    def honest(self, rng: np.random.Generator) -> Outcome:
        """Run the same without an attack."""


BENCHES: Mapping[str, type[Bench]] = {
    ppflb.CARD.name: StoredRounds,
    feacs.CARD.name: SealedStore,
    flbm_iot.CARD.name: ClusterRounds,
    ejss.CARD.name: SharedStore,
}


def kinds() -> list[str]:
    """Return the kinds that have a place in at least one baseline, in the order of the catalogue."""
    found = {kind for bench in BENCHES.values() for kind in bench().injectors()}
    return [kind for kind in detection.load().kinds if kind in found]


def run(*, injections: int, clean: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Inject each kind `injections` times into each system in which it has a place, levels in turn.

    Returns:
        A row a system and kind (system, kind, name, family, weight, injections, detected, recall, low, high, by), and
        a row a system with its honest operations: system, events, alarms.
    """
    rows, calm = [], []
    for system, bench_class in BENCHES.items():
        bench = bench_class()
        for kind, (levels, inject) in bench.injectors().items():
            outcomes = [
                inject(levels[n % len(levels)], generator("baseline detection", system, kind, n))
                for n in range(injections)
            ]
            rows.append(_row(system, kind, outcomes))
        found = [bench.honest(generator("baseline clean", system, n)) for n in range(clean)]
        calm.append({"system": system, "events": clean, "alarms": sum(o.detected for o in found)})
    table, honest = run_ours(injections=injections, clean=clean)
    return pd.concat([pd.DataFrame(rows), table], ignore_index=True), pd.DataFrame([*calm, honest])


def run_ours(*, injections: int, clean: int) -> tuple[pd.DataFrame, dict[str, object]]:
    """Do the same to our own system, by the injections of `detection`, for the kinds of the comparison."""
    catalogue = detection.load()
    chosen = replace(catalogue, kinds={kind: catalogue.kinds[kind] for kind in kinds()})
    campaign = detection.run(chosen, seeds=(1,), injections=injections, clean_events=clean)
    rows = []
    for kind in chosen.kinds:
        rows.append(_row(ours.CARD.name, kind, [t.outcome for t in campaign.trials if t.kind == kind]))
    events = [c for found in campaign.clean.values() for c in found]
    counts = {"events": sum(c.events for c in events), "alarms": sum(c.alarms for c in events)}
    return pd.DataFrame(rows), {"system": ours.CARD.name, **counts}


def _row(system: str, name: str, outcomes: Sequence[Outcome]) -> dict[str, object]:
    kind, hits = detection.load().kinds[name], [o for o in outcomes if o.detected]
    low, high = wilson_interval(len(hits), len(outcomes))
    return {
        "system": system,
        "kind": name,
        "name": kind.name,
        "family": kind.family,
        "weight": kind.weight,
        "injections": len(outcomes),
        "detected": len(hits),
        "recall": len(hits) / len(outcomes),
        "low": low,
        "high": high,
        "by": ", ".join(sorted({o.by for o in hits})) or "nothing",
    }
