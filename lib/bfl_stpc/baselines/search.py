"""The search for the baselines' settings: a grid of `BUDGET` for each, on patients of another cohort.

`python -m bfl_stpc.baselines` does it again and writes search.csv: every setting that was tried, and its gap to the
Bayes accuracy, mean over `SPLITS` splits. The default settings of each module are the best of its rows.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from bfl_stpc import ehr, federated
from bfl_stpc.baselines import controls, flbm_iot, ppflb
from bfl_stpc.baselines.cohort import Patients, public_scaling

SEARCH = Path(__file__).with_name("search.csv")
BUDGET = 24  # settings for each system; inputs and model are those of our own
COHORT, SPLITS = 778, (1,)  # the cohort on which our own settings were searched for, too
# Of a trial of our own: what it says of inputs, which all systems share, and what the inputs in use say.
INPUTS = ("margins", "limits", "related", "absence", "ridge")
INPUTS_IN_USE = {"02_federated_learning": {}, "03_differential_privacy": {"margins": [], "absence": False}}


def grids() -> dict[str, tuple[Callable[[Patients, Any], Any], Sequence[Any]]]:
    """Return for each system how it is run, and the settings to try."""
    return {
        "central": (controls.centralised, list(_central())),
        "local": (controls.local, list(_local())),
        "flbm_iot": (flbm_iot.run, list(_flbm_iot())),
        "ppflb": (ppflb.run, list(_ppflb())),
    }


def _central() -> Iterator[controls.Settings]:
    straight = [(40, 64, 0.1), (40, 64, 0.3), (40, 512, 1.0), (100, 512, 2.0), (200, 2048, 6.0), (200, 8192, 12.0)]
    for (epochs, batch, rate), decay in itertools.product(straight, (0.0, 3e-5, 3e-4)):
        yield controls.Settings(0, epochs, batch, rate, 0.0, decay)
    for (batch, rate), decay in itertools.product([(64, 0.1), (64, 0.2), (512, 0.5)], (1e-3, 3e-3)):
        yield controls.Settings(32, 40, batch, rate, 0.0, decay)


def _local() -> Iterator[controls.Settings]:
    straight = [(40, 64, 0.1), (40, 64, 0.3), (100, 512, 1.0), (200, 8192, 6.0)]
    for (epochs, batch, rate), decay in itertools.product(straight, (0.0, 1e-3, 3e-3)):
        yield controls.Settings(0, epochs, batch, rate, 0.0, decay)
    for (epochs, rate), decay in itertools.product([(10, 0.1), (20, 0.1), (40, 0.1), (40, 0.05)], (1e-3, 3e-3, 1e-2)):
        yield controls.Settings(32, epochs, 64, rate, 0.0, decay)


def _flbm_iot() -> Iterator[flbm_iot.Settings]:
    local = [(0, 5, 2048, 6.0, 0.0), (0, 3, 512, 2.0, 0.0), (0, 1, 64, 0.3, 0.0), (32, 1, 64, 0.1, 3e-3)]
    for (hidden, epochs, batch, rate, decay), inner, beta in itertools.product(local, (1, 2, 4), (0.0, 0.8)):
        made = {"epochs": epochs, "batch": batch, "learning_rate": rate, "decay": decay, "beta": beta}
        yield flbm_iot.Settings(hidden=hidden, inner=inner, **made)  # type: ignore[arg-type]


def _ppflb() -> Iterator[ppflb.Settings]:
    servers = [(10.0, 2.0, 0.5), (20.0, 2.0, 0.5), (10.0, 1.0, 0.5), (1.0, 20.0, 0.5)]
    turns = [(40, 1), (40, 5), (20, 5)]
    for (rounds, steps), clip, (local, rate, beta) in itertools.product(turns, (0.5, 1.0), servers):
        yield ppflb.Settings(rounds, steps, clip, local, rate, beta)


def search(patients: int = 40_000, tell: Callable[[str], object] = print) -> pd.DataFrame:
    """Return a row for every setting: system, setting (JSON), gap in points."""
    features = ehr.generate(ehr.CohortConfig(seed=COHORT, patients=patients)).features()
    scaling = public_scaling(patients)
    drawn = [Patients.draw(features, seed, scaling) for seed in SPLITS]
    rows = []
    for name, (run, settings) in grids().items():
        for setting in settings:
            gap = float(np.mean([run(part, setting).gap for part in drawn]))
            rows.append({"system": name, "setting": json.dumps(asdict(setting)), "gap": round(gap, 3)})
            tell(f"{name} {rows[-1]['setting']}: {gap:.3f}")
    return pd.DataFrame(rows)


def best(name: str) -> dict[str, Any]:
    """Return the best setting of system `name` in search.csv: the first of the smallest gaps."""
    rows = pd.read_csv(SEARCH)
    rows = rows[rows.system == name]
    return json.loads(rows.loc[rows.gap.idxmin(), "setting"])


def own_trials() -> pd.DataFrame:
    """Return the trials of our own training with the inputs that all systems share: system, setting (JSON), gap.

    They are rows of `federated.SEARCH`, which holds the search for the inputs too, and what single hospitals use.
    """
    rows = []
    for trial in pd.read_csv(federated.SEARCH).itertuples():
        setting = json.loads(trial.setting) if trial.setting.startswith("{") else {"method": "prototype"}
        inputs = {name: setting[name] for name in INPUTS if name in setting}
        if inputs == INPUTS_IN_USE[trial.notebook] and "method" not in setting:
            noise = ", noise shared" if setting.get("shared") else ", own noise" if "epsilon" in setting else ""
            rows.append({"system": f"ours{noise}", "setting": trial.setting, "gap": trial.gap})
    return pd.DataFrame(rows).drop_duplicates(["system", "setting"])
