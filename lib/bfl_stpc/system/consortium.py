"""The aggregator's side of a round: ask the other roles, keep what they answer, write on the ledger what follows."""

from __future__ import annotations

import types
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bfl_stpc import stpc
from bfl_stpc.errors import BflError, LedgerError, RoundAborted, TooFewUploads
from bfl_stpc.ledger import Approval, Durations, Ledger, Result
from bfl_stpc.system.codec import decode, encode
from bfl_stpc.system.meter import Meter
from bfl_stpc.system.roles import AGGREGATOR, AUTHORITY, LEDGER, Charter
from bfl_stpc.system.service import Caller
from bfl_stpc.system.state import State
from bfl_stpc.system.store import Store
from bfl_stpc.ticket import Ticket

# What a hospital answers to each request, in the order of a round.
GIVES: dict[str, Any] = {
    "authenticate": None | Any,
    "train": float,
    "advertise": stpc.Advert,
    "share": tuple[stpc.SealedShares, ...],
    "receive": Any,
    "protect": bytes,
    "commit": Any,
    "send": stpc.Upload,
    "reveal": Any,
    "unmask": stpc.UnmaskAnswer,
    "tag": tuple[int, ...],
    "approve": Approval,
}

WRITES = {"authenticate": "authenticate", "commit": "commit", "reveal": "commit", "tag": "verify"}  # kind: phase


@dataclass(frozen=True)
class Absence:
    """A hospital that did not answer, or refused.

    Attributes:
        round: number of the round.
        kind: what it was asked.
        hospital: its name.
        error: why.
    """

    round: int
    kind: str
    hospital: str
    error: BflError


