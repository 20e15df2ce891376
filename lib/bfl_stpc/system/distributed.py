"""The same roles on many machines: each in a process of its own, placed by Ray, with its own disk and its own keys.

Ray starts the processes and carries sealed bytes; it is trusted with neither. A role greets, seals and refuses exactly
as in one process (`wire`, `service`), and nothing that is secret is handed to Ray: keys are made inside the role's
process and kept in its own folder, where its records lie too.

Whoever may submit to a Ray cluster may start code on its machines, so its ports must be closed to others (Ray's TLS, or
a private network); see deploy/README.md. Here the driver passes the cards round. In a deployment they are exchanged out
of band, as certificates are; each card is signed by the account that the ledger registers for the hospital, and every
role compares the two.
"""

from __future__ import annotations

import os
import signal
import time
import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # before Ray is imported: it tells nobody that it runs
os.environ.setdefault("RAY_enable_metrics_collection", "0")
os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")  # there are no accelerators to hide

import ray
from ray.exceptions import RayError

from bfl_stpc import federated, stpc
from bfl_stpc.errors import BflError, ConfigError, OutOfOrder, PeerLost, Stranger
from bfl_stpc.ledger import Ledger
from bfl_stpc.system.codec import decode, encode, travels
from bfl_stpc.system.consortium import Absence, Consortium
from bfl_stpc.system.founding import Articles, Card, Keys
from bfl_stpc.system.meter import Meter, Step
from bfl_stpc.system.node import Node, RemoteChain
from bfl_stpc.system.roles import AGGREGATOR, AUTHORITY, LEDGER, Authority, Charter
from bfl_stpc.system.round import run_round
from bfl_stpc.system.service import Caller, Role, Service, described, error_of
from bfl_stpc.system.state import State
from bfl_stpc.system.store import Store
from bfl_stpc.system.wire import Endpoint

PAUSE = 0.2  # seconds before a lost role is asked again
RECORDS = "records.npz"


@dataclass(frozen=True)
class RayTransport:
    """Carries parcels to roles on a cluster, to all at once.

    Attributes:
        namespace: where Ray finds the roles by name.
        deadline: seconds after which a role that has not answered is lost.
    """

    namespace: str
    deadline: float

    def post(self, parcels: Mapping[str, bytes]) -> dict[str, bytes | PeerLost]:
        """Return what each role answers, or how it was lost: its process died, or its deadline passed."""
        answers: dict[str, bytes | PeerLost] = {}
        asked: dict[str, Any] = {}
        for name, parcel in parcels.items():
            try:
                asked[name] = ray.get_actor(name, namespace=self.namespace).handle.remote(parcel)
            except ValueError:
                answers[name] = PeerLost(f"{name} is not there")
        if asked:  # all have the same deadline: it does not begin anew with each
            ray.wait(list(asked.values()), num_returns=len(asked), timeout=self.deadline)
        for name, reference in asked.items():
            try:
                answers[name] = ray.get(reference, timeout=0)
            except RayError as error:
                answers[name] = PeerLost(f"{name} did not answer: {type(error).__name__}")
        return {name: answers[name] for name in parcels}


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
        self.service = Service(self._role(agreed, book), self._endpoint(agreed))

    def handle(self, data: bytes) -> bytes:
        """Answer a parcel; see `Service.handle`.

        Raises:
            OutOfOrder: the founding has not come so far.
            ChainError: it is just starting again, and the ledger is out of reach.
        """
        if self.service is None:
            agreed = self._agreed()
            self.service = Service(self._role(agreed, self._book(agreed)), self._endpoint(agreed))
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
        return encode(Outcome(after, tuple(errors), steps, tuple(left), 1e3 * (time.perf_counter() - started)))

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

    def _consortium(self) -> Consortium:
        if self.consortium is None:
            agreed = self._agreed()
            book = self._book(agreed)
            if book is None:
                raise OutOfOrder("the contracts are not deployed yet")
            caller, charter = self._caller(agreed, self.meter), self._charter(agreed)
            self.consortium = Consortium(charter, self.articles.hospitals, book, caller, self.store, self.meter)
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
    """What the aggregator tells the driver: the new state, or the error and its causes; what was measured."""

    state: State | None
    errors: tuple[bytes, ...] = ()
    steps: tuple[Step, ...] = ()
    absences: tuple[Left, ...] = ()
    wall_ms: float = 0.0


