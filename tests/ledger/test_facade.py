"""One round through the ledger: what passes, what is refused, and that equal histories give equal bytes."""

import hashlib
import os
import subprocess
import sys

import pytest

from bfl_stpc import errors, ledger
from bfl_stpc.ledger.rounds import commitment_of


def sha(text: str) -> bytes:
    return hashlib.sha256(text.encode()).digest()


def test_a_full_round_finalises_and_moves_the_model_on(team):
    ticket = team.open()
    assert ticket.members == tuple(team.ids)
    team.upload(ticket)
    for name in team.ids:
        team.led.check_commitment(name, ticket, sha(name))
    assert team.led.revealed(ticket) == {name: sha(name) for name in team.ids}
    team.publish(ticket)
    result = team.result()
    team.led.close_round(ticket, result, team.approvals(ticket, result))
    assert team.led.round(1).phase == "finalised"
    team.model = result.model
    assert team.open().round == 2


def test_the_ticket_is_what_the_chain_recorded(team):
    ticket = team.open()
    assert ticket.contract == bytes.fromhex(team.led.rounds.contract.address[2:])
    assert (ticket.chain_id, ticket.threshold) == (team.chain.chain_id, 3)
    assert team.led.round(1).model == ticket.model


def test_python_and_contract_compute_the_same_commitment(team):
    ticket = team.open()
    address, digest, salt = team.hospital(0).address, sha("ciphertext"), sha("salt")
    asked = team.led.rounds.contract.ask("commitmentOf", ticket.round, address, digest, salt)
    assert asked == commitment_of(ticket, address, digest, salt)
    assert asked != commitment_of(ticket, team.hospital(1).address, digest, salt)


def test_another_digest_is_not_the_commitment(team):
    ticket = team.open()
    team.upload(ticket)
    with pytest.raises(errors.UploadMismatch, match="hospital-01"):
        team.led.check_commitment("hospital-01", ticket, sha("another ciphertext"))
    with pytest.raises(errors.NotAMember):
        team.led.check_commitment("hospital-77", ticket, sha("hospital-01"))


def test_the_seed_comes_from_a_block_after_uploads_and_opened_sum(team):
    ticket = team.open()
    team.upload(ticket)
    team.led.publish_aggregate(ticket, sha("sum"))
    with pytest.raises(errors.RoundNotOpen):
        team.led.random_seed(ticket)
    team.led.publish_opening(ticket, sha("slots"))
    closed = team.chain.height()
    seed = team.led.random_seed(ticket)
    assert team.led.round(1).seed_block == closed + 1
    assert seed == team.led.random_seed(ticket)
    assert len(seed) == 32


def test_check_values_must_add_up(team):
    ticket = team.open(check_modulus=97)
    team.upload(ticket)
    team.publish(ticket)
    team.led.random_seed(ticket)
    for i, identity in enumerate(team.ids.values()):
        team.led.post_check(identity, ticket, [90 + i, i])
    sums = (sum(range(90, 95)) % 97, sum(range(5)) % 97)
    assert team.led.round(1).check_sums == sums
    forged = team.result(checks=(sums[0] + 1, sums[1]))
    with pytest.raises(errors.SumForged):
        team.led.close_round(ticket, forged, team.approvals(ticket, forged))
    honest = team.result(checks=sums)
    team.led.close_round(ticket, honest, team.approvals(ticket, honest))


def test_sum_and_opening_are_published_once_and_in_order(team):
    ticket = team.open()
    with pytest.raises(errors.RoundNotOpen):
        team.led.publish_aggregate(ticket, sha("sum"))
    team.upload(ticket)
    with pytest.raises(errors.RoundRefused):
        team.led.publish_opening(ticket, sha("slots"))
    result = team.result()
    with pytest.raises(errors.RoundRefused):
        team.led.close_round(ticket, result, team.approvals(ticket, result))
    team.publish(ticket)
    for publish in (team.led.publish_aggregate, team.led.publish_opening):
        with pytest.raises(errors.DuplicateUpload):
            publish(ticket, sha("another"))
    state = team.led.round(1)
    assert (state.aggregate, state.opened) == (sha("sum"), sha("slots"))
    other = ledger.Result(sha("another sum"), sha("weights 1"), 5, 0.5)
    with pytest.raises(errors.RoundRefused):
        team.led.close_round(ticket, other, team.approvals(ticket, other))


def test_a_round_below_threshold_opens_nothing(team):
    ticket = team.open()
    for i in (0, 1):
        team.led.commit(team.hospital(i), ticket, sha("c"))
    with pytest.raises(errors.RoundTooFew) as refused:
        team.led.close_commits(ticket)
    assert refused.value.values == {"received": 2, "required": 3}
    team.led.abort_round(ticket, "too few uploads")
    assert team.led.round(1).phase == "aborted"
    assert team.led.next_round() == 2


