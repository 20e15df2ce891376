"""From a cohort to what each hospital trains on: its own rows, in common units."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from bfl_stpc import ehr, federated


def rows_by_hospital(features: ehr.Features, rows: NDArray[np.int64]) -> dict[str, NDArray[np.int64]]:
    """Return the rows of each hospital among `rows`, by name."""
    return {name: np.intersect1d(rows, features.at(k)) for k, name in enumerate(features.hospitals)}


def common_scaler(features: ehr.Features, rows: NDArray[np.int64]) -> federated.Scaler:
    """Return the scaler of all hospitals' `rows`: each adds counts, sums and squares, and no record leaves it."""
    parts = [federated.statistics(features.X[part]) for part in rows_by_hospital(features, rows).values()]
    return federated.Scaler.from_statistics(np.sum(parts, axis=0))


def records(
    features: ehr.Features, rows: NDArray[np.int64], scaler: federated.Scaler
) -> dict[str, federated.ClientData]:
    """Return each hospital's records among `rows`, scaled, by name."""
    return {
        name: federated.ClientData(scaler.transform(features.X[part]), features.y[part])
        for name, part in rows_by_hospital(features, rows).items()
    }
