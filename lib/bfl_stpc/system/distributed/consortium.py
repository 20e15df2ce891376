"""The driver's side: start the roles by Ray, found the consortium, ask for rounds, and leave no process behind."""

from __future__ import annotations

import os
import time
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import ray
from ray.exceptions import RayError

from bfl_stpc import federated
from bfl_stpc.errors import PeerLost, Stranger
from bfl_stpc.system.codec import decode, encode
from bfl_stpc.system.consortium import Absence
from bfl_stpc.system.distributed.seats import Agreement, Outcome, Seat, seat_of
from bfl_stpc.system.distributed.transport import RayTransport
from bfl_stpc.system.founding import Articles, Card
from bfl_stpc.system.meter import Meter
from bfl_stpc.system.roles import AGGREGATOR, AUTHORITY, LEDGER
from bfl_stpc.system.service import error_of
from bfl_stpc.system.state import State

STARTING = 300.0  # seconds within which a role's process must be there: it imports TensorFlow, and others do too
LEAVING = 10.0  # seconds within which processes that were killed are gone
STORE = 512 * 2**20  # bytes of shared memory for messages on their way, at most


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
        survivors: the hospitals in the sum of each finalised round, by its number.
        seat_of: which class takes the seat of a role.
        report: told in words how far things are.
    """

    articles: Articles
    transport: RayTransport
    folder: Path
    placed: bool
    seat_of: Callable[[str], type[Seat]] = seat_of
    report: Callable[[str], None] = field(default=lambda words: None, repr=False)
    meter: Meter = field(default_factory=Meter, repr=False)
    wall_ms: list[float] = field(default_factory=list, repr=False)
    absences: list[Absence] = field(default_factory=list, repr=False)
    survivors: dict[int, tuple[str, ...]] = field(default_factory=dict, repr=False)
    _session: TemporaryDirectory[str] | None = field(default=None, repr=False)  # of the Ray that was started for it
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
            BflError: as there: the ledger is out of reach, or too few hospitals log in, so that no round was opened.
            PeerLost: the aggregator died, or took no step within three deadlines. Restart it; then ask for `latest`,
                and for the round again: it takes up what is open.
        """
        outcome = self._aggregator("run_round", encode(state))
        self.meter.steps.extend(outcome.steps)
        self.absences += [Absence(a.round, a.kind, a.hospital, error_of(a.error)) for a in outcome.absences]
        if outcome.state is not None:
            self.wall_ms.append(outcome.wall_ms)
            self.survivors[outcome.state.round] = outcome.survivors
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
        end = time.monotonic() + STARTING
        while True:
            try:
                self._start(name)
                break
            except ValueError:  # Ray has not given the name back yet
                if time.monotonic() > end:
                    raise PeerLost(f"the name of {name} was not given back in time") from None
                time.sleep(0.05)
        self.ask([name], "card")

    def settle(self) -> None:
        """Wait until every role is there: Ray restarts those whose process has died by itself.

        Raises:
            PeerLost: one was killed for good, or is not back in time.
        """
        end = time.monotonic() + STARTING
        for name in self.roles:
            while True:
                try:
                    self.ask([name], "card")
                    break
                except PeerLost:
                    if time.monotonic() > end or not self._restarts(name):
                        raise
                    time.sleep(0.1)

    def pids(self) -> dict[str, tuple[int, ...]]:
        """Return the ids of each role's process and of its TFF worker."""
        return self.ask(self.roles, "pids")

    def close(self) -> None:
        """End every role, and Ray too if it was started or joined for them."""
        if ray.is_initialized():
            for actor in self._held.values():
                ray.kill(actor)
            # A role that was still starting may never answer that it has gone; Ray's own end takes it along.
            if gone := [actor.pids.remote() for actor in self._held.values()]:
                ray.wait(gone, num_returns=len(gone), timeout=LEAVING)
            if self._session:
                ray.shutdown()
        if self._session:
            self._session.cleanup()

    def _found(self) -> None:
        for name in self.roles:
            self._start(name)
        cards = tuple(decode(card, Card) for card in self.ask(self.roles, "card").values())
        if [card.name for card in cards] != list(self.roles):
            raise Stranger("a card bears another name than the role that showed it")
        agreed = Agreement(cards, self.ask([AUTHORITY], "public_key")[AUTHORITY], {})
        self.ask([LEDGER], "join", encode(agreed))
        contracts = self.ask([AGGREGATOR], "deploy", encode(agreed))[AGGREGATOR]
        complete = encode(Agreement(cards, agreed.key, contracts))
        self.ask([name for name in self.roles if name != LEDGER], "join", complete)

    def _start(self, name: str) -> None:
        watched: dict[str, Any] = {"concurrency_groups": {"watch": 1}} if name == AGGREGATOR else {}
        remote: Any = ray.remote(num_cpus=0, max_restarts=-1, **watched)  # type: ignore[call-overload]
        seat = remote(self.seat_of(name))
        seat = seat.options(name=name, namespace=self.transport.namespace, resources={name: 1} if self.placed else {})
        self._held[name] = seat.remote(name, self.folder / name, self.articles, self.transport)

    def ask(self, names: Iterable[str], method: str, *arguments: Any) -> dict[str, Any]:
        """Return what the seats answer, as each comes; none of this is a message of the protocol."""
        asked = {getattr(self._held[name], method).remote(*arguments): name for name in names}
        answers: dict[str, Any] = {}
        waiting = list(asked)
        while waiting:
            ready, waiting = ray.wait(waiting, timeout=STARTING)
            if not ready:
                raise PeerLost(f"{', '.join(asked[r] for r in waiting)}: no answer to {method!r} in {STARTING:.0f} s")
            name = asked[ready[0]]
            try:
                answers[name] = ray.get(ready[0], timeout=STARTING)
            except RayError as error:
                raise PeerLost(f"{name} failed to {method}: {error}") from error
            self.report(f"{method}: {len(answers)} of {len(asked)}, {name}")
        return {name: answers[name] for name in asked.values()}

    def _restarts(self, name: str) -> bool:
        """Return whether Ray is about to bring the role's process back, or has."""
        try:
            ray.get_actor(name, namespace=self.transport.namespace)
        except ValueError:
            return False
        return True

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
    seat_of: Callable[[str], type[Seat]] = seat_of,
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
        seat_of: which class takes the seat of a role; see `distributed.faults`.
        report: told in words how far things are.

    Raises:
        ConfigError: DP-SGD without a promise, or a promise without DP-SGD.
        ParameterError: too many hospitals for the fixed-point fields.
        PeerLost: a role could not be started; the message says why.
    """
    articles = Articles(tuple(hospitals), config, experiment, clip, max_records, promise)
    transport = RayTransport(f"bfl-stpc {uuid.uuid4().hex}", deadline)
    consortium = DistributedConsortium(articles, transport, folder.absolute(), placed, seat_of, report)
    try:
        if not ray.is_initialized():
            consortium._session = TemporaryDirectory(prefix="bfl-", ignore_cleanup_errors=True)
            _begin(address, consortium._session.name)
        consortium._found()
    except BaseException:
        consortium.close()
        raise
    return consortium


def _begin(address: str | None, session: str) -> None:
    """Join the cluster at `address`, or start Ray on this machine, its files in the folder `session`."""
    ray._private.worker.print_to_stdstream = lambda *_, **__: None  # it prints every death; `PeerLost` tells it
    quiet: dict[str, Any] = {"log_to_driver": False, "logging_level": "ERROR"}
    with _hushed():
        if address:
            ray.init(address=address, **quiet)
        else:  # never a cluster that somebody else has started here
            ray.init("local", include_dashboard=False, object_store_memory=STORE, _temp_dir=session, **quiet)


@contextmanager
def _hushed() -> Iterator[None]:
    """Keep off stderr what Ray's C++ says while it starts: that it was told to be silent."""
    kept, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)


def _state(outcome: Outcome) -> State:
    if outcome.state is not None:
        return outcome.state
    errors = [error_of(each) for each in outcome.errors]
    for error, cause in pairwise(errors):
        error.__cause__ = cause
    raise errors[0]