@dataclass
class Consortium:
    """What the aggregator works with: it holds ciphertexts and public things, and a store to go on from.

    Attributes:
        charter: what all have agreed on.
        hospitals: their names, in ledger order.
        book: the ledger, written to as the coordinator of its rounds.
        caller: asks the other roles.
        store: what outlives its process.
        meter: where every role's steps are noted.
        durations: how long the ledger lets each phase of a round last.
        absences: who did not answer, in order.
    """

    charter: Charter
    hospitals: tuple[str, ...]
    book: Ledger
    caller: Caller
    store: Store
    meter: Meter
    durations: Durations = field(default_factory=Durations)
    absences: list[Absence] = field(default_factory=list)
    ticket: Ticket | None = None

    def __post_init__(self) -> None:
        self._aggregator = stpc.Aggregator(self.charter.params, self.charter.key)

    @property
    def params(self) -> stpc.Parameters:
        """Fixed point, packing and encryption, agreed by all."""
        return self.charter.params

    @contextmanager
    def opened(self, state: State) -> Iterator[Ticket]:
        """Open the next round on `state`, or take up the one that is open on it; abort it if the block fails.

        Raises:
            RoundAborted: the block raised a `BflError`, which is the cause: nothing came of the round.
        """
        ticket = self.ticket = self._ticket(state)
        try:
            yield ticket
        except BflError as error:
            with suppress(LedgerError):  # if even that cannot be written, the round stays open, and is taken up next
                self.book.abort_round(ticket, type(error).__name__)
            raise RoundAborted(f"round {ticket.round} ended without a result: {error}") from error

    def ask(
        self,
        kind: str,
        hospitals: Iterable[str],
        *arguments: Any,
        each: Mapping[str, Any] | None = None,
        all: bool = False,
    ) -> dict[str, Any]:
        """Ask `hospitals` for `kind`; return what they answer, by name. Asked before in this round: the same as then.

        Args:
            kind: one of `GIVES`.
            hospitals: whom; in ledger order in the answer.
            arguments: of the request, the same for all.
            each: one argument more, for each its own.
            all: whether every one must answer, or a threshold is enough.

        Raises:
            TooFewUploads: too few answered; the cause is what the first of the others said.
        """
        assert self.ticket is not None
        return self._ask(self.ticket.round, self.ticket.threshold, kind, hospitals, arguments, each or {}, all)

    def add(self, uploads: Iterable[stpc.Upload], ticket: Ticket) -> stpc.Aggregate:
        """Check the uploads against their commitments, add the ciphertexts, and publish the sum's hash."""
        with self.meter.step("aggregate", AGGREGATOR) as step:
            aggregate = self._aggregator.add(uploads, ticket, self.book.revealed(ticket))
            if (
                self.book.round(ticket.round).aggregate is None
            ):  # otherwise published before a crash: the sum is the same
                step.gas = self.book.publish_aggregate(ticket, aggregate.digest).gas
            return aggregate

    def open(self, aggregate: stpc.Aggregate, ticket: Ticket) -> NDArray[np.uint64]:
        """Have the key authority decrypt the published sum: uint64 (n,) slots, still masked."""
        return self.caller.call(AUTHORITY, ticket.round, "open", aggregate, ticket, gives=NDArray[np.uint64])

    def unmask_request(self, aggregate: stpc.Aggregate, ticket: Ticket, shared: Iterable[str]) -> stpc.UnmaskRequest:
        """Return whose masks must go, among the hospitals that have `shared` their secrets."""
        return self._aggregator.unmask_request(aggregate, ticket, shared)

    def unmask(
        self,
        aggregate: stpc.Aggregate,
        request: stpc.UnmaskRequest,
        directory: stpc.Directory,
        slots: NDArray[np.uint64],
        answers: Iterable[stpc.UnmaskAnswer],
    ) -> stpc.Total:
        """Take off the masks, and fix on chain what was opened."""
        with self.meter.step("open the sum", AGGREGATOR) as step:
            total = self._aggregator.unmask(aggregate, request, directory, slots, answers)
            if self.book.round(request.ticket.round).opened is None:
                step.gas = self.book.publish_opening(request.ticket, total.published).gas
            return total

    def challenge(self, total: stpc.Total, ticket: Ticket) -> stpc.Challenge:
        """Return the random vectors that follow from a block later than the opened sum."""
        with self.meter.step("verify", AGGREGATOR):
            return stpc.Challenge.draw(self.book.random_seed(ticket), ticket, total.published, self.params)

    def close_commits(self, ticket: Ticket) -> None:
        """End the commitments, if some hospital has not made one."""
        self._close(ticket, "commit")

    def close_reveals(self, ticket: Ticket) -> None:
        """End the reveals, if some hospital that committed has not made one."""
        self._close(ticket, "reveal")

    def close_round(self, ticket: Ticket, result: Result, approvals: Iterable[Approval], after: State) -> None:
        """Keep the new state, and fix the result on chain with the hospitals' signatures."""
        with self.meter.step("record", AGGREGATOR) as step:
            self.store.put(0, "state", encode(after))
            if self.book.round(ticket.round).phase != "finalised":
                step.gas = self.book.close_round(ticket, result, list(approvals)).gas
            self.store.forget(ticket.round)

    def latest(self, start: State) -> State:
        """Return the state of the last finalised round, for an aggregator that was restarted; `start` before any.

        Raises:
            RoundAborted: the ledger's model is not in this aggregator's store: get it from a hospital.
        """
        kept = self.store.get(0, "state")
        last = self.book.rounds.model()
        for state in (decode(kept, State) if kept else start, start):
            if last in (None, state.digest):
                return state
        raise RoundAborted("the ledger's last model is not in the aggregator's store: ask a hospital for it")

    def _ticket(self, state: State) -> Ticket:
        number = self.book.next_round()
        if number > 1 and self.book.round(number - 1).phase in ("commit", "reveal", "aggregate"):
            if self.book.round(number - 1).model == state.digest:
                return self.book.ticket(number - 1)
            self.book.rounds.abort(self.book.coordinator, number - 1, "another model")
        self._ask(number, self.book.threshold, "authenticate", self.hospitals, (number, state.digest), {}, False)
        with self.meter.step("open", AGGREGATOR):
            modulus = self.params.modulus
            return self.book.open_round(number, model=state.digest, check_modulus=modulus, durations=self.durations)

    def _ask(
        self,
        round: int,
        threshold: int,
        kind: str,
        hospitals: Iterable[str],
        arguments: tuple[Any, ...],
        each: Mapping[str, Any],
        all: bool,
    ) -> dict[str, Any]:
        kept = self.store.get(round, f"asked {kind}")
        if kept is not None:
            return decode(kept, types.GenericAlias(dict, (str, GIVES[kind])))
        chosen = set(hospitals)
        requests = {
            name: (*arguments, *((each[name],) if name in each else ())) for name in self.hospitals if name in chosen
        }
        with self.book.chain.together():  # all that one request leads to may share a block
            answers = self.caller.call_all(requests, round, kind, gives=GIVES[kind])
            if kind in WRITES:
                with self.meter.step(WRITES[kind], LEDGER):
                    self.book.chain.mine()
        silent = {name: answer for name, answer in answers.items() if isinstance(answer, BflError)}
        self.absences += [Absence(round, kind, name, error) for name, error in silent.items()]
        found = {name: answer for name, answer in answers.items() if name not in silent}
        least = len(requests) if all else threshold
        if len(found) < least:
            why = "; ".join(f"{name}: {type(e).__name__}, {e}" for name, e in silent.items())
            message = f"{len(found)} hospitals answered {kind!r} in round {round}; {least} must. {why}"
            raise TooFewUploads(message) from next(iter(silent.values()), None)
        self.store.put(round, f"asked {kind}", encode(found))
        return found

    def _close(self, ticket: Ticket, phase: str) -> None:
        if self.book.round(ticket.round).phase == phase:
            with self.meter.step("commit", AGGREGATOR) as step:
                close = self.book.close_commits if phase == "commit" else self.book.close_reveals
                step.gas = close(ticket).gas
