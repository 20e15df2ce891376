"""Logging in: what the contract accepts, and one error of its own for each thing that it refuses."""

from dataclasses import replace

import pytest
from eth_abi import encode
from eth_utils import keccak
from ledger.consortium import sha

from bfl_stpc import errors, ledger
from bfl_stpc.ledger.identity import name32

ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141


def challenge(team, index=0):
    return team.led.registry.challenge(team.hospital(index).address, round=1, model=team.model)


def answer(team, asked, signature):
    return team.led.registry.answer(team.hospital(0), asked, signature)


def test_a_signed_challenge_opens_a_session_for_its_round_and_model(team):
    session = team.led.login(team.hospital(0), round=1, model=team.model)
    assert (session.hospital, session.round, session.model) == ("hospital-00", 1, team.model)
    assert session.valid_until == team.chain.now() + 3600
    assert session.total_ms == pytest.approx(sum(session.ms.values()))


def test_anyone_may_relay_since_the_signature_is_the_authority(team):
    asked = challenge(team)
    team.led.registry.answer(team.stranger, asked, asked.sign(team.hospital(0)))
    assert team.led.registry.contract.ask("nonces", team.hospital(0).address) == 1


def test_the_signature_covers_what_eip_712_says(team):
    """Second witness: the digest built by hand recovers to the signer."""
    asked = challenge(team)
    signature = asked.sign(team.hospital(0))
    kind = keccak(text="Login(address key,uint256 nonce,uint64 round,bytes32 model,uint64 expiry)")
    domain_kind = keccak(text="EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)")
    domain = keccak(
        encode(
            ["bytes32", "bytes32", "bytes32", "uint256", "address"],
            [domain_kind, keccak(text="BFL-STPC HospitalRegistry"), keccak(text="1"), asked.chain_id, asked.registry],
        )
    )
    message = keccak(
        encode(
            ["bytes32", "address", "uint256", "uint64", "bytes32", "uint64"],
            [kind, asked.key, asked.nonce, asked.round, asked.model, asked.expiry],
        )
    )
    from coincurve import PublicKey

    digest = keccak(b"\x19\x01" + domain + message)
    key = PublicKey.from_signature_and_message(signature[:64] + bytes([signature[64] - 27]), digest, hasher=None)
    assert keccak(key.format(compressed=False)[1:])[12:].hex() == asked.key[2:].lower()


def test_replayed(team):
    asked = challenge(team)
    signature = asked.sign(team.hospital(0))
    answer(team, asked, signature)
    with pytest.raises(errors.ReplayedLogin) as refused:
        answer(team, asked, signature)
    assert refused.value.values == {"given": 0, "next": 1}


def test_nonce_from_the_future(team):
    asked = replace(challenge(team), nonce=5)
    with pytest.raises(errors.UnknownNonce):
        answer(team, asked, asked.sign(team.hospital(0)))


def test_expired(team):
    asked = challenge(team)
    signature = asked.sign(team.hospital(0))
    team.chain.advance(301)
    with pytest.raises(errors.ExpiredChallenge):
        answer(team, asked, signature)


def test_expiry_too_far(team):
    asked = challenge(team)
    asked = replace(asked, expiry=asked.expiry + 10_000)
    with pytest.raises(errors.LoginRefused, match="ExpiryTooFar"):
        answer(team, asked, asked.sign(team.hospital(0)))


def test_foreign_chain(team):
    asked = replace(challenge(team), chain_id=1)
    with pytest.raises(errors.ForeignChain):
        answer(team, asked, asked.sign(team.hospital(0)))


def test_foreign_chain_under_a_false_flag_recovers_another_key(team):
    asked = challenge(team)
    with pytest.raises(errors.WrongSignature):
        answer(team, asked, replace(asked, chain_id=1).sign(team.hospital(0)))


def test_foreign_contract(team):
    asked = replace(challenge(team), registry=team.led.rounds.contract.address)
    with pytest.raises(errors.ForeignContract):
        answer(team, asked, asked.sign(team.hospital(0)))


def test_another_key_or_message(team):
    asked = challenge(team)
    with pytest.raises(errors.WrongSignature):
        answer(team, asked, asked.sign(team.hospital(1)))
    with pytest.raises(errors.WrongSignature):
        answer(team, replace(asked, model=sha("backdoor")), asked.sign(team.hospital(0)))


def test_malleable(team):
    asked = challenge(team)
    signature = asked.sign(team.hospital(0))
    twin = signature[:32] + (ORDER - int.from_bytes(signature[32:64], "big")).to_bytes(32, "big")
    with pytest.raises(errors.MalleableSignature):
        answer(team, asked, twin + bytes([55 - signature[64]]))


@pytest.mark.parametrize("bad", [b"", bytes(64), bytes(66), bytes(65)], ids=["empty", "short", "long", "zero"])
def test_malformed(team, bad):
    with pytest.raises(errors.MalformedSignature):
        answer(team, challenge(team), bad)


def test_unknown_key(team):
    with pytest.raises(errors.NotAMember):
        team.led.login(team.stranger, round=1, model=team.model)


def test_suspended_then_reinstated(team):
    registry = team.led.registry
    registry.suspend(team.admin, "hospital-00")
    with pytest.raises(errors.SuspendedHospital):
        team.led.login(team.hospital(0), round=1, model=team.model)
    registry.reinstate(team.admin, "hospital-00")
    team.led.login(team.hospital(0), round=1, model=team.model)


