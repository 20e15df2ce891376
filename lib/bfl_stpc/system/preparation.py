"""From a cohort to what each hospital trains on: its own rows, in common units."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from bfl_stpc import federated, stpc
from bfl_stpc.errors import UpdateError
from bfl_stpc.ticket import Ticket

if TYPE_CHECKING:
    from bfl_stpc import ehr

DIGITS = 4  # of a number, each as wide as a fixed-point field: 76 bits at 20
BOUND = 2.0**40  # on a hospital's statistic


def rows_by_hospital(features: ehr.Features, rows: NDArray[np.int64]) -> dict[str, NDArray[np.int64]]:
    """Return the rows of each hospital among `rows`, by name."""
    return {name: np.intersect1d(rows, features.at(k)) for k, name in enumerate(features.hospitals)}


def common_scaler(features: ehr.Features, rows: NDArray[np.int64]) -> federated.Scaler:
    """Return the scaler of all hospitals' `rows`: a secure sum adds counts, sums and squares, and shows none alone."""
    parts = {name: federated.statistics(features.X[part]) for name, part in rows_by_hospital(features, rows).items()}
    return federated.Scaler.from_statistics(secure_total(parts))


def secure_total(parts: Mapping[str, NDArray[np.float64]]) -> NDArray[np.float64]:
    """Return the sum (m,) of the hospitals' vectors float64 (m,), each at most `BOUND`, over masks and encryption.

    The protocol is that of an update, before there is a model, and a public board stands in for the ledger. Every
    value travels as four digits, since statistics span more orders of magnitude than an update.

    Raises:
        UpdateError: a value is not finite, or beyond the bound.
    """
    names = tuple(parts)
    params, board = stpc.Parameters.widest(len(names)), stpc.Bulletin()
    members = Ticket(1, hashlib.sha256(b"statistics").digest(), 0, bytes(20), names, len(names) // 2 + 1)
    authority = stpc.KeyAuthority(params, attest=board.read)
    aggregator = stpc.Aggregator(params, authority.public_key)
    parties = [stpc.Party(name, params, attest=board.read) for name in names]
    directory = stpc.set_up(parties, members, {party.name: party.identity for party in parties})
    uploads = []
    for party in parties:
        digits = _digits(parts[party.name], party.name, params.levels)
        uploads.append(party.protect(digits, members, directory, authority.public_key, records=1))
        board.commit(members, party.name, uploads[-1].digest)
    aggregate = aggregator.add(uploads, members, board.read(members).uploads)
    board.publish(members, aggregate.digest)
    total = stpc.open_sum(aggregate, members, directory, authority=authority, aggregator=aggregator, helpers=parties)
    sums = np.rint(total.sum / params.step).reshape(DIGITS, -1)
    places = float(params.levels) ** -np.arange(1, DIGITS + 1)
    return np.asarray(BOUND * (sums * places[:, None])[::-1].sum(0))


def _digits(values: NDArray[np.float64], name: str, base: int) -> NDArray[np.float64]:
    """Return `values` (m,) as digits (4m,) in units of 1/`base`, from −1 to 1: what each leaves, the next takes."""
    if not (np.isfinite(values).all() and (np.abs(values) <= BOUND).all()):
        raise UpdateError(f"{name}: a statistic is not finite, or beyond {BOUND:g}")
    digits, rest = [], values / BOUND
    for _ in range(DIGITS):
        digits.append(np.rint(rest * base))
        rest = rest * base - digits[-1]
    return np.concatenate(digits) / base


def records(
    features: ehr.Features, rows: NDArray[np.int64], scaler: federated.Scaler
) -> dict[str, federated.ClientData]:
    """Return each hospital's records among `rows`, scaled, by name."""
    return {
        name: federated.ClientData(scaler.transform(features.X[part]), features.y[part])
        for name, part in rows_by_hospital(features, rows).items()
    }
