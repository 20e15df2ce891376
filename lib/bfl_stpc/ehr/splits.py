"""Training, validation and test patients, drawn within each hospital."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bfl_stpc.ehr.cohort import Features
from bfl_stpc.seeds import generator

TRAIN, VALIDATION = 0.70, 0.10  # the rest, 20 %, is for the test


@dataclass(frozen=True)
class Split:
    """Disjoint rows of `Features`, each int64 and ascending; a patient is one row, so none is in two parts."""

    train: np.ndarray
    validation: np.ndarray
    test: np.ndarray


def split(features: Features, seed: int) -> Split:
    """Split every hospital's patients 70 / 10 / 20 at random, with a generator of its own per hospital."""
    parts: tuple[list[np.ndarray], ...] = ([], [], [])
    for k in range(len(features.hospitals)):
        rows = generator("ehr", seed, "split", k).permutation(features.at(k))
        cuts = [round(TRAIN * rows.size), round((TRAIN + VALIDATION) * rows.size)]
        for part, piece in zip(parts, np.split(rows, cuts)):
            part.append(piece)
    return Split(*(np.sort(np.concatenate(part)) for part in parts))
