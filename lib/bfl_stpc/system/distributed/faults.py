"""Roles whose processes end themselves, or answer too late, where they are told to: for trials of a fault.

A dead process ends as by a power cut, in the middle of a request. Ray starts it again, and it goes on from its folder.
"""

from __future__ import annotations

import os
import signal
import time
from dataclasses import dataclass, field, replace
from typing import Any, NoReturn

from bfl_stpc.ledger import Ledger
from bfl_stpc.system.consortium import Consortium
from bfl_stpc.system.distributed.consortium import DistributedConsortium
from bfl_stpc.system.distributed.seats import (
    AggregatorSeat,
    Agreement,
    AuthoritySeat,
    HospitalSeat,
    LedgerSeat,
    Seat,
    seat_of,
)
from bfl_stpc.system.faults import Fault, FragileService, FragileSteps, Killed, Trouble
from bfl_stpc.system.roles import AGGREGATOR
from bfl_stpc.system.service import Service

LATE = "late"  # a fault of what: the role falls asleep over the request, for longer than anyone waits


def strike(consortium: DistributedConsortium, fault: Fault, *, seconds: float = 0.0) -> None:
    """Let `fault` strike its role once; of a consortium whose `seat_of` is `fragile_seat_of`.

    Args:
        consortium: of fragile roles.
        fault: one of `DEATHS`, "disk full" or `LATE`.
        seconds: how long a late role sleeps.
    """
    consortium.ask([fault.role], "expect", fault, seconds)


def hurry(consortium: DistributedConsortium, deadline: float) -> None:
    """Let the aggregator wait at most `deadline` seconds for an answer, until its process ends."""
    consortium.ask([AGGREGATOR], "wait_at_most", deadline)


class LateService(FragileService):
    """A fragile service that also falls asleep.

    Attributes:
        seconds: how long it sleeps.
    """

    seconds = 0.0

    def _once(self, sender: str, round: int, kind: str, arguments: tuple[Any, ...], digest: bytes) -> bytes:
        if self.trouble.strikes(self.role.name, kind, LATE):
            time.sleep(self.seconds)
        return super()._once(sender, round, kind, arguments, digest)


class FragileSeat(Seat):
    """Over a seat: what is expected strikes its service, and what kills it kills the process."""

    def expect(self, fault: Fault, seconds: float) -> None:
        """Let `fault` strike once; a late role sleeps for `seconds`."""
        self._trouble.waiting.append(fault)
        if isinstance(self.service, LateService):
            self.service.seconds = seconds

    def handle(self, data: bytes) -> bytes:
        """Answer a parcel, or die; see `Seat.handle`."""
        try:
            return super().handle(data)
        except Killed:
            _die()

    @property
    def _trouble(self) -> Trouble:
        return self.__dict__.setdefault("trouble", Trouble())

    def _serving(self, agreed: Agreement, book: Ledger | None) -> Service:
        return LateService(super()._serving(agreed, book), self._trouble)


class FragileHospitalSeat(FragileSeat, HospitalSeat):
    """A hospital's."""


class FragileAuthoritySeat(FragileSeat, AuthoritySeat):
    """The key authority's."""


class FragileLedgerSeat(FragileSeat, LedgerSeat):
    """The ledger's."""


@dataclass
class _FragileAggregator(FragileSteps, Consortium):
    trouble: Trouble = field(default_factory=Trouble)


class FragileAggregatorSeat(FragileSeat, AggregatorSeat):
    """The aggregator's, which dies between two steps of a round."""

    asks = _FragileAggregator

    def wait_at_most(self, deadline: float) -> None:
        """Wait at most `deadline` seconds for an answer from now on."""
        self.transport = replace(self.transport, deadline=deadline)
        self.consortium = None

    def run_round(self, state: bytes) -> bytes:
        """Run a round, or die in it; see `AggregatorSeat.run_round`."""
        consortium = self._consortium()
        assert isinstance(consortium, _FragileAggregator)
        consortium.trouble = self._trouble
        try:
            return super().run_round(state)
        except Killed:
            _die()


def fragile_seat_of(name: str) -> type[Seat]:
    """Return the seat of the role called `name`, as `found` takes it."""
    fragile: dict[type[Seat], type[Seat]] = {
        HospitalSeat: FragileHospitalSeat,
        AuthoritySeat: FragileAuthoritySeat,
        LedgerSeat: FragileLedgerSeat,
        AggregatorSeat: FragileAggregatorSeat,
    }
    return fragile[seat_of(name)]


def _die() -> NoReturn:
    os.kill(os.getpid(), signal.SIGKILL)
    raise Killed
