"""Asking another role, and answering: each request is served once, whatever is lost on the way.

A role is an object whose methods marked with `answers` may be asked. Before an answer leaves, the answer and all that
the role put into its store on the way are on its disk, in one transaction: asked again, after a crash or a lost reply,
it gives the same answer, and a different question under the same name is refused.
"""

from __future__ import annotations

import hashlib
import time
import types
import typing
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any, Protocol, TypeVar

from bfl_stpc import errors
from bfl_stpc.errors import BflError, Corrupt, NoSession, OutOfOrder, PeerLost, Stranger, WireError
from bfl_stpc.system.codec import decode, encode, fit
from bfl_stpc.system.meter import Meter, Step
from bfl_stpc.system.store import Store
from bfl_stpc.system.wire import GREETING, Endpoint

REFUSAL = b"R"
_Method = TypeVar("_Method", bound=Callable[..., Any])


def answers(*askers: str, kept: bool = True) -> Callable[[_Method], _Method]:
    """Mark a method of a role as a request that the roles named `askers` may make; any with a card if none is named.

    Args:
        askers: names of roles.
        kept: whether the answer must outlive the process, and the request be served once a round.
    """

    def mark(method: _Method) -> _Method:
        method.request = (askers, kept)  # type: ignore[attr-defined]
        return method

    return mark


class Role(Protocol):
    """What a `Service` serves."""

    store: Store
    meter: Meter

    @property
    def name(self) -> str:
        """Its name on its card."""

    def restore(self) -> None:
        """Take from the store what was put there last, and forget the rest."""


class Service:
    """Answers sealed requests for one role.

    Attributes:
        role: who answers.
        refused: how many messages were refused unopened, by the name of the error.
    """

    def __init__(self, role: Role, endpoint: Endpoint) -> None:
        """Serve `role` at its end of the wire."""
        self.role, self.endpoint = role, endpoint
        self.refused: dict[str, int] = {}

    def handle(self, data: bytes) -> bytes:
        """Return the answer to a greeting or a sealed request, or an unsealed refusal that tells nothing but why."""
        try:
            if data[:1] == GREETING:
                return self.endpoint.answer(data)
            sender, count, content = self.endpoint.open(data)
        except WireError as error:
            name = type(error).__name__
            self.refused[name] = self.refused.get(name, 0) + 1
            return REFUSAL + encode([name, str(error)])
        return self.endpoint.reply(sender, count, self._serve(sender, content))

    def _serve(self, sender: str, content: bytes) -> bytes:
        first = len(self.role.meter.steps)
        try:
            round, kind, arguments = decode(content, tuple[int, str, tuple[Any, ...]])
            value = self._once(sender, round, kind, arguments, hashlib.sha256(content).digest())
            reply: list[Any] = [True, value]
        except BflError as error:
            reply = [False, described(error)]
        steps = self.role.meter.steps[first:]
        del self.role.meter.steps[first:]  # they travel with the answer
        return encode([*reply, steps])

    def _once(self, sender: str, round: int, kind: str, arguments: tuple[Any, ...], digest: bytes) -> bytes:
        method: Any = getattr(self.role, kind, None)
        if not hasattr(method, "request"):
            raise Corrupt(f"{self.role.name!r} knows no request {kind!r}")
        askers, kept = method.request
        if askers and sender not in askers:
            raise Stranger(f"{self.role.name!r} answers {kind!r} to {' and '.join(askers)}, not to {sender!r}")
        given = fit(arguments, _accepted(method))
        if not kept:
            return encode(method(*given))
        before = self.role.store.get(round, f"answer {kind}")
        if before is not None:
            asked, answer = decode(before, tuple[bytes, bytes])
            if asked != digest:
                raise OutOfOrder(f"{self.role.name!r} was asked {kind!r} otherwise before in round {round}")
            return answer
        try:
            with self.role.store.transaction():
                answer = encode(method(*given))
                self._keep(round, kind, digest, answer)
        except BflError:
            self.role.restore()  # memory must not run ahead of the disk
            raise
        return answer

    def _keep(self, round: int, kind: str, digest: bytes, answer: bytes) -> None:
        self.role.store.put(round, f"answer {kind}", encode([digest, answer]))


class Transport(Protocol):
    """Carries bytes to roles and brings theirs back. It may lose, delay, repeat or alter them: nobody trusts it."""

    def post(self, parcels: Mapping[str, bytes]) -> dict[str, bytes | PeerLost]:
        """Return what each role answers to its parcel, or how it was lost."""


