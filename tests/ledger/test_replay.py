"""Blocks exported and executed again; replicas that sign what they executed, and what a quorum then proves."""

import pytest
import rlp
from ledger.consortium import Consortium, sha

from bfl_stpc import errors, ledger
from bfl_stpc.ledger import Action, Purpose
from bfl_stpc.ledger.replay import decode_block, export_blocks, import_block, replay
from bfl_stpc.ledger.replicas import Certificate, ReplicaSet, quorum


@pytest.fixture(scope="module")
def history():
    team = Consortium(ledger.Chain.in_memory(), count=3, threshold=2)
    team.led.trail.report(team.hospital(0), sha("r"), Purpose.TREATMENT, Action.READ)
    team.chain.advance(50)
    team.led.trail.report(team.hospital(1), sha("r"), Purpose.TREATMENT, Action.READ)
    return team.chain, export_blocks(team.chain)


def test_a_replay_ends_at_the_same_head(history):
    chain, blocks = history
    again = replay(blocks, head=chain.head_hash())
    assert (again.head_hash(), again.height()) == (chain.head_hash(), chain.height())


def test_a_replayed_chain_goes_on(history):
    chain, blocks = history
    again = replay(blocks)
    again.advance(10)
    assert again.height() == chain.height() + 1


@pytest.mark.parametrize("how", ["drop", "swap", "flip", "truncate", "foreign"])
def test_altered_blocks_are_refused_and_named(history, how):
    chain, blocks = history
    bad = list(blocks)
    if how == "drop":
        del bad[4]
    elif how == "swap":
        bad[4], bad[5] = bad[5], bad[4]
    elif how == "flip":
        bad[4] = bad[4][:-50] + bytes([bad[4][-50] ^ 1]) + bad[4][-49:]
    elif how == "truncate":
        bad[4] = bad[4][:-5]
    else:
        bad[4] = b"no block"
    with pytest.raises(errors.BlockRefused, match="block 5"):
        replay(bad, head=chain.head_hash())


def test_blocks_missing_at_the_end_show_against_the_head(history):
    chain, blocks = history
    with pytest.raises(errors.BlockRefused, match="another head"):
        replay(blocks[:-1], head=chain.head_hash())


def test_batches_use_the_same_gas_and_leave_the_same_events_as_single_transactions():
    def report(team, i):
        data = team.led.trail.contract.encode("report", sha(str(i)), 0, 1, bytes(32))
        return (team.hospital(i % 3), team.led.trail.contract.address, data)

    single, batched = (Consortium(ledger.Chain.in_memory(), count=3, threshold=2) for _ in range(2))
    gas = [single.chain.transact(*report(single, i)).gas for i in range(9)]
    assert batched.chain.transact_all([report(batched, i) for i in range(9)]) == gas
    assert batched.chain.height() == single.chain.height() - 8
    for team in (single, batched):
        assert [e.record for e in team.led.trail.review()[0]] == [sha(str(i)) for i in range(9)]


def test_a_refused_call_in_a_batch_is_explained_and_the_others_stand():
    team = Consortium(ledger.Chain.in_memory(), count=3, threshold=2)
    contract = team.led.trail.contract
    calls = [
        (who, contract.address, contract.encode("report", sha("r"), 0, 1, bytes(32)))
        for who in (team.hospital(0), team.stranger)
    ]
    with pytest.raises(errors.NotAMember):
        team.chain.transact_all(calls)
    assert len(team.led.trail.review()[0]) == 1


# -- replicas


def transfer(chain, sender, nonce):
    fees = {"maxFeePerGas": 0, "maxPriorityFeePerGas": 0, "gas": 100_000}
    base = {"type": 2, "chainId": chain.chain_id, "nonce": nonce, "value": 0, "data": b"", "to": sender.address}
    return sender.sign_transaction(base | fees)


@pytest.fixture
def replicas():
    return ReplicaSet([ledger.Identity.derive(f"replica-{i}", 1) for i in range(4)])


@pytest.fixture
def sender():
    return ledger.Identity.derive("sender", 1)


def heads(replicas):
    return {r.chain.head_hash() for r in replicas.members}


def test_quorums_of_two_differ_by_more_than_a_third():
    assert [quorum(n) for n in (4, 5, 6, 7, 10)] == [3, 4, 4, 5, 7]


def test_fewer_than_four_replicas_tolerate_nothing():
    with pytest.raises(errors.ConfigError):
        ReplicaSet([ledger.Identity.derive("a", 1)])


