"""Defences against attackers as an experiment: the same consortia under every defence, attack and share of attackers.

Each seed has consortia of its own; attackers, first weights, batches and blocks of one seed are the same under every
defence, so that differences are paired. Thresholds come from clean rounds of consortia that no trial uses.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from bfl_stpc.attacks.poisoning import ATTACKS, EVASIONS, Attack, Trigger
from bfl_stpc.errors import ConfigError
from bfl_stpc.robust import exposure
from bfl_stpc.robust.defence import Defence, Thresholds, Trace, calibrate
from bfl_stpc.robust.groups import Groups, draw_groups
from bfl_stpc.robust.scene import Scene, draw_scene
from bfl_stpc.robust.simulation import Course, simulate
from bfl_stpc.seeds import derive_seed

EXPERIMENT, FIXING = "poisoning", "poisoning-threshold"


@dataclass(frozen=True)
class Result:
    """What came of one training.

    Attributes:
        seed: of the consortium.
        attackers: how many hospitals lied.
        accuracy: of the last model on held-out patients without the trigger, a share of 1.
        success: of the backdoor, a share of 1; without an attack what the pattern does by itself.
        rounds: after which each attacker was shut out, None for those who never were.
        blamed: honest hospitals that were shut out.
    """

    seed: int
    attackers: int
    accuracy: float
    success: float
    rounds: tuple[int | None, ...]
    blamed: int

    @property
    def found(self) -> int:
        """Return how many attackers were shut out."""
        return sum(number is not None for number in self.rounds)


@dataclass(frozen=True)
class Trials:
    """Consortia to attack under defences; a training that was asked for before is not repeated.

    Attributes:
        seeds: of the consortia.
        hospitals, patients: of each.
        rounds: of training.
        clean_runs: consortia on which thresholds are fixed.
    """

    seeds: Sequence[int]
    hospitals: int = 20
    patients: int = 4000
    rounds: int = 16
    clean_runs: int = 5
    _kept: dict[tuple[Defence, str, int, int], Course] = field(default_factory=dict, repr=False, compare=False)
    _fixed: dict[int, Thresholds] = field(default_factory=dict, repr=False, compare=False)

    def run(self, defence: Defence, attack: str, share: float) -> list[Result]:
        """Return the result of every seed with a `share` of the hospitals following `attack`.

        Args:
            defence: of the server.
            attack: name in `attacks.poisoning.ATTACKS` or `EVASIONS`.
            share: of the hospitals, rounded to whole ones; 0 is the control without attackers.

        Raises:
            ConfigError: there is no such attack.
        """
        results = []
        for seed, (scene, trigger) in self.scenes.items():
            course = self.course(defence, attack, share, seed)
            results.append(
                Result(
                    seed,
                    course.attackers.size,
                    scene.accuracy(course.models[-1]),
                    scene.backdoor_success(course.models[-1], trigger),
                    tuple(course.caught.get(int(i)) for i in course.attackers),
                    len(course.innocent),
                )
            )
        return results

    def course(self, defence: Defence, attack: str, share: float, seed: int) -> Course:
        """Return one training."""
        count = round(share * self.hospitals)
        key = defence, attack if count else "", count, seed
        if key not in self._kept:
            scene, trigger = self.scenes[seed]
            self._kept[key] = simulate(
                scene,
                defence,
                rounds=self.rounds,
                experiment=EXPERIMENT,
                seed=seed,
                attack=maker(attack)(trigger) if count else None,
                attackers=count,
                thresholds=self.thresholds(defence.size) if _judges(defence) else None,
            )
        return self._kept[key]

    @cached_property
    def scenes(self) -> dict[int, tuple[Scene, Trigger]]:
        """The consortium of each seed, with the trigger of its backdoor."""
        return {seed: self._scene(EXPERIMENT, seed) for seed in self.seeds}

    def thresholds(self, size: int) -> Thresholds:
        """Return the thresholds for groups of `size`, 0 for the total, fixed on clean rounds of other consortia."""
        if size not in self._fixed:
            self._fixed[size] = calibrate(self._clean, self._draw(FIXING, size), repetitions=4)
        return self._fixed[size]

    @cached_property
    def _clean(self) -> list[NDArray[np.float64]]:
        runs = []
        for number in range(self.clean_runs):
            scene, _ = self._scene(FIXING, number)
            course = simulate(scene, Defence(0), rounds=self.rounds, experiment=FIXING, seed=number)
            runs.append(course.updates)
        return runs

    def exposure(self, size: int) -> Exposure:
        """Return what opened sums of groups of `size` show of honest hospitals, without attackers, over the seeds."""
        draw = self._draw("poisoning-exposure", size)
        once, later, others = [], [], []
        for number, seed in enumerate(self.seeds):
            updates = self.course(Defence(0), "", 0, seed).updates
            groups = [draw(number, t) for t in range(1, self.rounds + 1)]
            once.append(np.mean([exposure.in_one_round(u, g) for u, g in zip(updates, groups)]))
            later.append(exposure.over_rounds(updates, groups))
            others.append(exposure.over_rounds(updates, groups, of_another=True)[-1])
        return Exposure(float(np.mean(once)), np.mean(later, axis=0), float(np.mean(others)))

    def _scene(self, experiment: str, seed: int) -> tuple[Scene, Trigger]:
        scope = derive_seed(experiment, "consortium", seed)
        return draw_scene(scope, patients=self.patients, hospitals=self.hospitals, hidden=8)

    def _draw(self, experiment: str, size: int) -> Callable[[int, int], Groups]:
        names = [str(i) for i in range(self.hospitals)]

        def draw(repetition: int, number: int) -> Groups:
            block = derive_seed(experiment, "block", repetition, number).to_bytes(32, "big")
            return draw_groups(block, number, names, size or self.hospitals)

        return draw


@dataclass(frozen=True)
class Exposure:
    """What opened group sums show of one hospital, as cosines with what is its own: 1 is in the clear.

    Attributes:
        one_round: of its deviation in a round with its group's.
        over_rounds: of what lasts of it with what the decoder makes of all rounds so far, float64 (R,).
        of_another: the last of these with another hospital's in place of its own: the control, near 0.
    """

    one_round: float
    over_rounds: NDArray[np.float64]
    of_another: float


def maker(attack: str) -> Callable[[Trigger], Attack]:
    """Return what makes the attack of this name for a trigger.

    Raises:
        ConfigError: there is none.
    """
    known = {**ATTACKS, **EVASIONS}
    if attack not in known:
        raise ConfigError(f"no attack {attack!r}: there are {', '.join(known)}")
    return known[attack]


def _judges(defence: Defence) -> bool:
    return defence.bounded or defence.trace is not Trace.NONE
