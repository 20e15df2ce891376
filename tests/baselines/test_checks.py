"""What each baseline refuses, what it does not, and that a check is what refuses."""

import hashlib
from dataclasses import replace

import numpy as np
import pytest

from bfl_stpc import detection
from bfl_stpc.baselines import campaign, ejss, exposure, feacs, plain, ppflb
from bfl_stpc.baselines.inject_records import SealedStore, SharedStore, records
from bfl_stpc.baselines.inject_rounds import ClusterRounds, StoredRounds
from bfl_stpc.errors import (
    AccessDenied,
    CommitmentMismatch,
    Corrupt,
    IntegrityError,
    ReaderUnknown,
    RecordMissing,
    ShareError,
)
from bfl_stpc.seeds import generator

MISSED = {
    "PPFLB-style": {"stolen_key"},
    "FEACS-style": {"stolen_key", "kept_copy", "past_the_ledger", "tampered_trail"},
    "FLBM-IoT-style": {"stolen_key"},
    "EJSS-style": {"stolen_key", "no_consent", "kept_copy", "past_the_ledger"},
}


def test_content_identifiers_are_those_of_ipfs():
    # published by the package ipfs-cid
    assert ppflb.cid(b"Hello world") == "bafkreide5semuafsnds3ugrvm6fbwuyw2ijpj43gwjdxemstjkfozi37hq"


def test_the_store_finds_an_altered_and_a_missing_block():
    store = ppflb.ContentStore()
    name = store.put(b"update")
    assert store.get(name) == b"update"
    store.blocks[name] = b"Update"
    with pytest.raises(IntegrityError):
        store.get(name)
    with pytest.raises(RecordMissing):
        store.get(ppflb.cid(b"another"))


def test_claims_of_work_open_pseudonyms_of_hospitals_of_different_sizes(patients):
    consortium = ppflb.Consortium(patients.private_tables, ppflb.Settings(rounds=2), 1, ledger=False)
    claims = {name: len(table.y) for name, table in consortium.tables.items()}
    sizes = {name: len(r.y) for name, r in patients.records.items()}
    assert ppflb.reidentify(claims, sizes) == consortium.registrar
    assert not set(claims) & set(sizes)


def test_a_claim_beyond_any_hospital_is_refused():
    bench = StoredRounds()
    most = bench.consortium.max_work

    def greedy(payload, ticket):
        return plain.encode(np.ones(bench.size, np.float32), most + 1, ticket)

    ticket = bench.begin(generator("test"), **{next(iter(bench.members)): greedy})
    with pytest.raises(Corrupt, match="no member has more"):
        bench.collect(ticket)


def test_fewer_nodes_than_the_threshold_learn_nothing_and_any_three_all():
    record = bytes(range(44))
    shares = dict(enumerate(ejss.share(record), start=1))
    assert ejss.combine({n: shares[n] for n in (2, 3, 5)}, 44) == record
    with pytest.raises(ShareError):
        ejss.combine({n: shares[n] for n in (1, 4)}, 44)
    # the same two shares fit every record: another third share gives another record, and no error tells
    other = dict(enumerate(ejss.share(bytes(44)), start=1))
    for _ in range(20):  # a random value lies below 2**256 nearly always
        mixed = {1: shares[1], 4: shares[4], 5: other[5]}
        assert ejss.combine(mixed, 44) != record


def test_two_failed_nodes_lose_nothing_and_three_lose_all():
    made = ejss.Deployment.fill(records(), 1)
    for number in (1, 2):
        made.nodes[number].shares.clear()
    assert made.collect(ask=(3, 4, 5)).keys() == records().keys()
    made.nodes[3].shares.clear()
    with pytest.raises(RecordMissing):
        made.collect(request=2, ask=(3, 4, 5))
    with pytest.raises(ShareError):
        made.collect(request=3, ask=(4, 5))


def test_attribute_keys_do_not_resist_collusion_but_the_decision_does():
    made = feacs.Deployment.fill(records())
    service, number = made.service, made.numbers["hospital-00"][0]
    doctor, student = feacs.User("doctor"), feacs.User("student")
    service.authority.issue(doctor, ["role:trainer"])
    service.authority.issue(student, ["purpose:research"])
    sealed = service.records[number]
    for user in (doctor, student):
        service.register(user)
        service.authenticate(user)
        with pytest.raises(ReaderUnknown):
            feacs.unseal(sealed, number, user.held, (0,))
        with pytest.raises(AccessDenied):
            service.fetch(user, [number], "research")
    assert feacs.unseal(sealed, number, doctor.held | student.held, (0,))  # real CP-ABE would refuse


