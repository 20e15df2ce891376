from collections.abc import Callable

import numpy as np
import pytest

from bfl_stpc import stpc
from bfl_stpc.stpc.messages import Attestation
from bfl_stpc.ticket import Ticket


class World:
    """Hospitals, an authority, an aggregator and a board, ready for one round."""

    def __init__(self, hospitals: int, **parameters: object) -> None:
        self.params = stpc.Parameters(**{"hospitals": hospitals, "bits": 16, **parameters})
        self.board = stpc.Bulletin()
        self.authority = stpc.KeyAuthority(self.params, attest=self.board.read)
        self.names = tuple(f"hospital-{i:03d}" for i in range(hospitals))
        self.parties = {n: stpc.Party(n, self.params, attest=self.board.read) for n in self.names}
        self.identities = {n: p.identity for n, p in self.parties.items()}
        self.aggregator = stpc.Aggregator(self.params, self.authority.public_key)

    def ticket(self, number: int = 1, *, threshold: int | None = None, model: bytes = b"m" * 32) -> Ticket:
        least = len(self.names) // 2 + 1
        return Ticket(number, model, 1337, b"c" * 20, self.names, threshold or least)

    def updates(self, size: int, seed: int = 0) -> dict[str, np.ndarray]:
        rng = np.random.default_rng(seed)
        return {n: rng.uniform(-1, 1, size) * self.params.clip for n in self.names}

    def upload(self, names, updates, ticket, directory, records=100):
        uploads = []
        for name in names:
            upload = self.parties[name].protect(
                updates[name], ticket, directory, self.authority.public_key, records=records
            )
            self.board.commit(ticket, name, upload.digest)
            uploads.append(upload)
        return uploads

    def add(self, uploads, ticket):
        aggregate = self.aggregator.add(uploads, ticket, self.board.read(ticket).uploads)
        self.board.publish(ticket, aggregate.digest)
        return aggregate

    def two_sums(self, ticket, directory):
        """The sums of all hospitals and of all but the last, and what a ledger says that publishes the one or other."""
        uploads = self.upload(self.names, self.updates(20), ticket, directory)
        digests = [{u.hospital: u.digest for u in part} for part in (uploads, uploads[:-1])]
        sums = [self.aggregator.add(part, ticket, said) for part, said in zip((uploads, uploads[:-1]), digests)]
        return sums, [Attestation(said, one.digest) for said, one in zip(digests, sums)]

    def open(self, aggregate, ticket, directory, helpers=None):
        return stpc.open_sum(
            aggregate,
            ticket,
            directory,
            authority=self.authority,
            aggregator=self.aggregator,
            helpers=[self.parties[n] for n in (helpers or aggregate.survivors)],
        )


@pytest.fixture(scope="session")
def world() -> Callable[..., World]:
    return World
