"""Sealed envelopes between roles: who sends is proven, what is sent is secret, and each message counts once.

Two roles greet each other by a Diffie–Hellman exchange of fresh X25519 keys, signed by the Ed25519 keys of their
cards (the sign-and-bind pattern of ISO/IEC 9798-3 and SIGMA). HKDF-SHA256 over the transcript yields a key for each
direction; AES-256-GCM seals what follows, under a counter that may only rise. A message replayed, reordered,
corrupted, redirected or sent by a stranger is refused, and past traffic stays secret when a card's key is lost later.

TLS between machines would prove the *node* and not the *role*: any process inside the cluster could speak for any
hospital, and whoever runs the scheduler could read along. The envelope ends inside the role itself.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field

from cryptography.exceptions import InvalidSignature, InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from bfl_stpc.errors import Corrupt, Forged, NoSession, Replayed, Stranger
from bfl_stpc.system.codec import decode, encode

GREETING, ANSWER, MESSAGE = b"G", b"A", b"M"
PENDING = 4  # greetings of one peer that wait for a first message; an older one is forgotten
_LABEL = b"BFL-STPC wire/1"


@dataclass
class _Session:
    peer: str
    send: AESGCM = field(repr=False)
    receive: AESGCM = field(repr=False)
    sent: int = 0
    received: int = 0


class Endpoint:
    """One role's end of every connection: its key, the cards of the others, and its sessions.

    Attributes:
        name: the role's name.
        cards: Ed25519 public key (32 bytes) of each role, by name.
    """

    def __init__(self, name: str, key: Ed25519PrivateKey, cards: Mapping[str, bytes]) -> None:
        """Create the end of `name`, whose card must be that of `key`.

        Raises:
            Stranger: it is not.
        """
        if cards.get(name) != key.public_key().public_bytes_raw():
            raise Stranger(f"the card of {name!r} is not that of its own key")
        self.name, self.cards, self._key = name, dict(cards), key
        self._calls: dict[str, tuple[bytes, _Session]] = {}  # sessions that this end opened, by peer
        self._served: dict[str, tuple[bytes, _Session]] = {}  # sessions of peers that have spoken, by peer
        self._pending: dict[str, dict[bytes, _Session]] = {}
        self._greetings: dict[str, tuple[bytes, X25519PrivateKey]] = {}

    def restarted(self) -> Endpoint:
        """Return the end of the same role in a new life of its process: without a session."""
        return Endpoint(self.name, self._key, self.cards)

    def greet(self, peer: str) -> bytes:
        """Return a greeting for `peer`; its answer goes to `meet`. Ends the session that this end had opened."""
        self._card(peer)
        ephemeral = X25519PrivateKey.generate()
        body = encode([self.name, peer, ephemeral.public_key().public_bytes_raw(), os.urandom(16)])
        greeting = GREETING + encode([body, self._key.sign(_LABEL + GREETING + body)])
        self._calls.pop(peer, None)
        self._greetings[peer] = (greeting, ephemeral)
        return greeting

    def answer(self, greeting: bytes) -> bytes:
        """Return the answer to a peer's greeting.

        Raises:
            Stranger: the peer has no card, or its key did not sign.
            Forged: the greeting is for another role, or no greeting.
        """
        sender, theirs = self._greeted(greeting)
        ephemeral = X25519PrivateKey.generate()
        body = encode([self.name, sender, ephemeral.public_key().public_bytes_raw()])
        answer = ANSWER + encode([body, self._key.sign(_LABEL + ANSWER + greeting + body)])
        identifier, first, second = _derive(ephemeral, theirs, greeting + answer)
        waiting = self._pending.setdefault(sender, {})
        waiting[identifier] = _Session(sender, send=AESGCM(second), receive=AESGCM(first))
        while len(waiting) > PENDING:
            waiting.pop(next(iter(waiting)))
        return answer

    def meet(self, peer: str, answer: bytes) -> None:
        """Take the answer of `peer` to this end's last greeting; messages can be sealed for it from now on.

        Raises:
            Stranger: the key of the peer's card did not sign it.
            Forged: it answers another greeting, or is no answer.
        """
        if peer not in self._greetings:
            raise Forged(f"{self.name!r} has not greeted {peer!r}")
        greeting, ephemeral = self._greetings[peer]
        body, signature = _parts(answer, ANSWER)
        self._verify(peer, signature, ANSWER + greeting + body)
        sender, recipient, theirs = _fields(body, tuple[str, str, bytes])
        if (sender, recipient) != (peer, self.name):
            raise Forged(f"an answer of {sender!r} for {recipient!r} came to {self.name!r} as from {peer!r}")
        identifier, first, second = _derive(ephemeral, theirs, greeting + answer)
        del self._greetings[peer]
        self._calls[peer] = (identifier, _Session(peer, send=AESGCM(first), receive=AESGCM(second)))

    def part(self, peer: str) -> None:
        """Forget the session that this end opened with `peer`."""
        self._calls.pop(peer, None)

    def knows(self, peer: str) -> bool:
        """Return whether this end has a session with `peer` to call it in."""
        return peer in self._calls

    def seal(self, peer: str, content: bytes) -> bytes:
        """Return `content` sealed for `peer`, under the next count.

        Raises:
            NoSession: this end has not met `peer`.
        """
        identifier, session = self._call(peer)
        session.sent += 1
        return _sealed(session.send, identifier, session.sent, content)

    def open(self, sealed: bytes) -> tuple[str, int, bytes]:
        """Return sender, count and content of a message that a peer sealed for this end.

        Raises:
            NoSession: its keys are of another life of this process, or of a greeting that was forgotten.
            Replayed: its count is not above the last.
            Forged: it does not open.
        """
        identifier, count, box = _read(sealed)
        session = next((s for i, s in self._served.values() if i == identifier), None)
        if session is None:
            session = next((w[identifier] for w in self._pending.values() if identifier in w), None)
        if session is None:
            raise NoSession(f"{self.name!r} has no such session: greet it again")
        if count <= session.received:
            raise Replayed(f"message {count} of {session.peer!r} came to {self.name!r} again, or out of turn")
        content = _opened(session.receive, identifier, count, box, session.peer)
        session.received = count
        if self._pending.get(session.peer, {}).pop(identifier, None):
            self._served[session.peer] = (identifier, session)
        return session.peer, count, content

    def reply(self, peer: str, count: int, content: bytes) -> bytes:
        """Return `content` sealed for `peer` as the reply to its message number `count`."""
        identifier, session = self._served[peer]
        return _sealed(session.send, identifier, count, content)

    def read(self, peer: str, reply: bytes) -> bytes:
        """Return the content of the reply of `peer` to this end's last message.

        Raises:
            NoSession: this end has not met `peer`.
            Replayed: it replies to another message.
            Forged: it does not open.
        """
        own, session = self._call(peer)
        identifier, count, box = _read(reply)
        if identifier != own:
            raise NoSession(f"the reply of {peer!r} is of another session")
        if count != session.sent or count <= session.received:
            raise Replayed(f"{peer!r} replied to message {count}; the last was {session.sent}")
        content = _opened(session.receive, identifier, count, box, peer)
        session.received = count
        return content

    def _call(self, peer: str) -> tuple[bytes, _Session]:
        if peer not in self._calls:
            raise NoSession(f"{self.name!r} has not met {peer!r}: greet it first")
        return self._calls[peer]

    def _card(self, peer: str) -> bytes:
        if peer not in self.cards:
            raise Stranger(f"{peer!r} has no card at {self.name!r}")
        return self.cards[peer]

    def _verify(self, peer: str, signature: bytes, signed: bytes) -> None:
        try:
            Ed25519PublicKey.from_public_bytes(self._card(peer)).verify(signature, _LABEL + signed)
        except InvalidSignature as error:
            raise Stranger(f"the key of {peer!r} did not sign what came to {self.name!r} in its name") from error

    def _greeted(self, greeting: bytes) -> tuple[str, bytes]:
        body, signature = _parts(greeting, GREETING)
        sender, recipient, theirs, _ = _fields(body, tuple[str, str, bytes, bytes])
        self._verify(sender, signature, GREETING + body)
        if recipient != self.name:
            raise Forged(f"a greeting of {sender!r} for {recipient!r} came to {self.name!r}")
        return sender, theirs


def _parts(data: bytes, kind: bytes) -> tuple[bytes, bytes]:
    if data[:1] != kind:
        raise Forged("this is not what was asked for")
    body, signature = _fields(data[1:], tuple[bytes, bytes])
    return body, signature


def _fields(data: bytes, kind: type) -> tuple:
    try:
        return decode(data, kind)
    except Corrupt as error:
        raise Forged("the message does not have the form that it must have") from error


def _derive(ephemeral: X25519PrivateKey, theirs: bytes, transcript: bytes) -> tuple[bytes, bytes, bytes]:
    """Return session identifier (16 bytes) and the keys (32 bytes) of the two directions, the greeter's first."""
    try:
        secret = ephemeral.exchange(X25519PublicKey.from_public_bytes(theirs))
    except ValueError as error:
        raise Forged("the greeting holds no usable key") from error
    digest = hashes.Hash(hashes.SHA256())
    digest.update(transcript)
    keys = HKDF(hashes.SHA256(), length=80, salt=digest.finalize(), info=_LABEL).derive(secret)
    return keys[:16], keys[16:48], keys[48:]


def _sealed(key: AESGCM, identifier: bytes, count: int, content: bytes) -> bytes:
    head = MESSAGE + identifier + count.to_bytes(8, "big")
    return head + key.encrypt(count.to_bytes(12, "big"), content, head)


def _read(sealed: bytes) -> tuple[bytes, int, bytes]:
    if sealed[:1] != MESSAGE or len(sealed) < 25 + 16:
        raise Forged("this is no sealed message")
    return sealed[1:17], int.from_bytes(sealed[17:25], "big"), sealed[25:]


def _opened(key: AESGCM, identifier: bytes, count: int, box: bytes, peer: str) -> bytes:
    try:
        return key.decrypt(count.to_bytes(12, "big"), box, MESSAGE + identifier + count.to_bytes(8, "big"))
    except InvalidTag as error:
        raise Forged(f"message {count} in the name of {peer!r} does not open: it was altered") from error