def test_revoked_is_final(team):
    registry = team.led.registry
    registry.revoke(team.admin, "hospital-00")
    with pytest.raises(errors.RevokedHospital):
        team.led.login(team.hospital(0), round=1, model=team.model)
    with pytest.raises(errors.RevokedHospital):
        registry.reinstate(team.admin, "hospital-00")
    with pytest.raises(errors.InvalidRequest, match="never reused"):
        registry.register(team.admin, "hospital-new", team.hospital(0).address)


def test_revoked_in_mid_session_cannot_commit(team):
    ticket = team.open()
    team.led.registry.revoke(team.admin, "hospital-00")
    with pytest.raises(errors.RevokedHospital):
        team.led.commit(team.hospital(0), ticket, sha("upload"))


def test_rotated_key_speaks_and_the_old_one_does_not(team):
    fresh = ledger.Identity.derive("hospital-00", 99)
    ticket = team.open()
    team.led.registry.rotate_key(team.hospital(0), "hospital-00", fresh)
    with pytest.raises(errors.RetiredKey):
        team.led.login(team.hospital(0), round=1, model=team.model)
    with pytest.raises(errors.RetiredKey):
        team.led.commit(team.hospital(0), ticket, sha("upload"))
    team.led.login(fresh, round=1, model=team.model)
    assert team.led.registry.hospital("hospital-00").key_version == 2


def test_rotation_needs_proof_of_possession_and_the_right_caller(team):
    registry, thief = team.led.registry, team.stranger
    with pytest.raises(errors.NotAuthorised):
        registry.rotate_key(thief, "hospital-00", ledger.Identity.derive("x", 5))
    victim = ledger.Identity.derive("victim", 5)
    asked = challenge(team)
    with pytest.raises(errors.WrongSignature):
        registry.contract.send(team.hospital(0), "rotateKey", name32("hospital-00"), victim.address, asked.sign(thief))


def test_sessions_expire(team):
    ticket = team.open(durations=ledger.Durations(commit=90_000))
    team.chain.advance(3601)
    with pytest.raises(errors.SessionExpired):
        team.led.commit(team.hospital(0), ticket, sha("upload"))


def test_paused_means_no_login_but_rights_can_be_taken_away(team):
    registry = team.led.registry
    registry.contract.send(team.admin, "pause")
    for write in (
        lambda: team.led.login(team.hospital(0), round=1, model=team.model),
        lambda: registry.register(team.admin, "hospital-new", team.stranger.address),
        lambda: registry.reinstate(team.admin, "hospital-00"),
    ):
        with pytest.raises(errors.ContractPaused):
            write()
    registry.revoke(team.admin, "hospital-01")
    registry.contract.send(team.admin, "unpause")
    team.led.login(team.hospital(0), round=1, model=team.model)
    assert registry.hospital("hospital-01").status == "revoked"


def test_handing_over_takes_two_steps(team):
    contract = team.led.registry.contract
    contract.send(team.admin, "transferOwnership", team.stranger.address)
    with pytest.raises(errors.NotAuthorised):
        contract.send(team.stranger, "pause")
    with pytest.raises(errors.NotAuthorised):
        contract.send(team.hospital(0), "acceptOwnership")
    contract.send(team.stranger, "acceptOwnership")
    contract.send(team.stranger, "pause")
    with pytest.raises(errors.NotAuthorised):
        contract.send(team.admin, "unpause")


def test_nobody_can_leave_a_contract_without_an_owner(team):
    led = team.led
    for wrapped in (led.registry, led.rounds, led.trail, led.consents):
        with pytest.raises(errors.InvalidRequest):
            wrapped.contract.send(team.admin, "renounceOwnership")
        assert wrapped.contract.ask("owner") == team.admin.address.lower()


def test_a_suspended_key_cannot_rotate_itself_back_in(team):
    registry, thief = team.led.registry, ledger.Identity.derive("thief", 1)
    registry.suspend(team.admin, "hospital-00")  # its key was stolen
    with pytest.raises(errors.SuspendedHospital):
        registry.rotate_key(team.hospital(0), "hospital-00", thief)
    fresh = ledger.Identity.derive("hospital-00", 2)
    registry.rotate_key(team.admin, "hospital-00", fresh)
    registry.reinstate(team.admin, "hospital-00")
    team.led.login(fresh, round=1, model=team.model)


def test_places_are_in_the_order_of_registration(team):
    registry = team.led.registry
    assert [registry.place(name) for name in team.ids] == list(range(5))
    registry.register(team.admin, "hospital-new", team.stranger.address)
    registry.revoke(team.admin, "hospital-00")
    assert (registry.place("hospital-00"), registry.place("hospital-new")) == (0, 5)
    with pytest.raises(errors.NotAMember):
        registry.place("nobody")


def test_bad_registrations_change_nothing(team):
    registry = team.led.registry
    for name, address in [
        ("hospital-00", team.stranger.address),
        ("hospital-new", team.hospital(1).address),
        ("hospital-new", "0x" + "00" * 20),
    ]:
        with pytest.raises(errors.InvalidRequest):
            registry.register(team.admin, name, address)
    assert registry.order() == tuple(team.ids)
    for name in ("", "é", "x" * 33):
        with pytest.raises(errors.ConfigError, match="ASCII"):
            registry.register(team.admin, name, team.stranger.address)
