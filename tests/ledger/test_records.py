"""Stored records: sealed one by one, read only as permitted, checked at each read, and gone when erased."""

import sqlite3

import pytest
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from ledger.consortium import Consortium

from bfl_stpc import errors, ledger
from bfl_stpc.ledger import Action, Purpose, ReaderKey, RecordOffice, Vault, fhir
from bfl_stpc.ledger.vault import commitment, wrap

PATIENT = {
    "resourceType": "Patient",
    "name": [{"family": "Musterfrau", "given": ["Erika"]}],
    "gender": "female",
    "birthDate": "1970-01-01",
}


class Ward:
    def __init__(self, path):
        self.team = Consortium(ledger.Chain.in_memory())
        self.path = path
        self.vault = Vault(path)
        self.key, self.other = ReaderKey("hospital-00"), ReaderKey("hospital-01")
        self.office = RecordOffice(self.team.hospital(0), self.vault, self.team.led.consents, self.key)

    def store(self):
        return self.office.store(PATIENT, self.team.patient.address)

    def grant(self, record, purpose=Purpose.TREATMENT):
        consents = self.team.led.consents
        consents.grant(self.team.stranger, self.team.patient, record, "hospital-01", purpose, Action.READ, seconds=999)

    def read(self, record, key=None, purpose=Purpose.TREATMENT):
        return self.office.read(self.team.hospital(1), key or self.other, record, purpose)

    def state(self, record):
        return self.team.led.consents.record(record)


@pytest.fixture
def ward(tmp_path):
    return Ward(tmp_path / "records.sqlite")


def test_a_permitted_reader_gets_the_record_and_leaves_a_trace(ward):
    record = ward.store()
    ward.grant(record)
    resource, entry = ward.read(record)
    assert resource == PATIENT
    assert ward.team.led.trail.review()[0][-1] == entry


def test_without_consent_nothing_is_decrypted_and_the_refusal_is_audited(ward):
    record = ward.store()
    with pytest.raises(errors.AccessDenied):
        ward.read(record)
    assert ward.vault.readers(record) == ("hospital-00",)
    assert len(ward.team.led.trail.review()[0]) == 1


def test_a_revoked_reader_loses_its_wrapped_key_at_the_next_try(ward):
    record = ward.store()
    ward.grant(record)
    ward.read(record)
    assert "hospital-01" in ward.vault.readers(record)
    ward.team.led.consents.withdraw(ward.team.stranger, ward.team.patient, record)
    with pytest.raises(errors.AccessDenied):
        ward.read(record)
    assert ward.vault.readers(record) == ("hospital-00",)


def test_nobody_reads_with_the_key_of_another(ward):
    record = ward.store()
    ward.grant(record)
    with pytest.raises(errors.ReaderUnknown):
        ward.read(record, key=ReaderKey("hospital-02"))
    ward.read(record)
    with pytest.raises(errors.ReaderUnknown):
        ward.read(record, key=ReaderKey("hospital-01"))  # same name, another pair


def test_a_hospital_under_a_false_name_is_known_by_its_signature(ward):
    record = ward.store()
    ward.grant(record)
    ward.read(record)
    liar = ledger.Identity.derive("hospital-02", ward.team.seed)
    liar.name = "hospital-01"
    with pytest.raises(errors.AccessDenied, match="hospital-02"):
        ward.office.read(liar, ReaderKey("hospital-01"), record, Purpose.TREATMENT)
    assert "hospital-01" in ward.vault.readers(record)  # the true one keeps its key
    consents, team = ward.team.led.consents, ward.team
    consents.grant(team.stranger, team.patient, record, "hospital-02", Purpose.TREATMENT, Action.READ, seconds=99)
    with pytest.raises(errors.ReaderUnknown, match="hospital-02 asked"):
        ward.office.read(liar, ReaderKey("hospital-01"), record, Purpose.TREATMENT)


def test_the_file_shows_neither_names_nor_keys(ward):
    ward.store()
    ward.vault.close()
    data = ward.path.read_bytes()
    assert b"Musterfrau" not in data
    assert b"birthDate" not in data


