"""What runs in each role's process: a folder, keys made there, and a service that opens once all have agreed."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import ray

from bfl_stpc import federated, stpc
from bfl_stpc.errors import BflError, OutOfOrder
from bfl_stpc.ledger import Ledger
from bfl_stpc.system.codec import decode, encode, travels
from bfl_stpc.system.consortium import Absence, Consortium
from bfl_stpc.system.distributed.partition import read_partition
from bfl_stpc.system.distributed.transport import RayTransport
from bfl_stpc.system.founding import Articles, Card, Keys
from bfl_stpc.system.meter import Meter, Step
from bfl_stpc.system.node import Node, RemoteChain
from bfl_stpc.system.roles import AGGREGATOR, AUTHORITY, LEDGER, Authority, Charter
from bfl_stpc.system.round import run_round
from bfl_stpc.system.service import Caller, Role, Service, described
from bfl_stpc.system.state import State
from bfl_stpc.system.store import Store
from bfl_stpc.system.wire import Endpoint

PAUSE = 0.2  # seconds before a lost role is asked again


@travels
@dataclass(frozen=True)
class Agreement:
    """What the founding spreads: public, and kept by each role to start from again.

    Attributes:
        cards: of every role.
        key: the key authority's public key.
        contracts: address of each contract by name; empty before they are deployed.
    """

    cards: tuple[Card, ...]
    key: bytes
    contracts: Mapping[str, str]


class Seat:
    """One role's process: opens its folder, makes or finds its keys, and serves once it has an agreement.

    A seat that is started again finds all in its folder, and asks nobody.
    """

    def __init__(self, name: str, home: Path, articles: Articles, transport: RayTransport) -> None:
        """Take the seat of `name`, whose files lie in `home` on this machine."""
        home.mkdir(parents=True, exist_ok=True)
        self.name, self.home, self.articles, self.transport = name, home, articles, transport
        self.store = Store(home / "store.sqlite")
        self.keys = Keys.of(name, self.store)
        self.service: Service | None = None

    def card(self) -> bytes:
        """Return its card."""
        return encode(self.keys.card())

    def join(self, agreement: bytes) -> None:
        """Check the agreement, the ledger's part of it too, keep it, and serve.

        Raises:
            Stranger: a card was not signed by its account, or the ledger registers another account.
        """
        agreed, book = self._checked(agreement)
        self.store.put(0, "agreement", agreement)
        self.service = self._serving(agreed, book)

    def handle(self, data: bytes) -> bytes:
        """Answer a parcel; see `Service.handle`.

        Raises:
            OutOfOrder: the founding has not come so far.
            ChainError: it is just starting again, and the ledger is out of reach.
        """
        if self.service is None:
            agreed = self._agreed()
            self.service = self._serving(agreed, self._book(agreed))
        return self.service.handle(data)

    def pids(self) -> tuple[int, ...]:
        """Return the ids of this process and of TFF's worker, if it has one."""
        return os.getpid(), *federated.worker.pids()

    def _checked(self, agreement: bytes) -> tuple[Agreement, Ledger | None]:
        """Return the agreement and the ledger, once every card is good; see `join`."""
        agreed = decode(agreement, Agreement)
        for card in agreed.cards:
            card.check()
        book = self._book(agreed)
        for card in agreed.cards:
            if book is not None and card.name in self.articles.hospitals:
                card.check(book)
        return agreed, book

    def _agreed(self) -> Agreement:
        kept = self.store.get(0, "agreement")
        if kept is None:
            raise OutOfOrder(f"{self.name} has no agreement yet")
        return decode(kept, Agreement)

    def _endpoint(self, agreed: Agreement) -> Endpoint:
        return Endpoint(self.name, self.keys.signing, {card.name: card.key for card in agreed.cards})

    def _caller(self, agreed: Agreement, meter: Meter) -> Caller:
        return Caller(self._endpoint(agreed), self.transport, meter, pause=PAUSE)

    def _serving(self, agreed: Agreement, book: Ledger | None) -> Service:
        return Service(self._role(agreed, book), self._endpoint(agreed))

    def _charter(self, agreed: Agreement) -> Charter:
        params = self.articles.params
        key = stpc.PublicKey(agreed.key, params.digest)
        return self.articles.charter({card.name: card.key for card in agreed.cards}, key)

    def _book(self, agreed: Agreement) -> Ledger | None:
        """Return the ledger as this role reads it, with an endpoint and sessions of its own."""
        if not agreed.contracts:
            return None
        chain = RemoteChain(self._caller(agreed, Meter()))
        own, threshold = self.keys.identity, self.articles.threshold
        return Ledger.connect(chain, agreed.contracts, coordinator=own, threshold=threshold)

    def _role(self, agreed: Agreement, book: Ledger | None) -> Role:
        raise NotImplementedError


class HospitalSeat(Seat):
    """A hospital's process, with TFF's worker, and the records that lie in its folder."""

    def __init__(self, name: str, home: Path, articles: Articles, transport: RayTransport) -> None:
        """Take the seat, read the records, and start TFF's worker in this thread, the main one.

        Raises:
            ConfigError: there are no records in `home` on this machine.
        """
        super().__init__(name, home, articles, transport)
        self.records, self.pseudonyms = read_partition(home)
        # Ray blocks SIGINT in its processes. A worker inherits that, and TFF, which ends it by SIGINT, would wait.
        before = signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
        try:
            federated.worker.start()
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)

    def _role(self, agreed: Agreement, book: Ledger | None) -> Role:
        if book is None:
            raise OutOfOrder(f"{self.name} has not been shown the ledger yet")
        return self.articles.hospital(
            self.keys.identity,
            signing_key=self.keys.signing,
            data=self.records,
            charter=self._charter(agreed),
            book=book,
            store=self.store,
            pseudonyms=self.pseudonyms,
        )


