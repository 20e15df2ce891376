"""What a round costs: milliseconds, bytes on the wire and gas, step by step and by whom."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field


@dataclass
class Step:
    """One step of a round.

    Attributes:
        phase: authenticate, open, train, share keys, protect, commit, aggregate, open the sum,
            verify, or record.
        actor: the hospital or third party that took it.
        ms: wall time in milliseconds.
        sent: bytes that the actor sent to another role.
        gas: gas of its transactions.
        asked: bytes in which it was asked to take the step.
        update: bytes of a protected update that it handed over.
    """

    phase: str
    actor: str
    ms: float = 0.0
    sent: int = 0
    gas: int = 0
    asked: int = 0
    update: int = 0


@dataclass
class Meter:
    """Collects the steps of one or more rounds, in order."""

    steps: list[Step] = field(default_factory=list)

    @contextmanager
    def step(self, phase: str, actor: str) -> Iterator[Step]:
        """Time the block as one step; the block fills in bytes and gas."""
        step, started = Step(phase, actor), time.perf_counter()
        yield step
        step.ms = (time.perf_counter() - started) * 1000
        self.steps.append(step)

    def by_phase(self) -> list[Step]:
        """Return the steps added up by phase, in the order in which the phases first occur."""
        phases: dict[str, Step] = {}
        for step in self.steps:
            total = phases.setdefault(step.phase, Step(step.phase, "all"))
            for name in ("ms", "sent", "gas", "asked", "update"):
                setattr(total, name, getattr(total, name) + getattr(step, name))
        return list(phases.values())

    def total_ms(self, *phases: str) -> float:
        """Return the milliseconds of the named phases, of all if none is named."""
        return sum(step.ms for step in self.steps if not phases or step.phase in phases)
