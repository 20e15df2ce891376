"""Hospitals, their keys, and logging in: the Python side of `HospitalRegistry.sol`."""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from bfl_stpc.errors import ConfigError, NotAMember
from bfl_stpc.ledger.chain import Chain, Receipt
from bfl_stpc.ledger.contract import Contract
from bfl_stpc.ledger.identity import Identity, name32, text

CHALLENGE_SECONDS = 300
SESSION_SECONDS = 3600
LOGIN_TYPES = {
    "Login": [
        {"name": "key", "type": "address"},
        {"name": "nonce", "type": "uint256"},
        {"name": "round", "type": "uint64"},
        {"name": "model", "type": "bytes32"},
        {"name": "expiry", "type": "uint64"},
    ]
}
ROTATION_TYPES = {
    "Rotation": [
        {"name": "name", "type": "bytes32"},
        {"name": "key", "type": "address"},
        {"name": "keyVersion", "type": "uint32"},
    ]
}


def domain(contract: str, chain_id: int, address: str) -> dict[str, Any]:
    """Return the EIP-712 domain of one of our contracts: a signature for one is worth nothing to another."""
    return {"name": f"BFL-STPC {contract}", "version": "1", "chainId": chain_id, "verifyingContract": address}


@dataclass(frozen=True)
class Challenge:
    """What a hospital signs to log in, and the domain in which it signs.

    Attributes:
        chain_id, registry: the domain.
        key: address that logs in.
        nonce: number of logins of this key so far.
        round, model: what the session is for; `model` is the SHA-256 of the global weights.
        expiry: seconds since 1970 after which the challenge is worthless.
    """

    chain_id: int
    registry: str
    key: str
    nonce: int
    round: int
    model: bytes
    expiry: int

    def sign(self, identity: Identity) -> bytes:
        """Return the EIP-712 signature of `identity` over this challenge (65 bytes)."""
        message = {
            "key": self.key,
            "nonce": self.nonce,
            "round": self.round,
            "model": self.model,
            "expiry": self.expiry,
        }
        return identity.sign_typed(domain("HospitalRegistry", self.chain_id, self.registry), LOGIN_TYPES, message)

    def request(self) -> tuple[Any, ...]:
        """Return the `LoginRequest` that the contract takes."""
        return (self.chain_id, self.registry, self.key, self.nonce, self.round, self.model, self.expiry)


@dataclass(frozen=True)
class Session:
    """A login that the contract accepted.

    Attributes:
        hospital: name.
        round, model: what the session is for.
        valid_until: end of the session, in seconds since 1970.
        gas: gas of the login.
        ms: milliseconds by step: challenge, typed (sign the challenge), build, sign, submit, execute, mine,
            receipt, decode. Their sum is the authentication time: challenge request to the contract's verdict.
    """

    hospital: str
    round: int
    model: bytes
    valid_until: int
    gas: int
    ms: Mapping[str, float]

    @property
    def total_ms(self) -> float:
        """Return the milliseconds from asking for the challenge to having the verdict."""
        return sum(self.ms.values())


@dataclass(frozen=True)
class Hospital:
    """A hospital as the registry has it.

    Attributes:
        name: ASCII name.
        address: address of its key now.
        index: place in ledger order.
        status: active, suspended or revoked.
        key_version: 1 at registration, one more at each rotation.
    """

    name: str
    address: str
    index: int
    status: str
    key_version: int


