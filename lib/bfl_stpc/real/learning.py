"""The ways of learning that a study on real hospitals compares, each from training rows to predictions.

All of them fit a logistic regression, as FLamby's baseline does. With a few hundred patients more is not to be had.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, logit

from bfl_stpc import federated, privacy
from bfl_stpc.ehr import Tabular
from bfl_stpc.ehr.heart_disease import Parts
from bfl_stpc.errors import DataError
from bfl_stpc.real.estimates import Scored, Vector
from bfl_stpc.seeds import derive_seed, generator

FLAG = (0.5, 0.5)  # public centre and spread of a column of 0 and 1
DELTA = 1e-5
Learn = Callable[[Tabular, Parts, int], Vector]  # (table, parts, seed) -> probabilities of the test rows (m,)


@dataclass(frozen=True)
class Settings:
    """How hospitals learn together without noise: what `search` found best on training patients.

    Attributes:
        rounds: how many.
        epochs, batch, learning_rate, decay: of a hospital in one round.
        pooled_penalty, own_penalty: of the fits of all records in one place, and of a hospital's own: the sum of log
            losses gains penalty/2·‖w‖².
        home_penalty: likewise of the one number by which a hospital corrects the shared model for itself.
    """

    rounds: int = 30
    epochs: int = 1
    batch: int = 32
    learning_rate: float = 0.1
    decay: float = 0.01
    pooled_penalty: float = 10.0
    own_penalty: float = 10.0
    home_penalty: float = 3.0

    def config(self, width: int) -> federated.TrainConfig:
        """Return how a hospital trains on `width` inputs."""
        spec = federated.Mlp((width, 1))
        return federated.TrainConfig(spec, self.epochs, self.batch, self.learning_rate, decay=self.decay)


@dataclass(frozen=True)
class PrivateSettings:
    """How hospitals learn under a promise of differential privacy.

    Fixed before any patient was seen, since a search among settings costs privacy, too. Full batches: one round is one
    Gaussian step. With d inputs scaled to ±1, the gradient of an undecided model has norm √(d + 1)/2, which is the
    clip, and the log loss bends by at most (d + 1)/4, whose inverse is the step.

    Attributes:
        rounds: how many.
        beta: of the server's momentum.
    """

    rounds: int = 40
    beta: float = 0.5

    def config(self, width: int, epsilon: float) -> privacy.DpConfig:
        """Return how a hospital trains on `width` inputs at (ε, `DELTA`), all rounds together."""
        sigma = privacy.calibrate(epsilon, DELTA, 1.0, self.rounds)
        clip, rate, source = float(np.sqrt(width + 1) / 2), 4 / (width + 1), privacy.NoiseSource.SIMULATION
        return privacy.DpConfig(federated.Mlp((width, 1)), 1.0, 1, clip, sigma, rate, source)

    @property
    def server(self) -> federated.ServerStep:
        """The server optimiser."""
        return federated.Momentum(1.0, self.beta)


@dataclass(frozen=True)
class Scaling:
    """Inputs of a model: scaled columns, then 1 where a column that has gaps is not recorded.

    Attributes:
        scaler: of the columns.
        marked: indices of the columns with gaps.
    """

    scaler: federated.Scaler
    marked: NDArray[np.int64]

    def __call__(self, X: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the inputs float32 (n, d + m) of recorded values X float32 (n, d)."""
        return self.scaler.transform(X, self.marked)

    @classmethod
    def of_total(cls, total: Vector) -> Scaling:
        """Return the scaling that the sum of all hospitals' `federated.statistics` gives, and nothing else."""
        count = total[: total.size // 3]
        return cls(federated.Scaler.from_statistics(total), np.flatnonzero(count < count.max()))

    @classmethod
    def of_rows(cls, X: NDArray[np.float32]) -> Scaling:
        """Return the scaling of records X in one place; a column that none of them has is 0 throughout."""
        known = np.where(np.isfinite(X).any(0), X, np.float32(0))
        return cls.of_total(federated.statistics(known))

    @classmethod
    def public(cls, table: Tabular) -> Scaling:
        """Return the scaling by public knowledge, which reads no patient: `Tabular.reference`.

        Raises:
            DataError: nothing is publicly known of a column that is not of 0 and 1.
        """
        flags = (np.isnan(table.X) | (table.X == 0) | (table.X == 1)).all(0)
        unknown = [name for name, flag in zip(table.columns, flags) if not flag and name not in table.reference]
        if unknown:
            raise DataError(f"{table.name}: scaling {unknown} by records costs privacy: name them in `reference`")
        centre, spread = np.array([table.reference.get(name, FLAG) for name in table.columns], float).T
        return cls(federated.Scaler(centre, spread), np.flatnonzero(np.isnan(table.X).any(0)))


def parts_of(table: Tabular, rows: NDArray[np.int64]) -> list[NDArray[np.int64]]:
    """Return the rows of each hospital among `rows`, for hospitals that have any."""
    owners = table.hospital[rows]
    return [rows[owners == k] for k in np.unique(owners)]


def shared_scaling(table: Tabular, rows: NDArray[np.int64]) -> Scaling:
    """Return the scaling by all hospitals' summed statistics over `rows`; in the clear what a secure sum carries."""
    return Scaling.of_total(np.sum([federated.statistics(table.X[own]) for own in parts_of(table, rows)], axis=0))


def tables(table: Tabular, rows: NDArray[np.int64], scaling: Scaling) -> dict[str, federated.ClientData]:
    """Return each hospital's records among `rows` as model inputs, by name; hospitals without any are left out."""
    return {
        table.hospitals[table.hospital[own[0]]]: federated.ClientData(
            scaling(table.X[own]), table.y[own].astype(np.float32)
        )
        for own in parts_of(table, rows)
    }


def together(settings: Settings, scaling: Callable[[Tabular, NDArray[np.int64]], Scaling] = shared_scaling) -> Learn:
    """Return federated learning without noise, scaled by `scaling` of the training rows."""

    def learn(table: Tabular, parts: Parts, seed: int) -> Vector:
        scale = scaling(table, parts.train)
        return predicted(train(table, parts.train, scale, settings, seed), scale(table.X[parts.test]))

    return learn


def train(
    table: Tabular, rows: NDArray[np.int64], scale: Scaling, settings: Settings, seed: int
) -> NDArray[np.float32]:
    """Return the global model, float32 (p,), of federated training on `rows`: the mean of the later half."""
    data = tables(table, rows, scale)
    config = settings.config(next(iter(data.values())).X.shape[1])
    first = np.zeros(config.spec.size, np.float32)  # the loss is convex: nothing is gained by chance
    options = {"rounds": settings.rounds, "experiment": f"real {table.name}", "seed": seed, "tail": 0.5}
    return federated.train(first, data, config, federated.Averaging(), **options).weights  # type: ignore[arg-type]


def at_home(settings: Settings, scaling: Callable[[Tabular, NDArray[np.int64]], Scaling] = shared_scaling) -> Learn:
    """Return federated learning without noise, then corrected by every hospital for itself.

    The hospital adds one number to the logits, fitted to its own training records: recalibration in the large, which
    clinicians do when they take over a risk score. The number never leaves the hospital.
    """

    def learn(table: Tabular, parts: Parts, seed: int) -> Vector:
        scale = scaling(table, parts.train)
        weights = train(table, parts.train, scale, settings, seed)
        known, asked = (logit(predicted(weights, scale(table.X[rows]))) for rows in (parts.train, parts.test))
        for own in parts_of(table, parts.train):
            k = table.hospital[own[0]]
            there = table.hospital[parts.train] == k
            shift = offset(known[there], table.y[parts.train[there]], settings.home_penalty)
            asked[table.hospital[parts.test] == k] += shift
        return np.asarray(expit(asked))

    return learn


def offset(logits: Vector, y: NDArray, penalty: float) -> float:
    """Return the b that minimises the sum of log losses of y (n,) at `logits` (n,) + b, plus penalty/2·b²."""
    b = 0.0
    for _ in range(50):
        p = expit(logits + b)
        step = (float((p - y).sum()) + penalty * b) / (float((p * (1 - p)).sum()) + penalty)
        b -= step
        if abs(step) < 1e-10:
            break
    return b


def private(epsilon: float, settings: PrivateSettings | None = None) -> Learn:
    """Return federated learning in which every hospital promises its patients (ε, `DELTA`), scaled publicly."""
    chosen = settings or PrivateSettings()

    def learn(table: Tabular, parts: Parts, seed: int) -> Vector:
        scale = Scaling.public(table)
        data = tables(table, parts.train, scale)
        config = chosen.config(next(iter(data.values())).X.shape[1], epsilon)
        first = np.zeros(config.spec.size, np.float32)
        options = {"rounds": chosen.rounds, "experiment": f"real private {table.name}", "seed": seed, "tail": 0.5}
        weights = federated.train(first, data, config, chosen.server, **options).weights  # type: ignore[arg-type]
        return predicted(weights, scale(table.X[parts.test]))

    return learn


def pooled(settings: Settings) -> Learn:
    """Return the fit of all records in one place, which no hospital could allow."""

    def learn(table: Tabular, parts: Parts, seed: int) -> Vector:
        scale = Scaling.of_rows(table.X[parts.train])
        return _fitted(
            scale(table.X[parts.train]), table.y[parts.train], scale(table.X[parts.test]), settings.pooled_penalty
        )

    return learn


def alone(settings: Settings) -> Learn:
    """Return each hospital's fit of its own records in its own scaling, for its own patients.

    A hospital whose records are all of one outcome answers with its share, one patient of each outcome added; one
    without any record with ½.
    """

    def learn(table: Tabular, parts: Parts, seed: int) -> Vector:
        p = np.full(parts.test.size, 0.5)
        for k in np.unique(table.hospital[parts.test]):
            own, asked = parts.train[table.hospital[parts.train] == k], table.hospital[parts.test] == k
            y = table.y[own]
            if np.unique(y).size < 2:
                p[asked] = (y.sum() + 1) / (y.size + 2)
                continue
            scale = Scaling.of_rows(table.X[own])
            p[asked] = _fitted(scale(table.X[own]), y, scale(table.X[parts.test[asked]]), settings.own_penalty)
        return p

    return learn


def prevalence(table: Tabular, parts: Parts, seed: int) -> Vector:
    """Return the share of the ill at each patient's hospital: what knowing the hospital alone tells."""
    y, where = table.y[parts.train], table.hospital[parts.train]
    share = [(y[where == k].sum() + 1) / ((where == k).sum() + 2) for k in range(len(table.hospitals))]
    return np.array(share)[table.hospital[parts.test]]


def _fitted(X: NDArray[np.float32], y: NDArray, asked: NDArray[np.float32], penalty: float) -> Vector:
    return predicted(federated.optimum(X, y, penalty), asked)


def predicted(weights: NDArray[np.float32], X: NDArray[np.float32]) -> Vector:
    """Return the probabilities float64 (n,) of a logistic regression for inputs X float32 (n, d)."""
    return federated.predict(weights, federated.Mlp((X.shape[1], 1)), X)


def folds(table: Tabular, count: int, seed: int) -> list[Parts]:
    """Return `count` pairs of training and test rows in which every patient is tested once.

    Each hospital deals its patients to the folds by itself, outcome after outcome, from a random fold on.
    """
    fold = np.empty(len(table.y), np.int64)
    for k in range(len(table.hospitals)):
        rng, own = generator("real", "folds", table.name, seed, k), table.at(k)
        shuffled = rng.permutation(own)
        dealt = shuffled[np.argsort(table.y[shuffled], kind="stable")]
        fold[dealt] = (np.arange(own.size) + rng.integers(count)) % count
    every = np.arange(len(table.y))
    return [Parts(every[fold != f], every[fold == f]) for f in range(count)]


def cross_fitted(learn: Learn, table: Tabular, count: int, seeds: Sequence[int]) -> Scored:
    """Return predictions for every patient by models that have not seen the patient, under each seed."""
    p = np.empty((len(seeds), len(table.y)))
    for row, seed in zip(p, seeds):
        for number, parts in enumerate(folds(table, count, seed)):
            row[parts.test] = learn(table, parts, derive_seed("real", seed, number) % 2**31)
    return Scored(p, table.y, table.hospital, np.arange(len(table.y)))


def held_out(learn: Learn, table: Tabular, parts: Parts, seeds: Sequence[int]) -> Scored:
    """Return predictions for the test patients of one split, under each seed of training."""
    p = np.array([learn(table, parts, seed) for seed in seeds])
    return Scored(p, table.y[parts.test], table.hospital[parts.test], parts.test)
