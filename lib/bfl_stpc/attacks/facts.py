"""Attacks that infer a fact: an attribute of a patient, or the share of outcomes of a hospital."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import cast

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression

from bfl_stpc import federated
from bfl_stpc.attacks import inference
from bfl_stpc.attacks.success import Judged
from bfl_stpc.attacks.victims import CLIP, Victims
from bfl_stpc.attacks.views import View


@dataclass(frozen=True)
class _Fact(Victims):
    """A fact with two answers, inferred from one private or plain step of a hospital on all its records."""

    LEARNING_RATE = 0.5

    @property
    def batch(self) -> int:
        """Records of one hospital."""
        raise NotImplementedError

    @cached_property
    def truth(self) -> NDArray[np.bool_]:
        """Whether the fact holds, (trials,): for half of the hospitals, in mixed order."""
        return np.asarray(self._rng("truth").permutation(np.arange(self.trials) % 2 == 0))

    @cached_property
    def rows(self) -> list[NDArray[np.int64]]:
        """The records of each hospital."""
        raise NotImplementedError

    def updates(self, noise: bool) -> NDArray[np.float32]:
        """Return the victims' updates."""
        plain = federated.TrainConfig(self.setting.spec, batch=self.batch, learning_rate=self.LEARNING_RATE)
        return self._once("updates", noise, lambda: self._train(self.rows, plain, 1, noise))

    def _gradients(self, X: NDArray[np.float32], y: NDArray, noise: bool) -> NDArray[np.float64]:
        return inference.gradients(self.setting.spec, self.weights, X, y, CLIP if noise else np.inf)

    def _public(self, noise: bool) -> tuple[NDArray[np.float64], inference.Population]:
        """Return mean gradients of the attacker's own patients by outcome, (2, p), and the population of them all."""
        if (self.seed, noise) not in self.setting.kept:
            records, y = self._gradients(self.setting.public, self.setting.public_y, noise), self.setting.public_y
            means = np.stack([records[y == label].mean(axis=0) for label in (0, 1)])
            self.setting.kept[self.seed, noise] = means, inference.Population.of(records)
        return cast(tuple[NDArray[np.float64], inference.Population], self.setting.kept[self.seed, noise])

    def _summed(self, views: Sequence[View]) -> NDArray[np.float64]:
        """Return the summed gradients (v, p) that the views are steps along."""
        return np.stack([view.vector for view in views]) * (-self.batch / self.LEARNING_RATE)


@dataclass(frozen=True)
class AttributeInference(_Fact):
    """Infer one attribute of a known patient from the update of the hospital that trained on it.

    The attacker knows everything else about the patient, as an insurer might. Half of the victims have the attribute.
    Success: the right answer, by the evidence of the update and what the other attributes say. The baseline is the
    attacker who has only the latter: what can be imputed is no leak.

    Attributes:
        attribute: name of a recorded 0/1 value.
        batch: records of the hospital.
    """

    attribute: str = "coronary_disease"
    batch: int = 16

    @property
    def name(self) -> str:
        """Name in tables and figures."""
        return f"attribute, batch of {self.batch}"

    @cached_property
    def rows(self) -> list[NDArray[np.int64]]:
        """The records of each hospital, the victim's first."""
        rng, has = self._rng("rows"), self.setting.recorded[:, self._column] == 1
        victims = [int(rng.choice(np.flatnonzero(has == yes))) for yes in self.truth]
        everyone = np.arange(len(has))
        return [np.append(v, rng.choice(np.delete(everyone, v), self.batch - 1, replace=False)) for v in victims]

    def judge(self, views: Sequence[View], noise: bool) -> Judged:
        """Weigh the two answers for each victim."""
        victims = np.array([rows[0] for rows in self.rows])
        mean, deviation = (getattr(self.setting.inputs.scaler, part)[self._column] for part in ("mean", "deviation"))
        X = self.setting.table[victims].copy()
        answers = []
        for value in (0, 1):
            X[:, self._column] = (value - mean) / deviation
            answers.append(self._gradients(X, self.setting.y[victims], noise))
        _, population = self._public(noise)
        others = len(views[0].inside) * self.batch - 1
        no, yes = (others * population.mean + answer for answer in answers)
        found = inference.evidence(self._summed(views), no, yes, others, population)
        prior = self._imputed(victims)
        return Judged(
            ((found + prior) > 0) == self.truth,
            float(np.mean((prior > 0) == self.truth)),
            {"update alone": float(np.mean((found > 0) == self.truth)), "base rate": 0.5},
        )

    @property
    def _column(self) -> int:
        return self.setting.names.index(self.attribute)

    def _imputed(self, victims: NDArray[np.int64]) -> NDArray[np.float64]:
        """Return the log odds of the attribute by all else that is known, learned on the attacker's own patients."""
        other = np.arange(self.setting.inputs.width) != self._column
        X = np.column_stack([self.setting.public[:, other], self.setting.public_y])
        has = self.setting.public[:, self._column] > 0
        model = LogisticRegression(class_weight="balanced", max_iter=2000).fit(X, has)
        known = np.column_stack([self.setting.table[victims][:, other], self.setting.y[victims]])
        return np.asarray(model.decision_function(known))


@dataclass(frozen=True)
class PropertyInference(_Fact):
    """Infer a fact about a hospital, not about a patient: whether more of its patients deteriorate than elsewhere.

    Success: the right one of two outcome shares. A coin is right half of the time.

    Attributes:
        batch: records of the hospital.
        shares: of patients who deteriorate, in the two kinds of hospital.
    """

    batch: int = 64
    shares: tuple[float, float] = (0.25, 0.45)

    @property
    def name(self) -> str:
        """Name in tables and figures."""
        return "hospital's outcome share"

    @cached_property
    def rows(self) -> list[NDArray[np.int64]]:
        """The records of each hospital."""
        rng, sick, well = self._rng("rows"), np.flatnonzero(self.setting.y == 1), np.flatnonzero(self.setting.y == 0)
        counts = [round(self.shares[int(more)] * self.batch) for more in self.truth]
        return [
            np.concatenate([rng.choice(sick, k, replace=False), rng.choice(well, self.batch - k, replace=False)])
            for k in counts
        ]

    def judge(self, views: Sequence[View], noise: bool) -> Judged:
        """Weigh the two kinds for each hospital."""
        (well, sick), population = self._public(noise)
        others = (len(views[0].inside) - 1) * self.batch
        no, yes = (self.batch * (q * sick + (1 - q) * well) + others * population.mean for q in self.shares)
        shape = (len(views), 1)
        found = inference.evidence(
            self._summed(views), np.tile(no, shape), np.tile(yes, shape), others + self.batch, population
        )
        return Judged((found > 0) == self.truth, 0.5)