@pytest.mark.parametrize("column", ["ciphertext", "salt", "version"])
def test_an_altered_record_is_detected_at_the_next_read_and_by_the_full_check(ward, column):
    record = ward.store()
    ward.grant(record)
    assert ward.office.unmatched() == ()
    with sqlite3.connect(ward.path) as db:
        value = db.execute(f"SELECT {column} FROM record").fetchone()[0]
        altered = value + 1 if column == "version" else value[:20] + bytes([value[20] ^ 1]) + value[21:]
        db.execute(f"UPDATE record SET {column} = ?", (altered,))
    with pytest.raises((errors.RecordTampered, errors.ReaderUnknown)):
        ward.read(record)
    assert ward.office.unmatched() == (record,)


def test_an_old_version_put_back_is_detected(ward):
    record = ward.store()
    with sqlite3.connect(ward.path) as db:
        old = db.execute("SELECT * FROM record").fetchone()
    ward.office.amend(record, PATIENT | {"gender": "male"}, {})
    with sqlite3.connect(ward.path) as db:
        db.execute("UPDATE record SET version = ?, salt = ?, ciphertext = ?", old[1:])
    with pytest.raises(errors.RecordTampered):
        ward.vault.check(record, ward.state(record).commitment)


def test_two_records_exchanged_are_detected(ward):
    first, second = ward.store(), ward.store()
    with sqlite3.connect(ward.path) as db:
        a, b = (db.execute("SELECT ciphertext FROM record WHERE id = ?", (r,)).fetchone()[0] for r in (first, second))
        db.execute("UPDATE record SET ciphertext = ? WHERE id = ?", (b, first))
        db.execute("UPDATE record SET ciphertext = ? WHERE id = ?", (a, second))
    assert set(ward.office.unmatched()) == {first, second}


def test_a_new_version_locks_out_who_is_not_named(ward):
    record = ward.store()
    ward.grant(record)
    ward.read(record)
    ward.office.amend(record, PATIENT | {"gender": "male"}, {})
    assert ward.vault.readers(record) == ("hospital-00",)
    assert ward.read(record)[0]["gender"] == "male"  # the consent still holds, so the key is wrapped anew


def test_erased_means_that_what_remains_identifies_nobody_and_opens_nothing(ward):
    record = ward.store()
    ward.grant(record)
    ward.read(record)
    with sqlite3.connect(ward.path) as db:
        version, salt, ciphertext = db.execute("SELECT version, salt, ciphertext FROM record").fetchone()
        wrapped = [row[0] for row in db.execute("SELECT wrapped FROM reader")]
    committed = ward.state(record).commitment
    assert commitment(record, version, salt, ciphertext) == committed  # so the check below means something
    ward.office.erase(ward.team.patient, record)
    with pytest.raises(errors.RecordMissing):
        ward.vault.get(record, ward.key, committed=committed)
    ward.vault.close()
    remains = ward.path.read_bytes()
    for destroyed in (salt, ciphertext, *wrapped):
        assert destroyed not in remains
        assert destroyed[-24:] not in remains
    # a backup of the ciphertext stays sealed: no reader has a key for it, and a guess at the plain text
    # cannot be confirmed against the commitment without the 256-bit salt
    with pytest.raises(InvalidTag):
        AESGCM(AESGCM.generate_key(256)).decrypt(ciphertext[:12], ciphertext[12:], b"")
    assert commitment(record, version, bytes(32), ciphertext) != committed
    with pytest.raises(errors.AccessDenied, match="erased"):
        ward.team.led.consents.request(ward.team.hospital(1), record, Purpose.TREATMENT, Action.READ)


def test_erasure_needs_the_patient_and_otherwise_keeps_everything(ward):
    record = ward.store()
    with pytest.raises(errors.WrongSignature):
        ward.office.erase(ward.team.stranger, record)
    ward.vault.check(record, ward.state(record).commitment)


def test_rotation_wraps_again_and_touches_no_ciphertext(ward):
    records = [ward.store() for _ in range(3)]
    with sqlite3.connect(ward.path) as db:
        before = db.execute("SELECT id, ciphertext FROM record ORDER BY id").fetchall()
    fresh = ReaderKey("hospital-00")
    assert ward.vault.rotate(ward.key, fresh) == 3
    with sqlite3.connect(ward.path) as db:
        assert db.execute("SELECT id, ciphertext FROM record ORDER BY id").fetchall() == before
    committed = ward.state(records[0]).commitment
    assert ward.vault.get(records[0], fresh, committed=committed) == PATIENT
    with pytest.raises(errors.ReaderUnknown):
        ward.vault.get(records[0], ward.key, committed=committed)
    with pytest.raises(errors.VaultError):
        ward.vault.rotate(fresh, ReaderKey("hospital-01"))