class AuthoritySeat(Seat):
    """The key authority's process."""

    def __init__(self, name: str, home: Path, articles: Articles, transport: RayTransport) -> None:
        """Take the seat, and make the key pair the first time."""
        super().__init__(name, home, articles, transport)
        self.role = Authority(name, articles.params, self.store)

    def public_key(self) -> bytes:
        """Return the public key."""
        return self.role.keys.public_key.data

    def _role(self, agreed: Agreement, book: Ledger | None) -> Role:
        self.role.book = book
        return self.role


class LedgerSeat(Seat):
    """The process of the ledger's node."""

    def _role(self, agreed: Agreement, book: Ledger | None) -> Role:
        return Node(self.store)

    def _book(self, agreed: Agreement) -> Ledger | None:
        return None  # it keeps the chain, and reads no contract


class AggregatorSeat(Seat):
    """The aggregator's process. It answers no role, and asks them all; only the driver asks it, for rounds."""

    asks: type[Consortium] = Consortium
    consortium: Consortium | None = None
    meter: Meter

    def __init__(self, name: str, home: Path, articles: Articles, transport: RayTransport) -> None:
        """Take the seat."""
        super().__init__(name, home, articles, transport)
        self.meter = Meter()

    def deploy(self, agreement: bytes) -> dict[str, str]:
        """Deploy the contracts as their owner, register the hospitals of the cards, return the contracts' addresses.

        Found again, it returns what it has deployed before.
        """
        kept = self.store.get(0, "agreement")
        if kept is not None:
            return dict(decode(kept, Agreement).contracts)
        agreed, _ = self._checked(agreement)
        addresses = {card.name: card.address for card in agreed.cards}
        hospitals = {name: addresses[name] for name in self.articles.hospitals}
        chain, own = RemoteChain(self._caller(agreed, Meter())), self.keys.identity
        return Ledger.deploy(chain, admin=own, hospitals=hospitals, threshold=self.articles.threshold).addresses

    def join(self, agreement: bytes) -> None:
        """Check the agreement, keep it, and be ready for rounds; see `Seat.join`."""
        self._checked(agreement)
        self.store.put(0, "agreement", agreement)

    def run_round(self, state: bytes) -> bytes:
        """Run a round from a `State`, or take up the one that is open on it; return an `Outcome`."""
        started = time.perf_counter()
        after: State | None = None
        errors: list[bytes] = []
        absences: list[Absence] = []
        try:
            consortium = self._consortium()
            absences = consortium.absences
            after = run_round(decode(state, State), consortium)
        except BflError as error:
            errors = _chain(error)
        left = [Left(a.round, a.kind, a.hospital, described(a.error)) for a in absences]
        steps = tuple(self.meter.steps)
        absences.clear()
        self.meter.steps.clear()
        wall_ms = 1e3 * (time.perf_counter() - started)
        return encode(Outcome(after, tuple(errors), steps, tuple(left), wall_ms, self._survivors(after)))

    def latest(self, start: bytes) -> bytes:
        """Return the state of the last finalised round; `start` before any, as an `Outcome`."""
        try:
            return encode(Outcome(self._consortium().latest(decode(start, State))))
        except BflError as error:
            return encode(Outcome(None, tuple(_chain(error))))

    @ray.method(concurrency_group="watch")
    def progress(self) -> tuple[int, str]:
        """Return how many steps the present round has taken, and the phase of the last."""
        steps = self.meter.steps
        return len(steps), steps[-1].phase if steps else ""

    def _survivors(self, after: State | None) -> tuple[str, ...]:
        """Return the hospitals in the sum that led to `after`, as the ledger has them."""
        book = self._consortium().book if after else None
        return tuple(book.revealed(book.ticket(after.round))) if after and book else ()

    def _consortium(self) -> Consortium:
        if self.consortium is None:
            agreed = self._agreed()
            book = self._book(agreed)
            if book is None:
                raise OutOfOrder("the contracts are not deployed yet")
            caller, charter = self._caller(agreed, self.meter), self._charter(agreed)
            self.consortium = self.asks(charter, self.articles.hospitals, book, caller, self.store, self.meter)
        return self.consortium


@travels
@dataclass(frozen=True)
class Left:
    """An `Absence` with its error described."""

    round: int
    kind: str
    hospital: str
    error: bytes


@travels
@dataclass(frozen=True)
class Outcome:
    """What the aggregator tells the driver: the new state and whose sum led to it, or the error and its causes."""

    state: State | None
    errors: tuple[bytes, ...] = ()
    steps: tuple[Step, ...] = ()
    absences: tuple[Left, ...] = ()
    wall_ms: float = 0.0
    survivors: tuple[str, ...] = ()


def _chain(error: BaseException) -> list[bytes]:
    """Return the error and its causes, described."""
    found = []
    cause: BaseException | None = error
    while isinstance(cause, BflError):
        found.append(described(cause))
        cause = cause.__cause__
    return found


def seat_of(name: str) -> type[Seat]:
    """Return the seat of the role called `name`."""
    return {LEDGER: LedgerSeat, AUTHORITY: AuthoritySeat, AGGREGATOR: AggregatorSeat}.get(name, HospitalSeat)
