"""Everything that must be refused, with the error that says why; and that a refusal changes nothing."""

import dataclasses

import numpy as np
import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from bfl_stpc import stpc
from bfl_stpc.errors import (
    CommitmentMismatch,
    Corrupt,
    Foreign,
    OpeningRefused,
    OutOfOrder,
    ShareError,
    TooFewUploads,
    UnmaskRefused,
    UpdateError,
)
from bfl_stpc.stpc.hazmat.masks import agree, derive
from bfl_stpc.stpc.messages import Attestation


@pytest.fixture
def w(world):
    return world(5)


@pytest.fixture
def ready(w):
    """A round of five that is set up; and its updates."""
    ticket = w.ticket()
    return ticket, stpc.set_up(list(w.parties.values()), ticket, w.identities), w.updates(20)


@pytest.fixture
def summed(w, ready):
    """A round of which the last hospital dropped out, aggregated."""
    ticket, directory, updates = ready
    aggregate = w.add(w.upload(w.names[:4], updates, ticket, directory), ticket)
    return ticket, directory, aggregate, w.aggregator.unmask_request(aggregate, ticket, shared=w.names)


# Set-up


def test_adverts_must_be_signed_by_registered_members_once(w):
    ticket = w.ticket()
    adverts = [p.advertise(ticket) for p in w.parties.values()]
    verify = stpc.Directory.verify
    for field in ("mask_key", "seal_key", "seed_commitment", "signature"):
        forged = dataclasses.replace(adverts[0], **{field: bytes(len(getattr(adverts[0], field)))})
        with pytest.raises(Corrupt, match="not signed"):
            verify([forged, *adverts[1:]], ticket, w.identities)
    renamed = dataclasses.replace(adverts[0], hospital=w.names[1])
    with pytest.raises(Corrupt, match="not signed"):
        verify([renamed], ticket, w.identities)
    with pytest.raises(Corrupt, match="not signed"):
        verify(adverts, ticket, {**w.identities, w.names[0]: w.identities[w.names[1]]})
    with pytest.raises(Corrupt, match="not signed"):
        verify(adverts, ticket, {})
    with pytest.raises(Corrupt, match="not signed"):
        verify(adverts, w.ticket(2), w.identities)  # replayed in another round
    with pytest.raises(OutOfOrder, match="twice"):
        verify([adverts[0], *adverts], ticket, w.identities)
    with pytest.raises(Foreign, match="not a member"):
        verify([dataclasses.replace(adverts[0], hospital="stranger")], ticket, w.identities)


def test_a_hospital_outside_the_round_does_not_advertise(w):
    with pytest.raises(Foreign, match="not a member"):
        stpc.Party("stranger", w.params, attest=w.board.read).advertise(w.ticket())


def test_a_hospital_checks_the_directory_itself(w):
    """A router that puts its own keys in place of a hospital's would read its shares and know its masks."""
    ticket = w.ticket()
    adverts = {n: p.advertise(ticket) for n, p in w.parties.items()}
    directory = stpc.Directory.verify(adverts.values(), ticket, w.identities)
    victim, router = w.parties[w.names[0]], stpc.Party(w.names[1], w.params, attest=w.board.read)
    swapped = stpc.Directory(ticket, {**adverts, w.names[1]: router.advertise(ticket)})
    with pytest.raises(Corrupt, match=r"hospital-001.* not signed"):
        victim.share(swapped, w.identities)
    without = stpc.Directory(ticket, {n: a for n, a in adverts.items() if n != victim.name})
    with pytest.raises(Foreign, match="does not hold the keys"):
        victim.share(without, w.identities)
    with pytest.raises(Foreign, match="another round"):
        victim.share(stpc.Directory(w.ticket(2), adverts), w.identities)
    with pytest.raises(TooFewUploads, match="2 adverts"):
        victim.share(stpc.Directory(ticket, {n: adverts[n] for n in w.names[:2]}), w.identities)
    victim.share(directory, w.identities)  # refusals changed nothing


def test_sealed_shares_are_for_one_reader_of_one_round(w):
    ticket = w.ticket()
    p = list(w.parties.values())
    directory = stpc.Directory.verify([x.advertise(ticket) for x in p], ticket, w.identities)
    boxes = [box for x in p for box in x.share(directory, w.identities)]
    own = [b for b in boxes if b.recipient == w.names[0]]
    for box in (b"", own[0].box[:-1] + bytes([own[0].box[-1] ^ 1]), own[1].box):
        with pytest.raises(Corrupt, match="cannot be opened"):
            p[0].receive([dataclasses.replace(own[0], box=box), *own[1:]])
    with pytest.raises(Foreign, match="came to"):
        p[0].receive([b for b in boxes if b.recipient == w.names[1]])
    for_another = next(b for b in boxes if (b.sender, b.recipient) == (w.names[2], w.names[1]))
    for box in (for_another, dataclasses.replace(own[0], sender=w.names[0])):
        with pytest.raises(Foreign, match="came to"):
            p[0].receive([box, *own])
    with pytest.raises(OutOfOrder, match="twice"):
        p[0].receive([own[0], *own])
    with pytest.raises(TooFewUploads, match="threshold"):
        p[0].receive(own[:1])
    p[0].receive(own)  # refusals changed nothing


