"""FEACS-style: central training on records in attribute-policy encrypted storage, behind an access decision.

The paper names "FEACS" and gives no reference that can be read. Considered: "FEACS: A Flexible and Efficient Access
Control Scheme for Cloud Computing" (TrustCom 2014, 10.1109/TrustCom.2014.42), by ciphertext-policy attribute-based
encryption (CP-ABE) with revocation. It trains no model; a system that is compared by accuracy must, so the collected
records are trained on centrally. Chosen here:

- **Policies** are disjunctions of clauses of attributes. A record's key (AES-256-GCM) is wrapped (RFC 3394) once for
  each clause, under a key derived (HKDF) from the keys of all its attributes. This **stands in for CP-ABE**: no library
  in this environment has it. What it lacks is collusion resistance: two users who pool their attribute keys satisfy a
  clause that neither satisfies, which CP-ABE prevents. A test shows it; the access decision still refuses both.
- **Decision**: a server decides by the subject's attributes, purpose and the record's policy (ABAC), and logs it.
- **Revocation** gives the lost attributes new keys and encrypts every record that names them anew.
- **No ledger**: users prove their keys (Ed25519) to the server, and the log is the server's own: it proves nothing.
"""

from __future__ import annotations

import secrets
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from cryptography.exceptions import InvalidSignature, InvalidTag
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.keywrap import InvalidUnwrap, aes_key_unwrap, aes_key_wrap

from bfl_stpc.baselines import controls
from bfl_stpc.baselines.cohort import Patients, Records
from bfl_stpc.baselines.report import Card, Costs, Exposure, Report, View, costs
from bfl_stpc.errors import (
    AccessDenied,
    ConfigError,
    ExpiredChallenge,
    NotAMember,
    ReaderUnknown,
    RecordMissing,
    RecordTampered,
    ReplayedLogin,
    RevokedHospital,
    SessionRefused,
    UnknownNonce,
    WrongSignature,
)
from bfl_stpc.system import Meter

CARD = Card(
    name="FEACS-style",
    source="10.1109/TrustCom.2014.42",
    unit="collection",
    throughput="bits of sealed records stored and opened for training; training moves nothing and is left out",
    views=(
        View("trainer", Exposure.RECORDS, "all records, and the model"),
        View("attribute authority", Exposure.RECORDS, "all keys, so all records"),
        View("storage server", Exposure.NOTHING, "all records are gone, and its log with them"),
    ),
    learns="central",
)
Policy = tuple[frozenset[str], ...]  # any one clause, all of whose attributes a reader holds
CHALLENGE_SECONDS = 300
TRAINER = ("role:trainer", "purpose:research")


@dataclass(frozen=True)
class Sealed:
    """A stored record: version, nonce and ciphertext, and its key wrapped once for each clause."""

    owner: str
    policy: Policy
    version: int
    content: bytes
    wraps: tuple[bytes, ...]


@dataclass(frozen=True)
class Decision:
    """One line of the server's log."""

    time: int
    subject: str
    record: int
    purpose: str
    permitted: bool
    reason: str


class User:
    """A user: an Ed25519 key, and the attribute keys that the authority handed out."""

    def __init__(self, name: str) -> None:
        self.name, self.held = name, dict[str, bytes]()
        self._key = Ed25519PrivateKey.generate()
        self.public = self._key.public_key()

    def sign(self, challenge: bytes) -> bytes:
        """Return the signature of a challenge."""
        return self._key.sign(challenge)


@dataclass
class Authority:
    """Issues attribute keys; a new version of a key makes the old one worthless for what is sealed after."""

    keys: dict[str, bytes] = field(default_factory=dict, repr=False)
    holders: dict[str, list[User]] = field(default_factory=dict, repr=False)

    def issue(self, user: User, attributes: Iterable[str]) -> None:
        """Hand the keys of `attributes` to `user`."""
        for name in attributes:
            user.held[name] = self.keys.setdefault(name, secrets.token_bytes(32))
            self.holders.setdefault(name, []).append(user)

    def revoke(self, user: User) -> frozenset[str]:
        """Renew the keys of all attributes of `user`, for all other holders; return the attributes."""
        lost = frozenset(name for name, holders in self.holders.items() if user in holders)
        for name in sorted(lost):
            self.holders[name].remove(user)
            self.keys[name] = secrets.token_bytes(32)
            for holder in self.holders[name]:
                holder.held[name] = self.keys[name]
        return lost

    def attributes(self, user: str) -> frozenset[str]:
        """Return what a user holds now."""
        return frozenset(name for name, holders in self.holders.items() if user in [h.name for h in holders])


def clause_key(keys: Mapping[str, bytes], clause: Collection[str]) -> bytes:
    """Return the wrapping key of a clause (32 bytes), of the keys of all its attributes.

    Raises:
        ReaderUnknown: a key is missing.
    """
    if missing := sorted(set(clause) - set(keys)):
        raise ReaderUnknown(f"no key of attribute {missing[0]} is held")
    joined = b"".join(keys[name] for name in sorted(clause))
    return HKDF(SHA256(), 32, salt=None, info=b"FEACS-style clause" + "&".join(sorted(clause)).encode()).derive(joined)


