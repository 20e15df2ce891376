"""What is reported of every compared system: its model, its costs, and who sees what."""

from __future__ import annotations

import enum
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score

from bfl_stpc import federated, system
from bfl_stpc.baselines.cohort import Patients


class Exposure(enum.IntEnum):
    """What a party holds of one patient's record or one hospital's update, from nothing to everything."""

    NOTHING = 0
    SHARES = 1  # fewer shares or masked values than open anything
    SUMS = 2  # of many hospitals' updates
    NOISY_UPDATES = 3  # one hospital's update under its own differential privacy
    UPDATES = 4  # one hospital's update, exactly
    RECORDS = 5  # patients' records in the clear


@dataclass(frozen=True)
class View:
    """One party of a system.

    Attributes:
        party: its role.
        sees: the most that it holds by itself, in an honest run.
        lost: what is lost when it fails or falls to an attacker.
    """

    party: str
    sees: Exposure
    lost: str


@dataclass(frozen=True)
class Card:
    """A system in one line of the feature table.

    Attributes:
        name: as printed; a reconstruction is called *-style*.
        source: what it is reconstructed from.
        unit: what one operation is: a round, or the collection of all training records.
        throughput: what counts as protected bits in it.
        views: of its parties.
        learns: federated, central, or local.
    """

    name: str
    source: str
    unit: str
    throughput: str
    views: tuple[View, ...]
    learns: str

    @property
    def worst(self) -> Exposure:
        """The most that any single party other than the record's own hospital sees."""
        return max((view.sees for view in self.views), default=Exposure.NOTHING)


@dataclass(frozen=True)
class Costs:
    """What operations of a system cost, training included in wall time; see `system.RoundMetrics` for the words.

    Attributes:
        authentication_ms: request for a challenge to the verdict, mean over logins.
        execution_ms: protect, commit and aggregate one hospital's contribution.
        throughput_kbps: protected bits accepted, by wall time; goodput_kbps the plain bits inside.
        sent: bytes between roles in one operation.
        gas: gas of one operation; 0 without a ledger.
        operations: how many operations train the model.
    """

    authentication_ms: float
    execution_ms: float
    throughput_kbps: float
    goodput_kbps: float
    sent: int
    gas: int
    operations: int


@dataclass(frozen=True)
class Report:
    """One run of one system on one split.

    Attributes:
        system: its name.
        weights: float32 (p,); None where every hospital keeps a model of its own.
        predictions: probabilities of the test patients, float64 (n,).
        accuracy, auc: on the test patients, at probability 1/2.
        gap: points of expected accuracy below the Bayes rule on the same patients.
    """

    system: str
    weights: NDArray[np.float32] | None
    predictions: NDArray[np.float64]
    accuracy: float
    auc: float
    gap: float


def report(name: str, weights: NDArray[np.float32] | None, patients: Patients, p: NDArray[np.float64]) -> Report:
    """Return the report of predictions `p` (n,) for the test patients."""
    rows = patients.parts.test
    y, truth = patients.features.y[rows], patients.features.p[rows]
    return Report(
        name, weights, p, float(np.mean((p > 0.5) == y)), float(roc_auc_score(y, p)), federated.expected_gap(p, truth)
    )


def costs(steps: Sequence[system.Step], *, runs: int, operations: int, parameters: int) -> Costs:
    """Return the costs of `runs` operations in `steps`; `parameters` float32 values are in one contribution."""
    measured = system.measure(steps, parameters=parameters)
    return Costs(
        measured.authentication_ms,
        measured.execution_ms,
        measured.throughput_kbps,
        measured.goodput_kbps,
        sum(step.sent for step in steps) // runs,
        sum(step.gas for step in steps) // runs,
        operations,
    )
