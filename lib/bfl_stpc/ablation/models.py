"""The four models of the ablation: in a centre or federated, without noise or with it; all else changes no bit."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from bfl_stpc import federated, privacy
from bfl_stpc.ablation.combinations import Combination
from bfl_stpc.ablation.training import learn
from bfl_stpc.baselines import Patients, Report, controls, ours
from bfl_stpc.baselines.report import report
from bfl_stpc.baselines.systems import shorter
from bfl_stpc.federated.server import Momentum, ServerStep


def trained(patients: Patients, combination: Combination, *, share: float = 1.0) -> Report:
    """Return the report of the model that `combination` gives, with the settings of notebooks 02 and 03.

    Federated updates take the barest path at fixed point; `learn` is tested to give the same bytes on every other.
    The noise is what ε = 3 at every hospital takes, or ε = 3 at the centre.

    Args:
        patients: the split, with a public scaling where there is noise.
        combination: what is on; only `federated` and `noise` count.
        share: of the rounds and epochs of the tuned settings.
    """
    if combination.federated:
        return _federated(patients, combination, share)
    if combination.noise:
        return _private_centre(patients, combination.name, share)
    settings = replace(controls.Settings(), epochs=max(controls.TURNS, round(share * controls.Settings().epochs)))
    return replace(controls.centralised(patients, settings), system=combination.name)


def hospital_side(
    patients: Patients, combination: Combination, share: float = 1.0
) -> tuple[dict[str, federated.ClientData], federated.LocalTraining, ServerStep, int, str]:
    """Return what `learn` needs for `combination`: tables, local training, the server's step, rounds, experiment."""
    if combination.noise:
        private = shorter(ours.PrivateSettings(), share)
        config = private.config(patients.private_test.shape[1], len(patients.records))
        return patients.private_tables, config, Momentum(private.rate, private.beta), private.rounds, "dp"
    plain = shorter(ours.Settings(), share)
    width = patients.test.shape[1]
    return patients.own_tables, plain.config(width), Momentum(1.0, plain.beta), plain.rounds, ours.EXPERIMENT


def first_model(patients: Patients, combination: Combination) -> np.ndarray:
    """Return the weights float32 (p,) that training starts from."""
    if combination.noise:
        return np.zeros(patients.private_test.shape[1] + 1, np.float32)
    return federated.init_weights(ours.Settings().config(patients.test.shape[1]).spec, patients.seed)


def _federated(patients: Patients, combination: Combination, share: float) -> Report:
    tables, config, server, rounds, experiment = hospital_side(patients, combination, share)
    bare = Combination(True, noise=combination.noise)
    first = first_model(patients, combination)
    run = learn(tables, config, server, bare, first=first, rounds=rounds, experiment=experiment, seed=patients.seed)
    X = patients.private_test if combination.noise else patients.test
    return report(combination.name, run.weights, patients, federated.predict(run.weights, config.spec, X))


def _private_centre(patients: Patients, name: str, share: float) -> Report:
    """Train on all records in one place by the private settings: the same promise, and one noise instead of many."""
    settings = shorter(ours.PrivateSettings(), share)
    config: privacy.DpConfig = settings.config(patients.private_test.shape[1], 1)
    everyone = {"centre": federated.pooled(patients.private_tables)}
    weights = federated.train(
        np.zeros(config.spec.size, np.float32),
        everyone,
        config,
        Momentum(settings.rate, settings.beta),
        rounds=settings.rounds,
        experiment="dp centre",
        seed=patients.seed,
        tail=0.5,
    ).weights
    return report(name, weights, patients, federated.predict(weights, config.spec, patients.private_test))
