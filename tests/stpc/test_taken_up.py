"""A role whose process ended goes on from what it kept: with the same keys, and bound by what it did before."""

from copy import deepcopy

import numpy as np
import pytest

from bfl_stpc import stpc
from bfl_stpc.errors import Corrupt, OpeningRefused, OutOfOrder, UnmaskRefused


def frame(*parts: bytes) -> bytes:
    return b"".join(len(part).to_bytes(8, "big") + part for part in parts)


@pytest.fixture
def w(world):
    return world(5)


def two_sums(w, number):
    """The ticket of round `number`, and of its two sums each with what the ledger says that publishes it."""
    ticket = w.ticket(number)
    directory = stpc.set_up(list(w.parties.values()), ticket, w.identities)
    return ticket, *zip(*w.two_sums(ticket, directory))


def taken_up(w):
    return stpc.KeyAuthority(w.params, attest=w.board.read, secrets=w.authority.export())


def opened(authority, ticket, aggregate, said):
    authority._attest = lambda _: said
    return authority.open(aggregate, ticket)


def test_a_key_authority_opens_what_it_opened_and_no_other_sum_of_those_rounds(w):
    rounds = [two_sums(w, number) for number in (1, 2, 3)]
    before = [opened(w.authority, ticket, *everyone) for ticket, everyone, _ in rounds]
    again = taken_up(w)
    assert again.public_key == w.authority.public_key
    for (ticket, everyone, fewer), slots in zip(rounds, before):
        with pytest.raises(OpeningRefused, match="another aggregate"):
            opened(again, ticket, *fewer)
        assert np.array_equal(opened(again, ticket, *everyone), slots)


def test_a_key_authority_that_has_opened_nothing_may_open_either(w):
    ticket, *sums = two_sums(w, 1)
    all_five, four = (opened(taken_up(w), ticket, *one) for one in sums)
    assert not np.array_equal(all_five, four)


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
