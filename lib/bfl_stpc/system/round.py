"""One BFL-STPC round on one screen."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from bfl_stpc import federated, stpc
from bfl_stpc.ledger import Result
from bfl_stpc.system.roles import Consortium, Opening


@dataclass(frozen=True)
class State:
    """The global model after `round` rounds: flat float32 weights (d,)."""

    round: int
    weights: NDArray[np.float32]


def run_round(state: State, consortium: Consortium) -> State:
    """Return the state after one more round of the consortium.

    Plain updates never leave a `Hospital`; the sum is all that is opened, and the ledger orders every step.

    Raises:
        TooFewUploads: nothing is opened. Retry under the next round: masks are bound to this one.
        SumRefuted: aggregator or key authority published a sum that is not the hospitals'.
        LedgerError: a contract refused; the message names its error.
    """
    c, hospitals, book = consortium, consortium.hospitals, consortium.book
    model, number = federated.digest(state.weights), book.next_round()
    for hospital in hospitals:
        hospital.authenticate(book, number, model)
    ticket = c.open_round(number, model)
    updates = [hospital.train(state.weights, ticket) for hospital in hospitals]

    directory = c.share_keys(ticket)
    key = c.authority.public_key
    uploads = [h.protect(update, ticket, directory, key) for h, update in zip(hospitals, updates)]
    for hospital, upload in zip(hospitals, uploads):
        hospital.commit(book, ticket, upload)
    for hospital, upload in zip(hospitals, uploads):
        hospital.reveal(book, ticket, upload)

    aggregate = c.add(uploads, ticket)
    total = c.open_sum(aggregate, ticket, directory)
    challenge = c.draw_challenge(total, ticket)
    tags = {hospital.name: hospital.tag(book, challenge) for hospital in hospitals}
    stpc.verify_sum(total, tags, challenge, directory)

    weights = federated.apply_update(state.weights, total.mean)
    first, second = challenge.inner(total.masked)
    epsilon = max(hospital.epsilon for hospital in hospitals)
    result = Result(aggregate.digest, federated.digest(weights), len(total.survivors), epsilon, (first, second))
    opening = Opening(state.weights, directory, total, challenge, tags)
    c.close_round(ticket, result, [h.approve(book, ticket, result, opening) for h in hospitals])
    return replace(state, round=ticket.round, weights=weights)
