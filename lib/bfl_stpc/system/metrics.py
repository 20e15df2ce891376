"""The paper's undefined metrics, defined: throughput, authentication, execution."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from bfl_stpc.system.meter import Step
from bfl_stpc.system.roles import LEDGER

EXECUTION = ("protect", "commit", "aggregate")


@dataclass(frozen=True)
class RoundMetrics:
    """What one or more rounds measured, as the paper's words are defined here.

    Where the transactions of several hospitals share a block, each of them bears an equal part of its making.

    Attributes:
        authentication_ms: mean over logins, from the request for a challenge to the contract's verdict.
        authentication_p95_ms: 95th percentile of the same.
        execution_ms: protecting, committing and aggregating one hospital's update, training excluded; mean.
        execution_p95_ms: 95th percentile of the same, over hospitals and rounds.
        throughput_kbps: bits of protected updates, accepted by the ledger and aggregated, by wall time, by 1000.
        goodput_kbps: the same for the plain float32 updates inside them, since encryption inflates the former.
    """

    authentication_ms: float
    authentication_p95_ms: float
    execution_ms: float
    execution_p95_ms: float
    throughput_kbps: float
    goodput_kbps: float


def split(steps: Sequence[Step]) -> list[list[Step]]:
    """Return the steps of each round: a round begins where hospitals authenticate."""
    rounds: list[list[Step]] = []
    for before, step in zip([None, *steps], steps):
        if (step.phase == "authenticate" and (before is None or before.phase != "authenticate")) or not rounds:
            rounds.append([])
        rounds[-1].append(step)
    return rounds


def measure(steps: Sequence[Step], *, parameters: int, wall_ms: float | None = None) -> RoundMetrics:
    """Return the metrics of the rounds in `steps`, in which every hospital sent `parameters` parameters.

    Args:
        steps: in order, of one or more whole rounds.
        parameters: d.
        wall_ms: from the first round's begin to the last one's end; the sum of the steps if not given, which leaves
            out what lies between them: messages and stores.
    """
    logins: list[float] = []
    executions: list[float] = []
    for round in split(steps):
        login = [step for step in round if step.phase == "authenticate"]
        logins += _borne(login, [step.actor for step in login if step.actor != LEDGER])
        hospitals = [step.actor for step in round if step.update]
        executions += _borne([step for step in round if step.phase in EXECUTION], hospitals)
    uploads = [step for step in steps if step.update]
    wall_s = (sum(step.ms for step in steps) if wall_ms is None else wall_ms) / 1000
    return RoundMetrics(
        authentication_ms=float(np.mean(logins)),
        authentication_p95_ms=float(np.percentile(logins, 95)),
        execution_ms=float(np.mean(executions)),
        execution_p95_ms=float(np.percentile(executions, 95)),
        throughput_kbps=8 * sum(step.update for step in uploads) / wall_s / 1000,
        goodput_kbps=8 * 4 * parameters * len(uploads) / wall_s / 1000,
    )


def _borne(steps: Sequence[Step], hospitals: Sequence[str]) -> list[float]:
    """Return milliseconds by hospital: its own steps, and an equal part of the third parties'."""
    own: dict[str, float] = defaultdict(float, dict.fromkeys(hospitals, 0.0))
    shared = 0.0
    for step in steps:
        if step.actor in own:
            own[step.actor] += step.ms
        else:
            shared += step.ms
    return [ms + shared / len(own) for ms in own.values()]
