"""Chaos: roles die, disks fill, messages are lost, altered, repeated or late, at random and again by the same seed.

What must hold whatever happens, and its checks, are in `chaos`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from bfl_stpc.errors import PeerLost
from bfl_stpc.seeds import generator
from bfl_stpc.system.consortium import GIVES
from bfl_stpc.system.embedded import EmbeddedConsortium, InProcess
from bfl_stpc.system.node import Node
from bfl_stpc.system.roles import AGGREGATOR, AUTHORITY, LEDGER, Hospital
from bfl_stpc.system.service import Caller, Service
from bfl_stpc.system.wire import GREETING

HOSPITAL_KINDS = tuple(GIVES)
AGGREGATOR_STEPS = (*GIVES, "add", "open", "unmask the sum", "close")
DEATHS = ("before", "during", "after")  # of doing it, of keeping it, or of keeping it but not of answering
WIRE = ("lose request", "lose reply", "alter request", "alter reply", "repeat request", "late request")


class Killed(BaseException):
    """A process ends here: no handler of the code under test may see it."""


@dataclass(frozen=True)
class Fault:
    """One thing that goes wrong once.

    Attributes:
        role: whom it strikes.
        kind: the request or step at which it strikes.
        what: one of `DEATHS`, "disk full", "time passes", or one of `WIRE`.
        down: parcels that do not reach a dead role before it is restarted.
    """

    role: str
    kind: str
    what: str
    down: int = 0

    def __str__(self) -> str:
        return f"{self.role}: {self.what} {self.kind}" + (f", back after {self.down} parcels" if self.down else "")


def draw(hospitals: tuple[str, ...], *, experiment: str, number: int) -> tuple[Fault, ...]:
    """Return one to three faults; schedule `number` of `experiment` is always the same."""
    rng = generator(experiment, "faults", number)
    drawn = []
    for _ in range(int(rng.integers(1, 4))):
        role = str(rng.choice([*hospitals, AGGREGATOR, AGGREGATOR, AUTHORITY, LEDGER]))
        kinds = {AGGREGATOR: AGGREGATOR_STEPS, AUTHORITY: ("open",), LEDGER: ("submit", "call")}
        kind = str(rng.choice(kinds.get(role, HOSPITAL_KINDS)))
        what = str(
            rng.choice([*DEATHS, *DEATHS, "disk full", *({AGGREGATOR: (), LEDGER: ("time passes",)}.get(role, WIRE))])
        )
        if role == AGGREGATOR and what == "during":
            what = "after"
        drawn.append(Fault(role, kind, what, int(rng.choice([0, 0, 1, 4, 60]))))
    return tuple(drawn)


@dataclass
class Trouble:
    """What is still to go wrong, and what has.

    Attributes:
        waiting: faults that have not struck.
        struck: those that have, in order.
        trained: rounds in which each hospital's training was kept.
    """

    waiting: list[Fault] = field(default_factory=list)
    struck: list[Fault] = field(default_factory=list)
    trained: dict[str, set[int]] = field(default_factory=dict)

    def strikes(self, role: str, kind: str, *whats: str) -> Fault | None:
        """Return the fault that strikes now, once, or None."""
        for fault in self.waiting:
            if (fault.role, fault.kind) == (role, kind) and fault.what in whats:
                self.waiting.remove(fault)
                self.struck.append(fault)
                return fault
        return None


class FragileService(Service):
    """A service that dies, or whose disk fills, where the trouble says so."""

    def __init__(self, service: Service, trouble: Trouble) -> None:
        """Make `service` fragile."""
        super().__init__(service.role, service.endpoint)
        self.trouble = trouble
        self.last = ""  # the kind of the last request, for the wire's faults

    def _once(self, sender: str, round: int, kind: str, arguments: tuple[Any, ...], digest: bytes) -> bytes:
        name, self.last = self.role.name, kind
        if self.trouble.strikes(name, kind, "before"):
            raise Killed
        if self.trouble.strikes(name, kind, "disk full"):
            self.role.store.fill()
        if self.trouble.strikes(name, kind, "time passes") and isinstance(self.role, Node):
            self.role.chain.advance(7200)  # two deadlines
        answer = super()._once(sender, round, kind, arguments, digest)
        if kind == "train":
            self.trouble.trained.setdefault(name, set()).add(round)
        if self.trouble.strikes(name, kind, "after"):
            raise Killed
        return answer

    def _keep(self, round: int, kind: str, digest: bytes, answer: bytes) -> None:
        super()._keep(round, kind, digest, answer)
        if self.trouble.strikes(self.role.name, kind, "during"):
            raise Killed


@dataclass
class FragileTransport(InProcess):
    """Hands parcels over in memory, and loses, alters, repeats or delays some; restarts the dead."""

    trouble: Trouble = field(default_factory=Trouble)
    builders: Mapping[str, Callable[[], Service]] = field(default_factory=dict)
    dead: dict[str, int] = field(default_factory=dict)  # parcels until each is restarted
    held: list[tuple[str, bytes]] = field(default_factory=list)  # late, to be delivered after the next parcels

    def post(self, parcels: Mapping[str, bytes]) -> dict[str, bytes | PeerLost]:
        """Return what each role answers, if it does; then deliver what is late, to nobody's use."""
        late, self.held = self.held, []
        found = {name: self._deliver(name, parcel) for name, parcel in parcels.items()}
        for name, parcel in late:
            self._handle(name, parcel)
        return found

    def revive(self, name: str) -> None:
        """Start a role anew from its store."""
        service = self.builders[name]()
        service.role.store.relieve()
        self.services[name] = FragileService(service, self.trouble)
        self.dead.pop(name, None)

    def _deliver(self, name: str, parcel: bytes) -> bytes | PeerLost:
        lost = PeerLost(f"{name} does not answer")
        if parcel[:1] != GREETING and name in self.services:
            wire = next((f for f in self.trouble.waiting if f.role == name and f.what in WIRE and self._next(f)), None)
            if wire is not None:
                self.trouble.waiting.remove(wire)
                self.trouble.struck.append(wire)
                return self._mistreat(wire, name, parcel) or lost
        return self._handle(name, parcel) or lost

    def _next(self, fault: Fault) -> bool:
        """Return whether the parcel under way asks for the fault's kind: the one after what was asked last."""
        service = self.services[fault.role]
        assert isinstance(service, FragileService)
        order = GIVES if isinstance(service.role, Hospital) else ("open",)
        done = list(order).index(service.last) + 1 if service.last in order else 0
        return fault.kind in list(order)[done % len(order) : done % len(order) + 1]

    def _mistreat(self, fault: Fault, name: str, parcel: bytes) -> bytes | None:
        if fault.what == "late request":
            self.held.append((name, parcel))
            return None
        if fault.what == "lose request":
            return None
        if fault.what == "alter request":
            return self._handle(name, _altered(parcel))
        if fault.what == "repeat request":
            self._handle(name, parcel)  # what answers is the second, and it must be a refusal
        reply = self._handle(name, parcel)
        if fault.what == "lose reply":
            return None
        return _altered(reply) if fault.what == "alter reply" and reply else reply

    def _handle(self, name: str, parcel: bytes) -> bytes | None:
        if name in self.dead:
            self.dead[name] -= 1
            if self.dead[name] >= 0:
                return None
            self.revive(name)
        try:
            return self.services[name].handle(parcel)
        except Killed:
            self.dead[name] = self.trouble.struck[-1].down
            return None


