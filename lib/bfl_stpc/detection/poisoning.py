"""The bench of poisoning: a consortium that trains under group sums, and hospitals that lie about records or update."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import cache

import numpy as np

from bfl_stpc.attacks import poisoning as attacks
from bfl_stpc.detection.catalogue import Level
from bfl_stpc.detection.injection import Clean, Outcome, injects
from bfl_stpc.robust import Course, Defence, Scene, Thresholds, Trace, calibrate, draw_groups, draw_scene, simulate
from bfl_stpc.seeds import derive_seed

HOSPITALS, PATIENTS, SIZE, ROUNDS = 15, 3000, 3, 8
DETECTOR = "group test"
DECODED = Defence(SIZE, "median", bounded=True, trace=Trace.DECODE)


def _consortium(experiment: str, *scope: int) -> tuple[Scene, attacks.Trigger]:
    seed = derive_seed(experiment, "poisoning", *scope)
    return draw_scene(seed, patients=PATIENTS, hospitals=HOSPITALS, hidden=8)


@cache
def thresholds() -> Thresholds:
    """Return the thresholds, fixed once on clean rounds of consortia that no trial and no clean run uses."""
    runs = []
    for number in range(5):
        scene, _ = _consortium("detection-threshold", number)
        runs.append(simulate(scene, Defence(0), rounds=ROUNDS, experiment="detection-threshold", seed=number).updates)
    names = [str(i) for i in range(HOSPITALS)]

    def draw(repetition: int, number: int) -> tuple[np.ndarray, ...]:
        block = derive_seed("detection-threshold", "block", repetition, number).to_bytes(32, "big")
        return draw_groups(block, number, names, SIZE)

    return calibrate(runs, draw, repetitions=4)


class PoisoningBench:
    """Fifteen hospitals in groups of three. A clean event is one hospital's verdict after a whole training."""

    def __init__(self, seed: int) -> None:
        """Draw the hospitals of `seed`, and fix the thresholds on others."""
        self.seed = seed
        self.scene, self.trigger = _consortium("detection", seed)
        self.thresholds = thresholds()

    def clean(self, events: int) -> list[Clean]:
        """Train consortia without attackers until so many hospitals were judged; an alarm is one shut out."""
        runs = -(-events // HOSPITALS)
        blamed = 0
        for number in range(runs):
            scene, _ = _consortium("detection-clean", self.seed, number)
            blamed += len(self._train(scene, ("clean", number)).innocent)
        return [Clean("training under group sums", (DETECTOR,), runs * HOSPITALS, blamed)]

    def inject(self, attack: attacks.Attack, level: Level, rng: np.random.Generator) -> Outcome:
        """Train with `level.value` of the hospitals following `attack`; found means one of them was shut out."""
        start = time.perf_counter()
        count = round(level.value * HOSPITALS)
        course = self._train(self.scene, ("attacked", int(rng.integers(2**62))), attack, count)
        caught = bool(course.caught)
        ms = 1e3 * (time.perf_counter() - start)
        steps = min(course.caught.values()) if caught else ROUNDS
        return Outcome(caught, DETECTOR if caught else "", steps, ms, len(course.innocent))

    def _train(
        self, scene: Scene, scope: tuple[str, int], attack: attacks.Attack | None = None, attackers: int = 0
    ) -> Course:
        seed = derive_seed("detection", "poisoning", self.seed, *scope)
        return simulate(
            scene,
            DECODED,
            rounds=ROUNDS,
            experiment="detection",
            seed=seed,
            attack=attack,
            attackers=attackers,
            thresholds=self.thresholds,
        )


def _register(name: str, make: Callable[[attacks.Trigger], attacks.Attack]) -> None:
    @injects(name.replace(" ", "_"), PoisoningBench)
    def inject(bench: PoisoningBench, level: Level, rng: np.random.Generator) -> Outcome:
        return bench.inject(make(bench.trigger), level, rng)


for _name, _make in attacks.ATTACKS.items():
    _register(_name, _make)