def test_honest_replicas_agree_and_anyone_can_verify(replicas, sender):
    replicas.submit(transfer(replicas.members[0].chain, sender, 0))
    certificate = replicas.certify(replicas.leader().propose())
    certificate.verify(replicas.addresses)
    assert len(heads(replicas)) == 1
    assert all(not r.pool for r in replicas.members)


def test_one_silent_replica_does_not_matter_two_stop_everything(replicas):
    replicas.certify(replicas.leader().propose(), silent=["replica-3"]).verify(replicas.addresses)
    before = [r.chain.height() for r in replicas.members]
    with pytest.raises(errors.CertificateInvalid, match="2 signatures; 3"):
        replicas.certify(replicas.members[0].propose(), silent=["replica-2", "replica-3"])
    assert [r.chain.height() for r in replicas.members] == before


def test_an_equivocating_leader_gets_no_two_final_blocks(replicas, sender):
    leader, *others = replicas.members
    first = leader.propose()
    leader.pool.append(transfer(leader.chain, sender, 0))
    second = leader.propose()
    assert first != second
    others[0].vote(first)
    others[1].vote(second)
    with pytest.raises(errors.BlockRefused, match="equivocates"):
        others[0].vote(second)
    with pytest.raises(errors.CertificateInvalid, match="equivocates"):
        replicas.certify(second, silent=["replica-0"])
    assert {r.chain.height() for r in replicas.members} == {0}


def test_a_forged_state_root_is_refused_by_name(replicas, sender):
    replicas.submit(transfer(replicas.members[0].chain, sender, 0))
    honest = decode_block(replicas.members[0].chain, replicas.leader().propose())
    forged = rlp.encode(honest.copy(header=honest.header.copy(state_root=sha("richer"))))
    with pytest.raises(errors.CertificateInvalid, match="state_root"):
        replicas.certify(forged)
    assert {r.chain.height() for r in replicas.members} == {0}


def test_a_transaction_dropped_by_one_leader_is_taken_up_by_the_next(replicas, sender):
    replicas.submit(transfer(replicas.members[0].chain, sender, 0))
    leader = replicas.leader()
    leader.pool.clear()  # it pretends never to have heard of it
    replicas.certify(leader.propose())
    assert replicas.leader() is not leader
    replicas.certify(replicas.leader().propose())
    block = replicas.members[0].chain.backend.chain.get_canonical_block_by_number(2)
    assert len(block.transactions) == 1


def test_a_transaction_cut_out_of_a_block_does_not_execute_to_its_header(replicas, sender):
    replicas.submit(transfer(replicas.members[0].chain, sender, 0))
    honest = decode_block(replicas.members[0].chain, replicas.leader().propose())
    with pytest.raises(errors.CertificateInvalid, match="does not sign"):
        replicas.certify(rlp.encode(honest.copy(transactions=())))


def test_forged_certificates_are_refused(replicas):
    genuine = replicas.certify(replicas.leader().propose())
    three = dict(list(genuine.signatures.items())[:3])
    outsider = ledger.Identity.derive("outsider", 1)

    def certificate(signatures, block=genuine.block):
        return Certificate(genuine.chain_id, genuine.height, block, signatures)

    certificate(three).verify(replicas.addresses)
    for forged, message in [
        (certificate({**three, "outsider": three["replica-0"]}), "no replica"),
        (certificate({**three, "replica-0": three["replica-1"]}), "forged"),
        (certificate({**three, "replica-0": b"garbage"}), "forged"),
        (certificate(three, block=sha("another block")), "forged"),
        (certificate(dict(list(three.items())[:2])), "2 signatures; 3"),
    ]:
        with pytest.raises(errors.CertificateInvalid, match=message):
            forged.verify(replicas.addresses)
    with pytest.raises(errors.CertificateInvalid):
        genuine.verify({**replicas.addresses, "replica-0": outsider.address})


def test_a_certificate_of_one_block_does_not_carry_another(replicas):
    other = ReplicaSet([r.identity for r in replicas.members])
    other.members[0].chain.backend._next_time(9)
    foreign = other.members[0].propose()
    certificate = replicas.certify(replicas.leader().propose())
    late = ReplicaSet([r.identity for r in replicas.members]).members[0]
    with pytest.raises(errors.CertificateInvalid, match="another block"):
        late.adopt(foreign, certificate, replicas.addresses)


def test_import_refuses_a_block_that_skips_one(history):
    _, blocks = history
    with pytest.raises(errors.BlockRefused, match="block 1"):
        import_block(ledger.Chain.in_memory(), blocks[1])
