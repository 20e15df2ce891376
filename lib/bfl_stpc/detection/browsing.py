"""Abuse of access rights: a detector trained federatedly on audit trails that never leave their hospital."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bfl_stpc.detection.catalogue import Level
from bfl_stpc.detection.injection import Clean, Outcome, injects
from bfl_stpc.detection.trails import ABUSES, FEATURES, Site, User, Weeks, draw_weeks, features, week
from bfl_stpc.federated import (
    ClientData,
    Mlp,
    Momentum,
    Scaler,
    TrainConfig,
    init_weights,
    pooled,
    predict,
    statistics,
    train,
)
from bfl_stpc.seeds import derive_seed, generator

DETECTOR = "trail detector"
ALARMS = 0.005  # of clean user-weeks, on the hospitals that fix the threshold


@dataclass(frozen=True)
class Detector:
    """A trained detector.

    Attributes:
        spec, weights: the model.
        scaler: of the features, from sums over hospitals.
    """

    spec: Mlp
    weights: NDArray[np.float32]
    scaler: Scaler

    def score(self, X: NDArray[np.float32]) -> NDArray[np.float64]:
        """Return the score of user-weeks, float64 (n,), from 0 to 1; high means abuse."""
        return predict(self.weights, self.spec, _scaled(self.scaler, X))

    def threshold(self, clean: NDArray[np.float32], alarms: float = ALARMS) -> float:
        """Return the score that a share `alarms` of these clean user-weeks exceeds."""
        return float(np.quantile(self.score(clean), 1 - alarms, method="higher"))


def learn(
    hospitals: Mapping[str, Weeks], *, rounds: int, seed: int, together: bool = False, shuffled: bool = False
) -> Detector:
    """Train a detector on the hospitals' labelled weeks, and return it.

    Args:
        hospitals: weeks by hospital; a label is an incident that the hospital has confirmed.
        rounds: of federated training.
        seed: of initial weights and batches.
        together: whether all trails are pooled, the control that no hospital could allow.
        shuffled: whether labels are dealt anew among a hospital's weeks, the negative control.
    """
    scaler = Scaler.from_statistics(np.sum([statistics(weeks.X) for weeks in hospitals.values()], axis=0))
    tables = {}
    for name, weeks in hospitals.items():
        y = generator("trails", seed, "shuffle", name).permutation(weeks.y) if shuffled else weeks.y
        tables[name] = ClientData(_scaled(scaler, weeks.X), y)
    if together:
        tables = {"all": pooled(tables)}
    spec = Mlp((len(FEATURES), 16, 1))
    config = TrainConfig(spec, epochs=1, batch=32, learning_rate=0.1)
    start = init_weights(spec, derive_seed("trails", seed, "weights"))
    trained = train(start, tables, config, Momentum(beta=0.5), rounds=rounds, experiment="trails", seed=seed)
    return Detector(spec, trained.weights, scaler)


def without(hospitals: Mapping[str, Weeks], abuse: str) -> dict[str, Weeks]:
    """Return the hospitals without the weeks of one kind of abuse, to ask for what a detector was never shown."""
    left = {name: weeks.abuse != ABUSES.index(abuse) for name, weeks in hospitals.items()}
    return {name: Weeks(weeks.X[left[name]], weeks.abuse[left[name]]) for name, weeks in hospitals.items()}


def draw_hospitals(experiment: str, seed: int, *, hospitals: int, users: int, weeks: int) -> dict[str, Weeks]:
    """Return the weeks of new hospitals by name."""
    names = [f"hospital-{k + 1:02d}" for k in range(hospitals)]
    return {name: draw_weeks(generator(experiment, seed, name), users=users, weeks=weeks) for name in names}


def _scaled(scaler: Scaler, X: NDArray[np.float32]) -> NDArray[np.float32]:
    return scaler.transform(X, np.zeros(0, np.int64))


class BrowsingBench:
    """Hospitals whose detector is trained and its threshold fixed. A clean event is one user's week."""

    def __init__(self, seed: int) -> None:
        """Train on the hospitals of `seed`; fix the threshold on other hospitals."""
        self.seed = seed
        self.detector = learn(
            draw_hospitals("detection-training", seed, hospitals=8, users=25, weeks=8), rounds=60, seed=seed
        )
        others = draw_hospitals("detection-threshold", seed, hospitals=8, users=25, weeks=8)
        clean = np.concatenate([weeks.X[weeks.abuse < 0] for weeks in others.values()])
        self.threshold = self.detector.threshold(clean)

    def clean(self, events: int) -> list[Clean]:
        """Judge so many weeks of users of new hospitals, ten weeks a hospital."""
        rng = generator("detection", "browsing", self.seed, "clean")
        X = np.concatenate([draw_weeks(rng, users=5, weeks=2, abused=0.0).X for _ in range(-(-events // 10))])
        alarms = int((self.detector.score(X) > self.threshold).sum())
        return [Clean("a user's week", (DETECTOR,), len(X), alarms)]

    def inject(self, abuse: str, level: Level, rng: np.random.Generator) -> Outcome:
        """Put `level.value` entries of abuse into a new user's week; found means that this week is flagged."""
        start = time.perf_counter()
        site = Site.draw(rng)
        user = User.draw(site, rng)
        X = features(site, user, week(site, user, rng, abuse, round(level.value)))[None]
        found = bool(self.detector.score(X)[0] > self.threshold)
        return Outcome(found, DETECTOR if found else "", 1, 1e3 * (time.perf_counter() - start))


@injects("insider_browsing", BrowsingBench)
def _insider_browsing(bench: BrowsingBench, level: Level, rng: np.random.Generator) -> Outcome:
    return bench.inject("insider browsing", level, rng)


@injects("bulk_export", BrowsingBench)
def _bulk_export(bench: BrowsingBench, level: Level, rng: np.random.Generator) -> Outcome:
    return bench.inject("bulk export", level, rng)
