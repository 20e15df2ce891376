"""Train under a combination: federated over its path, or in one centre."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from bfl_stpc import federated
from bfl_stpc.ablation.combinations import Combination
from bfl_stpc.ablation.paths import Cost, Path
from bfl_stpc.federated.server import ServerStep
from bfl_stpc.seeds import derive_seed

CLIP = 20.0  # on each coordinate of an update; far above what training produces


@dataclass(frozen=True)
class Run:
    """What came of training.

    Attributes:
        weights: float32 (p,), the mean of the later half of the rounds' models.
        last: float32 (p,), the last round's model.
        costs: of each round's path.
        training_ms: wall time of each round's local training, in milliseconds.
    """

    weights: NDArray[np.float32] = field(repr=False)
    last: NDArray[np.float32] = field(repr=False)
    costs: tuple[Cost, ...]
    training_ms: tuple[float, ...]


def learn(
    tables: Mapping[str, federated.ClientData],
    config: federated.LocalTraining,
    server: ServerStep,
    combination: Combination,
    *,
    first: NDArray[np.float32],
    rounds: int,
    experiment: str,
    seed: int,
) -> Run:
    """Return the model of federated learning whose updates take the path of `combination`.

    The hospitals' draws are those of `federated.train` under the same experiment and seed; the mean differs from its
    by the rounding of the fixed point alone, which is the same on every path.
    """
    names, weights, models, training = tuple(tables), first, [], []
    records = {name: len(table.y) for name, table in tables.items()}
    path = Path(names, combination, clip=CLIP, max_records=max(records.values()), seed=seed)
    for number in range(1, rounds + 1):
        seeds = [derive_seed(experiment, seed, name, number) for name in names]
        started = time.perf_counter()
        updates = dict(zip(names, federated.local_updates(weights, list(tables.values()), config, seeds)))
        training.append(1e3 * (time.perf_counter() - started))
        mean = path.mean(updates, records, federated.digest(weights))
        weights, server = server.apply(weights, mean)
        path.finish(federated.digest(weights))
        models.append(weights)
    tail = np.mean(models[-max(1, round(rounds / 2)) :], axis=0, dtype=np.float64).astype(np.float32)
    return Run(tail if len(models) > 1 else weights, weights, tuple(path.costs), tuple(training))
