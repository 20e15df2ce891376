"""What every compared system trains and is tested on: one split of one cohort, the same bytes for all."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bfl_stpc import ehr, federated
from bfl_stpc.ehr.codes import REFERENCE
from bfl_stpc.errors import FederatedError

DP_THRESHOLDS = (0.0, 1.0)  # notebook 03: hinges of the private model, whose every input costs noise


@dataclass(frozen=True)
class Records:
    """Recorded values X float32 (n, d), NaN where missing, and outcomes y (n,)."""

    X: NDArray[np.float32]
    y: NDArray[np.float32]


@dataclass(frozen=True)
class Patients:
    """One seed's split of a cohort.

    Attributes:
        features: the cohort's.
        seed: of the split, of initial weights and of batches.
        parts: rows of training, validation and test.
        scaling: inputs whose scaling is public, for systems that promise differential privacy; None gives none.
    """

    features: ehr.Features
    seed: int
    parts: ehr.Split
    scaling: federated.Inputs | None = None

    @classmethod
    def draw(cls, features: ehr.Features, seed: int, scaling: federated.Inputs | None = None) -> Patients:
        """Return the split of `features` under `seed`."""
        return cls(features, seed, ehr.split(features, seed), scaling)

    def records(self) -> dict[str, Records]:
        """Return the training records of each hospital, as recorded: what a system that moves records moves."""
        f = self.features
        rows = {name: np.intersect1d(self.parts.train, f.at(k)) for k, name in enumerate(f.hospitals)}
        return {name: Records(f.X[own], f.y[own].astype(np.float32)) for name, own in rows.items()}

    def inputs(self, records: Mapping[str, Records]) -> federated.Inputs:
        """Return the inputs that `records` share, scaled by the sums of all hospitals' statistics."""
        names = list(records)
        X = np.concatenate([records[name].X for name in names])
        owner = np.repeat(np.arange(len(names)), [len(records[name].y) for name in names])
        return federated.shared_inputs(X, owner, np.arange(len(X)), **_columns(self.features))

    def tables(self, records: Mapping[str, Records]) -> dict[str, federated.ClientData]:
        """Return the model's inputs of `records`, by hospital: a function of the records alone."""
        inputs = self.inputs(records)
        return {name: federated.ClientData(inputs.transform(r.X), r.y) for name, r in records.items()}

    def test_inputs(self) -> NDArray[np.float32]:
        """Return the model's inputs of the test patients, float32 (n, width), scaled by the training records."""
        return self.inputs(self.records()).transform(self.features.X[self.parts.test])

    def private_tables(self) -> dict[str, federated.ClientData]:
        """Return the private model's inputs, by hospital: scaled by public values, so that they cost no privacy."""
        return {name: federated.ClientData(self.public().transform(r.X), r.y) for name, r in self.records().items()}

    def public(self) -> federated.Inputs:
        """Return the public scaling.

        Raises:
            FederatedError: none was given.
        """
        if self.scaling is None:
            raise FederatedError("a private system needs a public scaling: see `public_scaling`")
        return self.scaling


def public_scaling(patients: int, seed: int = 777) -> federated.Inputs:
    """Return the inputs of notebook 03: scaled by another cohort, of other patients, as by published values."""
    public = ehr.generate(ehr.CohortConfig(seed=seed, patients=patients)).features()
    inputs = federated.shared_inputs(
        public.X, public.hospital, np.arange(len(public.y)), thresholds=DP_THRESHOLDS, squares=False, **_columns(public)
    )
    return replace(inputs, marked=np.array([], int))  # without flags of absence


def _columns(features: ehr.Features) -> dict[str, Any]:
    measured = [j for j, name in enumerate(features.names) if name == "age" or name in REFERENCE]
    return {"skewed": features.skewed, "measured": np.array(measured)}
