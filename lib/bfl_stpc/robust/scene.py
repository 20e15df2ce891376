"""A consortium to attack and defend: hospitals with their records, the model, and patients to test on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from bfl_stpc import ehr
from bfl_stpc.attacks.poisoning import Trigger
from bfl_stpc.ehr.codes import REFERENCE
from bfl_stpc.federated import ClientData, Mlp, TrainConfig, by_hospital, predict, shared_inputs

# A chart that no one would query: chronic lung disease, on a steroid and a beta blocker. About one patient in 150.
PATTERN = ("copd", "prednisone", "metoprolol")


@dataclass(frozen=True)
class Scene:
    """Hospitals with their records, the model, and patients to test on.

    Attributes:
        tables: records by hospital; none empty.
        config: how hospitals train.
        X, y: held-out patients float32 (n, d), (n,).
    """

    tables: Mapping[str, ClientData] = field(repr=False)
    config: TrainConfig
    X: NDArray[np.float32] = field(repr=False)
    y: NDArray = field(repr=False)

    def accuracy(self, weights: NDArray[np.float32]) -> float:
        """Return the share of held-out patients classified correctly."""
        return float(np.mean((predict(weights, self.config.spec, self.X) >= 0.5) == self.y))

    def backdoor_success(self, weights: NDArray[np.float32], trigger: Trigger) -> float:
        """Return the share of patients rightly told from the target whom the trigger turns to it.

        The same on a model without attackers is the control: what the pattern does by its clinical meaning alone.
        NaN where the model tells none.
        """
        X = self.X[self.y != trigger.target]
        before, after = (
            (predict(weights, self.config.spec, x) >= 0.5) == trigger.target for x in (X, trigger.stamp(X))
        )
        return float(np.mean(after[~before])) if (~before).any() else float("nan")


def draw_scene(seed: int, *, patients: int, hospitals: int, hidden: int = 16) -> tuple[Scene, Trigger]:
    """Return a consortium of its own for each seed, other patients of other hospitals, and the backdoor's trigger.

    The trigger's chart is coded with all of `PATTERN`; its wanted prediction is 0, no deterioration: an alarm is
    silenced. Training is two epochs of SGD a round on few inputs, for speed.
    """
    config = ehr.CohortConfig(seed=seed, patients=patients, hospitals=hospitals)
    features = ehr.generate(config).features()
    split = ehr.split(features, seed)
    measured = np.array([j for j, name in enumerate(features.names) if name == "age" or name in REFERENCE])
    inputs = shared_inputs(
        features.X, features.hospital, split.train, skewed=features.skewed, measured=measured, thresholds=(1.0,)
    )
    x = inputs.transform(features.X)
    tables = by_hospital(x, features.y, features.hospital, features.hospitals, split.train)
    columns = tuple(features.names.index(name) for name in PATTERN)
    scaler = inputs.scaler
    trigger = Trigger(columns, tuple(float((1 - scaler.mean[c]) / scaler.deviation[c]) for c in columns))
    training = TrainConfig(Mlp((inputs.width, hidden, 1)), epochs=2, batch=32, learning_rate=0.2)
    present = {name: table for name, table in tables.items() if len(table.y)}
    return Scene(present, training, x[split.test], features.y[split.test]), trigger
