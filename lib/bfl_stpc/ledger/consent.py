"""Patients' consent, and every decision that follows from it: the Python side of `ConsentRegistry.sol`."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from bfl_stpc.errors import AccessDenied, ConfigError
from bfl_stpc.ledger.audit import Action, Decision, Entry, Purpose, Trail
from bfl_stpc.ledger.chain import Chain, Receipt
from bfl_stpc.ledger.contract import Contract
from bfl_stpc.ledger.identity import Identity, name32
from bfl_stpc.ledger.registry import Registry, domain

REASONS = (
    "",
    "there is no such record",
    "the record was erased",
    "there is no consent",
    "the consent is not valid yet",
    "the consent expired",
    "the consent does not cover this action",
    "no emergency was declared",
)


def _fields(*pairs: str) -> list[dict[str, str]]:
    return [dict(zip(("type", "name"), pair.split(), strict=True)) for pair in pairs]


TYPES = {
    "Grant": _fields(
        "bytes32 record",
        "bytes32 grantee",
        "uint8 purpose",
        "uint16 actions",
        "uint40 notBefore",
        "uint40 notAfter",
        "uint24 nonce",
    ),
    "Revocation": _fields("bytes32 record", "bytes32 grantee", "uint8 purpose", "uint24 nonce"),
    "Withdrawal": _fields("bytes32 record", "uint24 nonce"),
    "Erasure": _fields("bytes32 record", "uint24 nonce"),
}


@dataclass(frozen=True)
class RecordState:
    """A record as the chain has it.

    Attributes:
        patient: address of the patient's key.
        custodian: hospital that keeps it, zero-padded to 32 bytes.
        version: of the stored record, from 1.
        commitment: salted commitment of the stored record (32 bytes).
        erased: whether it was erased.
    """

    patient: str
    custodian: bytes
    version: int
    commitment: bytes
    erased: bool


class Consents:
    """The consent registry of one chain. `relay` is whoever sends a patient's signed request."""

    def __init__(self, contract: Contract, trail: Trail) -> None:
        """Wrap a deployed `ConsentRegistry` and the trail that it extends."""
        self.contract, self.trail = contract, trail

    @classmethod
    def deploy(cls, chain: Chain, admin: Identity, registry: Registry, trail: Trail) -> "Consents":
        """Deploy a consent registry owned by `admin`, and let it append to `trail`."""
        arguments = (admin.address, registry.contract.address, trail.contract.address)
        contract, _ = Contract.deploy(chain, "ConsentRegistry", admin, *arguments)
        trail.allow(admin, contract.address)
        return cls(contract, trail)

    def enrol(self, custodian: Identity, record: bytes, patient: str, commitment: bytes) -> Receipt:
        """Enrol a record under a random pseudonym (32 bytes); it permits nothing yet."""
        return self.contract.send(custodian, "enrol", record, patient, commitment)

    def amend(self, custodian: Identity, record: bytes, commitment: bytes) -> Receipt:
        """Record the commitment of a new version."""
        return self.contract.send(custodian, "amend", record, commitment)

    def grant(
        self,
        relay: Identity,
        patient: Identity,
        record: bytes,
        grantee: str,
        purpose: Purpose,
        actions: int,
        *,
        seconds: int,
        delay: int = 0,
    ) -> Receipt:
        """Grant the sum `actions` to hospital `grantee` for `seconds`, from `delay` seconds from now on.

        Granting again for the same hospital and purpose replaces: to narrow is to grant less.
        """
        start = self.contract.chain.now() + delay
        values = (record, name32(grantee), int(purpose), actions, start, start + seconds, self.nonce(record))
        return self.contract.send(relay, "grant", values, self._sign(patient, "Grant", values))

    def admit(
        self,
        custodian: Identity,
        admissions: Sequence[tuple[bytes, Identity, bytes]],
        purpose: Purpose,
        actions: int,
        *,
        seconds: int,
        batch: int = 100,
    ) -> None:
        """Enrol new records and bring their patients' first consent to the custodian itself, `batch` at a time.

        Args:
            custodian: hospital that keeps the records.
            admissions: pseudonym (32 bytes), patient and commitment (32 bytes) of each record.
            purpose: what for.
            actions: sum of the actions that every one of these patients grants.
            seconds: how long, from now.
            batch: records to a block, where the chain is in memory.

        Raises:
            ConsentRefused: a pseudonym is taken; the records before it are admitted.
        """
        contract = self.contract
        for first in range(0, len(admissions), batch):
            part, calls, start = admissions[first : first + batch], [], contract.chain.now()
            for record, patient, commitment in part:
                grant = (record, name32(custodian.name), int(purpose), actions, start, start + seconds, 0)
                signature = self._sign(patient, "Grant", grant)
                for data in (
                    contract.encode("enrol", record, patient.address, commitment),
                    contract.encode("grant", grant, signature),
                ):
                    calls.append((custodian, contract.address, data))
            contract.chain.transact_all(calls)

    def revoke(self, relay: Identity, patient: Identity, record: bytes, grantee: str, purpose: Purpose) -> Receipt:
        """Revoke what `grantee` may do for `purpose`."""
        values = (record, name32(grantee), int(purpose), self.nonce(record))
        return self.contract.send(relay, "revoke", *values, self._sign(patient, "Revocation", values))

    def withdraw(self, relay: Identity, patient: Identity, record: bytes) -> Receipt:
        """Withdraw every consent of a record."""
        values = (record, self.nonce(record))
        return self.contract.send(relay, "withdraw", *values, self._sign(patient, "Withdrawal", values))

    def erase(self, custodian: Identity, patient: Identity, record: bytes) -> Receipt:
        """Erase the record from the registry at its patient's request; the vault destroys key and salt."""
        values = (record, self.nonce(record))
        return self.contract.send(custodian, "erase", *values, self._sign(patient, "Erasure", values))

    def break_glass(self, hospital: Identity, record: bytes, justification: str) -> Receipt:
        """Open a record for four hours, to read; only the hash of the justification goes on chain.

        Raises:
            ConfigError: the justification is blank.
        """
        if len(justification.strip()) < 10:
            raise ConfigError("breaking the glass needs a justification of at least ten characters")
        return self.contract.send(hospital, "breakGlass", record, hashlib.sha256(justification.encode()).digest())

    def request(
        self, hospital: Identity, record: bytes, purpose: Purpose, action: Action, evidence: bytes = bytes(32)
    ) -> Entry:
        """Ask for a decision; return the entry of the trail that permits.

        Raises:
            AccessDenied: refused; the refusal is in the trail too, as `entry`.
        """
        receipt = self.contract.send(hospital, "request", record, purpose, action, evidence)
        entry = Entry.of(next(e for e in self.trail.contract.events(receipt.logs) if e.name == "AuditAppended"))
        if entry.decision != Decision.PERMITTED:
            reason = REASONS[int.from_bytes(entry.basis, "big")]
            wish = f"{entry.actor} may not {action.name.lower()} record {record.hex()[:8]}… for {purpose.name.lower()}"
            raise AccessDenied(f"{wish}: {reason} (audit entry {entry.sequence})", entry)
        return entry

    def is_permitted(self, record: bytes, grantee: str, purpose: Purpose, action: Action) -> bool:
        """Return whether a request would be permitted now; leaves no trace. To use a record, `request`."""
        return bool(self.contract.ask("isPermitted", record, name32(grantee), purpose, action))

    def are_permitted(
        self, records: Sequence[bytes], grantee: str, purpose: Purpose, action: Action, *, batch: int = 200
    ) -> list[bool]:
        """Return `is_permitted` of each record, asking for `batch` at a time."""
        found: list[bool] = []
        for start in range(0, len(records), batch):
            part = list(records[start : start + batch])
            found += self.contract.ask("arePermitted", part, name32(grantee), purpose, action)
        return found

    def record(self, record: bytes) -> RecordState:
        """Return what the chain says of a record."""
        f = self.contract.fields("getRecord", record)
        patient = self.contract.chain.web3.to_checksum_address(f["patient"])
        return RecordState(patient, f["custodian"], f["version"], f["commitment"], f["erased"])

    def nonce(self, record: bytes) -> int:
        """Return the nonce that the patient's next request for this record must carry."""
        return int(self.contract.fields("getRecord", record)["nonce"])

    def _sign(self, patient: Identity, kind: str, values: Sequence[Any]) -> bytes:
        message = dict(zip([f["name"] for f in TYPES[kind]], values, strict=True))
        here = domain("ConsentRegistry", self.contract.chain.chain_id, self.contract.address)
        return patient.sign_typed(here, {kind: TYPES[kind]}, message)
