"""Many rounds of federated learning in one process: who takes part, what each round's model was."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bfl_stpc.errors import FederatedError
from bfl_stpc.federated.server import ServerStep, weighted_mean
from bfl_stpc.federated.training import ClientData, LocalTraining, TrainConfig, local_updates
from bfl_stpc.seeds import derive_seed, generator

Weights = NDArray[np.float32]
# Told (round, hospitals drawn), returns those of them that train.
Admission = Callable[[int, tuple[str, ...]], Sequence[str]]


@dataclass(frozen=True)
class Trained:
    """What came of a run.

    Attributes:
        weights: the final model, float32 (p,): the last round's, or the mean of the tail.
        rounds: the global model after each round, float32 (R, p).
        took_part: the hospitals of each round.
    """

    weights: Weights
    rounds: Weights
    took_part: tuple[tuple[str, ...], ...]


def train(
    weights: Weights,
    hospitals: Mapping[str, ClientData],
    config: LocalTraining | Mapping[str, LocalTraining],
    server: ServerStep,
    *,
    rounds: int,
    experiment: str,
    seed: int,
    importance: Mapping[str, float] | None = None,
    participation: float = 1.0,
    tail: float = 0.0,
    admit: Admission | None = None,
) -> Trained:
    """Train from `weights` for `rounds` rounds and return the models.

    Args:
        weights: flat initial weights float32 (p,).
        hospitals: scaled records by hospital; those without any are left out.
        config: how hospitals train; by hospital where they differ.
        server: the server optimiser.
        rounds: how many.
        experiment, seed: with hospital and round they decide every draw.
        importance: weight of each hospital in the mean; by default its number of records.
        participation: share of the hospitals drawn anew for each round, at least one.
        tail: share of the last rounds whose models are averaged into the final one (Polyak and Juditsky 1992); 0
            keeps the last. The average reads published models only, so it costs no privacy.
        admit: told round and drawn hospitals, returns those that train: where a budget or the ledger says no. The
            run ends early when none is left.

    Raises:
        FederatedError: no hospital has records, or rounds, participation or tail make no sense.
    """
    names = [name for name, data in hospitals.items() if len(data.y)]
    if not names:
        raise FederatedError("no hospital has records: there is nothing to learn from")
    if rounds < 1 or not 0 < participation <= 1 or not 0 <= tail <= 1:
        raise FederatedError(
            f"rounds {rounds} must be at least 1, participation {participation} in (0, 1], tail {tail} in [0, 1]"
        )
    share = importance or {name: float(len(hospitals[name].y)) for name in names}
    models: list[Weights] = []
    took_part: list[tuple[str, ...]] = []
    for number in range(1, rounds + 1):
        chosen = _draw(names, participation, experiment, seed, number)
        if admit is not None:
            chosen = tuple(admit(number, chosen))
        if not chosen:
            break
        configs = [config[name] if isinstance(config, Mapping) else config for name in chosen]
        seeds = [derive_seed(experiment, seed, name, number) for name in chosen]
        updates = local_updates(weights, [hospitals[name] for name in chosen], configs, seeds)
        weights, server = server.apply(weights, weighted_mean(updates, [share[name] for name in chosen]))
        models.append(weights)
        took_part.append(chosen)
    if not models:
        raise FederatedError("no hospital was admitted to the first round: nothing was trained")
    kept = max(1, round(tail * len(models)))
    mean = np.mean(models[-kept:], axis=0, dtype=np.float64).astype(np.float32)
    return Trained(mean if kept > 1 else models[-1], np.array(models), tuple(took_part))


def _draw(names: list[str], participation: float, experiment: str, seed: int, number: int) -> tuple[str, ...]:
    if participation == 1:
        return tuple(names)
    count = max(1, round(participation * len(names)))
    rows = generator(experiment, seed, "participation", number).choice(len(names), count, replace=False)
    return tuple(names[row] for row in sorted(rows))


def apart(
    weights: Weights, hospitals: Mapping[str, ClientData], config: TrainConfig, *, experiment: str, seed: int
) -> dict[str, Weights]:
    """Return a model of its own for every hospital with records, trained from `weights` on its records only.

    From initial weights this is the local control. From the global model w it is personalisation by Ditto (Li et al.
    2021, "fair and robust"): each hospital minimises its own loss plus μ/2·‖v − w‖² with μ = `config.proximal`; a
    large μ keeps the global model, μ = 0 is plain fine-tuning. MR-MTL (Liu et al. 2022) has the same objective about
    the mean of all v.
    """
    names = [name for name, data in hospitals.items() if len(data.y)]
    seeds = [derive_seed(experiment, seed, name, "apart") for name in names]
    updates = local_updates(weights, [hospitals[name] for name in names], config, seeds)
    return {name: (weights + update).astype(np.float32) for name, update in zip(names, updates)}


def pooled(hospitals: Mapping[str, ClientData]) -> ClientData:
    """Return all records as if in one place: the centralised control, which no hospital could allow."""
    tables = list(hospitals.values())
    return ClientData(np.concatenate([t.X for t in tables]), np.concatenate([t.y for t in tables]))


def by_hospital(
    inputs: NDArray[np.float32], y: NDArray, hospital: NDArray, names: Sequence[str], rows: NDArray[np.int64]
) -> dict[str, ClientData]:
    """Return each hospital's table: the `rows` (m,) of inputs (n, d) and y (n,) where hospital (n,) is its index."""
    tables = {}
    for k, name in enumerate(names):
        own = rows[hospital[rows] == k]
        tables[name] = ClientData(inputs[own], y[own].astype(np.float32))
    return tables


def dirichlet(
    y: NDArray, rows: NDArray[np.int64], hospitals: int, alpha: float, *, experiment: str, seed: int
) -> NDArray[np.int64]:
    """Return a hospital for each of `rows`, int64 (m,): each class is dealt by shares from Dirichlet(α) (Hsu 2019).

    A small α gives every hospital its own mix of outcomes and its own size; a large one deals at random.
    """
    rng = generator(experiment, seed, "dirichlet")
    result = np.empty(rows.size, np.int64)
    for label in (0, 1):
        own = rng.permutation(np.flatnonzero(y[rows] == label))
        cuts = np.cumsum(rng.dirichlet(np.full(hospitals, alpha)))[:-1]
        for k, part in enumerate(np.split(own, np.round(cuts * own.size).astype(int))):
            result[part] = k
    return result
