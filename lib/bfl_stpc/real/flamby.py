"""FLamby's Fed-Heart-Disease benchmark: its published rows, and its scaling, to stand beside ours.

du Terrail et al. (2022), "FLamby: Datasets and Benchmarks for Cross-Silo Federated Learning in Realistic Healthcare
Settings", NeurIPS Datasets and Benchmarks. The rows are means over five seeds of the accuracy on the 254 pooled test
patients, with the seeds' standard deviation, from the benchmark's result files of seeds 42 to 46.

**Its trap.** There, a hospital scales its records by its own training records, and a federated model learns on that.
The pooled test set, though, is scaled by the pooled training records: what the column scores is a model on inputs that
it was not trained for. `own_scaling` shows what that is worth.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bfl_stpc import federated
from bfl_stpc.ehr import Tabular
from bfl_stpc.ehr.heart_disease import Parts
from bfl_stpc.real.estimates import Vector
from bfl_stpc.real.learning import Learn, Scaling, Settings, parts_of, predicted


@dataclass(frozen=True)
class Row:
    """A published row.

    Attributes:
        name: the method.
        accuracy: mean over the seeds, on the pooled test patients.
        deviation: standard deviation over the seeds.
        federated: whether records stay at their hospital.
    """

    name: str
    accuracy: float
    deviation: float
    federated: bool


PUBLISHED = (
    Row("pooled", 0.795, 0.003, federated=False),
    Row("FedAvg", 0.748, 0.027, federated=True),
    Row("FedProx", 0.748, 0.027, federated=True),
    Row("FedAdam", 0.779, 0.015, federated=True),
    Row("FedYogi", 0.779, 0.015, federated=True),
    Row("cyclic", 0.785, 0.012, federated=True),
)
BEST = max((row for row in PUBLISHED if row.federated), key=lambda row: row.accuracy)
COUNTS = ((199, 104), (172, 89), (30, 16), (85, 45))  # training and test patients of each hospital


def own_scaling(settings: Settings, *, tested_pooled: bool) -> Learn:
    """Return federated learning in which every hospital scales by its own training records.

    Args:
        settings: of the training.
        tested_pooled: whether test patients are scaled by the pooled training records, as FLamby's column has it, or
            by those of their own hospital.
    """

    def learn(table: Tabular, parts: Parts, seed: int) -> Vector:
        owners = parts_of(table, parts.train)
        scales = {int(table.hospital[own[0]]): Scaling.of_rows(table.X[own]) for own in owners}
        data = {
            table.hospitals[table.hospital[own[0]]]: federated.ClientData(
                scales[int(table.hospital[own[0]])](table.X[own]), table.y[own].astype(np.float32)
            )
            for own in owners
        }
        config = settings.config(len(table.columns))
        first = np.zeros(config.spec.size, np.float32)
        options = {"rounds": settings.rounds, "experiment": "real flamby", "seed": seed, "tail": 0.5}
        weights = federated.train(first, data, config, federated.Averaging(), **options).weights  # type: ignore[arg-type]
        if tested_pooled:
            return predicted(weights, Scaling.of_rows(table.X[parts.train])(table.X[parts.test]))
        inputs: NDArray[np.float32] = np.empty((parts.test.size, len(table.columns)), np.float32)
        for k, scale in scales.items():
            asked = table.hospital[parts.test] == k
            inputs[asked] = scale(table.X[parts.test[asked]])
        return predicted(weights, inputs)

    return learn