def test_if_the_chain_refuses_the_vault_forgets(ward):
    ward.team.led.consents.contract.send(ward.team.admin, "pause")
    with pytest.raises(errors.ContractPaused):
        ward.store()
    assert ward.vault.records() == ()


def test_a_record_that_the_chain_has_and_the_vault_lost_is_reported(ward):
    kept, lost = ward.store(), ward.store()
    ward.vault.erase(lost)  # as if the machine had died between the chain's commit and the vault's
    assert ward.office.unmatched() == (lost,)
    assert kept in ward.vault.records()


@pytest.mark.parametrize("public", [b"", b"short", bytes(32)], ids=["empty", "short", "small order"])
def test_a_bad_reader_key_is_refused_before_anything_is_stored(ward, public):
    with pytest.raises(errors.ConfigError, match="X25519"):
        ward.vault.put(PATIENT, {"hospital-00": ward.key.public, "hospital-01": public})
    assert ward.vault.records() == ()
    ward.store()


def test_what_is_no_vault_is_refused(tmp_path):
    with pytest.raises(errors.VaultError, match="cannot be opened"):
        Vault(tmp_path / "missing" / "records.sqlite")
    garbage = tmp_path / "garbage.sqlite"
    garbage.write_bytes(b"not a database at all" * 100)
    with pytest.raises(errors.VaultError, match="cannot be opened"):
        Vault(garbage)
    closed = Vault()
    closed.close()
    with pytest.raises(errors.VaultError, match="cannot be used"):
        closed.records()


@pytest.mark.parametrize(
    ("resource", "message"),
    [
        ({"resourceType": "Patient", "birthDate": "yesterday"}, "birthDate"),
        ({"resourceType": "Patients"}, "no FHIR"),
        ({}, "no FHIR"),
        ({"resourceType": "Patient", "nickname": "E"}, "nickname"),
    ],
    ids=["value", "type", "empty", "field"],
)
def test_invalid_fhir_is_refused_by_path_and_not_stored(ward, resource, message):
    with pytest.raises(errors.SchemaError, match=message):
        ward.office.store(resource, ward.team.patient.address)
    assert ward.vault.records() == ()


def test_a_wrapped_key_opens_for_its_reader_and_context_only():
    key, reader = AESGCM.generate_key(256), ReaderKey("a")
    wrapped = wrap(key, reader.public, b"context")
    assert reader.unwrap(wrapped, b"context") == key
    assert wrap(key, reader.public, b"context") != wrapped
    for who, data, context in [
        (reader, wrapped, b"another"),
        (ReaderKey("a"), wrapped, b"context"),
        (reader, wrapped[:-1] + bytes([wrapped[-1] ^ 1]), b"context"),
        (reader, b"short", b"context"),
    ]:
        with pytest.raises(errors.ReaderUnknown):
            who.unwrap(data, context)


def test_entries_and_consents_become_valid_fhir_resources_without_names(ward):
    record = ward.store()
    with pytest.raises(errors.AccessDenied):
        ward.read(record)
    ward.grant(record)
    ward.read(record)
    refused, permitted = map(fhir.audit_event, ward.team.led.trail.review()[0])
    assert (refused["outcome"], permitted["outcome"]) == ("4", "0")
    assert permitted["purposeOfEvent"][0]["coding"][0]["code"] == "TREAT"
    granted = next(e for e in ward.team.led.events() if e.name == "ConsentGranted")
    consent = fhir.consent(granted.values, ward.team.chain.now(), active=True)
    assert consent["provision"]["actor"][0]["reference"]["identifier"]["value"] == "hospital-01"
    assert consent["identifier"][0]["value"] == permitted["entity"][0]["detail"][0]["valueString"]
    assert "Musterfrau" not in str([refused, permitted, consent])
