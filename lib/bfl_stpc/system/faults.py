"""Chaos: roles die, disks fill, messages are lost, altered, repeated or late, at random and again by the same seed.

`chaos` runs schedules of faults against an embedded consortium whose ledger is a role of its own, and checks after
each of them what must hold whatever happens:

1. every round ends finalised or aborted by name, and the next starts and finishes once the faults are over;
2. a finalised model is the exact successor by the survivors' sum, to the last bit;
3. no ε is spent twice or left unbooked: a hospital's budget counts each round that it trained in once, and the ledger
   records no less than any survivor has spent;
4. nothing accepted is lost: every block is stored, and the stored blocks, executed again, lead to the same head (the
   latter is checked once for all schedules that share a consortium).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any

import rlp

from bfl_stpc import privacy
from bfl_stpc.errors import BflError, PeerLost, RoundAborted
from bfl_stpc.seeds import generator
from bfl_stpc.system import inspection
from bfl_stpc.system.consortium import GIVES
from bfl_stpc.system.embedded import EmbeddedConsortium, InProcess
from bfl_stpc.system.node import Node
from bfl_stpc.system.roles import AGGREGATOR, AUTHORITY, LEDGER, Hospital
from bfl_stpc.system.round import run_round
from bfl_stpc.system.service import Caller, Service
from bfl_stpc.system.state import State
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


@dataclass(frozen=True)
class Outcome:
    """What came of one schedule.

    Attributes:
        faults: those that struck.
        finalised, aborted: numbers of the rounds that ended so.
        survivors: hospitals in the sum of each finalised round.
        violations: what should hold and does not; empty if all is well.
    """

    faults: tuple[Fault, ...]
    finalised: tuple[int, ...]
    aborted: tuple[int, ...]
    survivors: tuple[int, ...]
    violations: tuple[str, ...]


def chaos(
    found: Callable[[], EmbeddedConsortium],
    start: State,
    numbers: range,
    *,
    experiment: str,
    each: int = 2,
    progress: Callable[[int], None] = lambda number: None,
) -> list[Outcome]:
    """Run the schedules `numbers` of `experiment`, and check each; `each` schedules share a consortium.

    Args:
        found: founds a consortium with `node=True`.
        start: what its first round starts from.
        numbers: which schedules.
        experiment: name from which schedules derive.
        each: schedules before a new consortium is founded.
        progress: told the number of each schedule that is done.
    """
    outcomes = []
    for place, number in enumerate(numbers):
        if place % each == 0:
            consortium, state = FragileConsortium.of(found(), Trouble()), start
        faults = draw(consortium.hospitals, experiment=experiment, number=number)
        outcome, state = suffer(consortium, start, state, faults)
        if place % each == each - 1 or number == numbers[-1]:
            outcome = replace(outcome, violations=outcome.violations + tuple(replayed(consortium)))
        outcomes.append(outcome)
        progress(number)
    return outcomes


def suffer(
    consortium: FragileConsortium, start: State, state: State, faults: tuple[Fault, ...]
) -> tuple[Outcome, State]:
    """Run rounds on `state` until the faults have struck or never will, then one without.

    Args:
        consortium: fragile, and healed after the last schedule.
        start: what its very first round started from.
        state: what its last round led to.
        faults: what goes wrong.

    Returns:
        What came of it, and the state that it led to.
    """
    first, violations = consortium.book.next_round(), []
    trouble = consortium.trouble
    trouble.waiting[:], trouble.struck[:] = faults, []
    states = {state.digest: state}
    for attempt in range(10):
        over = not trouble.waiting or len(states) > 2 or attempt > 5
        if over:
            _heal(consortium)
        try:
            after = run_round(consortium.latest(start), consortium)
            states[after.digest] = after
            if over:
                break
        except Killed:
            consortium = consortium.reborn()
        except RoundAborted:
            consortium.store.relieve()
        except BflError:  # the ledger is out of reach: there is not even a round to abort
            consortium = consortium.reborn()
    else:
        violations.append("no round finished, though all faults are over")
    _heal(consortium)
    after = consortium.latest(start)
    ended = {number: consortium.book.round(number).phase for number in range(first, consortium.book.next_round())}
    violations += [f"round {n} is left {phase}" for n, phase in ended.items() if phase not in ("finalised", "aborted")]
    finalised = tuple(n for n, phase in ended.items() if phase == "finalised")
    survivors, wrong = _exact(consortium, state, finalised)
    violations += [*wrong, *_budgets(consortium, finalised), *_kept(consortium)]
    if after.digest != consortium.book.rounds.model():
        violations.append("the aggregator's state is not the ledger's model")
    outcome = Outcome(
        faults=tuple(trouble.struck),
        finalised=finalised,
        aborted=tuple(n for n, phase in ended.items() if phase == "aborted"),
        survivors=survivors,
        violations=tuple(violations),
    )
    return outcome, after


def _heal(consortium: FragileConsortium) -> None:
    consortium.trouble.waiting.clear()
    transport = consortium.transport
    assert isinstance(transport, FragileTransport)
    for name in list(transport.dead):
        transport.revive(name)
    for service in transport.services.values():
        service.role.store.relieve()
    consortium.store.relieve()


def _exact(
    consortium: FragileConsortium, state: State, finalised: tuple[int, ...]
) -> tuple[tuple[int, ...], list[str]]:
    events = [event for event in consortium.book.events() if event.name == "RoundFinalised"]
    models = {event.values["round"]: event.values["model"] for event in events}
    counts, wrong = [], []
    for number in finalised:
        names = consortium.book.revealed(consortium.book.ticket(number))
        state = inspection.exact_successor(consortium, state, number, names)
        counts.append(len(names))
        if state.digest != models[number]:
            wrong.append(f"round {number}: the model is not the exact successor by the sum of {', '.join(names)}")
    return tuple(counts), wrong


def _budgets(consortium: FragileConsortium, finalised: tuple[int, ...]) -> list[str]:
    events = [event for event in consortium.book.events() if event.name == "RoundFinalised"]
    recorded = {event.values["round"]: event.values["epsilonNano"] for event in events}
    wrong = []
    for name in consortium.hospitals:
        budget = inspection.hospital(consortium, name).budget
        rounds = consortium.trouble.trained.get(name, set())
        if budget is None:
            continue
        if len(budget.spent) != len(rounds):
            wrong.append(f"{name} trained in {len(rounds)} rounds and booked {len(budget.spent)}")
        for number in finalised:
            spent = privacy.epsilon(budget.spent[: sum(n <= number for n in rounds)], budget.delta)
            if name in consortium.book.revealed(consortium.book.ticket(number)) and recorded[number] < spent * 1e9:
                wrong.append(f"round {number} records less than the ε = {spent:.3f} that {name} had spent")
    return wrong


def _kept(consortium: FragileConsortium) -> list[str]:
    node = consortium.role(LEDGER)
    assert isinstance(node, Node)
    inner, stored = node.chain.backend.chain, [name for name in node.store.names(0) if name.startswith("block ")]
    blocks = [rlp.encode(inner.get_canonical_block_by_number(n)) for n in range(1, node.chain.height() + 1)]
    same = [node.store.get(0, name) for name in stored] == blocks
    return [] if same else ["the ledger has not stored the blocks that it has told of"]


def replayed(consortium: FragileConsortium) -> list[str]:
    """Return what is wrong with the stored blocks, executed again: nothing, unless they lead to another head."""
    node = consortium.role(LEDGER)
    assert isinstance(node, Node)
    again = Node(node.store)
    return [] if again.chain.head_hash() == node.chain.head_hash() else ["the stored blocks lead to another head"]
