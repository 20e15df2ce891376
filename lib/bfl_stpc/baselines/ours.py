"""Our own system in the comparison: with the settings of notebooks 02 and 03, without noise and with it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bfl_stpc import federated, privacy, system
from bfl_stpc.baselines.cohort import Patients, model
from bfl_stpc.baselines.report import Card, Costs, Exposure, Report, View, costs, report

EXPERIMENT = "fl"  # as in notebook 02: the same batches, hence the same bytes
CLIP = 20.0  # bound on the norm of an update; far above what training without noise produces
COLLUDING = 4  # hospitals that may pool what they know, where the noise is shared
VIEWS = (
    View("aggregator", Exposure.SHARES, "rounds stop; a false sum is refuted"),
    View("key authority", Exposure.SUMS, "sums are no longer hidden from it; rounds stop without it"),
    View("other hospital", Exposure.SUMS, "one share of the threshold"),
)
CARD = Card(
    name="BFL-STPC",
    source="this study",
    unit="round",
    throughput="bits of encrypted, masked updates accepted by the ledger and aggregated",
    views=VIEWS,
    learns="federated",
)


@dataclass(frozen=True)
class Settings:
    """Training without noise: those of notebook 02, the best of its search.

    Attributes:
        hidden: width of the hidden layer, 0 for none.
        rounds: how many.
        epochs, batch, learning_rate, decay: of a hospital in one round.
        beta: of the server's momentum.
    """

    hidden: int = 0
    rounds: int = 40
    epochs: int = 5
    batch: int = 2048
    learning_rate: float = 6.0
    decay: float = 0.0
    beta: float = 0.8

    def config(self, width: int) -> federated.TrainConfig:
        """Return how a hospital trains a model of `width` inputs."""
        spec = model(width, self.hidden)
        return federated.TrainConfig(spec, self.epochs, self.batch, self.learning_rate, decay=self.decay)


@dataclass(frozen=True)
class PrivateSettings:
    """Training with noise: those of notebook 03. Attributes as there; `shared` for noise shared by the secure sum."""

    rounds: int = 20
    steps: int = 5
    clip: float = 1.0
    learning_rate: float = 10.0
    rate: float = 2.0
    beta: float = 0.5
    epsilon: float = 3.0
    delta: float = 1e-5
    shared: bool = False

    def config(self, width: int, hospitals: int) -> privacy.DpConfig:
        """Return how each of `hospitals` trains a model of `width` inputs under the promise."""
        sigma = privacy.calibrate(self.epsilon, self.delta, 1.0, self.steps * self.rounds)
        sigma /= np.sqrt(hospitals - COLLUDING) if self.shared else 1.0
        spec, source = model(width, 0), privacy.NoiseSource.SIMULATION
        return privacy.DpConfig(spec, 1.0, self.steps, self.clip, sigma, self.learning_rate, source)


SHARED = PrivateSettings(rounds=100, steps=1, learning_rate=1.0, rate=20.0, shared=True)


def run(patients: Patients, settings: Settings | None = None) -> Report:
    """Return the report of federated training without noise; encryption and masks change the sum by rounding only."""
    settings = settings or Settings()
    config = settings.config(patients.test.shape[1])
    first, server = federated.init_weights(config.spec, patients.seed), federated.Momentum(1.0, settings.beta)
    weights = _train(first, patients.own_tables, config, server, settings.rounds, EXPERIMENT, patients.seed)
    return report(CARD.name, weights, patients, federated.predict(weights, config.spec, patients.test))


def run_private(patients: Patients, settings: PrivateSettings | None = None) -> Report:
    """Return the report of federated training under the promise of `settings`."""
    settings = settings or PrivateSettings()
    config = settings.config(patients.private_test.shape[1], len(patients.records))
    first, server = np.zeros(config.spec.size, np.float32), federated.Momentum(settings.rate, settings.beta)
    weights = _train(first, patients.private_tables, config, server, settings.rounds, "dp", patients.seed)
    p = federated.predict(weights, config.spec, patients.private_test)
    return report(private_name(settings), weights, patients, p)


def private_name(settings: PrivateSettings) -> str:
    """Return the name of our system under the promise of `settings`."""
    return f"{CARD.name}, ε = {settings.epsilon:g}" + (", noise shared" if settings.shared else "")


def operate(patients: Patients, settings: Settings | None = None, *, rounds: int = 1) -> Costs:
    """Return what a round of the whole system costs: logins, encryption, masks, the verified sum, the ledger."""
    settings = settings or Settings()
    config = settings.config(patients.test.shape[1])
    most = max(len(r.y) for r in patients.records.values())
    options = {"experiment": EXPERIMENT, "seed": patients.seed, "clip": CLIP, "max_records": most}
    consortium = system.found(patients.own_tables, config, **options)  # type: ignore[arg-type]
    state = system.State(0, federated.init_weights(config.spec, patients.seed))
    for _ in range(rounds):
        state = system.run_round(state, consortium)
    return costs(consortium.meter.steps, runs=rounds, operations=settings.rounds, parameters=config.spec.size)


def _train(
    first: NDArray[np.float32],
    tables: dict[str, federated.ClientData],
    config: federated.LocalTraining,
    server: federated.server.ServerStep,
    rounds: int,
    experiment: str,
    seed: int,
) -> NDArray[np.float32]:
    options = {"experiment": experiment, "seed": seed}
    return federated.train(first, tables, config, server, rounds=rounds, tail=0.5, **options).weights  # type: ignore[arg-type]