def context(owner: str, record: int, version: int, policy: Policy) -> bytes:
    """Return what a ciphertext is bound to."""
    return repr((owner, record, version, [sorted(clause) for clause in policy])).encode()


def seal(plain: bytes, owner: str, record: int, version: int, policy: Policy, clause_keys: Sequence[bytes]) -> Sealed:
    """Return `plain` encrypted under a fresh key that is wrapped for each clause of `policy`."""
    key, nonce = AESGCM.generate_key(256), secrets.token_bytes(12)
    content = nonce + AESGCM(key).encrypt(nonce, plain, context(owner, record, version, policy))
    return Sealed(owner, policy, version, content, tuple(aes_key_wrap(k, key) for k in clause_keys))


class Service:
    """The storage server with its access decision.

    Attributes:
        authority: issues attribute keys.
        now: seconds; the simulation's clock.
        records: sealed records by number, or None where one was erased.
        log: of decisions; the server's own, so that it proves nothing.
        meter: where steps are noted.
    """

    def __init__(self, authority: Authority) -> None:
        self.authority, self.meter = authority, Meter()
        self.now = 0
        self.records: dict[int, Sealed] = {}
        self.log: list[Decision] = []
        self.users: dict[str, Ed25519PublicKey] = {}
        self.revoked: set[str] = set()
        self._challenges: dict[bytes, tuple[str, int]] = {}
        self._spent: set[bytes] = set()
        self._sessions: set[str] = set()

    def register(self, user: User) -> None:
        """Let the server know a user's key."""
        self.users[user.name] = user.public

    def challenge(self, name: str) -> bytes:
        """Return a challenge for user `name`: the server, the user and 32 fresh bytes."""
        nonce = b"FEACS-style login" + name.encode() + secrets.token_bytes(32)
        self._challenges[nonce] = (name, self.now + CHALLENGE_SECONDS)
        return nonce

    def login(self, name: str, challenge: bytes, signature: bytes) -> None:
        """Open a session for user `name`.

        Raises:
            LoginRefused, NotAMember: the subclass says why; nothing is opened.
        """
        values: dict[str, object] = {"user": name}
        if name not in self.users:
            raise NotAMember(f"no user is called {name}", "UserUnknown", values)
        if name in self.revoked:
            raise RevokedHospital(f"{name} was revoked", "UserRevoked", values)
        if challenge in self._spent:
            raise ReplayedLogin("the challenge was answered before", "ChallengeSpent", values)
        if self._challenges.get(challenge, ("", 0))[0] != name:
            raise UnknownNonce(f"the challenge was never given to {name}", "ChallengeUnknown", values)
        if self.now > self._challenges[challenge][1]:
            raise ExpiredChallenge("the challenge came too late", "ChallengeExpired", values)
        try:
            self.users[name].verify(signature, challenge)
        except InvalidSignature as error:
            raise WrongSignature(f"the challenge is not signed by {name}", "ChallengeSignature", values) from error
        self._spent.add(challenge)
        self._sessions.add(name)

    def authenticate(self, user: User) -> None:
        """Log `user` in, from the request for a challenge to the verdict."""
        with self.meter.step("authenticate", user.name):
            challenge = self.challenge(user.name)
            self.login(user.name, challenge, user.sign(challenge))

    def store(self, owner: User, plains: Sequence[bytes], policy: Policy) -> list[int]:
        """Seal the records of `owner` and keep them; return their numbers."""
        self._session(owner.name)
        numbers = list(range(len(self.records), len(self.records) + len(plains)))
        with self.meter.step("protect", owner.name) as step:
            keys = self._clause_keys(policy)
            sealed = [seal(p, owner.name, n, 1, policy, keys) for n, p in zip(numbers, plains)]
            step.sent = step.update = sum(_size(s) for s in sealed)
        with self.meter.step("commit", owner.name):
            self.records.update(zip(numbers, sealed))
        return numbers

    def fetch(self, user: User, numbers: Iterable[int], purpose: str) -> list[Sealed]:
        """Return sealed records if the policy of each permits `user` this purpose.

        Raises:
            SessionRefused: the user is not logged in.
            RecordMissing: a record is not here.
            AccessDenied: refused, and logged.
        """
        self._session(user.name)
        found = []
        attributes = self.authority.attributes(user.name)
        for number in numbers:
            if number not in self.records:
                raise RecordMissing(f"record {number} is not in the store")
            sealed = self.records[number]
            allowed = f"purpose:{purpose}" in attributes and any(clause <= attributes for clause in sealed.policy)
            reason = "" if allowed else "no clause of the policy holds for this subject and purpose"
            self.log.append(Decision(self.now, user.name, number, purpose, allowed, reason))
            if not allowed:
                raise AccessDenied(f"{user.name} may not read record {number} for {purpose}: {reason}", self.log[-1])
            found.append(sealed)
        return found

    def revoke(self, user: User) -> int:
        """Revoke a user: new attribute keys, and every record that names them sealed anew; return how many.

        The authority opens and seals on behalf of the owners: a proxy that sees records, as in the source's setting
        the re-encrypting server must not. It is one reason why `CARD` says what the authority sees.
        """
        before = dict(self.authority.keys)
        lost = self.authority.revoke(user)
        self.revoked.add(user.name)
        self._sessions.discard(user.name)
        renewed = 0
        for number, sealed in self.records.items():
            if any(clause & lost for clause in sealed.policy):
                plain = unseal(sealed, number, before, range(len(sealed.policy)))
                keys = self._clause_keys(sealed.policy)
                self.records[number] = seal(plain, sealed.owner, number, sealed.version + 1, sealed.policy, keys)
                renewed += 1
        return renewed

    def _clause_keys(self, policy: Policy) -> list[bytes]:
        return [clause_key(self.authority.keys, clause) for clause in policy]

    def _session(self, name: str) -> None:
        if name not in self._sessions:
            raise SessionRefused(f"{name} is not logged in", "NoSession", {"user": name})


