"""A round on the ledger whose updates travel in the clear: what PPFLB-style and FLBM-IoT-style have in common.

The contracts are those of our own system, so that a difference in cost or detection is one of the protocol, not of
the code: members log in, commit to and reveal the SHA-256 of their payload, and sign the result that they recomputed.
"""

from __future__ import annotations

import hashlib
import math
import struct
from collections.abc import Callable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from bfl_stpc import federated
from bfl_stpc.errors import CommitmentMismatch, Corrupt, FederatedError, Foreign, Oversized, Truncated
from bfl_stpc.ledger import Chain, Identity, Ledger, Result
from bfl_stpc.system import Meter
from bfl_stpc.ticket import Ticket

Update = NDArray[np.float32]
Read = Mapping[str, tuple[Update, int]]  # by member: update float32 (p,), and the work that it claims
HEAD = struct.Struct("<32sQ")  # SHA-256 of the round's context, claimed work


def encode(update: Update, work: int, ticket: Ticket) -> bytes:
    """Return the payload of an update float32 (p,): bound to the round, with the work that its weight follows."""
    return HEAD.pack(hashlib.sha256(ticket.context()).digest(), work) + update.astype("<f4").tobytes()


def decode(payload: bytes, size: int, ticket: Ticket) -> tuple[Update, int]:
    """Return the update float32 (size,) and the claimed work.

    Raises:
        Truncated, Oversized: it has another length.
        Foreign: it was made for another round.
        Corrupt: a value is not finite, or no work is claimed.
    """
    due = HEAD.size + 4 * size
    if len(payload) != due:
        raise (Truncated if len(payload) < due else Oversized)(f"payload has {len(payload)} bytes; {due} are due")
    context, work = HEAD.unpack_from(payload)
    if context != hashlib.sha256(ticket.context()).digest():
        raise Foreign(f"the payload was made for another round than {ticket.round}")
    update = np.frombuffer(payload, "<f4", offset=HEAD.size).astype(np.float32)
    if not np.isfinite(update).all() or not work:
        raise Corrupt("the payload holds values that are not finite, or claims no work")
    return update, work


def checked(payload: bytes, member: str, revealed: Mapping[str, bytes]) -> bytes:
    """Return `payload` if it is the one that `member` revealed on chain.

    Raises:
        CommitmentMismatch: it is not, or the member revealed nothing.
    """
    if revealed.get(member) != hashlib.sha256(payload).digest():
        raise CommitmentMismatch(f"the payload of {member} is not the one that it revealed on chain")
    return payload


def found(names: Sequence[str], seed: int, *, admin: str) -> tuple[Ledger, dict[str, Identity]]:
    """Return a ledger of its own for `names`, and their identities (simulation only: derived from `seed`)."""
    identities = {name: Identity.derive(name, seed) for name in names}
    book = Ledger.deploy(
        Chain.in_memory(),
        admin=Identity.derive(admin, seed),
        hospitals={name: identity.address for name, identity in identities.items()},
        threshold=len(names) // 2 + 1,
    )
    return book, identities


def open_round(book: Ledger, members: Mapping[str, Identity], weights: Update, meter: Meter) -> Ticket:
    """Log every member in for the next round and open it."""
    model, number = federated.digest(weights), book.next_round()
    for name, identity in members.items():
        with meter.step("authenticate", name) as step:
            step.gas = book.login(identity, round=number, model=model).gas
    with meter.step("open", "coordinator"):
        return book.open_round(number, model=model)


def submit(
    book: Ledger, members: Mapping[str, Identity], ticket: Ticket, payloads: Mapping[str, bytes], meter: Meter
) -> None:
    """Commit all members to their payloads, then reveal the digests."""
    digests = {name: hashlib.sha256(payload).digest() for name, payload in payloads.items()}
    for act in (book.commit, book.reveal):
        for name, digest in digests.items():
            with meter.step("commit", name) as step:
                step.gas = act(members[name], ticket, digest).gas


def collect(book: Ledger, ticket: Ticket, payloads: Mapping[str, bytes], size: int) -> Read:
    """Return the updates behind `payloads`, each checked against the ledger; all of those revealed must be there.

    Raises:
        CommitmentMismatch: a payload is missing or another.
        MessageError: a payload cannot be read.
    """
    revealed = book.revealed(ticket)
    if missing := sorted(set(revealed) - set(payloads)):
        raise CommitmentMismatch(f"the payload of {missing[0]} was revealed on chain, but is missing")
    return {name: decode(checked(payload, name, revealed), size, ticket) for name, payload in payloads.items()}


def mean(read: Read) -> NDArray[np.float64]:
    """Return the mean update float64 (p,), weighted by claimed work."""
    return federated.weighted_mean([update for update, _ in read.values()], [work for _, work in read.values()])


def publish(book: Ledger, ticket: Ticket, aggregate: bytes, meter: Meter) -> None:
    """Publish the SHA-256 of the aggregate, whose bytes go to everyone."""
    digest = hashlib.sha256(aggregate).digest()
    with meter.step("aggregate", "coordinator") as step:
        step.gas = book.publish_aggregate(ticket, digest).gas + book.publish_opening(ticket, digest).gas
        step.sent = len(aggregate)


def sign(
    book: Ledger,
    members: Mapping[str, Identity],
    ticket: Ticket,
    aggregate: bytes,
    weights: Update,
    recompute: Callable[[str], tuple[bytes, Update]],
    meter: Meter,
    epsilon: float = math.inf,
) -> None:
    """Have every member recompute the published aggregate, and fix the result with their signatures.

    Args:
        book: the ledger.
        members: who signs.
        ticket: of the round.
        aggregate: its bytes, as published.
        weights: the new global model, float32 (p,).
        recompute: told a member, returns the aggregate and the model that this member computes itself.
        meter: where the steps are noted.
        epsilon: largest privacy loss of a member so far.

    Raises:
        FederatedError: a member computes another aggregate or model: it does not sign, and nothing is fixed.
    """
    result = Result(hashlib.sha256(aggregate).digest(), federated.digest(weights), len(ticket.members), epsilon)
    approvals = []
    for name, identity in members.items():
        with meter.step("record", name):
            own, model = recompute(name)
            agree(name, ticket, own == aggregate and model.tobytes() == weights.tobytes())
            approvals.append(book.approve(identity, ticket, result))
    with meter.step("record", "coordinator") as step:
        step.gas = book.close_round(ticket, result, approvals).gas


def agree(name: str, ticket: Ticket, equal: bool) -> None:
    """Return if what member `name` computed itself is `equal` to what it is to sign.

    Raises:
        FederatedError: it is not: the member refuses the round.
    """
    if not equal:
        raise FederatedError(f"{name} refuses round {ticket.round}: the result is not that of the updates")
