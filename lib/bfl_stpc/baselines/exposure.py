"""What the parties of each system could learn: membership from its model, and a record from what they hold.

Two attacks, each with its chance level. *Membership*: the model is surer of the patients that it was trained on
(Yeom et al. 2018); the score is the area under the ROC curve of that confidence, ½ for nothing. *Inversion*, in the
worst case for a hospital: it trains on one patient only, so that its update is that patient's gradient, in which a
dense layer's kernel over its bias is the record itself. Whoever sees most in each system tries.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score

from bfl_stpc import federated
from bfl_stpc.attacks import views
from bfl_stpc.attacks.inversion import cosine
from bfl_stpc.baselines import ejss, feacs, flbm_iot, ours, ppflb
from bfl_stpc.baselines.cohort import Patients, Records, model
from bfl_stpc.baselines.report import Report
from bfl_stpc.errors import ConfigError
from bfl_stpc.privacy.audit import confidence
from bfl_stpc.seeds import derive_seed, generator

RECOVERED = 0.99  # cosine to the true inputs from which a record counts as recovered
HOSPITALS = 5  # of a round that is attacked


def membership(done: Report, patients: Patients, *, private: bool) -> float:
    """Return the area under the ROC curve of the model's confidence in training against test patients.

    Raises:
        ConfigError: every hospital keeps a model of its own.
    """
    if done.weights is None:
        raise ConfigError(f"{done.system} has no model that all share: attack each hospital's by itself")
    tables = patients.private_tables if private else patients.own_tables
    members = federated.pooled(tables)
    spec = model(members.X.shape[1], _hidden(done.weights.size, members.X.shape[1]))
    inside = confidence(federated.predict(done.weights, spec, members.X), members.y)
    outside = confidence(done.predictions, patients.features.y[patients.parts.test])
    return float(roc_auc_score(np.repeat([1, 0], [inside.size, outside.size]), np.concatenate([inside, outside])))


def _hidden(size: int, width: int) -> int:
    """Return the width of the hidden layer of a model of `size` parameters and `width` inputs; 0 for none."""
    return 0 if size == width + 1 else (size - 1) // (width + 2)


def inversion(patients: Patients, *, victims: int) -> pd.DataFrame:
    """Return a row a system and observer: cosine of the recovered to the true inputs, and the share recovered.

    Columns: system, observer, cosine (mean over victims), recovered (share with cosine at least `RECOVERED`).
    """
    rng = generator("baseline inversion", patients.seed)
    table, noisy = federated.pooled(patients.own_tables), federated.pooled(patients.private_tables)
    rows = rng.choice(len(table.y), victims, replace=False)
    found: list[tuple[str, str, NDArray[np.float64]]] = []

    plain = ours.Settings(batch=64, epochs=1).config(table.X.shape[1])
    updates = _updates(table, rows, plain, patients.seed)
    found.append((flbm_iot.CARD.name, "cluster head", _compare(updates, plain.spec, table.X[rows])))
    promised = ours.PrivateSettings().config(noisy.X.shape[1], HOSPITALS)
    found.append(
        (
            ppflb.CARD.name,
            "aggregator",
            _compare(_updates(noisy, rows, promised, patients.seed), promised.spec, noisy.X[rows]),
        )
    )
    stage = views.Stage(HOSPITALS, ours.CLIP)
    for observer in (views.AGGREGATOR, views.BOTH):
        seen = [_seen(stage, update, observer, rng) for update in updates]
        found.append((ours.CARD.name, observer.name, _compare(seen, plain.spec, table.X[rows])))
    found += _of_records(patients, rows)
    return pd.DataFrame(
        [
            {"system": s, "observer": o, "cosine": float(c.mean()), "recovered": float((c >= RECOVERED).mean())}
            for s, o, c in found
        ]
    )


def _updates(
    table: federated.ClientData, rows: NDArray, config: federated.LocalTraining, seed: int
) -> list[NDArray[np.float32]]:
    alone = [federated.ClientData(table.X[[row]], table.y[[row]]) for row in rows]
    seeds = [derive_seed("baseline inversion", seed, int(row)) for row in rows]
    return federated.local_updates(federated.init_weights(config.spec, seed), alone, config, seeds)


def _compare(
    updates: Sequence[NDArray[np.floating]], spec: federated.Mlp, truth: NDArray[np.float32]
) -> NDArray[np.float64]:
    guesses = []
    for update in updates:
        kernel, bias = spec.unflatten(np.asarray(update, np.float64))[0]
        guesses.append(kernel[:, 0] / bias[0] if bias[0] else np.zeros(len(kernel)))
    return cosine(np.array(guesses), truth.astype(np.float64))


def _seen(
    stage: views.Stage, update: NDArray[np.float32], observer: views.Observer, rng: np.random.Generator
) -> NDArray[np.float64]:
    """Return what the observer holds of the first hospital, in a round in which the others send random updates."""
    norm = float(np.linalg.norm(update))
    others = [rng.normal(size=update.size) * norm / np.sqrt(update.size) for _ in range(HOSPITALS - 1)]
    played = stage.play([update, *others], views.Protection(encryption=True, masks=True))
    return played.view(observer, stage.names[0]).vector


def _of_records(patients: Patients, rows: NDArray) -> list[tuple[str, str, NDArray[np.float64]]]:
    """Return what the parties of record-moving systems hold: the trainer's record, and one node's share of it."""
    everyone = list(patients.records.values())
    X, y = np.concatenate([r.X for r in everyone]), np.concatenate([r.y for r in everyone])
    victims = Records(X[rows], y[rows])
    truth = np.nan_to_num(victims.X).astype(np.float64)
    opened = feacs.Deployment.fill({"hospital-01": victims}).collect()["hospital-01"]
    sealed = feacs.Deployment.fill({"hospital-01": victims})
    stored = [sealed.service.records[n].content for n in sealed.numbers["hospital-01"]]
    shared = ejss.Deployment.fill({"hospital-01": victims}, patients.seed)
    joint = shared.collect()["hospital-01"]
    one = [s.content for s in shared.nodes[1].shares["hospital-01"]]
    return [
        (feacs.CARD.name, "trainer", cosine(np.nan_to_num(opened.X).astype(np.float64), truth)),
        (feacs.CARD.name, "storage server", cosine(_bytes_as_values(stored, truth.shape[1]), truth)),
        (ejss.CARD.name, "analyst", cosine(np.nan_to_num(joint.X).astype(np.float64), truth)),
        (ejss.CARD.name, "one node", cosine(_bytes_as_values(one, truth.shape[1]), truth)),
    ]


def _bytes_as_values(contents: Sequence[bytes], width: int) -> NDArray[np.float64]:
    """Return bytes that hide a record, read as `width` centred 16-bit numbers each: an attacker's plain reading."""
    return np.array([np.frombuffer(content[: 2 * width], "<u2") for content in contents], np.float64) - 2**15
