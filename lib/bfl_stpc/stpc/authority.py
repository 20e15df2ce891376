"""The key authority: it alone holds the BFV secret key, and decrypts one attested aggregate a round."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from bfl_stpc.errors import OpeningRefused
from bfl_stpc.stpc.hazmat import bfv
from bfl_stpc.stpc.messages import Aggregate, Attestation, require
from bfl_stpc.stpc.parameters import Parameters
from bfl_stpc.ticket import Ticket


class KeyAuthority:
    """Holder of the secret key. What it decrypts is still masked: it learns no update and no sum by itself."""

    def __init__(self, params: Parameters, *, attest: Callable[[Ticket], Attestation]) -> None:
        """Generate the key pair.

        Args:
            params: the parameters of the study.
            attest: reads from the ledger what a round has committed; the authority asks it itself.
        """
        self._params = params
        self._attest = attest
        self._secret = bfv.SecretKey(params)
        self._opened: dict[bytes, bytes] = {}
        self.public_key = self._secret.public

    def open(self, aggregate: Aggregate, ticket: Ticket) -> NDArray[np.uint64]:
        """Decrypt the aggregate of a round: uint64 (n,) slots modulo t, still under the survivors' self masks.

        Raises:
            TooFewUploads: the ledger recorded fewer uploads than the threshold.
            OpeningRefused: the ledger did not publish this aggregate, its survivors are not the recorded ones,
                or another aggregate of this round was opened before.
            MessageError: the ciphertext is truncated, oversized, foreign or corrupt.
            NoiseExhausted: its noise budget is spent.
        """
        said = self._attest(ticket)
        require(len(said.uploads), ticket, "uploads on the ledger")
        if said.aggregate is None or said.aggregate != aggregate.digest:
            raise OpeningRefused(f"the ledger of round {ticket.round} does not publish this aggregate")
        if set(aggregate.survivors) != set(said.uploads):
            raise OpeningRefused("the aggregate's survivors are not the hospitals that the ledger recorded")
        if self._opened.get(ticket.context(), aggregate.digest) != aggregate.digest:
            raise OpeningRefused(f"another aggregate of round {ticket.round} was opened before")
        opened = bfv.read(aggregate.payload, round_context=ticket.context(), key=self.public_key, params=self._params)
        slots = self._secret.decrypt(opened.blocks, self._params.slots(opened.size))
        self._opened[ticket.context()] = aggregate.digest
        return slots
