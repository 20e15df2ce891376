"""The same patients at other difficulties: only their outcomes are drawn anew, from a steeper or flatter p(y|x)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import ArrayLike

from bfl_stpc import ehr
from bfl_stpc.baselines import Patients, Report, controls, flbm_iot, ours, ppflb
from bfl_stpc.baselines.systems import shorter
from bfl_stpc.ehr import outcome
from bfl_stpc.ehr.config import HIGHEST_CEILING, LOWEST_CEILING
from bfl_stpc.errors import ConfigError
from bfl_stpc.federated import ClinicalInputs
from bfl_stpc.seeds import generator

OURS, PRIVATE = ours.CARD.name, ours.private_name(ours.PrivateSettings())
CENTRAL, LOCAL = "central", "alone"
SYSTEMS = (OURS, PRIVATE, ppflb.CARD.name, flbm_iot.CARD.name, CENTRAL, LOCAL)


def at(features: ehr.Features, ceiling: float, seed: int) -> ehr.Features:
    """Return the same patients with outcomes of another difficulty.

    Args:
        features: of any cohort of the generator.
        ceiling: accuracy of the Bayes classifier on them, 0.75 to 0.999.
        seed: of the uniform numbers behind the outcomes, which are the same at every ceiling: what differs between two
            ceilings is the steepness alone.

    Raises:
        ConfigError: the ceiling is not one that the generator offers.
    """
    if not LOWEST_CEILING <= ceiling <= HIGHEST_CEILING:
        raise ConfigError(f"ceiling is {ceiling}; the generator offers {LOWEST_CEILING} to {HIGHEST_CEILING}")
    margin = outcome.score(features.X, features.names)
    p = outcome.probability(margin, outcome.steepness(margin, ceiling))
    y = (generator("difficulty", seed).random(p.size) < p).astype(np.int8)
    return replace(features, p=p, y=y)


def shuffled(patients: Patients) -> Patients:
    """Return the split with the outcomes of all patients in random order: features tell nothing of them any more."""
    y = generator("shuffled", patients.seed).permutation(patients.features.y)
    return Patients(replace(patients.features, y=y), patients.seed, patients.parts, patients.scaling)


def sweep(
    features: ehr.Features,
    ceilings: Sequence[float],
    *,
    seeds: Sequence[int],
    scaling: ClinicalInputs,
    share: float = 1.0,
) -> list[dict[str, float | str]]:
    """Return a row a ceiling, seed and system: ceiling, bayes (on the test patients), system, accuracy, auc, gap.

    FEACS-style and EJSS-style train as `central` does, to the bit (notebook 09), and share its row. Settings are those
    tuned at the default ceiling, with `share` of their rounds.
    """
    rows: list[dict[str, float | str]] = []
    for ceiling in ceilings:
        for seed in seeds:
            patients = Patients.draw(at(features, ceiling, seed), seed, scaling)
            bayes = ehr.ceiling(patients.features.p[patients.parts.test])
            for name, done in run_systems(patients, share).items():
                scores = {"accuracy": done.accuracy, "auc": done.auc, "gap": done.gap}
                known = {"ceiling": ceiling, "seed": seed, "bayes": bayes.accuracy, "bayes_auc": bayes.auc}
                rows.append({**known, "system": name, **scores})
    return rows


def run_systems(patients: Patients, share: float) -> Mapping[str, Report]:
    """Return the reports of `SYSTEMS` on one split."""
    epochs = max(controls.TURNS, round(share * controls.Settings().epochs))
    done = (
        ours.run(patients, shorter(ours.Settings(), share)),
        ours.run_private(patients, shorter(ours.PrivateSettings(), share)),
        ppflb.run(patients, shorter(ppflb.Settings(), share)),
        flbm_iot.run(patients, shorter(flbm_iot.Settings(), share)),
        controls.centralised(patients, replace(controls.Settings(), epochs=epochs)),
        controls.local(patients),
    )
    return dict(zip(SYSTEMS, done, strict=True))


def reached_at(ceilings: ArrayLike, accuracy: ArrayLike, value: float) -> float | None:
    """Return the ceiling at which a rising curve of accuracies (k,) over ceilings (k,) reaches `value`.

    Between two points the curve is taken as straight; None where the value lies outside of what was run.
    """
    x, y = np.asarray(ceilings, float), np.maximum.accumulate(np.asarray(accuracy, float))
    if not y[0] <= value <= y[-1]:
        return None
    return float(np.interp(value, y, x))
