"""A role whose process ended goes on from what it kept: with the same keys, and bound by what it did before."""

from copy import deepcopy
from dataclasses import replace

import numpy as np
import pytest

from bfl_stpc import stpc
from bfl_stpc.errors import Corrupt, Foreign, OpeningRefused, OutOfOrder, UnmaskRefused
from bfl_stpc.stpc.messages import Attestation


def frame(*parts: bytes) -> bytes:
    return b"".join(len(part).to_bytes(8, "big") + part for part in parts)


@pytest.fixture
def w(world):
    return world(5)


@pytest.fixture
def sums(w):
    """A ticket, the aggregate of all five and that of four, and a ledger that publishes which of the two it is told."""
    ticket = w.ticket()
    directory = stpc.set_up(list(w.parties.values()), ticket, w.identities)
    uploads = w.upload(w.names, w.updates(20), ticket, directory)
    digests = {u.hospital: u.digest for u in uploads}
    few = dict(list(digests.items())[:4])
    aggregates = {5: w.aggregator.add(uploads, ticket, digests), 4: w.aggregator.add(uploads[:4], ticket, few)}
    says = {count: Attestation({5: digests, 4: few}[count], aggregates[count].digest) for count in aggregates}
    return ticket, aggregates, says


def taken_up(w, says, count):
    return stpc.KeyAuthority(w.params, attest=lambda _: says[count], secrets=w.authority.export())


def test_a_key_authority_opens_the_same_aggregate_as_before_and_no_other_of_the_round(w, sums):
    ticket, aggregates, says = sums
    w.authority._attest = lambda _: says[5]
    opened = w.authority.open(aggregates[5], ticket)
    assert taken_up(w, says, 5).public_key == w.authority.public_key
    assert np.array_equal(taken_up(w, says, 5).open(aggregates[5], ticket), opened)
    with pytest.raises(OpeningRefused, match="another aggregate"):
        taken_up(w, says, 4).open(aggregates[4], ticket)


def test_a_key_authority_that_has_opened_nothing_may_open_either(w, sums):
    ticket, aggregates, says = sums
    opened = [taken_up(w, says, count).open(aggregate, ticket) for count, aggregate in aggregates.items()]
    assert not np.array_equal(*opened)


def test_a_key_authority_taken_up_twice_still_remembers_both_rounds(w, sums):
    ticket, aggregates, says = sums
    w.authority._attest = lambda _: says[5]
    w.authority.open(aggregates[5], ticket)
    later = replace(ticket, round=2)
    again = taken_up(w, says, 5)
    with pytest.raises(Foreign):  # the aggregate is of the first round: refused before it is remembered
        again.open(aggregates[5], later)
    third = stpc.KeyAuthority(w.params, attest=lambda _: says[4], secrets=again.export())
    with pytest.raises(OpeningRefused, match="another aggregate"):
        third.open(aggregates[4], ticket)


def test_a_hospital_goes_on_in_its_round_and_answers_once(w):
    ticket, updates = w.ticket(), w.updates(20)

    def restart():
        kept = w.parties[first]
        w.parties[first] = stpc.Party(
            first, w.params, attest=w.board.read, signing_key=kept._signing_key, secrets=deepcopy(kept.secrets)
        )
        assert w.parties[first].identity == w.identities[first]

    first = w.names[0]
    directory = stpc.set_up(list(w.parties.values()), ticket, w.identities)
    restart()
    with pytest.raises(OutOfOrder, match="already advertised"):
        w.parties[first].advertise(ticket)
    aggregate = w.add(w.upload(w.names, updates, ticket, directory), ticket)
    restart()
    total = w.open(aggregate, ticket, directory)
    assert np.allclose(total.mean, np.mean(list(updates.values()), axis=0), atol=1e-3)
    restart()
    with pytest.raises(UnmaskRefused, match="one request only"):
        w.parties[first].unmask(w.aggregator.unmask_request(aggregate, ticket, shared=w.names))


@pytest.mark.parametrize("parts", [[], [b"key"], [b"key", b"public", b"round"]])
def test_what_no_key_authority_exported_is_refused(w, parts):
    with pytest.raises(Corrupt, match="not the secrets that a key authority exported"):
        stpc.KeyAuthority(w.params, attest=w.board.read, secrets=frame(*parts))


def test_a_damaged_secret_key_is_refused(w):
    with pytest.raises(Corrupt, match="cannot be read"):
        stpc.KeyAuthority(w.params, attest=w.board.read, secrets=frame(b"key", w.authority.public_key.data))
