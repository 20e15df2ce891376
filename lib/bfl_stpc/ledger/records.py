"""A hospital's records: the vault and the chain together, so that neither is changed without the other."""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from bfl_stpc.errors import AccessDenied, NotAuthorised, ReaderUnknown, VaultError
from bfl_stpc.ledger.audit import Action, Entry, Purpose
from bfl_stpc.ledger.consent import Consents
from bfl_stpc.ledger.identity import Identity, name32
from bfl_stpc.ledger.vault import ReaderKey, Vault


class RecordOffice:
    """The records that one hospital keeps: every read is decided by the chain, audited, checked and then decrypted.

    The vault is changed last but one and the chain last, in one transaction of the vault: if the chain refuses, the
    vault forgets. If the machine dies between the two commits, the chain holds a commitment without a record, which
    `unmatched` reports.
    """

    def __init__(self, custodian: Identity, vault: Vault, consents: Consents, key: ReaderKey) -> None:
        """Keep `vault` for `custodian`, whose own reader key is `key`."""
        self.custodian, self.vault, self.consents, self.key = custodian, vault, consents, key

    def store(self, resource: Mapping[str, Any], patient: str) -> bytes:
        """Store a FHIR R4 resource of the patient with this address; return its random pseudonym (32 bytes)."""
        with self.vault.transaction():
            stored = self.vault.put(resource, {self.key.reader: self.key.public})
            self.consents.enrol(self.custodian, stored.record, patient, stored.commitment)
        return stored.record

    def amend(self, record: bytes, resource: Mapping[str, Any], readers: Mapping[str, bytes]) -> None:
        """Store a new version under a new key, for the custodian and `readers` only."""
        with self.vault.transaction():
            stored = self.vault.put(resource, {self.key.reader: self.key.public, **readers}, record=record)
            self.consents.amend(self.custodian, record, stored.commitment)

    def read(
        self,
        reader: Identity,
        key: ReaderKey,
        record: bytes,
        purpose: Purpose,
        *,
        note: Mapping[str, Any] | None = None,
    ) -> tuple[dict[str, Any], Entry]:
        """Return the record for a hospital that asks, and the audit entry that permits it.

        Args:
            reader: who asks; it signs the request.
            key: its reader key; if the consent is new, the custodian wraps the record's key for it now.
            record: pseudonym.
            purpose: what for.
            note: what the reader keeps about the request (who, why); its digest goes into the trail.

        Raises:
            AccessDenied: refused, and audited; a key wrapped for the reader earlier is dropped.
            RecordTampered, RecordMissing, ReaderUnknown: permitted, but the vault cannot give it.
        """
        if key.reader != reader.name:
            raise ReaderUnknown(f"the reader key belongs to {key.reader}, and {reader.name} asks")
        evidence = hashlib.sha256(json.dumps(note or {}, sort_keys=True).encode()).digest()
        try:
            entry = self.consents.request(reader, record, purpose, Action.READ, evidence)
        except AccessDenied as refusal:
            if refusal.entry.actor != self.key.reader and refusal.entry.actor in self.vault.readers(record):
                self.vault.unshare(record, refusal.entry.actor)
            raise
        if entry.actor != key.reader:  # the chain knows who signed, whatever the caller calls itself
            raise ReaderUnknown(f"the reader key belongs to {key.reader}, and {entry.actor} asked")
        state = self.consents.record(record)
        if key.reader not in self.vault.readers(record):
            self.vault.share(record, self.key, key.reader, key.public)
        return self.vault.get(record, key, committed=state.commitment), entry

    def erase(self, patient: Identity, record: bytes) -> None:
        """Erase the record at its patient's request (GDPR Art. 17): key, salt and ciphertext here, its entry there."""
        if self.consents.record(record).custodian != name32(self.custodian.name):
            values: dict[str, object] = {"record": record, "caller": self.custodian.name}
            message = f"{self.custodian.name} does not keep record {record.hex()}; ask its custodian"
            raise NotAuthorised(message, "ConsentNotCustodian", values)
        with self.vault.transaction():
            self.vault.erase(record)
            self.consents.erase(self.custodian, patient, record)

    def unmatched(self) -> tuple[bytes, ...]:
        """Return the records whose stored bytes are missing or not those committed on chain, by a full check."""
        wrong = []
        mine = name32(self.custodian.name)
        enrolled = [e for e in self.consents.contract.logged() if e.name == "RecordEnrolled"]
        for record in [e.values["record"] for e in enrolled if e.values["custodian"] == mine]:
            state = self.consents.record(record)
            if not state.erased and not self._holds(record, state.commitment):
                wrong.append(record)
        return tuple(wrong)

    def _holds(self, record: bytes, committed: bytes) -> bool:
        try:
            self.vault.check(record, committed)
        except VaultError:
            return False
        return True
