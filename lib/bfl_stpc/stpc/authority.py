"""The key authority: it alone holds the BFV secret key, and decrypts one attested aggregate a round."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from bfl_stpc.errors import Corrupt, OpeningRefused
from bfl_stpc.stpc.hazmat import bfv
from bfl_stpc.stpc.messages import Aggregate, Attestation, require
from bfl_stpc.stpc.parameters import Parameters
from bfl_stpc.ticket import Ticket


class KeyAuthority:
    """Holder of the secret key. What it decrypts is still masked: it learns no update and no sum by itself."""

    def __init__(
        self, params: Parameters, *, attest: Callable[[Ticket], Attestation], secrets: bytes | None = None
    ) -> None:
        """Generate the key pair, or take up an earlier one.

        Args:
            params: the parameters of the study.
            attest: reads from the ledger what a round has committed; the authority asks it itself.
            secrets: as `export` gave them before its process ended.

        Raises:
            Corrupt: they were not.
        """
        self._params = params
        self._attest = attest
        self._opened: dict[bytes, bytes] = {}
        if secrets is None:
            self._secret = bfv.SecretKey(params)
        else:
            self._secret, self._opened = self._taken_up(secrets)
        self.public_key = self._secret.public

    def export(self) -> bytes:
        """Return key pair and openings, for the authority's own store: **secret**."""
        parts = [self._secret.export(), self.public_key.data]
        parts += [part for opened in self._opened.items() for part in opened]
        return b"".join(len(part).to_bytes(8, "big") + part for part in parts)

    def _taken_up(self, secrets: bytes) -> tuple[bfv.SecretKey, dict[bytes, bytes]]:
        parts, rest = [], memoryview(secrets)
        while rest:
            size = int.from_bytes(rest[:8], "big")
            parts.append(bytes(rest[8 : 8 + size]))
            rest = rest[8 + size :]
        if len(parts) < 2 or len(parts) % 2:
            raise Corrupt("these are not the secrets that a key authority exported")
        key = bfv.SecretKey(self._params, secret=parts[0], public=parts[1])
        return key, dict(zip(parts[2::2], parts[3::2]))

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
