"""Attacks on a hospital's records: whether a patient's can be recovered, and whether it was trained on at all."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property, partial
from typing import Any, TypeVar, cast

import numpy as np
from numpy.typing import NDArray

from bfl_stpc import federated, privacy
from bfl_stpc.attacks import inversion
from bfl_stpc.attacks.setting import Setting
from bfl_stpc.attacks.success import HOSPITALS, Judged
from bfl_stpc.attacks.views import Stage, View
from bfl_stpc.privacy import audit
from bfl_stpc.seeds import derive_seed, generator

T = TypeVar("T")
EPSILON, DELTA = 3.0, 1e-5  # what differential privacy promises for the one update under attack
CLIP = 1.0  # of one record's gradient, under differential privacy
POOL = 100  # patients among whom a recovered record must point to its own


@dataclass(frozen=True)
class Victims:
    """What all attacks here have in common.

    Attributes:
        setting: data and model.
        trials: hospitals that are attacked.
        seed: of every draw.
    """

    setting: Setting
    trials: int
    seed: int
    _kept: dict[tuple[str, bool], Any] = field(default_factory=dict, repr=False, compare=False, kw_only=True)

    def _once(self, what: str, noise: bool, make: Callable[[], T]) -> T:
        """Return what `make` returned when it was first asked for: observers share training and statistics."""
        if (what, noise) not in self._kept:
            self._kept[what, noise] = make()
        return cast(T, self._kept[what, noise])

    @cached_property
    def weights(self) -> NDArray[np.float32]:
        """The global model that training starts from: fresh, as in the first round."""
        return federated.init_weights(self.setting.spec, self.seed)

    def _rng(self, *scope: str | int) -> np.random.Generator:
        return generator("privacy attack", type(self).__name__, self.seed, *scope)

    def _train(
        self, rows: Sequence[NDArray[np.int64]], plain: federated.TrainConfig, steps: int, noise: bool
    ) -> NDArray[np.float32]:
        """Return the updates (v, p) of hospitals that hold `rows`; under noise, of `steps` full-batch private steps."""
        sigma = privacy.calibrate(EPSILON, DELTA, 1.0, steps) if noise else 0.0
        simulated = privacy.NoiseSource.SIMULATION
        private = privacy.DpConfig(plain.spec, 1.0, steps, CLIP, sigma, plain.learning_rate, simulated)
        clients = [federated.ClientData(self.setting.table[r], self.setting.y[r]) for r in rows]
        seeds = [derive_seed("privacy attack", type(self).__name__, self.seed, k) for k in range(len(rows))]
        config: federated.LocalTraining = private if noise else plain
        return np.array(federated.local_updates(self.weights, clients, config, seeds))


@dataclass(frozen=True)
class Inversion(Victims):
    """Recover the records of a batch from the update of one hospital that trained on it.

    Success: the recovered record nearest to any of `POOL` patients points to the victim. A guess succeeds once in
    `POOL`. The details hold the cosine similarity and the exact matches, each beside that of random patients.

    Attributes:
        batch: records of the hospital.
        epochs: local steps, each on all of them.
        matching: gradient matching in place of the closed form.
        steps: of gradient matching.
    """

    batch: int = 1
    epochs: int = 1
    matching: bool = False
    steps: int = 300

    LEARNING_RATE = 0.5

    @property
    def name(self) -> str:
        """Name in tables and figures."""
        return f"{'gradient matching' if self.matching else 'closed form'}, batch of {self.batch}"

    @cached_property
    def rows(self) -> NDArray[np.int64]:
        """The records of each hospital, (trials, batch), the victim's first; distinct within a hospital."""
        rng, n = self._rng("rows"), len(self.setting.y)
        return np.stack([rng.choice(n, self.batch, replace=False) for _ in range(self.trials)])

    def updates(self, noise: bool) -> NDArray[np.float32]:
        """Return the victims' updates."""
        plain = federated.TrainConfig(
            self.setting.spec, epochs=self.epochs, batch=self.batch, learning_rate=self.LEARNING_RATE
        )
        return self._once("updates", noise, lambda: self._train(list(self.rows), plain, self.epochs, noise))

    def judge(self, views: Sequence[View], noise: bool) -> Judged:
        """Invert each view."""
        vectors = np.stack([view.vector for view in views])
        if self.matching:
            rng = self._rng("starts")
            found = inversion.match(self.setting, self.weights, vectors, self.batch, steps=self.steps, rng=rng)
        else:
            # Of one record, the unit of the largest bias is the most exact; of several, each unit may hold another.
            kept = 1 if self.batch == 1 else self.setting.spec.layers[1]
            found = np.stack([inversion.closed_form(self.setting, vector)[:kept] for vector in vectors])
        rng = self._rng("guess")
        guess = self.setting.public[rng.integers(len(self.setting.public), size=found.shape[:2])]
        similar, exact = self._quality(found)
        similar_guess, exact_guess = self._quality(guess)
        detail = {
            "cosine": similar,
            "cosine of a guess": similar_guess,
            "exact": exact,
            "exact by a guess": exact_guess,
        }
        return Judged(inversion.linked(found, self.setting.table[self._pools]), 1 / POOL, detail)

    @cached_property
    def _pools(self) -> NDArray[np.int64]:
        """The victim and POOL − 1 other patients, none of its own hospital, (trials, POOL)."""
        rng, n = self._rng("pools"), len(self.setting.y)
        drawn = [rng.choice(n, POOL - 1 + self.batch, replace=False) for _ in self.rows]
        others = [some[~np.isin(some, own)][: POOL - 1] for some, own in zip(drawn, self.rows)]
        return np.concatenate([self.rows[:, :1], np.stack(others)], axis=1)

    def _quality(self, found: NDArray[np.floating]) -> tuple[float, float]:
        """Return mean cosine and share of exact matches over all records of all batches, best assignment."""
        similar, exact = [], []
        for recovered, rows in zip(found, self.rows):
            true = self.setting.table[rows]
            similar.append(inversion.cosine(inversion.assigned(recovered, true), true))
            read = self.setting.records(recovered)
            exact.append(self.setting.same(read[:, None], self.setting.recorded[rows][None]).any(axis=0))
        return float(np.mean(similar)), float(np.mean(exact))


