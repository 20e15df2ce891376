"""What a table's rows say that would spoil a study: patients twice, hospitals unfit, inputs that know the label."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

from bfl_stpc.ehr.own.encode import Rows
from bfl_stpc.ehr.own.mapping import Mapping
from bfl_stpc.errors import DataError, LabelLeaked, SchemaError, UnfitHospitals

TOO_GOOD = 0.99  # AUC of one input alone above which it is no risk factor but the outcome itself
TWIN = 0.95  # correlation of a flag with the label above which it is the label under another name
DISTINCT, IDENTIFIED = 0.99, 100  # share and number of differing whole numbers that make an identifier
TRIED = 200_000  # patients on whom inputs are tried
RARE = 0.10  # share of the rarer class below which accuracy misleads
FEWEST = 10  # patients of the rarer class without whom there is no test
MERGED = "merged"


@dataclass(frozen=True)
class Note:
    """Something a reader should know before training.

    Attributes:
        what: what was seen.
        mend: what to do about it, or why nothing need be done.
    """

    what: str
    mend: str


def take(rows: Rows, kept: NDArray[np.bool_]) -> Rows:
    """Return the rows marked in `kept`, and the hospitals that still have one."""
    if kept.all():
        return rows
    used, hospital = np.unique(rows.hospital[kept], return_inverse=True)
    return replace(
        rows,
        X=rows.X[kept],
        y=rows.y[kept],
        hospital=hospital.astype(np.int32),
        hospitals=tuple(rows.hospitals[k] for k in used),
        patient=rows.patient[kept],
        number=rows.number[kept],
        groups={key: group[kept] for key, group in rows.groups.items()},
    )


def once_each(rows: Rows, mapping: Mapping) -> tuple[Rows, list[Note]]:
    """Return the rows with each patient once.

    Raises:
        SchemaError: a patient comes twice and the mapping refuses that; rows and hospitals are named.
    """
    if mapping.patient is None:
        count = int(len(rows.X) - np.unique(_row_hashes(rows)).size)
        if not count:
            return rows, []
        return rows, [Note(f"{count} rows equal another one in every input and the label",
                           "name the `patient` column, so that real repetitions are found")]  # fmt: skip
    known = np.flatnonzero(rows.patient != 0)
    names = rows.patient[known]
    if np.unique(names).size == names.size:  # the common case, and of millions of patients a cheap one
        return rows, []
    _, first, inverse, counts = np.unique(names, return_index=True, return_inverse=True, return_counts=True)
    again = np.ones(known.size, bool)
    again[first] = False
    two = known[again][0]
    one = known[first[inverse[again][0]]]
    original = known[first[inverse[again]]]
    across = int((rows.hospital[known[again]] != rows.hospital[original]).sum())
    said = (
        f"column {mapping.patient!r}: {int((counts > 1).sum())} patients come more than once ({across} rows at another "
        f"hospital), first in rows {rows.number[one]} ({rows.hospitals[rows.hospital[one]]}) and {rows.number[two]} "
        f"({rows.hospitals[rows.hospital[two]]})"
    )
    if mapping.repeated == "refuse":
        raise SchemaError(
            f"{said}: they would be trained on in one place and tested in another; make one row of each patient, or "
            "set `repeated: first`"
        )
    kept = np.ones(len(rows.y), bool)
    kept[known[again]] = False
    return take(rows, kept), [Note(said, f"{int((~kept).sum())} later rows are left out (`repeated: first`)")]


def fit_hospitals(rows: Rows, mapping: Mapping) -> tuple[Rows, list[Note]]:
    """Return the rows of hospitals that can take part: enough patients, and both classes.

    Raises:
        UnfitHospitals: some cannot, and the mapping refuses that; or fewer than two are left.
    """
    reasons = {k: reason for k in range(len(rows.hospitals)) if (reason := _unfit(rows, k, mapping.minimum))}
    notes = []
    if reasons:
        said = "; ".join(f"{rows.hospitals[k]}: {reason}" for k, reason in reasons.items())
        if mapping.unfit == "refuse":
            raise UnfitHospitals(
                f"{said}. Set `unfit: merge` to pool these hospitals (they would share records), `unfit: drop` to "
                "leave them out, or another `minimum`"
            )
        if mapping.unfit == "merge":
            rows = _merge(rows, reasons)
            if left := _unfit(rows, rows.hospitals.index(MERGED), mapping.minimum):
                raise UnfitHospitals(f"{said}; even merged: {left}. Set `unfit: drop`, or another `minimum`")
            notes.append(Note(f"merged into one: {said}", "merging pools their records: they must be allowed to"))
        else:
            rows = take(rows, ~np.isin(rows.hospital, list(reasons)))
            notes.append(Note(f"left out: {said}", "these patients are neither trained on nor tested"))
    if len(rows.hospitals) < 2:
        have = ", ".join(rows.hospitals) or "none"
        raise UnfitHospitals(
            f"hospitals that can take part: {have}. Federated learning needs two: lower `minimum`, or check `hospital`"
        )
    return rows, notes


def balanced(rows: Rows) -> list[Note]:
    """Return a note where one class is rare.

    Raises:
        DataError: there are too few patients of a class to learn or to test anything.
    """
    ones = int(rows.y.sum())
    fewer = min(ones, len(rows.y) - ones)
    if fewer < FEWEST:
        raise DataError(
            f"{ones} of {len(rows.y)} patients have y = 1: at least {FEWEST} of each class are needed to train and "
            "test; check `positive` in the mapping, or collect more"
        )
    share = fewer / len(rows.y)
    if share >= RARE:
        return []
    return [Note(f"the rarer class has {100 * share:.2g} % of the patients: guessing the other is right in "
                 f"{100 - 100 * share:.3g} %", "read AUC and balanced accuracy, not accuracy")]  # fmt: skip


def leaks(rows: Rows, mapping: Mapping) -> list[Note]:
    """Return a note for each input that gives the label away and is kept on purpose.

    Raises:
        LabelLeaked: inputs that tell the classes apart by themselves, are the label's twins, or are identifiers.
    """
    step = -(-len(rows.y) // TRIED)
    X, y = rows.X[::step], rows.y[::step]
    found = {}
    for position, name in enumerate(rows.inputs):
        reason = _leak(X[:, rows.origin == position], y)
        if reason:
            found[name] = reason
    refused = {name: reason for name, reason in found.items() if not mapping.columns[name].keep}
    if refused:
        said = "; ".join(f"column {name!r}: {reason}" for name, reason in refused.items())
        raise LabelLeaked(
            f"{said}. Set `kind: ignore` for each, or `keep: true` where it is known before the outcome is"
        )
    return [
        Note(f"column {name!r}: {reason}", "kept as the mapping asks (`keep: true`)") for name, reason in found.items()
    ]


def auc(score: NDArray, y: NDArray) -> float:
    """Return how well a score (n,) tells y = 1 from y = 0, 0.5 … 1 whichever its direction; 0.5 without two classes."""
    ones = int(y.sum())
    zeros = len(y) - ones
    if not ones or not zeros:
        return 0.5
    ranks = rankdata(score)
    area = (ranks[y == 1].sum() - ones * (ones + 1) / 2) / (ones * zeros)
    return float(max(area, 1 - area))


def _leak(X: NDArray[np.float32], y: NDArray) -> str | None:
    """Return why an input, columns float32 (n, k) of X, gives the label away; None where it does not."""
    absent = np.isnan(X).any(1)
    if absent.any():
        if auc(absent, y) > TOO_GOOD or _correlation(absent, y) > TWIN:
            return "whether it is recorded tells the label"
        X, y = X[~absent], y[~absent]
    if not len(y):
        return None
    if X.shape[1] == 1:
        score = X[:, 0]
        values = np.unique(score)
        whole = bool((values == np.floor(values)).all())
        if whole and len(score) >= IDENTIFIED and values.size >= DISTINCT * len(score):
            return "nearly every row has a whole number of its own: an identifier"
    else:
        # A category: its levels by how often they go with y = 1. Overfitting cannot reach the limit with so few levels.
        level = np.where(X.any(1), X.argmax(1) + 1, 0)  # the first of two levels has no column
        rate = np.bincount(level, y) / np.maximum(np.bincount(level), 1)
        score, values = rate[level], np.unique(rate)
    if (area := auc(score, y)) > TOO_GOOD:
        return f"alone it reaches AUC {area:.3f}"
    flags = [X[:, j] for j in range(X.shape[1])] if X.shape[1] > 1 or values.size == 2 else []
    closest = max((_correlation(flag, y) for flag in flags), default=0.0)
    return f"it is nearly the label itself (correlation {closest:.3f})" if closest > TWIN else None


def _correlation(flag: NDArray, y: NDArray) -> float:
    """Return |r| of two columns; 0 where one is constant."""
    a, b = flag - flag.mean(dtype=float), y - y.mean(dtype=float)
    size = float(np.sqrt((a**2).sum() * (b**2).sum()))
    return abs(float((a * b).sum())) / size if size else 0.0


def _unfit(rows: Rows, hospital: int, minimum: int) -> str | None:
    y = rows.y[rows.hospital == hospital]
    if len(y) < minimum:
        return f"{len(y)} patients, fewer than {minimum}"
    if y.min() == y.max():
        return f"all {len(y)} labels are {y[0]}"
    return None


def _merge(rows: Rows, unfit: dict[int, str]) -> Rows:
    kept = [name for k, name in enumerate(rows.hospitals) if k not in unfit]
    if MERGED in kept:
        raise UnfitHospitals(f"a hospital is called {MERGED!r} already: rename it, or set `unfit: drop`")
    position = {name: k for k, name in enumerate(kept)}
    new = np.array([position.get(name, len(kept)) for name in rows.hospitals], np.int32)
    return replace(rows, hospital=new[rows.hospital], hospitals=(*kept, MERGED))


def _row_hashes(rows: Rows) -> NDArray[np.uint64]:
    """Return a hash of each row's inputs and label, uint64 (n,); equal rows have equal ones."""
    state = rows.y.astype(np.uint64)
    for column in rows.X.T:
        # Multiplication by an odd number loses nothing; the shift mixes high bits into low ones.
        state = (state ^ np.ascontiguousarray(column).view(np.uint32)) * np.uint64(0x9E3779B97F4A7C15)
        state ^= state >> np.uint64(29)
    return state