class Registry:
    """The hospital registry of one chain. Refusals are subclasses of `ContractRefused`."""

    STATUS = ("unknown", "active", "suspended", "revoked")

    def __init__(self, contract: Contract) -> None:
        """Wrap a deployed `HospitalRegistry`."""
        self.contract = contract
        self._order: list[str] = []

    @classmethod
    def deploy(cls, chain: Chain, admin: Identity, *, session_seconds: int = SESSION_SECONDS) -> "Registry":
        """Deploy a registry owned by `admin`, whose sessions last `session_seconds` (1 to 86400)."""
        return cls(Contract.deploy(chain, "HospitalRegistry", admin, admin.address, session_seconds)[0])

    def register(self, admin: Identity, name: str, address: str) -> Receipt:
        """Register an active hospital at the next place in ledger order."""
        return self.contract.send(admin, "register", name32(name), address)

    def suspend(self, admin: Identity, name: str) -> Receipt:
        """Suspend a hospital until `reinstate`."""
        return self.contract.send(admin, "suspend", name32(name))

    def reinstate(self, admin: Identity, name: str) -> Receipt:
        """Make a suspended hospital active again."""
        return self.contract.send(admin, "reinstate", name32(name))

    def revoke(self, admin: Identity, name: str) -> Receipt:
        """Revoke a hospital for good."""
        return self.contract.send(admin, "revoke", name32(name))

    def rotate_key(self, sender: Identity, name: str, new: Identity) -> Receipt:
        """Let `new` speak for hospital `name`; `sender` is its present key or the owner. `new` proves possession."""
        version = self.hospital(name).key_version + 1
        message = {"name": name32(name), "key": new.address, "keyVersion": version}
        proof = new.sign_typed(self._domain(), ROTATION_TYPES, message)
        return self.contract.send(sender, "rotateKey", name32(name), new.address, proof)

    def challenge(self, address: str, *, round: int, model: bytes) -> Challenge:
        """Return the challenge that `address` must sign to log in for `round` and `model` (32 bytes)."""
        if len(model) != 32:
            raise ConfigError(f"model digest has {len(model)} bytes; SHA-256 has 32")
        chain, here = self.contract.chain, self.contract.address
        nonce = self.contract.ask("nonces", address)
        return Challenge(chain.chain_id, here, address, nonce, round, model, chain.now() + CHALLENGE_SECONDS)

    def answer(self, relay: Identity, challenge: Challenge, signature: bytes) -> Receipt:
        """Bring a signed challenge to the contract. Anyone may relay it: the signature is the authority."""
        return self.contract.send(relay, "login", challenge.request(), signature)

    def login(self, identity: Identity, *, round: int, model: bytes) -> Session:
        """Ask for a challenge, sign it, and have the contract verify it and open a session.

        Raises:
            LoginRefused, NotAMember, ContractPaused: see the tree of errors. Nothing was opened.
        """
        start = time.perf_counter()
        challenge = self.challenge(identity.address, round=round, model=model)
        asked = time.perf_counter()
        signature = challenge.sign(identity)
        typed = time.perf_counter()
        receipt = self.answer(identity, challenge, signature)
        mined = time.perf_counter()
        (event,) = self.contract.events(receipt.logs)
        ms = {"challenge": 1e3 * (asked - start), "typed": 1e3 * (typed - asked), **receipt.ms}
        ms["build"] += 1e3 * (mined - typed) - receipt.total_ms  # encoding the call
        ms["decode"] = 1e3 * (time.perf_counter() - mined)
        name = text(event.values["name"])
        return Session(name, round, model, event.values["validUntil"], receipt.gas, ms)

    def hospital(self, name: str) -> Hospital:
        """Return the record of hospital `name`; status "unknown" if there is none."""
        f = self.contract.fields("hospital", name32(name))
        address = self.contract.chain.web3.to_checksum_address(f["key"])
        return Hospital(name, address, f["index"], self.STATUS[f["status"]], f["keyVersion"])

    def order(self) -> tuple[str, ...]:
        """Return the names of all hospitals ever registered, in ledger order. A place never changes its name."""
        for place in range(len(self._order), self.contract.ask("size")):
            self._order.append(text(self.contract.ask("nameAt", place)))
        return tuple(self._order)

    def place(self, name: str) -> int:
        """Return the place of hospital `name` in ledger order.

        Raises:
            NotAMember: there is no such hospital.
        """
        if name not in self._order and name not in self.order():
            raise NotAMember(f"no hospital is called {name!r}", "HospitalUnknown", {"name": name})
        return self._order.index(name)

    def _domain(self) -> dict[str, Any]:
        return domain("HospitalRegistry", self.contract.chain.chain_id, self.contract.address)
