"""The attacks on privacy as experiments: each trains its victims, looks with an observer's eyes, and counts successes.

An attack never sees more than a `View`. Its rate stands beside that of a guess, and `tamper` replaces the view by one
that has nothing to do with the victim: the negative control.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from typing import Any, Protocol, TypeVar, cast

import numpy as np
from numpy.typing import NDArray
from scipy.stats import binomtest
from sklearn.linear_model import LogisticRegression

from bfl_stpc import federated, privacy
from bfl_stpc.attacks import inference, inversion
from bfl_stpc.attacks.setting import Setting
from bfl_stpc.attacks.views import Observer, Protection, Stage, View
from bfl_stpc.errors import ConfigError
from bfl_stpc.privacy import audit
from bfl_stpc.seeds import derive_seed, generator
from bfl_stpc.study.intervals import wilson_interval

T = TypeVar("T")
HOSPITALS = 10
EPSILON, DELTA = 3.0, 1e-5  # what differential privacy promises for the one update under attack
CLIP = 1.0  # of one record's gradient, under differential privacy
LUCK = 1e-3  # chance that a guess is taken for an attack, in one cell
POOL = 100  # patients among whom a recovered record must point to its own


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


def success(
    attack: str,
    protection: Protection,
    observer: Observer,
    *,
    setting: Setting,
    trials: int,
    seed: int,
    tamper: Tamper | None = None,
) -> Success:
    """Return the success of the attack of this name (see `ATTACKS`): one cell of the matrix, in seconds.

    Raises:
        ConfigError: there is no such attack, or the trials do not fill whole rounds.
    """
    if attack not in ATTACKS:
        raise ConfigError(f"attack {attack!r}: choose among {sorted(ATTACKS)}")
    return measure(ATTACKS[attack](setting, trials, seed), protection, [observer], tamper=tamper)[0]


@dataclass(frozen=True)
class _Victims:
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
class Inversion(_Victims):
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
class _Fact(_Victims):
    """A fact with two answers, inferred from one private or plain step of a hospital on all its records."""

    LEARNING_RATE = 0.5

    @property
    def batch(self) -> int:
        """Records of one hospital."""
        raise NotImplementedError

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
    def truth(self) -> NDArray[np.bool_]:
        """Whether each victim has the attribute, (trials,): half of them, in mixed order."""
        return np.asarray(self._rng("truth").permutation(np.arange(self.trials) % 2 == 0))

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
    def truth(self) -> NDArray[np.bool_]:
        """Whether each hospital is of the kind with the larger share, (trials,): half of them, in mixed order."""
        return np.asarray(self._rng("truth").permutation(np.arange(self.trials) % 2 == 0))

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


@dataclass(frozen=True)
class Membership(_Victims):
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


ATTACKS: Mapping[str, Callable[[Setting, int, int], Attack]] = {
    "closed form": Inversion,
    "gradient matching": lambda setting, trials, seed: Inversion(setting, trials, seed, batch=4, matching=True),
    "attribute": AttributeInference,
    "membership": Membership,
    "property": PropertyInference,
}