@dataclass
class DistributedConsortium:
    """What the driver holds: no key, no record and no share; it starts roles, asks for rounds and gets states.

    Use it as a context, so that no process is left.

    Attributes:
        articles: what all have agreed on.
        transport: names the namespace and the deadline.
        folder: of the roles' folders, on each machine.
        placed: whether each role runs on the node that offers a resource of its name.
        meter: every role's steps in the rounds so far, as the aggregator noted them.
        wall_ms: how long each round took, in order, as the aggregator saw it.
        absences: who did not answer, in order.
        report: told in words how far things are.
    """

    articles: Articles
    transport: RayTransport
    folder: Path
    placed: bool
    report: Callable[[str], None] = field(default=lambda words: None, repr=False)
    meter: Meter = field(default_factory=Meter, repr=False)
    wall_ms: list[float] = field(default_factory=list, repr=False)
    absences: list[Absence] = field(default_factory=list, repr=False)
    _owner: bool = False
    _held: dict[str, Any] = field(default_factory=dict, repr=False)  # Ray ends an actor that its creator lets go

    @property
    def hospitals(self) -> tuple[str, ...]:
        """Their names, in ledger order."""
        return self.articles.hospitals

    @property
    def roles(self) -> tuple[str, ...]:
        """The names of all roles."""
        return LEDGER, AUTHORITY, *self.hospitals, AGGREGATOR

    def __enter__(self) -> DistributedConsortium:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def run_round(self, state: State) -> State:
        """Return the state after one more round; see `system.run_round`.

        Raises:
            RoundAborted: as there.
            PeerLost: the aggregator died, or took no step within three deadlines. Restart it; then ask for `latest`,
                and for the round again: it takes up what is open.
        """
        outcome = self._aggregator("run_round", encode(state))
        self.meter.steps.extend(outcome.steps)
        self.absences += [Absence(a.round, a.kind, a.hospital, error_of(a.error)) for a in outcome.absences]
        if outcome.wall_ms and outcome.state is not None:
            self.wall_ms.append(outcome.wall_ms)
        return _state(outcome)

    def latest(self, start: State) -> State:
        """Return the state of the last finalised round, `start` before any, as ledger and aggregator have it.

        Raises:
            RoundAborted: the aggregator does not have it.
            PeerLost: the aggregator does not answer.
        """
        return _state(self._aggregator("latest", encode(start)))

    def kill(self, name: str) -> None:
        """End the process of a role at once, as a power cut would, and return when it is gone."""
        ray.kill(self._held[name])
        with suppress(RayError):
            ray.get(self._held[name].pids.remote(), timeout=self.transport.deadline)

    def restart(self, name: str) -> None:
        """Start a role anew from its folder, in place of its process if that still runs; return when it is there."""
        self.kill(name)
        end = time.monotonic() + self.transport.deadline
        while True:
            try:
                self._start(name)
                break
            except ValueError:  # Ray has not given the name back yet
                if time.monotonic() > end:
                    raise PeerLost(f"the name of {name} was not given back in time") from None
                time.sleep(0.05)
        self._ask([name], "card")

    def pids(self) -> dict[str, tuple[int, ...]]:
        """Return the ids of each role's process and of its TFF worker."""
        return self._ask(self.roles, "pids")

    def close(self) -> None:
        """End every role, and Ray too if it was started for them."""
        if not ray.is_initialized():
            return
        for name in self._held:
            self.kill(name)
        if self._owner:
            ray.shutdown()

    def _found(self) -> None:
        for name in self.roles:
            self._start(name)
        cards = tuple(decode(card, Card) for card in self._ask(self.roles, "card").values())
        if [card.name for card in cards] != list(self.roles):
            raise Stranger("a card bears another name than the role that showed it")
        agreed = Agreement(cards, self._ask([AUTHORITY], "public_key")[AUTHORITY], {})
        self._ask([LEDGER], "join", encode(agreed))
        contracts = self._ask([AGGREGATOR], "deploy", encode(agreed))[AGGREGATOR]
        complete = encode(Agreement(cards, agreed.key, contracts))
        self._ask([name for name in self.roles if name != LEDGER], "join", complete)

    def _start(self, name: str) -> None:
        seats: dict[str, Any] = {LEDGER: LedgerSeat, AUTHORITY: AuthoritySeat, AGGREGATOR: AggregatorSeat}
        remote: Any = ray.remote(num_cpus=0, max_restarts=-1, concurrency_groups={"watch": 1})  # type: ignore[call-overload]
        seat = remote(seats.get(name, HospitalSeat))
        seat = seat.options(name=name, namespace=self.transport.namespace, resources={name: 1} if self.placed else {})
        self._held[name] = seat.remote(name, self.folder / name, self.articles, self.transport)

    def _ask(self, names: Iterable[str], method: str, *arguments: Any) -> dict[str, Any]:
        """Return what the seats answer, as each comes; none of this is a message of the protocol."""
        asked = {getattr(self._held[name], method).remote(*arguments): name for name in names}
        answers: dict[str, Any] = {}
        waiting = list(asked)
        while waiting:
            ready, waiting = ray.wait(waiting, timeout=self.transport.deadline)
            if not ready:
                raise PeerLost(f"{', '.join(asked[r] for r in waiting)}: no answer to {method!r} within the deadline")
            name = asked[ready[0]]
            try:
                answers[name] = ray.get(ready[0], timeout=self.transport.deadline)
            except RayError as error:
                raise PeerLost(f"{name} failed to {method}: {error}") from error
            self.report(f"{method}: {len(answers)} of {len(asked)}, {name}")
        return {name: answers[name] for name in asked.values()}

    def _aggregator(self, method: str, *arguments: Any) -> Outcome:
        deadline = self.transport.deadline
        try:
            aggregator = self._held[AGGREGATOR]
            reference = getattr(aggregator, method).remote(*arguments)
            seen, since = (-1, ""), time.monotonic()
            while not ray.wait([reference], timeout=0.5)[0]:
                now = ray.get(aggregator.progress.remote(), timeout=deadline)
                if now != seen:
                    seen, since = now, time.monotonic()
                    self.report(f"{method}: step {seen[0]}, {seen[1]}")
                elif time.monotonic() - since > 3 * deadline:
                    raise PeerLost("the aggregator took no step within three deadlines")
            return decode(ray.get(reference, timeout=deadline), Outcome)
        except RayError as error:
            raise PeerLost(f"the aggregator did not answer: {type(error).__name__}") from error


