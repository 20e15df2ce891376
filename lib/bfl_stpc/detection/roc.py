"""How well the trail detector tells abuse from work: ROC curves on new hospitals, beside its controls."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score, roc_curve

from bfl_stpc.detection.browsing import Detector, draw_hospitals, learn, without
from bfl_stpc.detection.trails import ABUSES, Weeks

GRID = np.linspace(0, 1, 201)


def examine(seeds: Sequence[int], *, hospitals: int, users: int, weeks: int, rounds: int) -> dict[str, Any]:
    """Train detectors and their controls for each seed, and judge them on the weeks of hospitals that none has seen.

    Args:
        seeds: of hospitals and training.
        hospitals: that train; as many others fix the threshold, and as many again are judged.
        users: of each hospital.
        weeks: of each user.
        rounds: of federated training.

    Returns:
        The data of the figure `trails`: fpr (201,); curves {name: (seeds, 201)} and auc {name: (seeds,)} for the
        federated detector, the pooled trails, one hospital alone and shuffled labels; kinds {abuse: {seen, unseen}},
        AUCs (seeds,) of this kind of abuse with a detector that was shown it, or was not; at_threshold, records seed,
        abused, found, clean, alarms of the federated detector at the threshold fixed on the other hospitals.
    """
    sizes = {"hospitals": hospitals, "users": users, "weeks": weeks}
    curves: dict[str, list[NDArray[np.float64]]] = {}
    areas: dict[str, list[float]] = {}
    kinds: dict[str, dict[str, list[float]]] = {abuse: {"seen": [], "unseen": []} for abuse in ABUSES}
    points = []
    for seed in seeds:
        training, fixing, tested = (
            draw_hospitals(f"trails-{use}", seed, **sizes) for use in ("training", "threshold", "test")
        )
        X, abuse = (np.concatenate([getattr(w, part) for w in tested.values()]) for part in ("X", "abuse"))
        detectors = _detectors(training, rounds, seed)
        for name, detector in detectors.items():
            score, y = detector.score(X), abuse >= 0
            fpr, tpr, _ = roc_curve(y, score)
            curves.setdefault(name, []).append(np.interp(GRID, fpr, tpr))
            areas.setdefault(name, []).append(float(roc_auc_score(y, score)))
        federated = detectors["federated"]
        for number, kind in enumerate(ABUSES):
            blind = learn(without(training, kind), rounds=rounds, seed=seed)
            for what, detector in (("seen", federated), ("unseen", blind)):
                kinds[kind][what].append(_area(detector, X, abuse, number))
        threshold = federated.threshold(np.concatenate([w.X[w.abuse < 0] for w in fixing.values()]))
        flagged = federated.score(X) > threshold
        y = abuse >= 0
        counts = {"abused": y.sum(), "found": flagged[y].sum(), "clean": (~y).sum(), "alarms": flagged[~y].sum()}
        points.append({"seed": seed, **{name: int(count) for name, count in counts.items()}})
    return {"fpr": GRID, "curves": curves, "auc": areas, "kinds": kinds, "at_threshold": points}


def _detectors(training: dict[str, Weeks], rounds: int, seed: int) -> dict[str, Detector]:
    first = next(iter(training))
    return {
        "federated": learn(training, rounds=rounds, seed=seed),
        "trails pooled": learn(training, rounds=rounds, seed=seed, together=True),
        "one hospital alone": learn({first: training[first]}, rounds=rounds, seed=seed),
        "labels shuffled": learn(training, rounds=rounds, seed=seed, shuffled=True),
    }


def _area(detector: Detector, X: NDArray[np.float32], abuse: NDArray[np.int64], kind: int) -> float:
    chosen = (abuse < 0) | (abuse == kind)
    return float(roc_auc_score(abuse[chosen] == kind, detector.score(X[chosen])))
