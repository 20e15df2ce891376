"""The aggregator: adds ciphertexts that it cannot read, then removes the masks that only the sum has left."""

from collections.abc import Iterable, Mapping

import numpy as np
from numpy.typing import NDArray

from bfl_stpc.errors import CommitmentMismatch, Foreign, OutOfOrder
from bfl_stpc.stpc.hazmat import bfv, fixed_point
from bfl_stpc.stpc.hazmat.unmasking import remove_masks
from bfl_stpc.stpc.messages import Aggregate, Directory, Total, UnmaskAnswer, UnmaskRequest, Upload, require
from bfl_stpc.stpc.parameters import Parameters
from bfl_stpc.ticket import Ticket


class Aggregator:
    """Untrusted for secrecy. Holds no secret of its own."""

    def __init__(self, params: Parameters, public_key: bfv.PublicKey) -> None:
        """Create the aggregator for one study.

        Raises:
            Foreign: the public key was made for other parameters.
        """
        if public_key.parameters != params.digest:
            raise Foreign("the public key was made for other parameters")
        self._params = params
        self._key = public_key

    def add(self, uploads: Iterable[Upload], ticket: Ticket, committed: Mapping[str, bytes]) -> Aggregate:
        """Return the ciphertext sum of `uploads`, all of which must be those that the ledger recorded.

        Args:
            uploads: one a surviving hospital.
            ticket: the round.
            committed: upload digests by hospital, read from the ledger after commitments closed.

        Raises:
            CommitmentMismatch: an upload is not the recorded one, is missing, or was never recorded.
            OutOfOrder: a hospital's upload comes twice.
            TooFewUploads: fewer than the threshold.
            MessageError: a payload is truncated, oversized, foreign or corrupt, or payloads differ in their size
                or in the hospitals whose masks bind them.
        """
        received: dict[str, Upload] = {}
        for upload in uploads:
            if upload.hospital in received:
                raise OutOfOrder(f"the upload of {upload.hospital!r} comes twice")
            if committed.get(upload.hospital) != upload.digest:
                raise CommitmentMismatch(f"the upload of {upload.hospital!r} is not the one that the ledger recorded")
            received[upload.hospital] = upload
        missing = set(committed) - set(received)
        if missing:
            raise CommitmentMismatch(f"the ledger recorded uploads of {sorted(missing)} that did not arrive")
        if set(received) - set(ticket.members):
            raise Foreign(f"{sorted(set(received) - set(ticket.members))} are not members of round {ticket.round}")
        require(len(received), ticket, "uploads")
        survivors = tuple(name for name in ticket.members if name in received)
        read = [self._read(received[name].payload, ticket) for name in survivors]
        if len({r.size for r in read}) != 1:
            raise Foreign(f"the updates differ in size: {sorted({r.size for r in read})} parameters")
        if len({r.peers for r in read}) != 1:
            raise Foreign("the hospitals masked towards different sets of peers: their masks would not cancel")
        payload = bfv.write(
            bfv.add(zip(*(r.blocks for r in read), strict=True), self._key, self._params),
            size=read[0].size,
            round_context=ticket.context(),
            peers=read[0].peers,
            key=self._key,
            params=self._params,
        )
        return Aggregate(survivors, payload)

    def unmask_request(self, aggregate: Aggregate, ticket: Ticket, shared: Iterable[str]) -> UnmaskRequest:
        """Return the question for the hospitals still online.

        Args:
            aggregate: the sum.
            ticket: the round.
            shared: names of the hospitals that had shared their secrets at set-up.
        """
        names = set(shared)
        dropped = tuple(n for n in ticket.members if n in names and n not in aggregate.survivors)
        return UnmaskRequest(ticket, aggregate.survivors, dropped)

    def unmask(
        self,
        aggregate: Aggregate,
        request: UnmaskRequest,
        directory: Directory,
        slots: NDArray[np.uint64],
        answers: Iterable[UnmaskAnswer],
    ) -> Total:
        """Remove survivors' self masks and dropped hospitals' pair masks from the decrypted sum.

        Args:
            aggregate: the sum, for its size.
            request: the question that was asked.
            directory: the verified adverts of the round.
            slots: uint64 (n,) from `KeyAuthority.open`.
            answers: at least `threshold` of them.

        Raises:
            TooFewUploads: too few answers.
            ShareError: shares do not recombine.
            Corrupt: a recombined secret is not the one advertised, or the result is not a sum of updates.
        """
        transcript = tuple(answers)
        clear = remove_masks(slots, request, directory, transcript, self._params.modulus)
        size = self._read(aggregate.payload, request.ticket).size
        total, records = fixed_point.decode(clear, size, len(request.survivors), self._params)
        return Total(total, records, slots, request, transcript, self._params)

    def _read(self, payload: bytes, ticket: Ticket) -> bfv.Container:
        return bfv.read(payload, round_context=ticket.context(), key=self._key, params=self._params)
