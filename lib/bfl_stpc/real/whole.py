"""The whole system on real hospitals: scaling by a secure sum, then full rounds, each held beside plain learning."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bfl_stpc import federated, system
from bfl_stpc.ehr import Tabular
from bfl_stpc.real.learning import DELTA, Scaling, parts_of
from bfl_stpc.system.preparation import secure_total


@dataclass(frozen=True)
class Whole:
    """What came of some full rounds.

    Attributes:
        hospitals: how many took part.
        rounds: how many ran.
        difference: largest difference of a weight from what plain federated learning gives, over all rounds.
        rounding: what the fixed point's rounding can come to in a weight.
        exact: whether every round's model has, bit for bit, the weights that the hospitals' fixed-point sum gives.
        moved: largest change of a weight in the first round, for comparison.
        epsilon: most that a hospital has spent by its own book; infinite without a promise.
        weights: float32 (p,), the last global model.
    """

    hospitals: int
    rounds: int
    difference: float
    rounding: float
    exact: bool
    moved: float
    epsilon: float
    weights: NDArray[np.float32]

    @property
    def as_plain(self) -> bool:
        """Whether nothing but rounding lies between the two, and rounding is far below what was learned."""
        return self.difference <= self.rounding < self.moved / 10


def secure_scaling(table: Tabular, rows: NDArray[np.int64]) -> Scaling:
    """Return the scaling of all hospitals' `rows`, by masks and encryption: nobody sees a hospital's statistics."""
    owners = parts_of(table, rows)
    return Scaling.of_total(
        secure_total({table.hospitals[table.hospital[own[0]]]: federated.statistics(table.X[own]) for own in owners})
    )


def whole(
    data: Mapping[str, federated.ClientData],
    config: federated.LocalTraining,
    *,
    experiment: str,
    seed: int,
    rounds: int,
    clip: float,
    epsilon: float | None = None,
) -> Whole:
    """Run full rounds among the hospitals of `data`: login, training, masks, BFV, verified sum, ledger.

    Args:
        data: each hospital's model inputs.
        config: how hospitals train; DP-SGD needs `epsilon`.
        experiment, seed: decide every draw of the training.
        rounds: how many.
        clip: bound on the Euclidean norm of an update.
        epsilon: what every hospital promises, with δ = `DELTA`.

    Raises:
        ConfigError: DP-SGD without a promise, or a promise without DP-SGD.
        RoundAborted: a round did not go through.
    """
    records = np.array([len(table.y) for table in data.values()], float)
    promise = None if epsilon is None else (epsilon, DELTA)
    options = {"experiment": experiment, "seed": seed, "clip": clip, "max_records": int(records.max())}
    consortium = system.found(data, config, promise=promise, **options)  # type: ignore[arg-type]
    state = system.State(0, np.zeros(config.spec.size, np.float32))
    differences, exact, moved = [], True, 0.0
    for number in range(1, rounds + 1):
        updates = system.inspection.plain_updates(consortium, state, round=number)
        plain = state.after(records @ updates / records.sum(), number)
        successor = system.inspection.exact_successor(consortium, state, number, tuple(data))
        before, state = state, system.run_round(state, consortium)
        exact = exact and np.array_equal(state.weights, successor.weights)
        differences.append(float(np.abs(state.weights - plain.weights).max()))
        moved = moved or float(np.abs(state.weights - before.weights).max())
    rounding = consortium.params.step * len(data) / 2 * records.max() / records.sum()
    largest = float(np.abs(state.weights).max())
    return Whole(
        hospitals=len(data),
        rounds=rounds,
        difference=max(differences),
        rounding=float(rounding + np.finfo(np.float32).eps * max(1.0, largest)),
        exact=exact,
        moved=moved,
        epsilon=max(consortium.role(name).epsilon for name in consortium.hospitals),  # type: ignore[attr-defined]
        weights=state.weights,
    )
