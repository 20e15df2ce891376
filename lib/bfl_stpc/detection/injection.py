"""One injection and its outcome, and the registry that says which code injects which kind."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Protocol

import numpy as np

from bfl_stpc.detection.catalogue import Level
from bfl_stpc.errors import BflError, ConfigError


@dataclass(frozen=True)
class Outcome:
    """What became of one injection.

    Attributes:
        detected: whether anything in the system noticed it.
        by: the error class or the detector that did; empty if nothing did.
        steps: protocol steps from the injection to the notice: 0 where the injected step itself was refused. What
            a step is depends on the kind: a message or transaction of a round, or a round.
        ms: milliseconds from the injection to the notice, or to the end of the trial.
        alarms: honest hospitals blamed in the same trial.
    """

    detected: bool
    by: str
    steps: int
    ms: float
    alarms: int = 0


@dataclass(frozen=True)
class Clean:
    """Clean events at one check, and those on which an alarm was raised.

    Attributes:
        check: name of the step that is examined, such as `login`.
        detectors: which detectors look at it: error classes, or names of statistical detectors.
        events: how often it was taken without an attack.
        alarms: how often any detector objected.
    """

    check: str
    detectors: tuple[str, ...]
    events: int
    alarms: int


class Bench(Protocol):
    """A set-up that many injections share: dear once, and fit for the next injection after each.

    It is built as `bench(seed)`. Statistical detectors fix their thresholds on seeds of the scope
    `"detection-threshold"`, never on those of a trial.
    """

    def __init__(self, seed: int) -> None:
        """Set up everything for `seed`."""

    def clean(self, events: int) -> Sequence[Clean]:
        """Run the same protocol without an attack for at least `events` events in all; count alarms by check."""
        ...


Injector = Callable[[Any, Level, np.random.Generator], Outcome]  # the bench first


@dataclass(frozen=True)
class Registered:
    """The code of one kind: its injector, and the bench on which it works."""

    inject: Injector
    bench: type[Bench]


_REGISTRY: dict[str, Registered] = {}


def injects(kind: str, bench: type[Bench]) -> Callable[[Injector], Injector]:
    """Register the decorated function as the injector of `kind` on `bench`.

    Raises:
        ConfigError: the kind has an injector already.
    """

    def register(inject: Injector) -> Injector:
        if kind in _REGISTRY:
            raise ConfigError(f"{kind!r} has two injectors")
        _REGISTRY[kind] = Registered(inject, bench)
        return inject

    return register


def registry() -> Mapping[str, Registered]:
    """Return the injectors by kind."""
    return MappingProxyType(_REGISTRY)


def trial(*steps: Callable[[], object]) -> Outcome:
    """Take `steps` in order: the injection first, then what honest roles do next. The first error is the notice.

    Errors outside our tree are not caught: a bug of the harness is no detection.
    """
    start = time.perf_counter()
    for number, step in enumerate(steps):
        try:
            step()
        except BflError as error:
            return Outcome(True, type(error).__name__, number, 1e3 * (time.perf_counter() - start))
    return Outcome(False, "", len(steps), 1e3 * (time.perf_counter() - start))