def test_a_box_is_sealed_under_a_key_of_its_own_direction_and_purpose(w):
    ticket = w.ticket()
    p = list(w.parties.values())
    directory = stpc.Directory.verify([x.advertise(ticket) for x in p], ticket, w.identities)
    box = next(b for b in p[0].share(directory, w.identities) if b.recipient == w.names[1])
    secret = agree(p[0]._round.seal_private, directory.adverts[w.names[1]].seal_key)
    key = derive(secret, ticket.context(), "share", w.names[0], w.names[1], length=32)
    opened = AESGCM(key).decrypt(box.box[:12], box.box[12:], None)
    assert opened[: len(opened) // 2] != opened[len(opened) // 2 :]  # a share of the seed, and one of the mask key


def test_steps_out_of_order_are_refused(w):
    ticket, key = w.ticket(), w.authority.public_key
    p = list(w.parties.values())
    with pytest.raises(OutOfOrder, match="not advertised"):
        p[0].receive([])
    directory = stpc.Directory.verify([x.advertise(ticket) for x in p], ticket, w.identities)
    with pytest.raises(OutOfOrder, match="already advertised"):
        p[0].advertise(ticket)
    with pytest.raises(OutOfOrder, match="not shared"):
        p[0].receive([])
    boxes = [box for x in p for box in x.share(directory, w.identities)]
    with pytest.raises(OutOfOrder, match="already shared"):
        p[0].share(directory, w.identities)
    with pytest.raises(OutOfOrder, match="after it has received"):
        p[0].protect(np.zeros(3), ticket, directory, key, records=1)
    p[0].receive([b for b in boxes if b.recipient == p[0].name])
    with pytest.raises(OutOfOrder, match="already received"):
        p[0].receive([b for b in boxes if b.recipient == p[0].name])
    p[0].protect(np.zeros(3), ticket, directory, key, records=1)
    with pytest.raises(OutOfOrder, match="one update a round"):
        p[0].protect(np.ones(3), ticket, directory, key, records=1)


# Protection


def test_an_update_that_cannot_be_encoded_costs_nothing(w, ready):
    ticket, directory, updates = ready
    party = w.parties[w.names[0]]
    with pytest.raises(UpdateError, match="clip"):
        party.protect(2 * np.ones(20), ticket, directory, w.authority.public_key, records=1)
    party.protect(updates[w.names[0]], ticket, directory, w.authority.public_key, records=1)


def test_foreign_tickets_models_directories_and_keys_are_refused(w, ready):
    ticket, directory, updates = ready
    party, update = w.parties[w.names[0]], updates[w.names[0]]
    key = w.authority.public_key
    with pytest.raises(Foreign, match="another global model"):
        party.protect(update, w.ticket(model=b"x" * 32), directory, key, records=1)
    for other in (w.ticket(2), w.ticket(2, model=b"x" * 32)):
        with pytest.raises(Foreign, match="another round"):
            party.protect(update, other, directory, key, records=1)
    with pytest.raises(Foreign, match="directory"):
        party.protect(update, ticket, stpc.Directory(ticket, {}), key, records=1)
    other = stpc.KeyAuthority(stpc.Parameters(hospitals=6), attest=w.board.read)
    with pytest.raises(Foreign, match="other parameters"):
        party.protect(update, ticket, directory, other.public_key, records=1)
    with pytest.raises(Foreign, match="other parameters"):
        stpc.Aggregator(w.params, other.public_key)


def test_more_members_than_the_capacity_are_refused_before_encrypting(world):
    w = world(5)
    small = stpc.Parameters(hospitals=4, bits=16)
    authority = stpc.KeyAuthority(small, attest=w.board.read)
    parties = [stpc.Party(n, small, attest=w.board.read) for n in w.names]
    ticket = w.ticket()
    directory = stpc.set_up(parties, ticket, {p.name: p.identity for p in parties})
    with pytest.raises(UpdateError, match="capacity of 4"):
        parties[0].protect(np.zeros(3), ticket, directory, authority.public_key, records=1)


# Aggregation


def test_only_committed_uploads_are_added(w, ready):
    ticket, directory, updates = ready
    uploads = w.upload(w.names, updates, ticket, directory)
    committed = w.board.read(ticket).uploads
    assert {upload.round for upload in uploads} == {ticket.round}
    add = w.aggregator.add
    with pytest.raises(CommitmentMismatch, match=r"hospital-000.* not the one"):
        add([dataclasses.replace(uploads[0], payload=uploads[1].payload), *uploads[1:]], ticket, committed)
    with pytest.raises(CommitmentMismatch, match="not the one"):
        add(uploads, ticket, {n: d for n, d in committed.items() if n != w.names[0]})
    with pytest.raises(CommitmentMismatch, match="did not arrive"):
        add(uploads[1:], ticket, committed)
    with pytest.raises(OutOfOrder, match="twice"):
        add([uploads[0], *uploads], ticket, committed)
    with pytest.raises(TooFewUploads, match="threshold"):
        add(uploads[:2], ticket, {u.hospital: u.digest for u in uploads[:2]})
    with pytest.raises(Foreign, match="another round"):
        add(uploads, w.ticket(2), committed)
    stranger = dataclasses.replace(uploads[0], hospital="stranger")
    with pytest.raises(Foreign, match="not members"):
        add([stranger, *uploads[1:]], ticket, {u.hospital: u.digest for u in [stranger, *uploads[1:]]})


def test_updates_of_different_sizes_are_refused(w, ready):
    ticket, directory, updates = ready
    updates = {**updates, w.names[0]: np.zeros(7)}
    with pytest.raises(Foreign, match="differ in size"):
        w.add(w.upload(w.names, updates, ticket, directory), ticket)


def test_hospitals_that_masked_towards_different_sets_are_not_added(w):
    """A router that withholds one box leaves a mask that would not cancel."""
    ticket, updates = w.ticket(), w.updates(20)
    p = list(w.parties.values())
    directory = stpc.Directory.verify([x.advertise(ticket) for x in p], ticket, w.identities)
    boxes = [box for x in p for box in x.share(directory, w.identities)]
    for x in p:
        withheld = w.names[4] if x is p[0] else None
        x.receive([b for b in boxes if b.recipient == x.name and b.sender != withheld])
    with pytest.raises(Foreign, match="different sets"):
        w.add(w.upload(w.names, updates, ticket, directory), ticket)


# Unmasking


def test_overlapping_lists_are_refused(w, summed):
    *_, request = summed
    both = dataclasses.replace(request, dropped=(*request.dropped, w.names[0]))
    with pytest.raises(UnmaskRefused, match=r"hospital-000.* both survivors and dropped"):
        w.parties[w.names[1]].unmask(both)


def test_lists_that_are_not_the_set_up_are_refused(w, summed):
    *_, request = summed
    with pytest.raises(UnmaskRefused, match="set-up"):
        w.parties[w.names[1]].unmask(dataclasses.replace(request, dropped=()))
    with pytest.raises(UnmaskRefused, match="set-up"):
        w.parties[w.names[1]].unmask(dataclasses.replace(request, survivors=(*request.survivors, "stranger")))


def test_undersized_sets_are_refused(w, summed):
    *_, request = summed
    few = dataclasses.replace(request, survivors=w.names[:2], dropped=w.names[2:])
    with pytest.raises(TooFewUploads, match="2 survivors"):
        w.parties[w.names[1]].unmask(few)


def test_survivors_other_than_the_ledgers_are_refused(w, summed):
    *_, request = summed
    other = dataclasses.replace(request, survivors=w.names[1:], dropped=w.names[:1])
    with pytest.raises(UnmaskRefused, match="ledger"):
        w.parties[w.names[1]].unmask(other)


def test_nothing_is_revealed_while_the_list_of_uploads_may_grow(w, ready):
    ticket, directory, updates = ready
    w.upload(w.names[:4], updates, ticket, directory)
    request = stpc.UnmaskRequest(ticket, w.names[:4], w.names[4:])
    with pytest.raises(UnmaskRefused, match="may still grow"):
        w.parties[w.names[1]].unmask(request)


def test_foreign_rounds_and_models_are_refused_by_name(w, summed):
    *_, request = summed
    with pytest.raises(Foreign, match="another round"):
        w.parties[w.names[1]].unmask(dataclasses.replace(request, ticket=w.ticket(2)))
    with pytest.raises(Foreign, match="another global model"):
        w.parties[w.names[1]].unmask(dataclasses.replace(request, ticket=w.ticket(model=b"x" * 32)))


def test_a_second_request_is_refused_even_if_it_is_the_same(w, summed):
    *_, request = summed
    party = w.parties[w.names[1]]
    answer = party.unmask(request)
    assert set(answer.seeds) == set(w.names[:4])
    assert set(answer.keys) == {w.names[4]}  # never both for one hospital
    with pytest.raises(UnmaskRefused, match="already answered"):
        party.unmask(request)


def test_refusals_do_not_spend_the_one_answer(w, summed):
    *_, request = summed
    party = w.parties[w.names[1]]
    with pytest.raises(UnmaskRefused, match="both"):
        party.unmask(dataclasses.replace(request, dropped=request.survivors))
    party.unmask(request)


@pytest.mark.parametrize("what", ["seeds", "keys"])
@pytest.mark.parametrize("answering", [3, 4])
def test_a_forged_share_never_gives_a_wrong_sum(w, summed, what, answering):
    ticket, directory, aggregate, request = summed
    slots = w.authority.open(aggregate, ticket)
    answers = [w.parties[n].unmask(request) for n in w.names[:answering]]
    shares = getattr(answers[0], what)
    forged = dataclasses.replace(answers[0], **{what: {n: bytes(32) + b"\x01" for n in shares}})
    with pytest.raises((Corrupt, ShareError)):
        w.aggregator.unmask(aggregate, request, directory, slots, [forged, *answers[1:]])
    total = w.aggregator.unmask(aggregate, request, directory, slots, answers)
    assert total.survivors == w.names[:4]


def test_answers_are_counted_once_and_come_from_the_round(w, summed):
    ticket, directory, aggregate, request = summed
    slots = w.authority.open(aggregate, ticket)
    answers = [w.parties[n].unmask(request) for n in w.names[:4]]
    with pytest.raises(OutOfOrder, match="answers twice"):
        w.aggregator.unmask(aggregate, request, directory, slots, [*answers, answers[0]])
    stranger = dataclasses.replace(answers[0], hospital="stranger")
    with pytest.raises(Foreign, match="outside the directory"):
        w.aggregator.unmask(aggregate, request, directory, slots, [*answers, stranger])
    with pytest.raises(TooFewUploads, match="2 unmasking answers"):
        w.aggregator.unmask(aggregate, request, directory, slots, answers[:2])
    with pytest.raises(Foreign, match="another round"):
        w.aggregator.unmask(aggregate, request, stpc.Directory(w.ticket(2), directory.adverts), slots, answers)


# Key authority


def test_the_authority_opens_only_what_the_ledger_publishes(w, ready):
    ticket, directory, updates = ready
    uploads = w.upload(w.names, updates, ticket, directory)
    aggregate = w.aggregator.add(uploads, ticket, w.board.read(ticket).uploads)
    with pytest.raises(OpeningRefused, match="does not publish"):
        w.authority.open(aggregate, ticket)
    w.board.publish(ticket, aggregate.digest)
    single = stpc.Aggregate((w.names[0],), uploads[0].payload)
    with pytest.raises(OpeningRefused, match="does not publish"):
        w.authority.open(single, ticket)
    with pytest.raises(OpeningRefused, match="survivors"):
        w.authority.open(dataclasses.replace(aggregate, survivors=w.names[1:]), ticket)
    assert np.array_equal(w.authority.open(aggregate, ticket), w.authority.open(aggregate, ticket))


def test_the_authority_counts_the_ledgers_uploads_not_the_aggregators(w, ready):
    ticket, directory, updates = ready
    uploads = w.upload(w.names, updates, ticket, directory)
    aggregate = w.aggregator.add(uploads, ticket, w.board.read(ticket).uploads)
    few = {u.hospital: u.digest for u in uploads[:2]}
    w.authority._attest = lambda _: Attestation(few, aggregate.digest)
    with pytest.raises(TooFewUploads, match="2 uploads on the ledger"):
        w.authority.open(aggregate, ticket)


def test_the_authority_opens_one_aggregate_a_round(w, ready):
    ticket, directory, _ = ready
    (everyone, fewer), (before, after) = w.two_sums(ticket, directory)
    w.authority._attest = lambda _: before
    w.authority.open(everyone, ticket)
    w.authority._attest = lambda _: after
    with pytest.raises(OpeningRefused, match="another aggregate"):  # the difference would be one hospital's update
        w.authority.open(fewer, ticket)


def test_the_board_is_written_once(w, ready):
    ticket, directory, updates = ready
    w.add(w.upload(w.names[:4], updates, ticket, directory), ticket)
    with pytest.raises(OutOfOrder, match="cannot commit"):
        w.board.commit(ticket, w.names[0], bytes(32))
    with pytest.raises(OutOfOrder, match="cannot commit"):
        w.board.commit(ticket, w.names[4], bytes(32))  # closed once the aggregate is published
    with pytest.raises(OutOfOrder, match="published"):
        w.board.publish(ticket, bytes(32))
