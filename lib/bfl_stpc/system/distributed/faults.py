"""Roles whose processes end themselves, or answer too late, where they are told to: for trials of a fault.

A dead process ends as by a power cut, in the middle of a request. Ray starts it again, and it goes on from its folder.
"""

from __future__ import annotations

import os
import signal
import time
from dataclasses import dataclass, field
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
from bfl_stpc.system.service import Service

LATE = "late"  # a fault of what: the role falls asleep over the request, for longer than anyone waits


def strike(consortium: DistributedConsortium, fault: Fault) -> None:
    """Let `fault` strike its role once; of a consortium whose `seat_of` is `fragile_seat_of`."""
    consortium.ask([fault.role], "expect", fault)


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

    def expect(self, fault: Fault) -> None:
        """Let `fault` strike once."""
        self._trouble.waiting.append(fault)

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
        service = LateService(super()._serving(agreed, book), self._trouble)
        service.seconds = 3 * self.transport.deadline
        return service


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
