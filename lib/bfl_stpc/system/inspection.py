"""For lessons: look where no role of the protocol may look, and try what it must refuse."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from bfl_stpc import federated, ledger
from bfl_stpc.errors import ConfigError
from bfl_stpc.stpc.hazmat import bfv
from bfl_stpc.system.roles import Consortium


def plain_updates(consortium: Consortium, weights: NDArray[np.float32], round: int) -> NDArray[np.float64]:
    """Train at every hospital as `round` did, and return their clipped updates float64 (K, d) in the clear."""
    return np.array([hospital.clipped_update(weights, round) for hospital in consortium.hospitals])


def masked_uploads(consortium: Consortium) -> NDArray[np.uint64]:
    """Decrypt every single upload of the last round, as only a cheating key authority could: uint64 (K, n) slots.

    Raises:
        ConfigError: no round has run.
    """
    if consortium.ticket is None:
        raise ConfigError("no round has run yet: there are no uploads to look at")
    key, params, context = consortium.authority.public_key, consortium.params, consortium.ticket.context()
    opened = []
    for upload in consortium.received:
        inside = bfv.read(upload.payload, round_context=context, key=key, params=params)
        opened.append(consortium.authority._secret.decrypt(inside.blocks, params.slots(inside.size)))
    return np.array(opened)


def add_altered_upload(consortium: Consortium) -> None:
    """Hand the aggregator the last round's uploads again, one of them with one bit flipped.

    Raises:
        CommitmentMismatch: always, if the aggregator does its duty.
    """
    if consortium.ticket is None:
        raise ConfigError("no round has run yet: there are no uploads to alter")
    first, *others = consortium.received
    flipped = bytearray(first.payload)
    flipped[len(flipped) // 2] ^= 1
    altered = [replace(first, payload=bytes(flipped)), *others]
    consortium.aggregator.add(altered, consortium.ticket, consortium.book.revealed(consortium.ticket))


def log_stranger_in(consortium: Consortium, weights: NDArray[np.float32]) -> None:
    """Try to log in with a key that the ledger does not know.

    Raises:
        NotAMember: always, if the contract does its duty.
    """
    stranger = ledger.Identity.generate("stranger")
    consortium.book.login(stranger, round=consortium.book.next_round(), model=federated.digest(weights))
