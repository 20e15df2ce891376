"""Chaos: schedules of faults against a consortium, and what must hold whatever happens.

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

from collections.abc import Callable
from dataclasses import dataclass, replace

import rlp

from bfl_stpc import privacy
from bfl_stpc.errors import BflError, RoundAborted
from bfl_stpc.system import inspection
from bfl_stpc.system.embedded import EmbeddedConsortium
from bfl_stpc.system.faults import (
    AGGREGATOR_STEPS,
    WIRE,
    Fault,
    FragileConsortium,
    FragileTransport,
    Killed,
    Trouble,
    draw,
)
from bfl_stpc.system.node import Node
from bfl_stpc.system.roles import AGGREGATOR, AUTHORITY, LEDGER
from bfl_stpc.system.round import run_round
from bfl_stpc.system.state import State

GONE = 1000  # parcels before a role is restarted: more than a round has


def named(hospital: str) -> tuple[Fault, ...]:
    """Return the faults that every reader asks about, those of a hospital struck at `hospital`."""
    deaths = (("train", "before", GONE), ("train", "during", 0), ("commit", "after", GONE), ("send", "after", GONE))
    full = ((hospital, "protect"), (AUTHORITY, "open"), (LEDGER, "submit"))
    steps = [step for step in AGGREGATOR_STEPS if step not in ("advertise", "share", "approve")]
    return (
        *(Fault(hospital, kind, what, down) for kind, what, down in deaths),
        Fault(hospital, "unmask", "before", GONE),
        *(Fault(AGGREGATOR, step, "after") for step in steps),
        Fault(AUTHORITY, "open", "before", GONE),
        Fault(AUTHORITY, "open", "after"),
        Fault(LEDGER, "submit", "after"),
        Fault(LEDGER, "submit", "after", GONE),
        Fault(LEDGER, "submit", "time passes"),
        *(Fault(hospital, "commit", what) for what in WIRE),
        *(Fault(role, kind, "disk full") for role, kind in full),
    )


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

    def row(self, fault: Fault) -> dict[str, str]:
        """Return a line of a table: what became of the round that `fault` struck, and of the next."""
        restarted = {0: "at once", GONE: "never in the round"}.get(fault.down, f"after {fault.down} parcels")
        return {
            "role": fault.role,
            "fault": f"{fault.what} {fault.kind}",
            "restarted": restarted if fault.what in ("before", "during", "after") else "-",
            "aborted": str(len(self.aborted)),
            "survivors": ", ".join(map(str, self.survivors)),
            "violations": str(len(self.violations)),
        }


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