def test_dropouts_after_the_commitment_leave_a_smaller_sum(team):
    ticket = team.open()
    for identity in team.ids.values():
        team.led.commit(identity, ticket, sha(identity.name))
    for i in (0, 2, 4):
        team.led.reveal(team.hospital(i), ticket, sha(team.hospital(i).name))
    team.led.close_reveals(ticket)
    assert list(team.led.revealed(ticket)) == ["hospital-00", "hospital-02", "hospital-04"]
    team.publish(ticket)
    wrong = team.result(uploads=5)
    with pytest.raises(errors.RoundRefused, match="revealed"):
        team.led.close_round(ticket, wrong, team.approvals(ticket, wrong))
    right = team.result(uploads=3)
    team.led.close_round(ticket, right, team.approvals(ticket, right))


def test_one_commitment_for_each_hospital_and_round(team):
    ticket = team.open()
    team.led.commit(team.hospital(0), ticket, sha("a"))
    with pytest.raises(errors.DuplicateUpload):
        team.led.commit(team.hospital(0), ticket, sha("b"))


def test_no_commitment_without_a_session_for_this_round(team):
    team.led.login(team.hospital(0), round=1, model=sha("another model"))
    ticket = team.led.open_round(1, model=team.model)
    with pytest.raises(errors.SessionRefused):
        team.led.commit(team.hospital(0), ticket, sha("a"))
    with pytest.raises(errors.NotAMember):
        team.led.commit(team.stranger, ticket, sha("a"))


def test_a_round_must_start_from_the_last_model(team):
    ticket = team.open()
    team.upload(ticket)
    team.publish(ticket)
    result = team.result()
    team.led.close_round(ticket, result, team.approvals(ticket, result))
    with pytest.raises(errors.ModelMismatch):
        team.led.open_round(2, model=team.model)


def test_a_quorum_must_sign_and_only_once_each(team):
    ticket = team.open()
    team.upload(ticket)
    team.publish(ticket)
    result = team.result()
    with pytest.raises(errors.RoundTooFew):
        team.led.close_round(ticket, result, team.approvals(ticket, result, (0, 1)))
    with pytest.raises(errors.InvalidRequest, match="twice"):
        team.led.close_round(ticket, result, team.approvals(ticket, result, (0, 1, 1)))
    other = ledger.Result(sha("sum"), sha("backdoor"), 5, 0.5)
    with pytest.raises(errors.NotAMember):  # the signatures recover to keys that nobody registered
        team.led.close_round(ticket, other, team.approvals(ticket, result))
    assert team.led.round(1).phase == "aggregate"


def test_events_tell_the_whole_story_in_order(team):
    ticket = team.open()
    team.upload(ticket)
    names = [e.name for e in team.led.events()]
    assert names.count("UploadCommitted") == names.count("UploadRevealed") == 5
    assert names.index("RoundOpened") < names.index("UploadCommitted") < names.index("UploadRevealed")


def test_arguments_that_cannot_fit_are_refused_before_anything_is_sent(team):
    ticket = team.open()
    height = team.chain.height()
    for wrong in (
        lambda: team.led.commit(team.hospital(0), ticket, b"short"),
        lambda: team.led.publish_aggregate(ticket, b"x" * 33),
        lambda: team.led.open_round(-1, model=team.model),
        lambda: team.led.login(team.hospital(0), round=1, model=b"short"),
        lambda: ledger.Result(b"short", sha("w"), 3),
        lambda: ledger.Result(sha("s"), sha("w"), 3, epsilon=float("nan")),
        lambda: team.led.registry.register(team.admin, "new", "no address"),
    ):
        with pytest.raises(errors.ConfigError):
            wrong()
    assert team.chain.height() == height


def test_another_process_connects_and_takes_part(team):
    ticket = team.open()
    own = team.hospital(0)
    here = ledger.Ledger.connect(team.chain, team.led.addresses, coordinator=own, threshold=3)
    assert here.ticket(1) == ticket
    here.commit(own, ticket, sha("ciphertext"))
    assert team.led.round(1).commits == 1
    with pytest.raises(errors.NotAuthorised):
        here.publish_aggregate(ticket, sha("sum"))
    with pytest.raises(errors.ConfigError, match="AuditTrail"):
        ledger.Ledger.connect(team.chain, {}, coordinator=own, threshold=3)
    with pytest.raises(errors.RoundNotOpen, match="never opened"):
        here.ticket(9)


HISTORY = """
from bfl_stpc import ledger
import hashlib
chain = ledger.Chain.in_memory()
admin, a, b = (ledger.Identity.derive(n, 7) for n in ("admin", "a", "b"))
led = ledger.Ledger.deploy(chain, admin=admin, hospitals={"a": a.address, "b": b.address}, threshold=2)
model = hashlib.sha256(b"w").digest()
for i in (a, b): led.login(i, round=1, model=model)
ticket = led.open_round(1, model=model)
for i in (a, b): led.commit(i, ticket, hashlib.sha256(i.name.encode()).digest())
print(led.head_hash().hex())
"""


def test_equal_histories_have_equal_head_hashes_in_any_process():
    heads = {
        subprocess.run(
            [sys.executable, "-c", HISTORY],
            capture_output=True,
            text=True,
            check=True,
            env={**os.environ, "PYTHONHASHSEED": seed},
        ).stdout
        for seed in ("1", "2")
    }
    assert len(heads) == 1
    assert len(heads.pop().strip()) == 64
