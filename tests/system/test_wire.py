"""Sealed envelopes: opened by their recipient, once, in order, and only from a role with a card."""

import os

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from bfl_stpc.errors import Forged, NoSession, Replayed, Stranger, WireError
from bfl_stpc.system import Endpoint

NAMES = ("alice", "bob", "carol")


@pytest.fixture
def ends():
    keys = {name: Ed25519PrivateKey.generate() for name in NAMES}
    cards = {name: key.public_key().public_bytes_raw() for name, key in keys.items()}
    return {name: Endpoint(name, keys[name], cards) for name in NAMES}


@pytest.fixture
def pair(ends):
    alice, bob = ends["alice"], ends["bob"]
    alice.meet("bob", bob.answer(alice.greet("bob")))
    return alice, bob


def test_what_is_sealed_opens_once_and_is_answered(pair):
    alice, bob = pair
    for count in (1, 2):
        sealed = alice.seal("bob", b"question")
        assert b"question" not in sealed
        assert bob.open(sealed) == ("alice", count, b"question")
        reply = bob.reply("alice", count, b"answer")
        assert b"answer" not in reply
        assert alice.read("bob", reply) == b"answer"


def test_a_replayed_message_is_refused(pair):
    alice, bob = pair
    sealed = alice.seal("bob", b"once")
    bob.open(sealed)
    with pytest.raises(Replayed, match="message 1 of 'alice'"):
        bob.open(sealed)


def test_a_reordered_message_is_refused_and_a_lost_one_is_not_missed(pair):
    alice, bob = pair
    first, second = alice.seal("bob", b"first"), alice.seal("bob", b"second")
    assert bob.open(second)[2] == b"second"
    with pytest.raises(Replayed):
        bob.open(first)


@pytest.mark.parametrize("place", [1, 16, 17, 24, 25, 30, -1])
def test_a_flipped_bit_anywhere_is_refused_and_changes_nothing(pair, place):
    alice, bob = pair
    sealed = bytearray(alice.seal("bob", b"question"))
    sealed[place] ^= 1
    with pytest.raises(WireError):
        bob.open(bytes(sealed))
    sealed[place] ^= 1
    assert bob.open(bytes(sealed))[2] == b"question"


@pytest.mark.parametrize("data", [b"", b"M", b"M" + bytes(24), b"G", b"Gxyz", b"A" + bytes(80), b"Z" * 60])
def test_junk_is_refused(pair, data):
    bob = pair[1]
    with pytest.raises((Forged, NoSession)):
        (bob.answer if data[:1] == b"G" else bob.open)(data)


def test_a_message_for_another_is_refused(ends, pair):
    alice, _ = pair
    with pytest.raises(NoSession):
        ends["carol"].open(alice.seal("bob", b"for bob"))


def test_a_greeting_for_another_is_refused(ends):
    with pytest.raises(Forged, match="for 'bob' came to 'carol'"):
        ends["carol"].answer(ends["alice"].greet("bob"))


def test_a_stranger_is_refused(ends):
    key = Ed25519PrivateKey.generate()
    cards = {**ends["bob"].cards, "mallory": key.public_key().public_bytes_raw()}
    mallory = Endpoint("mallory", key, cards)
    with pytest.raises(Stranger, match="'mallory' has no card"):
        ends["bob"].answer(mallory.greet("bob"))


def test_nobody_speaks_in_anothers_name(ends):
    key = Ed25519PrivateKey.generate()
    posing = Endpoint("alice", key, {**ends["bob"].cards, "alice": key.public_key().public_bytes_raw()})
    with pytest.raises(Stranger, match="the key of 'alice' did not sign"):
        ends["bob"].answer(posing.greet("bob"))
    answer = posing.answer(ends["bob"].greet("alice"))  # and nobody answers in it
    with pytest.raises(Stranger):
        ends["bob"].meet("alice", answer)


def test_a_card_must_be_that_of_the_key(ends):
    with pytest.raises(Stranger, match="its own key"):
        Endpoint("alice", Ed25519PrivateKey.generate(), ends["bob"].cards)


def test_a_replayed_greeting_ends_nothing(ends):
    alice, bob = ends["alice"], ends["bob"]
    greeting = alice.greet("bob")
    alice.meet("bob", bob.answer(greeting))
    assert bob.open(alice.seal("bob", b"one"))[2] == b"one"
    for _ in range(10):
        bob.answer(greeting)  # an attacker repeats it, and cannot use the answer
    assert bob.open(alice.seal("bob", b"two"))[2] == b"two"


def test_an_answer_to_an_old_greeting_is_refused(ends):
    alice, bob = ends["alice"], ends["bob"]
    old = bob.answer(alice.greet("bob"))
    alice.greet("bob")
    with pytest.raises(Stranger):
        alice.meet("bob", old)


def test_a_reply_counts_once(pair):
    alice, bob = pair
    bob.open(alice.seal("bob", b"one"))
    first = bob.reply("alice", 1, b"first")
    alice.read("bob", first)
    bob.open(alice.seal("bob", b"two"))
    with pytest.raises(Replayed, match="replied to message 1; the last was 2"):
        alice.read("bob", first)


def test_a_restarted_end_knows_no_session(ends, pair):
    alice, bob = pair
    bob.open(alice.seal("bob", b"before"))
    again = bob.restarted()
    with pytest.raises(NoSession, match="greet it again"):
        again.open(alice.seal("bob", b"after"))
    alice.meet("bob", again.answer(alice.greet("bob")))
    assert again.open(alice.seal("bob", b"after"))[2] == b"after"


def test_random_bytes_never_open(pair):
    bob = pair[1]
    for length in range(0, 400, 7):
        with pytest.raises((Forged, NoSession)):
            bob.open(os.urandom(length))
