"""Recipes: the protocol's steps in their order, for roles that live in one process."""

from collections.abc import Iterable, Mapping, Sequence

from bfl_stpc.stpc.aggregator import Aggregator
from bfl_stpc.stpc.authority import KeyAuthority
from bfl_stpc.stpc.messages import Aggregate, Directory, SealedShares, Total
from bfl_stpc.stpc.party import Party
from bfl_stpc.ticket import Ticket


def set_up(parties: Sequence[Party], ticket: Ticket, identities: Mapping[str, bytes]) -> Directory:
    """Run key advertisement and secret sharing among `parties`; return the verified directory.

    Args:
        parties: the hospitals that are online.
        ticket: the round.
        identities: registered Ed25519 public keys by hospital.

    Raises:
        TooFewUploads: fewer parties than the threshold.
        MessageError, OutOfOrder: as raised by the steps.
    """
    directory = Directory.verify([p.advertise(ticket) for p in parties], ticket, identities)
    inbox: dict[str, list[SealedShares]] = {p.name: [] for p in parties}
    for party in parties:
        for sealed in party.share(directory, identities):
            inbox[sealed.recipient].append(sealed)
    for party in parties:
        party.receive(inbox[party.name])
    return directory


def open_sum(
    aggregate: Aggregate,
    ticket: Ticket,
    directory: Directory,
    *,
    authority: KeyAuthority,
    aggregator: Aggregator,
    helpers: Iterable[Party],
) -> Total:
    """Decrypt an aggregate and unmask it with the help of the hospitals still online.

    Args:
        aggregate: from `Aggregator.add`, its digest published on the ledger.
        ticket: the round.
        directory: from `set_up`.
        authority: decrypts the masked sum.
        aggregator: removes the masks.
        helpers: hospitals still online; at least the threshold.

    Raises:
        TooFewUploads: too few uploads or helpers; nothing is opened. Retry with a fresh ticket.
        StpcError: as raised by the steps.
    """
    request = aggregator.unmask_request(aggregate, ticket, directory.adverts)
    slots = authority.open(aggregate, ticket)
    answers = [helper.unmask(request) for helper in helpers]
    return aggregator.unmask(aggregate, request, directory, slots, answers)
