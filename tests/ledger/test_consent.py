"""Consent: granted, narrowed, revoked, expired; emergencies; and a trail of every decision."""

import pytest
from ledger.consortium import sha

from bfl_stpc import errors, ledger
from bfl_stpc.ledger import Action, Decision, Purpose
from bfl_stpc.ledger.consent import TYPES
from bfl_stpc.ledger.registry import domain

RECORD = sha("random pseudonym")
COMMITMENT = sha("salted")


@pytest.fixture
def enrolled(team):
    team.led.consents.enrol(team.hospital(0), RECORD, team.patient.address, COMMITMENT)
    return team


def grant(team, actions=Action.READ, grantee="hospital-01", purpose=Purpose.TREATMENT, **options):
    options = {"seconds": 1000} | options
    return team.led.consents.grant(team.stranger, team.patient, RECORD, grantee, purpose, actions, **options)


def ask(team, index=1, purpose=Purpose.TREATMENT, action=Action.READ):
    return team.led.consents.request(team.hospital(index), RECORD, purpose, action)


def refusal(team, **options):
    with pytest.raises(errors.AccessDenied) as refused:
        ask(team, **options)
    return int.from_bytes(refused.value.entry.basis, "big"), str(refused.value)


def test_nothing_is_permitted_before_a_grant_not_even_to_the_custodian(enrolled):
    assert refusal(enrolled)[0] == 3
    assert refusal(enrolled, index=0)[0] == 3


def test_a_grant_permits_what_it_says_and_names_itself_as_the_basis(enrolled):
    grant(enrolled)
    entry = ask(enrolled)
    granted = next(e for e in enrolled.led.events() if e.name == "ConsentGranted")
    assert (entry.decision, entry.actor, entry.basis) == (Decision.PERMITTED, "hospital-01", granted.values["consent"])
    assert enrolled.led.consents.is_permitted(RECORD, "hospital-01", Purpose.TREATMENT, Action.READ)


@pytest.mark.parametrize(
    "other",
    [{"index": 2}, {"purpose": Purpose.RESEARCH}, {"action": Action.TRAIN}],
    ids=["grantee", "purpose", "action"],
)
def test_nothing_else_is_permitted(enrolled, other):
    grant(enrolled)
    assert refusal(enrolled, **other)[0] == (6 if "action" in other else 3)


def test_granting_again_narrows(enrolled):
    grant(enrolled, actions=Action.READ | Action.TRAIN)
    ask(enrolled, action=Action.TRAIN)
    grant(enrolled, actions=Action.READ)
    ask(enrolled)
    assert "does not cover" in refusal(enrolled, action=Action.TRAIN)[1]


def test_validity_begins_and_ends(enrolled):
    grant(enrolled, delay=500, seconds=500)
    assert refusal(enrolled)[0] == 4
    enrolled.chain.advance(600)
    ask(enrolled)
    enrolled.chain.advance(600)
    assert refusal(enrolled)[0] == 5


def test_revoked_implies_not_permitted(enrolled):
    grant(enrolled)
    enrolled.led.consents.revoke(enrolled.stranger, enrolled.patient, RECORD, "hospital-01", Purpose.TREATMENT)
    assert refusal(enrolled)[0] == 3
    with pytest.raises(errors.ConsentRefused):
        enrolled.led.consents.revoke(enrolled.stranger, enrolled.patient, RECORD, "hospital-01", Purpose.TREATMENT)


def test_withdrawing_ends_every_consent_at_once_and_a_new_one_can_follow(enrolled):
    grant(enrolled)
    grant(enrolled, grantee="hospital-02", purpose=Purpose.RESEARCH, actions=Action.TRAIN)
    enrolled.led.consents.withdraw(enrolled.stranger, enrolled.patient, RECORD)
    assert refusal(enrolled)[0] == 3
    assert refusal(enrolled, index=2, purpose=Purpose.RESEARCH, action=Action.TRAIN)[0] == 3
    grant(enrolled)
    ask(enrolled)


def test_only_the_patient_can_sign_and_only_once(enrolled):
    consents, here = enrolled.led.consents, enrolled.led.consents.contract
    with pytest.raises(errors.WrongSignature):
        consents.grant(enrolled.stranger, enrolled.stranger, RECORD, "hospital-01", Purpose.TREATMENT, 1, seconds=9)
    now = enrolled.chain.now()
    values = (RECORD, b"hospital-01".ljust(32, b"\0"), 0, 1, now, now + 1000, 0)
    message = dict(zip([f["name"] for f in TYPES["Grant"]], values))
    signed_here = domain("ConsentRegistry", enrolled.chain.chain_id, here.address)
    signature = enrolled.patient.sign_typed(signed_here, {"Grant": TYPES["Grant"]}, message)
    here.send(enrolled.stranger, "grant", values, signature)
    consents.revoke(enrolled.stranger, enrolled.patient, RECORD, "hospital-01", Purpose.TREATMENT)
    with pytest.raises(errors.ReplayedLogin):  # the old grant cannot be brought again after the revocation
        here.send(enrolled.stranger, "grant", values, signature)


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"actions": 0}, errors.InvalidRequest),
        ({"actions": 16}, errors.InvalidRequest),
        ({"seconds": -10}, errors.InvalidRequest),
        ({"purpose": Purpose.EMERGENCY}, errors.InvalidRequest),
    ],
    ids=["no action", "unknown action", "ends before it begins", "emergency"],
)
def test_senseless_grants_are_refused(enrolled, options, error):
    with pytest.raises(error):
        grant(enrolled, **options)


