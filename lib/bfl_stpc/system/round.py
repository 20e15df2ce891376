"""One BFL-STPC round on one screen."""

from __future__ import annotations

from collections.abc import Mapping

from bfl_stpc import stpc
from bfl_stpc.ledger import Result
from bfl_stpc.system.consortium import Consortium
from bfl_stpc.system.roles import Opening
from bfl_stpc.system.state import State


def run_round(state: State, consortium: Consortium) -> State:
    """Return the state after one more round of the consortium.

    Every line that asks sends sealed requests to the roles and keeps their answers, so that an aggregator that dies
    anywhere takes the round up where it stood when this is called again. A hospital that does not answer is left out
    from there on; its masks are taken off with the shares that the others hold.

    Raises:
        RoundAborted: too few hospitals were left, a third party is out of reach, or something was altered: the cause
            says which. Nothing was opened that was not the sum. Masks are bound to the round: start the next.
    """
    c = consortium
    with c.opened(state) as ticket:
        epsilons = c.ask("train", ticket.members, ticket, state)

        adverts = c.ask("advertise", epsilons, ticket)
        directory = stpc.Directory.verify(adverts.values(), ticket, c.charter.cards)
        sealed = c.ask("share", adverts, directory)
        sharing = c.ask("receive", sealed, each=inboxes(sealed))

        protected = c.ask("protect", sharing, ticket)
        committed = c.ask("commit", protected, ticket)
        c.close_commits(ticket)
        uploads = c.ask("send", committed, ticket)
        c.ask("reveal", uploads, ticket)
        c.close_reveals(ticket)

        aggregate = c.add([uploads[name] for name in c.book.revealed(ticket)], ticket)
        slots = c.open(aggregate, ticket)
        request = c.unmask_request(aggregate, ticket, shared=sealed)
        answers = c.ask("unmask", sharing, request)
        total = c.unmask(aggregate, request, directory, slots, answers.values())

        tags = c.ask("tag", total.survivors, ticket, total.published, all=True)
        challenge = c.challenge(total, ticket)
        stpc.verify_sum(total, tags, challenge, directory)

        after = state.after(total.mean, ticket.round)
        first, second = challenge.inner(total.masked)
        result = Result(aggregate.digest, after.digest, len(total.survivors), max(epsilons.values()), (first, second))
        approvals = c.ask("approve", tags, ticket, Opening(directory, total, tags), result)
        c.close_round(ticket, result, approvals.values(), after)
    return after


def inboxes(sealed: Mapping[str, tuple[stpc.SealedShares, ...]]) -> dict[str, tuple[stpc.SealedShares, ...]]:
    """Return for each hospital that shared the boxes for it, from the others that did."""
    return {name: tuple(box for boxes in sealed.values() for box in boxes if box.recipient == name) for name in sealed}
