"""The search for the settings of notebooks 02 and 03, on patients of other cohorts than the reported one.

    python tools/search.py                   redo every trial of federated/search.csv that has a configuration
    python tools/search.py '{"rounds": 40}'  try one configuration (JSON, see `Trial`) and append it

Every trial is kept, good or bad. Inputs of private training are scaled by cohort `PUBLIC`, all trials are trained and
judged on cohort `SEARCHED`; the cohort of the study has another seed than both.
"""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import pandas as pd

from bfl_stpc import ehr, federated, privacy

PUBLIC, SEARCHED = 777, 778  # seeds of the cohorts
DELTA = 1e-5


@dataclass(frozen=True)
class Trial:
    """One setting; the defaults are left out of the record.

    Attributes:
        hidden: width of the one hidden layer, 0 for a logistic regression.
        margins, limits, related, absence: the columns, as in `federated.Reading`.
        ridge: as in `federated.clinical_inputs`.
        epochs, batch, rate, decay: local training; a private hospital takes `epochs` full-batch steps a round.
        rounds, tail: how many, and the share of them that is averaged.
        server, server_rate, beta: "momentum", "adam" or "yogi", its rate, and β of momentum.
        method: "federated", or what each hospital uses for itself: "alone", "ditto" (`epochs` from a federated model of
            the default settings) or "mr-mtl".
        proximal: pull of the last two towards the global model.
        epsilon: 0 for training without noise, otherwise ε at every hospital at δ = 10⁻⁵.
        clip: C.
        shared: whether hospitals share the noise behind the secure sum, four of them colluding.
        power: hospitals weigh by records to this power.
        patients, splits: size of the cohorts, and over how many splits the gap is averaged.
    """

    hidden: int = 0
    margins: tuple[float, ...] = (0.5,)
    limits: bool = True
    related: bool = True
    absence: bool = True
    ridge: float = 1.0
    epochs: int = 1
    batch: int = 64
    rate: float = 0.3
    decay: float = 0.0
    rounds: int = 40
    server: str = "momentum"
    server_rate: float = 1.0
    beta: float = 0.8
    tail: float = 0.5
    method: str = "federated"
    proximal: float = 0.0
    epsilon: float = 0.0
    clip: float = 1.0
    shared: bool = False
    power: float = 1.0
    patients: int = 40_000
    splits: int = 2

    @classmethod
    def from_json(cls, text: str) -> Trial:
        """Return the trial of a JSON object; what it leaves out is as by default."""
        given: dict[str, Any] = json.loads(text)
        if "margins" in given:
            given["margins"] = tuple(given["margins"])
        return cls(**given)

    def to_json(self) -> str:
        """Return the settings that differ from the defaults."""
        changed = {f.name: getattr(self, f.name) for f in fields(self) if getattr(self, f.name) != f.default}
        return json.dumps(changed)

    @property
    def notebook(self) -> str:
        """The notebook whose settings this trial is about."""
        return "03_differential_privacy" if self.epsilon else "02_federated_learning"


_kept: dict[tuple[int, int], ehr.Features] = {}


def gap(trial: Trial) -> tuple[float, int]:
    """Return the expected gap to the Bayes accuracy, in points, mean over the splits, and the number of inputs."""
    features = _features(SEARCHED, trial.patients)
    gaps = []
    for seed in range(1, trial.splits + 1):
        parts = ehr.split(features, seed)
        inputs = _inputs(trial, features, parts.train)
        table = inputs.transform(features.X)
        hospitals = federated.by_hospital(table, features.y, features.hospital, features.hospitals, parts.train)
        spec = federated.Mlp((inputs.width, *([trial.hidden] if trial.hidden else []), 1))
        start = federated.init_weights(spec, seed) if trial.hidden else np.zeros(spec.size, np.float32)
        models = _models(trial, start, hospitals, _training(trial, spec, len(hospitals)), seed)
        rest = np.concatenate([parts.validation, parts.test])
        p = np.empty(rest.size)
        for k, name in enumerate(features.hospitals):
            own = features.hospital[rest] == k
            p[own] = federated.predict(models[name], spec, table[rest[own]])
        gaps.append(federated.expected_gap(p, features.p[rest]))
    return float(np.mean(gaps)), inputs.width