class Caller:
    """Asks other roles in sealed envelopes, and asks again where an answer is lost.

    Attributes:
        endpoint: this role's end of the wire.
        meter: where the answering roles' steps and the bytes of both directions are noted.
        attempts: how often a lost role is asked.
    """

    def __init__(
        self, endpoint: Endpoint, transport: Transport, meter: Meter, *, attempts: int = 2, pause: float = 0.0
    ) -> None:
        """Call from `endpoint` over `transport`; ask a lost role `attempts` times, `pause` seconds apart."""
        self.endpoint, self._transport, self.meter = endpoint, transport, meter
        self.attempts, self._pause = attempts, pause

    def call(self, peer: str, round: int, kind: str, *arguments: Any, gives: Any) -> Any:
        """Return the answer of one role, of type `gives`.

        Raises:
            PeerLost: it does not answer.
            BflError: it refused; the error is the one that it raised.
        """
        answer = self.call_all({peer: arguments}, round, kind, gives=gives)[peer]
        if isinstance(answer, BflError):
            raise answer
        return answer

    def call_all(
        self, arguments: Mapping[str, tuple[Any, ...]], round: int, kind: str, *, gives: Any
    ) -> dict[str, Any | BflError]:
        """Ask several roles at once; return each one's answer of type `gives`, or the error that came instead."""
        contents = {peer: encode([round, kind, list(given)]) for peer, given in arguments.items()}
        found: dict[str, Any | BflError] = {}
        for attempt in range(self.attempts):
            waiting = {
                p: c for p, c in contents.items() if p not in found or isinstance(found[p], PeerLost | WireError)
            }
            if attempt and waiting:
                time.sleep(self._pause)
            found |= self._exchange(waiting, kind, gives)
        return {peer: found[peer] for peer in contents}

    def _exchange(
        self, contents: Mapping[str, bytes], kind: str, gives: Any, *, again: bool = True
    ) -> dict[str, Any | BflError]:
        found: dict[str, Any | BflError] = self._meet([peer for peer in contents if not self.endpoint.knows(peer)])
        parcels = {peer: self.endpoint.seal(peer, c) for peer, c in contents.items() if peer not in found}
        forgotten: list[str] = []
        for peer, reply in self._transport.post(parcels).items():
            try:
                content = self.endpoint.read(peer, _arrived(reply))
                found[peer] = self._answer(peer, kind, content, gives, len(parcels[peer]), len(_arrived(reply)))
            except NoSession as error:  # the peer was restarted: greet it anew
                self.endpoint.part(peer)
                found[peer] = PeerLost(f"{peer} does not keep its sessions: {error}")
                forgotten.append(peer)
            except BflError as error:
                found[peer] = error
        if forgotten and again:
            found |= self._exchange({peer: contents[peer] for peer in forgotten}, kind, gives, again=False)
        return found

    def _meet(self, peers: list[str]) -> dict[str, Any | BflError]:
        lost: dict[str, Any | BflError] = {}
        for peer, answer in self._transport.post({peer: self.endpoint.greet(peer) for peer in peers}).items():
            try:
                self.endpoint.meet(peer, _arrived(answer))
            except BflError as error:
                lost[peer] = error
        return lost

    def _answer(self, peer: str, kind: str, content: bytes, gives: Any, sent: int, received: int) -> Any:
        good, value, taken = decode(content, tuple[bool, bytes, tuple[Step, ...]])
        steps = list(taken) or [Step(kind, peer)]
        steps[0].asked, steps[-1].sent = sent, received
        self.meter.steps.extend(steps)
        if not good:
            raise error_of(value)
        return decode(value, gives)


def _arrived(reply: bytes | PeerLost) -> bytes:
    """Return a reply that is there and no refusal. Nobody vouches for a refusal: it may only end the call."""
    if isinstance(reply, PeerLost):
        raise reply
    if reply[:1] == REFUSAL:
        name, message = decode(reply[1:], tuple[str, str])
        kind = getattr(errors, name, WireError)
        raise kind(message) if isinstance(kind, type) and issubclass(kind, WireError) else WireError(message)
    return reply


@cache
def _accepted(method: Callable[..., Any]) -> Any:
    hints = typing.get_type_hints(method)
    hints.pop("return", None)
    return types.GenericAlias(tuple, tuple(hints.values()))


def described(error: BflError) -> bytes:
    """Return name and message of an error, and what the contract said where one raised it, for `error_of`."""
    values = getattr(error, "values", None)
    contract = [getattr(error, "error", ""), values] if isinstance(values, dict) else []
    return encode([type(error).__name__, str(error), *contract])


def error_of(description: bytes) -> BflError:
    """Return the error that a role describes; one that needs more than a message, as the nearest above it."""
    name, message, *contract = decode(description, Any)
    kind: Any = getattr(errors, str(name), None)
    if not (isinstance(kind, type) and issubclass(kind, BflError)):
        raise Corrupt(f"a role reports the unknown error {name!r}")
    if issubclass(kind, errors.ContractRefused) and len(contract) == 2:
        return kind(str(message), *contract)
    while "__init__" in vars(kind):
        kind = kind.__base__
    return kind(str(message))