def test_breaking_the_glass_opens_for_reading_for_a_while_and_is_audited(enrolled):
    assert refusal(enrolled, purpose=Purpose.EMERGENCY)[0] == 7
    with pytest.raises(errors.ConfigError, match="justification"):
        enrolled.led.consents.break_glass(enrolled.hospital(1), RECORD, "   ")
    enrolled.led.consents.break_glass(enrolled.hospital(1), RECORD, "unconscious after a road accident")
    entries, _ = enrolled.led.trail.review()
    assert entries[-1].decision == Decision.EMERGENCY
    assert entries[-1].basis == sha("unconscious after a road accident")
    ask(enrolled, purpose=Purpose.EMERGENCY)
    assert refusal(enrolled, purpose=Purpose.EMERGENCY, action=Action.AMEND)[0] == 7
    assert refusal(enrolled, index=2, purpose=Purpose.EMERGENCY)[0] == 7
    enrolled.chain.advance(4 * 3600 + 1)
    assert refusal(enrolled, purpose=Purpose.EMERGENCY)[0] == 7


def test_a_revoked_hospital_is_not_permitted_and_cannot_ask(enrolled):
    grant(enrolled)
    enrolled.led.registry.revoke(enrolled.admin, "hospital-01")
    assert not enrolled.led.consents.is_permitted(RECORD, "hospital-01", Purpose.TREATMENT, Action.READ)
    with pytest.raises(errors.RevokedHospital):
        ask(enrolled)


def test_many_records_are_asked_about_at_once(enrolled):
    grant(enrolled)
    wanted = [RECORD, sha("unknown"), RECORD]
    found = enrolled.led.consents.are_permitted(wanted, "hospital-01", Purpose.TREATMENT, Action.READ, batch=2)
    assert found == [True, False, True]


def test_many_patients_are_admitted_with_their_own_consent(team):
    patients = [ledger.Identity.derive(f"patient-{i}", 1) for i in range(5)]
    admissions = [(sha(f"record {i}"), p, sha(f"c {i}")) for i, p in enumerate(patients)]
    consents = team.led.consents
    options = {"purpose": Purpose.RESEARCH, "actions": Action.TRAIN, "seconds": 1000, "batch": 2}
    consents.admit(team.hospital(0), admissions, **options)
    consents.withdraw(team.stranger, patients[3], admissions[3][0])
    records = [record for record, _, _ in admissions]
    found = consents.are_permitted(records, "hospital-00", Purpose.RESEARCH, Action.TRAIN)
    assert found == [True, True, True, False, True]
    assert not any(consents.are_permitted(records, "hospital-01", Purpose.RESEARCH, Action.TRAIN))
    with pytest.raises(errors.ConsentRefused):
        consents.admit(team.hospital(0), admissions[:1], **options)


def test_erased_is_final(enrolled):
    grant(enrolled)
    with pytest.raises(errors.NotAuthorised):
        enrolled.led.consents.erase(enrolled.hospital(1), enrolled.patient, RECORD)
    with pytest.raises(errors.WrongSignature):
        enrolled.led.consents.erase(enrolled.hospital(0), enrolled.stranger, RECORD)
    enrolled.led.consents.erase(enrolled.hospital(0), enrolled.patient, RECORD)
    assert refusal(enrolled)[0] == 2
    for write in (
        lambda: grant(enrolled),
        lambda: enrolled.led.consents.enrol(enrolled.hospital(0), RECORD, enrolled.patient.address, COMMITMENT),
        lambda: enrolled.led.consents.amend(enrolled.hospital(0), RECORD, COMMITMENT),
    ):
        with pytest.raises(errors.ConsentRefused):
            write()


def test_paused_decides_nothing_but_consent_can_be_taken_back(enrolled):
    grant(enrolled)
    enrolled.led.consents.contract.send(enrolled.admin, "pause")
    with pytest.raises(errors.ContractPaused):
        ask(enrolled)
    with pytest.raises(errors.ContractPaused):
        grant(enrolled)
    enrolled.led.consents.revoke(enrolled.stranger, enrolled.patient, RECORD, "hospital-01", Purpose.TREATMENT)
    enrolled.led.consents.contract.send(enrolled.admin, "unpause")
    assert refusal(enrolled)[0] == 3


def test_a_paused_trail_stops_decisions_rather_than_losing_them(enrolled):
    grant(enrolled)
    enrolled.led.trail.contract.send(enrolled.admin, "pause")
    with pytest.raises(errors.ContractPaused):
        ask(enrolled)
    with pytest.raises(errors.ContractPaused):
        enrolled.led.consents.break_glass(enrolled.hospital(1), RECORD, "unconscious after a road accident")


def test_reports_and_anchors_come_from_hospitals_decisions_from_the_contract(team):
    trail = team.led.trail
    trail.report(team.hospital(0), RECORD, Purpose.TREATMENT, Action.READ)
    batch = [b"read 1", b"read 2", b"read 3"]
    tree = trail.anchor(team.hospital(0), batch)
    entries, _ = trail.review()
    assert [e.decision for e in entries] == [Decision.REPORTED, Decision.ANCHORED]
    assert entries[1].evidence == tree.root()
    with pytest.raises(errors.NotAMember):
        trail.report(team.stranger, RECORD, Purpose.TREATMENT, Action.READ)
    zero = bytes(32)
    with pytest.raises(errors.NotAuthorised):
        trail.contract.send(team.hospital(0), "append", zero, RECORD, 0, 1, 1, zero, zero)
    with pytest.raises(errors.InvalidRequest):
        trail.anchor(team.hospital(0), [])


def test_identities_never_show_their_key():
    key = ledger.ReaderKey("hospital-00")
    assert "private" not in repr(key).lower()
    assert key._private.private_bytes_raw().hex() not in repr(key)
