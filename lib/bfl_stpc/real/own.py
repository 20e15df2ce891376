"""The study of a table of one's own: common units and scaling without seeing data, and the ways of learning."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from bfl_stpc import federated
from bfl_stpc.ehr import Tabular
from bfl_stpc.real.estimates import DRAWS, Scored, Vector
from bfl_stpc.real.learning import (
    Learn,
    Scaling,
    Settings,
    alone,
    at_home,
    parts_of,
    pooled,
    prevalence,
    private,
    shared_scaling,
    together,
)
from bfl_stpc.seeds import generator
from bfl_stpc.system.preparation import secure_total

POWERS = 10.0 ** np.arange(-8, 31)  # units among which that of a column is found
GRID = np.linspace(0, 1, 101)  # false-positive rates of a drawn ROC curve


def common_units(table: Tabular) -> tuple[Tabular, Vector]:
    """Return the table with each column in a unit in which its values are at most 1, and the units, float64 (d,).

    A unit is a power of ten, found by one secure sum: every hospital counts its values beyond each power. Of the
    values nothing becomes known but those sums. Without it, squares of large values would overflow the secure sum.
    """
    beyond = {
        table.hospitals[table.hospital[own[0]]]: np.stack([(np.abs(table.X[own]) > p).sum(0) for p in POWERS])
        for own in parts_of(table, np.arange(len(table.y)))
    }
    total = secure_total({name: counts.ravel().astype(np.float64) for name, counts in beyond.items()})
    none = np.rint(total.reshape(POWERS.size, -1)) == 0
    units = POWERS[none.argmax(axis=0)]
    reference = {
        name: (centre / unit, spread / unit)
        for name, unit in zip(table.columns, units)
        if name in table.reference
        for centre, spread in [table.reference[name]]
    }
    return replace(table, X=(table.X / units).astype(np.float32), reference=reference), units


def referenced(table: Tabular, scaling: Scaling, flags: NDArray[np.bool_]) -> tuple[Tabular, tuple[str, ...]]:
    """Return the table with a centre and spread for every column, and the columns whose own are no public knowledge.

    Private training scales by public knowledge, which reads no patient. Where a mapping names no `usual` range, the
    mean and deviation of all hospitals stand in, which the promise of differential privacy does not cover.

    Args:
        table: with `reference` where ranges are known.
        scaling: of all hospitals.
        flags: bool (d,), columns of 0 and 1, whose range everybody knows.
    """
    missing = [j for j, name in enumerate(table.columns) if name not in table.reference and not flags[j]]
    found = {table.columns[j]: (float(scaling.scaler.mean[j]), float(scaling.scaler.deviation[j])) for j in missing}
    return replace(table, reference={**table.reference, **found}), tuple(found)


def flags(table: Tabular) -> NDArray[np.bool_]:
    """Return which columns hold 0 and 1 only, bool (d,)."""
    return np.array([np.isin(column[~np.isnan(column)], (0, 1)).all() for column in table.X.T])


def median_scaling(table: Tabular, rows: NDArray[np.int64]) -> Scaling:
    """Return the shared scaling with missing values filled by the medians of all hospitals, by sums of counts."""
    shared = shared_scaling(table, rows)
    own = [table.X[part] for part in parts_of(table, rows)]

    def ask(threshold: NDArray[np.float32]) -> NDArray[np.int64]:
        return np.sum([federated.count_at_most(X, threshold) for X in own], axis=0)

    filling = federated.medians(ask, len(table.columns)).astype(np.float64)
    return replace(shared, scaler=replace(shared.scaler, filling=filling))


def ways(settings: Settings, epsilons: Sequence[float], *, fill: str = "mean") -> dict[str, tuple[Learn, str]]:
    """Return the ways of learning to compare, each with its kind for the figures, by name.

    Args:
        settings: of the training without noise.
        epsilons: promises of differential privacy, at `DELTA`.
        fill: what stands for a missing number, `mean` or `median` of all hospitals.
    """
    scaling = median_scaling if fill == "median" else shared_scaling
    plain: dict[str, tuple[Learn, str]] = {
        "each hospital alone": (alone(settings), "alone"),
        "together": (together(settings, scaling), "together"),
        "together, corrected at home": (at_home(settings, scaling), "home"),
        "all records in one place": (pooled(settings), "pooled"),
    }
    noisy: dict[str, tuple[Learn, str]] = {
        f"together, ε = {epsilon:g}": (private(float(epsilon)), "private") for epsilon in epsilons
    }
    return plain | noisy | {"the hospital's share only": (prevalence, "control")}


def roc_band(scored: Scored, *, draws: int = DRAWS) -> dict[str, list[float]]:
    """Return an ROC curve with its 95 % band over patients, at the false-positive rates `GRID`.

    Keys: `false`, `true`, `low`, `high`, each (101,). The curve is the mean over seeds, as is that of each resample.
    """
    n = len(scored.y)
    drawn = generator("real", "roc", n).multinomial(n, np.full(n, 1 / n), size=draws)
    curves = np.mean([_curves(p, scored.y, np.concatenate([np.ones((1, n), int), drawn])) for p in scored.p], axis=0)
    low, high = np.nanpercentile(curves[1:], [2.5, 97.5], axis=0)
    return {"false": GRID.tolist(), "true": curves[0].tolist(), "low": low.tolist(), "high": high.tolist()}


def _curves(p: Vector, y: NDArray, counts: NDArray[np.int64]) -> Vector:
    """Return the true-positive rates (b, 101) of resamples that hold each patient `counts` (b, n) times."""
    order = np.argsort(-p, kind="stable")
    ends = np.flatnonzero(np.append(np.diff(p[order]) != 0, True))  # patients of one prediction are taken together
    rates = []
    for row in counts:
        sick, well = (np.cumsum(row[order] * (y[order] == label))[ends] for label in (1, 0))
        if not sick[-1] or not well[-1]:
            rates.append(np.full(GRID.size, np.nan))
            continue
        rates.append(np.interp(GRID, np.append(0, well / well[-1]), np.append(0, sick / sick[-1])))
    return np.array(rates)
