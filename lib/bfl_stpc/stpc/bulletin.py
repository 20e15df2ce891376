"""An in-process stand-in for the ledger, for lessons and tests of this layer alone."""

from types import MappingProxyType

from bfl_stpc.errors import OutOfOrder
from bfl_stpc.stpc.messages import Attestation
from bfl_stpc.ticket import Ticket


class Bulletin:
    """A write-once board: each hospital commits once a round, the aggregator publishes once.

    Not a ledger: no signatures, no consensus, no history. `bfl_stpc.ledger` has the real one.
    """

    def __init__(self) -> None:
        """Create an empty board."""
        self._uploads: dict[bytes, dict[str, bytes]] = {}
        self._aggregates: dict[bytes, bytes] = {}

    def commit(self, ticket: Ticket, hospital: str, digest: bytes) -> None:
        """Record the digest of a hospital's upload.

        Raises:
            OutOfOrder: the hospital has committed already, or the aggregate is already published.
        """
        board = self._uploads.setdefault(ticket.context(), {})
        if hospital in board or ticket.context() in self._aggregates:
            raise OutOfOrder(f"{hospital!r} cannot commit (again) in round {ticket.round}")
        board[hospital] = digest

    def publish(self, ticket: Ticket, digest: bytes) -> None:
        """Record the digest of the aggregate.

        Raises:
            OutOfOrder: one is already published.
        """
        if ticket.context() in self._aggregates:
            raise OutOfOrder(f"round {ticket.round} has published its aggregate")
        self._aggregates[ticket.context()] = digest

    def read(self, ticket: Ticket) -> Attestation:
        """Return what the board says of a round."""
        uploads = MappingProxyType(dict(self._uploads.get(ticket.context(), {})))
        return Attestation(uploads, self._aggregates.get(ticket.context()))
