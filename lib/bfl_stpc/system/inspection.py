"""For lessons: look where no role of the protocol may look, and try what it must refuse."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from bfl_stpc import ledger, stpc
from bfl_stpc.errors import ConfigError
from bfl_stpc.stpc.hazmat import bfv, fixed_point
from bfl_stpc.system.codec import decode
from bfl_stpc.system.embedded import EmbeddedConsortium
from bfl_stpc.system.roles import AUTHORITY, Authority, Hospital
from bfl_stpc.system.state import State


def hospital(consortium: EmbeddedConsortium, name: str) -> Hospital:
    """Return the hospital called `name`, with all that it holds.

    Raises:
        ConfigError: there is none.
    """
    role = consortium.role(name)
    if not isinstance(role, Hospital):
        raise ConfigError(f"{name!r} is no hospital; there are {', '.join(consortium.hospitals)}")
    return role


def plain_updates(consortium: EmbeddedConsortium, state: State, round: int) -> NDArray[np.float64]:
    """Train at every hospital as `round` did from `state`; return their clipped updates float64 (K, d) in the clear."""
    return np.array([hospital(consortium, name).clipped_update(state.weights, round) for name in consortium.hospitals])


def exact_successor(consortium: EmbeddedConsortium, state: State, round: int, survivors: Iterable[str]) -> State:
    """Return what `round` must make of `state`: the survivors' exact fixed-point sum, computed in the clear."""
    params, names = consortium.params, list(survivors)
    sums = np.zeros(params.slots(state.weights.size), np.uint64)
    for name in names:
        one = hospital(consortium, name)
        data = one.consented()
        update = one.clipped_update(state.weights, round, data)
        slots = np.concatenate(list(fixed_point.encode(update, len(data.y), params)))
        sums = (sums + slots) % np.uint64(params.modulus)
    total, records = fixed_point.decode(sums, state.weights.size, len(names), params)
    mean = total * (params.max_records / records) if params.weighting is stpc.Weighting.RECORDS else total / len(names)
    return state.after(mean, round)


def uploads(consortium: EmbeddedConsortium) -> dict[str, stpc.Upload]:
    """Return the uploads that the aggregator received in the last round, by hospital.

    Raises:
        ConfigError: no round has run.
    """
    kept = consortium.store.get(consortium.ticket.round, "asked send") if consortium.ticket else None
    if kept is None:
        raise ConfigError("no round has run yet: there are no uploads to look at")
    return decode(kept, dict[str, stpc.Upload])


def masked_uploads(consortium: EmbeddedConsortium) -> NDArray[np.uint64]:
    """Decrypt every single upload of the last round, as only a cheating key authority could: uint64 (K, n) slots.

    Raises:
        ConfigError: no round has run.
    """
    received = uploads(consortium)
    assert consortium.ticket is not None
    authority = consortium.role(AUTHORITY)
    assert isinstance(authority, Authority)
    key, params, context = consortium.charter.key, consortium.params, consortium.ticket.context()
    opened = []
    for upload in received.values():
        inside = bfv.read(upload.payload, round_context=context, key=key, params=params)
        opened.append(authority.keys._secret.decrypt(inside.blocks, params.slots(inside.size)))
    return np.array(opened)


def add_altered_upload(consortium: EmbeddedConsortium) -> None:
    """Hand the aggregator the last round's uploads again, one of them with one bit flipped.

    Raises:
        CommitmentMismatch: always, if the aggregator does its duty.
    """
    first, *others = uploads(consortium).values()
    assert consortium.ticket is not None
    flipped = bytearray(first.payload)
    flipped[len(flipped) // 2] ^= 1
    consortium.add([replace(first, payload=bytes(flipped)), *others], consortium.ticket)


def log_stranger_in(consortium: EmbeddedConsortium, state: State) -> None:
    """Try to log in with a key that the ledger does not know.

    Raises:
        NotAMember: always, if the contract does its duty.
    """
    stranger = ledger.Identity.generate("stranger")
    consortium.book.login(stranger, round=consortium.book.next_round(), model=state.digest)
