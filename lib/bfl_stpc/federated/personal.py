"""A model of its own for every hospital, near the others': mean-regularised multi-task learning."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, replace

import numpy as np
from numpy.typing import NDArray

from bfl_stpc.errors import FederatedError
from bfl_stpc.federated.server import apply_update, weighted_mean
from bfl_stpc.federated.training import ClientData, PersonalConfig, TrainConfig, local_updates
from bfl_stpc.seeds import derive_seed

Weights = NDArray[np.float32]


def mean_regularised(
    weights: Weights,
    hospitals: Mapping[str, ClientData],
    config: TrainConfig,
    *,
    rounds: int,
    experiment: str,
    seed: int,
) -> tuple[Weights, dict[str, Weights]]:
    """Return the mean model and every hospital's own, by MR-MTL (Liu et al. 2022, "On privacy and personalization").

    Hospital k minimises its own loss plus μ/2·‖wₖ − w̄‖² with μ = `config.proximal` about the mean w̄ of all models,
    which is taken anew, weighted by records, after every round. μ = 0 leaves the hospitals alone, a large μ is
    federated averaging. Ditto (`apart`, from the global model) is the close relative: the same objective about a
    global model that was trained apart from the personal ones and stays where it is.

    Args:
        weights: initial weights float32 (p,), of all models.
        hospitals: scaled records by hospital; those without any are left out.
        config: local training of one round.
        rounds: how many.
        experiment, seed: with hospital and round they decide every draw.

    Raises:
        FederatedError: no hospital has records, or there is no round.
    """
    names = [name for name, data in hospitals.items() if len(data.y)]
    if not names or rounds < 1:
        raise FederatedError(f"{len(names)} hospitals with records and {rounds} rounds: at least one of each")
    tables = [hospitals[name] for name in names]
    settings = {key: value for key, value in asdict(config).items() if key != "spec"}
    own = PersonalConfig(config.spec, **settings, offset=np.zeros(config.spec.size, np.float32))
    configs = [own] * len(names)
    for number in range(1, rounds + 1):
        seeds = [derive_seed(experiment, seed, name, number) for name in names]
        offsets = local_updates(weights, tables, configs, seeds)
        mean = weighted_mean(offsets, [float(len(table.y)) for table in tables])
        weights = apply_update(weights, mean)
        configs = [replace(own, offset=(offset - mean).astype(np.float32)) for offset in offsets]
    return weights, {name: (weights + each.offset).astype(np.float32) for name, each in zip(names, configs)}