def test_revocation_locks_out_the_revoked_and_nobody_else():
    made = feacs.Deployment.fill(records())
    old, owner, number = dict(made.trainer.held), made.hospitals["hospital-00"], made.numbers["hospital-00"][0]
    before = feacs.unseal(made.service.records[number], number, owner.held, (1,))
    assert made.service.revoke(made.trainer) == len(made.service.records)
    renewed = made.service.records[number]
    assert feacs.unseal(renewed, number, owner.held, (1,)) == before
    with pytest.raises(ReaderUnknown):
        feacs.unseal(renewed, number, old, (0,))


def test_a_cluster_believes_only_the_head_and_the_ledger_of_another():
    bench = ClusterRounds()
    ticket = bench.begin(generator("test"))
    model = np.ones(bench.size, "<f4").tobytes()
    bench.book.publish_aggregate(ticket, hashlib.sha256(model).digest())
    cluster, other = bench.federation.clusters
    message = cluster.message(ticket.round, model)
    assert cluster.verify(message).tolist() == [1.0] * bench.size
    for forged in (
        replace(message, signature=message.signature[:-1]),
        replace(message, records=message.records + 1),
        replace(other.message(ticket.round, model), cluster=0),
    ):
        with pytest.raises(Corrupt):
            cluster.verify(forged)
    with pytest.raises(CommitmentMismatch):
        bench.federation.receive([message])


@pytest.mark.parametrize("name", sorted(campaign.BENCHES))
def test_each_kind_meets_its_check_or_none_and_honest_runs_raise_no_alarm(name):
    bench = campaign.BENCHES[name]()
    for kind, (levels, inject) in bench.injectors().items():
        known = [level.name for level in detection.load().kinds[kind].levels]
        assert set(levels) <= set(known), kind
        level = levels[-1] if kind == "forged_result" else levels[0]
        outcome = inject(level, generator("test", name, kind))
        assert outcome.detected == (kind not in MISSED[name]), kind
    assert not bench.honest(generator("test", name)).detected


def test_a_malformed_shell_is_an_update_to_whoever_reads_plain_numbers():
    outcome = StoredRounds().malformed("noise in a well-formed shell", generator("test"))
    assert not outcome.detected


def test_without_the_recomputation_a_false_mean_passes(monkeypatch):
    bench = ClusterRounds()
    assert bench.lying("every parameter", generator("test")).by == "FederatedError"
    monkeypatch.setattr(plain, "agree", lambda *_: None)
    assert not bench.lying("every parameter", generator("test")).detected


def test_without_the_commitments_a_forged_share_gives_a_wrong_record(monkeypatch):
    bench = SharedStore()
    assert bench.forged_share("one hospital", generator("test")).by == "CommitmentMismatch"
    made = bench.fresh()
    monkeypatch.setattr(ejss, "batch_root", lambda *_: bytes(32))
    monkeypatch.setattr(made, "anchors", lambda: {name: [bytes(32)] * 5 for name in made.counts})
    made.nodes[1].shares["hospital-00"][0] = made.nodes[1].shares["hospital-00"][1]
    try:
        collected = made.collect()["hospital-00"].X[0]
    except ShareError:  # the wrong point lies above 2**256, with a chance of about 2**-247
        pytest.fail("the interpolation refused by chance")
    assert collected.tobytes() != records()["hospital-00"].X[0].tobytes()


def test_a_records_bytes_are_bound_to_their_place():
    made = SealedStore().fresh()
    sealed = made.service.records[0]
    assert feacs.unseal(sealed, 0, made.trainer.held, (0,))
    with pytest.raises(Exception, match="altered"):
        feacs.unseal(sealed, 1, made.trainer.held, (0,))


def test_inversion_reads_plain_updates_and_records_and_nothing_else(patients):
    seen = exposure.inversion(patients, victims=3).set_index(["system", "observer"]).recovered
    whole = {("FLBM-IoT-style", "cluster head"), ("FEACS-style", "trainer"), ("EJSS-style", "analyst")}
    assert set(seen[seen == 1].index) == whole
    assert (seen[[key for key in seen.index if key not in whole]] == 0).all()