def _altered(data: bytes) -> bytes:
    return data[:-1] + bytes([data[-1] ^ 1])


class FragileSteps:
    """Over a `Consortium`: an aggregator that dies where the trouble says so."""

    trouble: Trouble

    def _ask(self, *arguments: Any) -> dict[str, Any]:
        return self._fragile(arguments[2], "_ask", *arguments)

    def add(self, *arguments: Any) -> Any:
        """See `Consortium.add`."""
        return self._fragile("add", "add", *arguments)

    def open(self, *arguments: Any) -> Any:
        """See `Consortium.open`."""
        return self._fragile("open", "open", *arguments)

    def unmask(self, *arguments: Any) -> Any:
        """See `Consortium.unmask`."""
        return self._fragile("unmask the sum", "unmask", *arguments)

    def close_round(self, *arguments: Any) -> None:
        """See `Consortium.close_round`."""
        self._fragile("close", "close_round", *arguments)

    def _fragile(self, step: str, method: str, *arguments: Any) -> Any:
        if self.trouble.strikes(AGGREGATOR, step, "before"):
            raise Killed
        if self.trouble.strikes(AGGREGATOR, step, "disk full"):
            self.store.fill()  # type: ignore[attr-defined]
        result = getattr(super(), method)(*arguments)
        if self.trouble.strikes(AGGREGATOR, step, "after"):
            raise Killed
        return result


@dataclass
class FragileConsortium(FragileSteps, EmbeddedConsortium):
    """A consortium in one process whose aggregator, too, dies where the trouble says so."""

    trouble: Trouble = field(default_factory=Trouble)

    @classmethod
    def of(cls, consortium: EmbeddedConsortium, trouble: Trouble) -> FragileConsortium:
        """Return `consortium` with fragile roles and wire."""
        transport = consortium.transport
        fragile = FragileTransport(trouble=trouble, builders=consortium.builders)
        fragile.services = {name: FragileService(service, trouble) for name, service in transport.services.items()}
        transport.post = fragile.post  # type: ignore[method-assign] # all roles hold this transport to reach the ledger
        transport.services = fragile.services
        same = {f.name: getattr(consortium, f.name) for f in fields(EmbeddedConsortium)}
        return cls(**{**same, "transport": fragile}, trouble=trouble)

    def reborn(self) -> FragileConsortium:
        """Return the aggregator as it starts again: from its store, without a session."""
        self.store.relieve()
        self.caller = Caller(
            self.caller.endpoint.restarted(), self.transport, self.meter, attempts=self.caller.attempts
        )
        return self