def found(
    hospitals: Sequence[str],
    config: federated.LocalTraining | Mapping[str, federated.LocalTraining],
    *,
    experiment: str,
    clip: float,
    max_records: int,
    folder: Path,
    promise: tuple[float, float] | None = None,
    address: str | None = None,
    placed: bool = False,
    deadline: float = 300.0,
    report: Callable[[str], None] = lambda words: None,
) -> DistributedConsortium:
    """Return a consortium whose roles run as Ray actors, its contracts deployed and its keys made.

    Found again on the same folders, it goes on: keys, chain and models are there.

    Args:
        hospitals: their names, in ledger order.
        config: how hospitals train; by hospital where they differ.
        experiment: name from which training seeds derive.
        clip: bound on the Euclidean norm of an update.
        max_records: most records of one hospital; public.
        folder: of the roles' folders, the same path on each machine; `folder / name` must hold a hospital's records
            on the machine where it runs (`write_partition`), and nowhere else.
        promise: (ε, δ) that every hospital promises its patients, if it trains by DP-SGD.
        address: of a running cluster; if none, and no Ray runs in this process, one is started on this machine.
        placed: whether each role must run on the node that offers a resource of its name, as it must where folders
            are not shared: `ray start --resources='{"hospital-3": 1}'`.
        deadline: seconds within which a role must answer one request; training is one.
        report: told in words how far things are.

    Raises:
        ConfigError: DP-SGD without a promise, or a promise without DP-SGD.
        ParameterError: too many hospitals for the fixed-point fields.
        PeerLost: a role could not be started; the message says why.
    """
    articles = Articles(tuple(hospitals), config, experiment, clip, max_records, promise)
    owner = not ray.is_initialized()
    transport = RayTransport(f"bfl-stpc {uuid.uuid4().hex}", deadline)
    consortium = DistributedConsortium(articles, transport, folder.absolute(), placed, report, _owner=owner)
    try:
        if owner:
            local: dict[str, Any] = {} if address else {"include_dashboard": False}
            ray.init(address=address, log_to_driver=False, logging_level="ERROR", **local)
        consortium._found()
    except BaseException:
        consortium.close()
        raise
    return consortium


def write_partition(home: Path, records: federated.ClientData, pseudonyms: Sequence[bytes] | None = None) -> None:
    """Write a hospital's scaled records, and their pseudonyms if consent is asked, into its folder on its machine."""
    home.mkdir(parents=True, exist_ok=True)
    own = {} if pseudonyms is None else {"pseudonyms": np.array([np.frombuffer(p, np.uint8) for p in pseudonyms])}
    np.savez(home / RECORDS, X=records.X, y=records.y, **own)


def read_partition(home: Path) -> tuple[federated.ClientData, list[bytes] | None]:
    """Return the records of a hospital's folder, and their pseudonyms if there are any.

    Raises:
        ConfigError: the folder holds none.
    """
    try:
        with np.load(home / RECORDS, allow_pickle=False) as kept:
            pseudonyms = [p.tobytes() for p in kept["pseudonyms"]] if "pseudonyms" in kept else None
            return federated.ClientData(kept["X"], kept["y"]), pseudonyms
    except (OSError, KeyError, ValueError) as error:
        raise ConfigError(f"{home} on this machine holds no records: {error}") from error


def _chain(error: BaseException) -> list[bytes]:
    """Return the error and its causes, described."""
    found = []
    cause: BaseException | None = error
    while isinstance(cause, BflError):
        found.append(described(cause))
        cause = cause.__cause__
    return found


def _state(outcome: Outcome) -> State:
    if outcome.state is not None:
        return outcome.state
    errors = [error_of(each) for each in outcome.errors]
    for error, cause in pairwise(errors):
        error.__cause__ = cause
    raise errors[0]