def unseal(sealed: Sealed, number: int, keys: Mapping[str, bytes], clauses: Iterable[int]) -> bytes:
    """Return the record behind `sealed`, by the first of the `clauses` whose attribute keys are all held.

    Raises:
        ReaderUnknown: the keys satisfy no clause, or are no longer valid.
        RecordTampered: the ciphertext, its owner, number, version or policy was altered.
    """
    for clause in clauses:
        try:
            key = aes_key_unwrap(clause_key(keys, sealed.policy[clause]), sealed.wraps[clause])
        except (ReaderUnknown, InvalidUnwrap):
            continue
        bound = context(sealed.owner, number, sealed.version, sealed.policy)
        try:
            return AESGCM(key).decrypt(sealed.content[:12], sealed.content[12:], bound)
        except InvalidTag as error:
            raise RecordTampered(f"record {number} was altered") from error
    raise ReaderUnknown(f"the attribute keys open no clause of record {number}")


def pack(records: Records) -> list[bytes]:
    """Return each record's bytes: recorded values and outcome, little-endian float32."""
    return [row.tobytes() for row in np.column_stack([records.X, records.y]).astype("<f4")]


def unpack(rows: Sequence[bytes], width: int) -> Records:
    """Return the records behind `rows`, of `width` values and an outcome each; inverse of `pack`.

    Raises:
        ConfigError: a row has another length.
    """
    if any(len(row) != 4 * (width + 1) for row in rows):
        raise ConfigError(f"a record of {width} values and an outcome has {4 * (width + 1)} bytes")
    table = np.frombuffer(b"".join(rows), "<f4").reshape(len(rows), width + 1)
    return Records(table[:, :-1].astype(np.float32), table[:, -1].astype(np.float32))


@dataclass
class Deployment:
    """Server, hospitals, a trainer, and the numbers of each hospital's records."""

    service: Service
    hospitals: dict[str, User]
    trainer: User
    numbers: dict[str, list[int]]
    width: int

    @classmethod
    def fill(cls, records: Mapping[str, Records]) -> Deployment:
        """Return a deployment whose server holds `records`, sealed for their hospital and for the trainer."""
        service, trainer = Service(Authority()), User("trainer")
        service.authority.issue(trainer, TRAINER)
        service.register(trainer)
        hospitals, numbers = {}, {}
        for name, own in records.items():
            hospitals[name] = User(name)
            service.authority.issue(hospitals[name], (f"hospital:{name}", "purpose:treatment"))
            service.register(hospitals[name])
            service.authenticate(hospitals[name])
            policy = (frozenset(TRAINER), frozenset({f"hospital:{name}", "purpose:treatment"}))
            numbers[name] = service.store(hospitals[name], pack(own), policy)
        return cls(service, hospitals, trainer, numbers, next(iter(records.values())).X.shape[1])

    def collect(self) -> dict[str, Records]:
        """Return all records as the trainer opens them: authenticated, decided upon, decrypted."""
        self.service.authenticate(self.trainer)
        collected = {}
        for name, numbers in self.numbers.items():
            with self.service.meter.step("aggregate", "trainer") as step:
                sealed = self.service.fetch(self.trainer, numbers, "research")
                step.sent = sum(_size(s) for s in sealed)
                rows = [unseal(s, n, self.trainer.held, (0,)) for n, s in zip(numbers, sealed)]
                collected[name] = unpack(rows, self.width)
        return collected


def run(patients: Patients, settings: controls.Settings | None = None) -> Report:
    """Return the report of central training on the records that the trainer collected."""
    records = Deployment.fill(patients.records).collect()
    return controls.report_central(CARD.name, patients.tables(records), patients, settings)


def operate(patients: Patients) -> tuple[Deployment, Costs]:
    """Return a deployment from which all training records were collected once, and what that costs."""
    records = patients.records
    deployment = Deployment.fill(records)
    deployment.collect()
    values = round(np.mean([r.X.size + r.y.size for r in records.values()]))
    return deployment, costs(deployment.service.meter.steps, runs=1, operations=1, parameters=values)


def _size(sealed: Sealed) -> int:
    return len(sealed.content) + sum(map(len, sealed.wraps))
