"""The verifiable sum against aggregators that lie."""

import dataclasses
import hashlib

import numpy as np
import pytest

from bfl_stpc import stpc
from bfl_stpc.errors import Corrupt, Foreign, OutOfOrder, SumRefuted, TooFewUploads
from bfl_stpc.stpc.hazmat.masks import MaskStream, derive, from_bytes
from bfl_stpc.stpc.hazmat.unmasking import remove_masks
from bfl_stpc.stpc.verify import Challenge, verify_sum

BLOCK = hashlib.sha256(b"a later block").digest()


@pytest.fixture
def played(world):
    """A round of five with one dropout: (world, ticket, directory, honest total)."""
    w = world(5)
    ticket, updates = w.ticket(), w.updates(9000)
    directory = stpc.set_up(list(w.parties.values()), ticket, w.identities)
    total = w.open(w.add(w.upload(w.names[:4], updates, ticket, directory), ticket), ticket, directory)
    return w, ticket, directory, total


def check(w, ticket, directory, total, **changes):
    challenge = Challenge.draw(BLOCK, ticket, total.published, w.params)
    tags = {n: w.parties[n].tag(challenge) for n in total.survivors}
    verify_sum(total, {**tags, **changes}, challenge, directory)


def lying(total, masked):
    """The same total with another masked sum published in place of the decrypted one."""
    return dataclasses.replace(total, masked=masked)


def test_an_honest_sum_passes(played):
    check(*played)


def test_an_honest_sum_that_does_not_fill_its_last_slot_passes(world):
    w, size = world(3), 9
    assert size % w.params.fields
    ticket, updates = w.ticket(), w.updates(size)
    directory = stpc.set_up(list(w.parties.values()), ticket, w.identities)
    total = w.open(w.add(w.upload(w.names, updates, ticket, directory), ticket), ticket, directory)
    check(w, ticket, directory, total)


def test_soundness_is_as_stated(played):
    w, ticket, _, total = played
    challenge = Challenge.draw(BLOCK, ticket, total.published, w.params)
    assert challenge.soundness_bits > 80
    assert len(challenge.keys) == 2


def test_a_lie_in_one_coordinate_is_refuted(played):
    w, ticket, directory, total = played
    for place in (0, 2000, total.masked.size - 1):
        masked = total.masked.copy()
        masked[place] = (int(masked[place]) + 1) % w.params.modulus
        with pytest.raises(SumRefuted, match="not the sum"):
            check(w, ticket, directory, lying(total, masked))


def vectors(w, total):
    """Each survivor's masked vector: what an aggregator with the key authority's help sees."""
    return {n: from_bytes(w.parties[n]._round.masked, w.params.modulus) for n in total.survivors}


def test_dropping_a_hospital_is_refuted(played):
    w, ticket, directory, total = played
    seen = vectors(w, total)
    without = (total.masked + np.uint64(w.params.modulus) - seen[w.names[0]]) % np.uint64(w.params.modulus)
    with pytest.raises(SumRefuted, match="not the sum"):
        check(w, ticket, directory, lying(total, without))


def test_counting_a_hospital_twice_is_refuted(played):
    w, ticket, directory, total = played
    twice = (total.masked + vectors(w, total)[w.names[0]]) % np.uint64(w.params.modulus)
    with pytest.raises(SumRefuted, match="not the sum"):
        check(w, ticket, directory, lying(total, twice))


def test_replaying_a_round_is_refuted(played):
    w, ticket, _, total = played
    later = w.ticket(2)
    new_directory = stpc.set_up(list(w.parties.values()), later, w.identities)
    new = w.open(w.add(w.upload(w.names[:4], w.updates(9000, 1), later, new_directory), later), later, new_directory)
    with pytest.raises(SumRefuted, match="not the sum"):
        check(w, later, new_directory, lying(new, total.masked))
    with pytest.raises(Foreign, match="another round"):
        w.parties[w.names[0]].tag(Challenge.draw(BLOCK, ticket, total.published, w.params))
    challenge = Challenge.draw(BLOCK, ticket, total.published, w.params)
    with pytest.raises(Foreign, match="another round"):
        verify_sum(new, {}, challenge, new_directory)


@pytest.mark.parametrize("what", ["ticket", "published"])
def test_a_challenge_of_another_round_or_of_another_sum_alone_is_foreign(played, what):
    w, ticket, directory, total = played
    others = {"ticket": w.ticket(2), "published": hashlib.sha256(b"another sum").digest()}
    challenge = dataclasses.replace(Challenge.draw(BLOCK, ticket, total.published, w.params), **{what: others[what]})
    with pytest.raises(Foreign, match="another round or of another published sum"):
        verify_sum(total, {}, challenge, directory)


