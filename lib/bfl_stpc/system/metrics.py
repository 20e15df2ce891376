"""The paper's undefined metrics, defined: throughput, authentication, execution."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from bfl_stpc.system.meter import Step

EXECUTION = ("protect", "commit", "aggregate")


@dataclass(frozen=True)
class RoundMetrics:
    """What one or more rounds measured, as the paper's words are defined here.

    Attributes:
        authentication_ms: mean over logins, from the request for a challenge to the contract's verdict.
        authentication_p95_ms: 95th percentile of the same.
        execution_ms: protecting, committing and aggregating one hospital's update, training excluded.
        throughput_kbps: bits of protected updates, accepted by the ledger and aggregated, by wall time, by 1000.
        goodput_kbps: the same for the plain float32 updates inside them, since encryption inflates the former.
    """

    authentication_ms: float
    authentication_p95_ms: float
    execution_ms: float
    throughput_kbps: float
    goodput_kbps: float


def measure(steps: Sequence[Step], *, parameters: int) -> RoundMetrics:
    """Return the metrics of the rounds in `steps`, in which every hospital sent `parameters` parameters."""
    logins = [step.ms for step in steps if step.phase == "authenticate"]
    uploads = [step for step in steps if step.update]
    wall_s = sum(step.ms for step in steps) / 1000
    execution = sum(step.ms for step in steps if step.phase in EXECUTION)
    return RoundMetrics(
        authentication_ms=float(np.mean(logins)),
        authentication_p95_ms=float(np.percentile(logins, 95)),
        execution_ms=execution / len(uploads),
        throughput_kbps=8 * sum(step.update for step in uploads) / wall_s / 1000,
        goodput_kbps=8 * 4 * parameters * len(uploads) / wall_s / 1000,
    )