@dataclass(frozen=True)
class Membership(Victims):
    """Tell which patients a hospital trained on: LiRA, as notebook 03 uses it, on models that memorise.

    Every hospital trains on half of a pool of patients, for long, with a model that could learn them by heart. The
    attacker knows the pools and trains shadow models on other halves. Success: member or not, rightly told; half are.

    Attributes:
        pool: patients of a hospital's pool.
        shadows: shadow models of each hospital; at least 8.
        hospitals: of a round: `trials` is a multiple of it, and each round trains on halves of its own.
    """

    pool: int = 40
    shadows: int = 16
    hospitals: int = HOSPITALS

    LEARNING_RATE = 0.1
    PRIVATE_STEPS = 100

    @property
    def name(self) -> str:
        """Name in tables and figures."""
        return "membership (LiRA)"

    @cached_property
    def pools(self) -> NDArray[np.int64]:
        """The patients of each hospital's pool, (hospitals, pool), all distinct."""
        n = self.hospitals * self.pool
        return self._rng("pools").choice(len(self.setting.y), n, replace=False).reshape(self.hospitals, self.pool)

    @cached_property
    def member(self) -> NDArray[np.bool_]:
        """Who is in which training, (shadows + rounds, hospitals, pool).

        Every patient is in half of the shadow models; every attacked hospital holds half of its pool.
        """
        shape, rounds = (self.hospitals, self.pool), self.trials // self.hospitals
        shadows = self._rng("shadows").random((self.shadows, *shape)).argsort(axis=0) < self.shadows // 2
        attacked = self._rng("members").random((rounds, *shape)).argsort(axis=2) < self.pool // 2
        return np.concatenate([shadows, attacked])

    def updates(self, noise: bool) -> NDArray[np.float32]:
        """Return the updates of the attacked rounds."""
        return self._trained(noise)[self.shadows :].reshape(-1, self.setting.spec.size)

    def judge(self, views: Sequence[View], noise: bool) -> Judged:
        """Score every patient of each victim's pool."""
        shadows = self._trained(noise)[: self.shadows]
        names = list(Stage.names_of(self.hospitals))
        scores, truth = [], []
        for trial, view in enumerate(views):
            round, victim = divmod(trial, self.hospitals)
            inside = [names.index(name) for name in view.inside]
            shadowed = self._once(
                f"confidence, {victim} in {inside}", noise, partial(self._told, victim, shadows[:, inside].mean(axis=1))
            )
            told = np.concatenate([shadowed, self._told(victim, [view.vector / len(inside)])])
            member = np.concatenate([self.member[: self.shadows, victim], self.member[[self.shadows + round], victim]])
            scores.append(audit.lira(told, member, len(told) - 1))
            truth.append(member[-1])
        score, is_member = np.concatenate(scores), np.concatenate(truth)
        return Judged((score > 0) == is_member, 0.5, {"TPR at 1 % FPR": audit.tpr_at(score, is_member)})

    def _told(self, victim: int, updates: Sequence[NDArray[np.floating]] | NDArray[np.floating]) -> NDArray[np.float64]:
        """Return the confidence of models (m, p), given by their updates, in the victim's pool, (m, pool)."""
        X, y = self.setting.table[self.pools[victim]], self.setting.y[self.pools[victim]]
        predicted = (federated.predict(self.weights + update, self.setting.spec, X) for update in updates)
        return np.stack([audit.confidence(p, y) for p in predicted])

    def _trained(self, noise: bool) -> NDArray[np.float32]:
        """Return all updates, (shadows + rounds, hospitals, p)."""
        return self._once("updates", noise, lambda: self._all(noise))

    def _all(self, noise: bool) -> NDArray[np.float32]:
        rows = [self.pools[h][self.member[m, h]] for m in range(len(self.member)) for h in range(self.hospitals)]
        plain = federated.TrainConfig(
            self.setting.spec, epochs=60, batch=self.pool // 4, learning_rate=self.LEARNING_RATE, momentum=0.5
        )
        updates = self._train(rows, plain, self.PRIVATE_STEPS, noise)
        return updates.reshape(len(self.member), self.hospitals, -1)
