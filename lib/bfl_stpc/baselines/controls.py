"""The two controls, and central training itself: what FEACS-style and EJSS-style do with the records they collect."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from bfl_stpc import federated
from bfl_stpc.baselines.cohort import Patients, Table, model
from bfl_stpc.baselines.report import Card, Exposure, Report, View, report

CENTRAL = Card(
    name="centralised control",
    source="this study",
    unit="none",
    throughput="none",
    views=(View("centre", Exposure.RECORDS, "everything"),),
    learns="central",
)
LOCAL = Card(
    name="local control",
    source="this study",
    unit="none",
    throughput="none",
    views=(),
    learns="local",
)


_trained: dict[bytes, NDArray[np.float32]] = {}  # by all that decides it: two systems collect the same records
TURNS = 10  # central training keeps so many models on its way, and averages the later half


@dataclass(frozen=True)
class Settings:
    """Central training; the defaults are the best of `search.csv`.

    Attributes:
        hidden: width of the hidden layer, 0 for none.
        epochs: passes over all records; a multiple of `TURNS`.
        batch, learning_rate, momentum, decay: of stochastic gradient descent.
    """

    hidden: int = 0
    epochs: int = 200
    batch: int = 2048
    learning_rate: float = 6.0
    momentum: float = 0.0
    decay: float = 0.0

    def config(self, width: int) -> federated.TrainConfig:
        """Return how one epoch trains a model of `width` inputs."""
        spec = model(width, self.hidden)
        return federated.TrainConfig(
            spec,
            batch=self.batch,
            learning_rate=self.learning_rate,
            momentum=self.momentum,
            decay=self.decay,
        )


LOCAL_SETTINGS = Settings(epochs=100, batch=512, learning_rate=1.0)  # the best of `search.csv` for few records


def train_central(tables: Table, seed: int, settings: Settings | None = None) -> NDArray[np.float32]:
    """Return the weights float32 (p,) of training on all tables in one place: the mean of the last models.


    It depends on the tables, the seed and the settings alone: whoever collects the same records gets the same bytes.
    """
    settings = settings or Settings()
    records = federated.pooled(tables)
    key = hashlib.sha256(records.X.tobytes() + records.y.tobytes() + repr((seed, settings)).encode()).digest()
    if key not in _trained:
        _trained[key] = _train(records, seed, settings)
    return _trained[key]


def _train(records: federated.ClientData, seed: int, settings: Settings) -> NDArray[np.float32]:
    config = settings.config(records.X.shape[1])
    config = replace(config, epochs=max(1, settings.epochs // TURNS))
    return federated.train(
        federated.init_weights(config.spec, seed),
        {"all": records},
        config,
        federated.Averaging(),
        rounds=TURNS,
        experiment="central",
        seed=seed,
        tail=0.5,
    ).weights


def report_central(name: str, tables: Table, patients: Patients, settings: Settings | None = None) -> Report:
    """Return the report of central training on `tables`, tested on the test patients."""
    weights = train_central(tables, patients.seed, settings)
    spec = (settings or Settings()).config(patients.test.shape[1]).spec
    return report(name, weights, patients, federated.predict(weights, spec, patients.test))


def centralised(patients: Patients, settings: Settings | None = None) -> Report:
    """Return the report of a model trained on all records in one place, which no hospital could allow."""
    return report_central(CENTRAL.name, patients.own_tables, patients, settings)


def local(patients: Patients, settings: Settings | None = None) -> Report:
    """Return the report of every hospital's own model on its own test patients."""
    settings, X, features = settings or LOCAL_SETTINGS, patients.test, patients.features
    config = replace(settings.config(X.shape[1]), epochs=settings.epochs)
    first = federated.init_weights(config.spec, patients.seed)
    models = federated.apart(first, patients.own_tables, config, experiment="alone", seed=patients.seed)
    owner, p = features.hospital[patients.parts.test], np.empty(len(X))
    for k, name in enumerate(features.hospitals):
        p[owner == k] = federated.predict(models[name], config.spec, X[owner == k])
    return report(LOCAL.name, None, patients, p)
