"""What every compared system trains and is tested on: one split of one cohort, the same bytes for all."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from bfl_stpc import ehr, federated
from bfl_stpc.errors import FederatedError

Table = Mapping[str, federated.ClientData]  # by hospital


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
    scaling: federated.ClinicalInputs | None = None

    @classmethod
    def draw(cls, features: ehr.Features, seed: int, scaling: federated.ClinicalInputs | None = None) -> Patients:
        """Return the split of `features` under `seed`."""
        return cls(features, seed, ehr.split(features, seed), scaling)

    @cached_property
    def records(self) -> dict[str, Records]:
        """The training records of each hospital, as recorded: what a system that moves records moves."""
        f = self.features
        rows = {name: np.intersect1d(self.parts.train, f.at(k)) for k, name in enumerate(f.hospitals)}
        return {name: Records(f.X[own], f.y[own].astype(np.float32)) for name, own in rows.items()}

    def inputs(self, records: Mapping[str, Records]) -> federated.ClinicalInputs:
        """Return the inputs that `records` share, by the sums of all hospitals."""
        X = np.concatenate([r.X for r in records.values()])
        owner = np.repeat(np.arange(len(records)), [len(r.y) for r in records.values()])
        reading = federated.Reading(self.features.names, self.features.skewed)
        return federated.clinical_inputs(reading, X, owner, np.arange(len(X)))

    def tables(self, records: Mapping[str, Records]) -> dict[str, federated.ClientData]:
        """Return the model's inputs of `records`, by hospital: a function of the records alone."""
        inputs = self.inputs(records)
        return {name: federated.ClientData(inputs.transform(r.X), r.y) for name, r in records.items()}

    @cached_property
    def own_tables(self) -> dict[str, federated.ClientData]:
        """The model's inputs of the hospitals' own records: what federated systems train on."""
        return self.tables(self.records)

    @cached_property
    def test(self) -> NDArray[np.float32]:
        """The model's inputs of the test patients, float32 (n, width), scaled by the training records."""
        return self.inputs(self.records).transform(self.features.X[self.parts.test])

    @cached_property
    def private_tables(self) -> dict[str, federated.ClientData]:
        """The private model's inputs, by hospital: scaled by public values, so that they cost no privacy."""
        inputs = self.public
        return {name: federated.ClientData(inputs.transform(r.X), r.y) for name, r in self.records.items()}

    @cached_property
    def private_test(self) -> NDArray[np.float32]:
        """The private model's inputs of the test patients."""
        return self.public.transform(self.features.X[self.parts.test])

    @property
    def public(self) -> federated.ClinicalInputs:
        """The public scaling.

        Raises:
            FederatedError: none was given.
        """
        if self.scaling is None:
            raise FederatedError("a private system needs a public scaling: see `public_scaling`")
        return self.scaling


def public_scaling(patients: int, seed: int = 777) -> federated.ClinicalInputs:
    """Return inputs scaled by another cohort, of other patients, as one would take published reference values."""
    public = ehr.generate(ehr.CohortConfig(seed=seed, patients=patients)).features()
    # Fewer columns than without noise: each costs some.
    reading = federated.Reading(public.names, public.skewed, margins=(), absence=False)
    return federated.clinical_inputs(reading, public.X, public.hospital, np.arange(len(public.y)))


def model(width: int, hidden: int) -> federated.Mlp:
    """Return the model of `width` inputs: a logistic regression, or one hidden layer of `hidden` units."""
    return federated.Mlp((width, hidden, 1) if hidden else (width, 1))
