"""How often an attack on privacy succeeds: what is tried, on which views, beside a guess and a negative control."""

from __future__ import annotations

import enum
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from scipy.stats import binomtest

from bfl_stpc.attacks.views import Observer, Protection, Stage, View
from bfl_stpc.errors import ConfigError
from bfl_stpc.seeds import generator
from bfl_stpc.study.intervals import wilson_interval

HOSPITALS = 10
LUCK = 1e-3  # chance that a guess is taken for an attack, in one cell


class Tamper(enum.Enum):
    """Negative controls: what is put in place of the view."""

    SHUFFLED = "its coordinates shuffled"
    RANDOM = "random numbers of its norm"

    def __call__(self, view: View, rng: np.random.Generator) -> View:
        """Return the view with its vector replaced."""
        if self is Tamper.SHUFFLED:
            return View(rng.permutation(view.vector), view.inside, self.value)
        noise = rng.normal(size=view.vector.size)
        return View(noise * np.linalg.norm(view.vector) / np.linalg.norm(noise), view.inside, self.value)


@dataclass(frozen=True)
class Success:
    """How often an attack succeeded.

    Attributes:
        attack, protection, observer: names.
        source: what the observer held, as in `View`.
        hits: successes among `trials`.
        trials: attempts.
        baseline: success rate of a guess that does not look at the view.
        detail: other numbers of the same trials, by name.
    """

    attack: str
    protection: str
    observer: str
    source: str
    hits: int
    trials: int
    baseline: float
    detail: Mapping[str, float] = field(default_factory=dict)

    @property
    def rate(self) -> float:
        """Share of successes."""
        return self.hits / self.trials

    @property
    def interval(self) -> tuple[float, float]:
        """Wilson's 95 % interval of the rate; trials of one round are not wholly independent."""
        return wilson_interval(self.hits, self.trials)

    @property
    def stopped(self) -> bool:
        """Whether the attack is not shown to beat a guess: one so good would come by luck more often than `LUCK`."""
        return bool(binomtest(self.hits, self.trials, self.baseline, alternative="greater").pvalue >= LUCK)


def pooled(runs: Sequence[Success]) -> Success:
    """Return the success of repetitions of one cell, under other seeds, together.

    Raises:
        ConfigError: they are not repetitions of one cell.
    """
    cells = {(run.attack, run.protection, run.observer, run.source) for run in runs}
    if len(cells) != 1:
        raise ConfigError(f"{len(cells)} cells: only repetitions of one can be pooled")
    trials = np.array([run.trials for run in runs])
    detail = {k: float(np.average([run.detail[k] for run in runs], weights=trials)) for k in runs[0].detail}
    baseline = float(np.average([run.baseline for run in runs], weights=trials))
    hits = sum(run.hits for run in runs)
    return replace(runs[0], hits=hits, trials=int(trials.sum()), baseline=baseline, detail=detail)


@dataclass(frozen=True)
class Judged:
    """What an attack made of its views: a success or not for each attempt, and the rate of a guess."""

    hits: NDArray[np.bool_]
    baseline: float
    detail: Mapping[str, float] = field(default_factory=dict)


class Attack(Protocol):
    """One attack on victims of its own.

    Attributes:
        name: in tables and figures.
    """

    @property
    def name(self) -> str:
        """Name in tables and figures."""

    def updates(self, noise: bool) -> NDArray[np.float32]:
        """Return the victims' updates (trials, p), one hospital each, trained with or without noise."""

    def judge(self, views: Sequence[View], noise: bool) -> Judged:
        """Attack each victim's view, in the order of `updates`."""


def measure(
    attack: Attack,
    protection: Protection,
    observers: Sequence[Observer],
    *,
    hospitals: int = HOSPITALS,
    tamper: Tamper | None = None,
) -> list[Success]:
    """Return the success of `attack` under `protection` for each observer.

    Rounds of `hospitals` victims are played under the protection; each hospital in turn is the victim.

    Raises:
        ConfigError: the trials do not fill whole rounds.
    """
    updates = attack.updates(protection.noise)
    if len(updates) % hospitals or not len(updates):
        raise ConfigError(f"{len(updates)} trials: give a multiple of {hospitals}, the hospitals of a round")
    stage = Stage(hospitals, 1.05 * float(np.linalg.norm(updates, axis=1).max()))
    seen: list[list[View]] = [[] for _ in observers]
    for start in range(0, len(updates), hospitals):
        played = stage.play(list(updates[start : start + hospitals]), protection)
        for views, observer in zip(seen, observers):
            views += [played.view(observer, name) for name in stage.names]
    results = []
    for views, observer in zip(seen, observers):
        if tamper is not None:
            rng = generator("tampered view", attack.name, tamper.name)
            views = [tamper(view, rng) for view in views]
        judged = attack.judge(views, protection.noise)
        hits, count = int(judged.hits.sum()), judged.hits.size
        source = views[0].source
        results.append(
            Success(attack.name, protection.name, observer.name, source, hits, count, judged.baseline, judged.detail)
        )
    return results