def test_the_vectors_follow_from_block_round_and_sum_in_a_domain_of_their_own(played):
    w, ticket, _, total = played
    challenge = Challenge.draw(BLOCK, ticket, total.published, w.params)
    context = ticket.context() + total.published
    assert challenge.keys == tuple(derive(BLOCK, context, "challenge", str(i)) for i in range(2))


def test_opening_the_published_sum_wrongly_is_refuted(played):
    w, ticket, directory, total = played
    wrong = total.sum.copy()
    wrong[5] += w.params.step
    with pytest.raises(SumRefuted, match="does not follow"):
        check(w, ticket, directory, dataclasses.replace(total, sum=wrong))
    with pytest.raises(SumRefuted, match="does not follow"):
        check(w, ticket, directory, dataclasses.replace(total, records=total.records + 1))


def test_an_aggregator_that_knows_the_challenge_beforehand_goes_undetected(played):
    """The control: why the block must be later. A lie in the kernel of both vectors passes the tags."""
    w, ticket, directory, total = played
    t = w.params.modulus
    challenge = Challenge.draw(BLOCK, ticket, total.published, w.params)
    r = np.array([[int(v) for v in MaskStream(k, t).next(3)] for k in challenge.keys], dtype=object)
    a, b, c = r.T  # a lie (x, y, 1) with a·x + b·y + c = 0 for both vectors
    det = (a[0] * b[1] - a[1] * b[0]) % t
    x = (b[0] * c[1] - b[1] * c[0]) * pow(int(det), -1, t) % t
    y = (c[0] * a[1] - c[1] * a[0]) * pow(int(det), -1, t) % t
    masked = total.masked.copy()
    for place, change in enumerate((x, y, 1)):
        masked[place] = (int(masked[place]) + change) % t
    clear = remove_masks(masked, total.request, directory, total.answers, t)
    assert not np.array_equal(clear, remove_masks(total.masked, total.request, directory, total.answers, t))
    tags = [w.parties[n].tag(challenge) for n in total.survivors]
    summed = tuple(sum(column) % t for column in zip(*tags))
    assert summed == challenge.inner(masked)
    with pytest.raises(SumRefuted, match="not the sum"):  # drawn after the lie is fixed, it is caught
        check(w, ticket, directory, lying(total, masked))


def test_a_missing_or_malformed_tag_verifies_nothing(played):
    w, ticket, directory, total = played
    challenge = Challenge.draw(BLOCK, ticket, total.published, w.params)
    tags = {n: w.parties[n].tag(challenge) for n in total.survivors}
    with pytest.raises(TooFewUploads, match="hospital-000"):
        verify_sum(total, {n: t for n, t in tags.items() if n != w.names[0]}, challenge, directory)
    with pytest.raises(TooFewUploads, match="stranger"):
        verify_sum(total, {**tags, "stranger": (0, 0)}, challenge, directory)
    with pytest.raises(SumRefuted, match="2 values"):
        verify_sum(total, {**tags, w.names[0]: (0,)}, challenge, directory)
    with pytest.raises(SumRefuted, match="not the sum"):
        check(w, ticket, directory, total, **{w.names[0]: (0, 0)})


def test_tags_come_after_the_upload_and_blocks_have_32_bytes(played):
    w, ticket, _, total = played
    challenge = Challenge.draw(BLOCK, ticket, total.published, w.params)
    with pytest.raises(OutOfOrder, match="uploaded nothing"):
        w.parties[w.names[4]].tag(challenge)
    with pytest.raises(Corrupt, match="32 bytes"):
        Challenge.draw(b"short", ticket, total.published, w.params)


def test_inner_products_equal_arithmetic_on_integers(played):
    w, ticket, _, total = played
    t = w.params.modulus
    challenge = Challenge.draw(BLOCK, ticket, total.published, w.params)
    vector = np.full(40_000, t - 1, dtype=np.uint64)
    vector[::3] = np.random.default_rng(0).integers(0, t, vector[::3].size)
    for key, value in zip(challenge.keys, challenge.inner(vector)):
        stream = MaskStream(key, t)
        r = np.concatenate([stream.next(20_000).copy() for _ in range(2)])
        assert value == sum(int(a) * int(b) for a, b in zip(r, vector)) % t
