"""The two controls, and central training itself: what FEACS-style and EJSS-style do with the records they collect."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from bfl_stpc import federated
from bfl_stpc.baselines.cohort import Patients
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


@dataclass(frozen=True)
class Settings:
    """Central training; the defaults are the best of `search.csv`.

    Attributes:
        hidden: width of the hidden layer.
        epochs: passes over all records, as many as our own system has rounds.
        batch, learning_rate, momentum, decay: of stochastic gradient descent.
    """

    hidden: int = 64
    epochs: int = 40
    batch: int = 64
    learning_rate: float = 0.2
    momentum: float = 0.0
    decay: float = 1e-3

    def config(self, width: int) -> federated.TrainConfig:
        """Return how one epoch trains a model of `width` inputs."""
        spec = federated.Mlp((width, self.hidden, 1))
        return federated.TrainConfig(
            spec,
            batch=self.batch,
            learning_rate=self.learning_rate,
            momentum=self.momentum,
            decay=self.decay,
        )


def train_central(
    tables: Mapping[str, federated.ClientData], seed: int, settings: Settings | None = None
) -> NDArray[np.float32]:
    """Return the weights float32 (p,) of training on all tables in one place: the mean of the last half of the epochs.

    It depends on the tables, the seed and the settings alone: whoever collects the same records gets the same bytes.
    """
    settings = settings or Settings()
    records = federated.pooled(tables)
    config = settings.config(records.X.shape[1])
    start = federated.init_weights(config.spec, seed)
    options = {"rounds": settings.epochs, "experiment": "central", "seed": seed, "tail": 0.5}
    return federated.train(start, {"all": records}, config, federated.Averaging(), **options).weights  # type: ignore[arg-type]


def report_central(
    name: str, tables: Mapping[str, federated.ClientData], patients: Patients, settings: Settings | None = None
) -> Report:
    """Return the report of central training on `tables`, tested on the test patients."""
    weights, X = train_central(tables, patients.seed, settings), patients.test_inputs()
    spec = (settings or Settings()).config(X.shape[1]).spec
    return report(name, weights, patients, federated.predict(weights, spec, X))


def centralised(patients: Patients, settings: Settings | None = None) -> Report:
    """Return the report of a model trained on all records in one place, which no hospital could allow."""
    return report_central(CENTRAL.name, patients.tables(patients.records()), patients, settings)


def local(patients: Patients, settings: Settings | None = None) -> Report:
    """Return the report of every hospital's own model on its own test patients."""
    settings, X = settings or Settings(), patients.test_inputs()
    tables, features = patients.tables(patients.records()), patients.features
    config = replace(settings.config(X.shape[1]), epochs=settings.epochs)
    start = federated.init_weights(config.spec, patients.seed)
    models = federated.apart(start, tables, config, experiment="alone", seed=patients.seed)
    owner, p = features.hospital[patients.parts.test], np.empty(len(X))
    for k, name in enumerate(features.hospitals):
        p[owner == k] = federated.predict(models[name], config.spec, X[owner == k])
    return report(LOCAL.name, None, patients, p)