def _models(
    trial: Trial,
    start: np.ndarray,
    hospitals: dict[str, federated.ClientData],
    config: federated.LocalTraining,
    seed: int,
) -> dict[str, np.ndarray]:
    """Return the model that each hospital uses."""
    if isinstance(config, federated.TrainConfig) and trial.method != "federated":
        if trial.method == "alone":
            return federated.apart(start, hospitals, config, experiment="search", seed=seed)
        if trial.method == "mr-mtl":
            learn = federated.mean_regularised
            return learn(start, hospitals, config, rounds=trial.rounds, experiment="search", seed=seed)[1]
        common = Trial(hidden=trial.hidden)
        start = _models(common, start, hospitals, _training(common, config.spec, len(hospitals)), seed)["hospital-01"]
        return federated.apart(start, hospitals, config, experiment="search", seed=seed)
    trained = federated.train(
        start,
        hospitals,
        config,
        _server(trial),
        rounds=trial.rounds,
        experiment="search",
        seed=seed,
        importance={name: float(len(each.y)) ** trial.power for name, each in hospitals.items()},
        tail=trial.tail,
    )
    return dict.fromkeys(hospitals, trained.weights)


def _server(trial: Trial) -> federated.ServerStep:
    if trial.server == "momentum":
        return federated.Momentum(rate=trial.server_rate, beta=trial.beta)
    adaptive = {"adam": federated.FedAdam, "yogi": federated.FedYogi}[trial.server]
    return adaptive(rate=trial.server_rate, adaptivity=1e-2)


def _features(seed: int, patients: int) -> ehr.Features:
    key = (seed, patients)
    if key not in _kept:
        _kept[key] = ehr.generate(ehr.CohortConfig(seed=seed, patients=patients)).features()
    return _kept[key]


def _inputs(trial: Trial, features: ehr.Features, rows: np.ndarray) -> federated.ClinicalInputs:
    """Return the inputs: scaled by the training patients, or by the public cohort where training is private."""
    related = {} if trial.related else {"related": ()}
    reading = federated.Reading(
        features.names, features.skewed, trial.margins, trial.limits, absence=trial.absence, **related
    )
    if trial.epsilon:
        features = _features(PUBLIC, trial.patients)
        rows = np.arange(len(features.y))
    return federated.clinical_inputs(reading, features.X, features.hospital, rows, ridge=trial.ridge)


def _training(trial: Trial, spec: federated.Mlp, hospitals: int) -> federated.LocalTraining:
    if not trial.epsilon:
        return federated.TrainConfig(
            spec, trial.epochs, trial.batch, trial.rate, proximal=trial.proximal, decay=trial.decay
        )
    sigma = privacy.calibrate(trial.epsilon, DELTA, 1.0, trial.epochs * trial.rounds)
    sigma /= np.sqrt(hospitals - 4) if trial.shared else 1.0
    return privacy.DpConfig(spec, 1.0, trial.epochs, trial.clip, sigma, trial.rate, privacy.NoiseSource.SIMULATION)


def describe(trial: Trial, width: int) -> dict[str, str]:
    """Return the row of the record, without the gap."""
    model = f"{trial.hidden} hidden" if trial.hidden else "logistic"
    method = "" if trial.method == "federated" else f"{trial.method}: "
    return {"notebook": trial.notebook, "model": f"{method}{model}, {width} inputs", "setting": trial.to_json()}


def main(arguments: list[str]) -> None:
    """Redo the record, or add to it."""
    record = pd.read_csv(federated.SEARCH, keep_default_na=False)
    if arguments:
        tried = [Trial.from_json(text) for text in arguments]
    else:
        tried = [Trial.from_json(text) for text in record.setting if text.startswith("{")]
        record = record[~record.setting.str.startswith("{")]
    for trial in tried:
        found, width = gap(trial)
        row = describe(trial, width) | {"gap": f"{found:.2f}"}
        print(row, flush=True)
        record = pd.concat([record, pd.DataFrame([row])])
    record.to_csv(federated.SEARCH, index=False, lineterminator="\n")
    federated.worker.close()


if __name__ == "__main__":
    main(sys.argv[1:])
