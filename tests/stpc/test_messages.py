"""What a message or a role's memory shows when it is printed, what may change in it, and which bytes are hashed."""

import dataclasses
import hashlib
import re

import pytest
import tenseal as ts
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from bfl_stpc import stpc
from bfl_stpc.stpc import messages
from bfl_stpc.stpc.hazmat import ckks, masks, shamir


@pytest.fixture(scope="module")
def told(world):
    """One object of each kind that a round makes, by the name of its class."""
    w = world(3)
    ticket = w.ticket()
    adverts = [party.advertise(ticket) for party in w.parties.values()]
    directory = stpc.Directory.verify(adverts, ticket, w.identities)
    boxes = [box for party in w.parties.values() for box in party.share(directory, w.identities)]
    for name, party in w.parties.items():
        party.receive([box for box in boxes if box.recipient == name])
    uploads = w.upload(w.names, w.updates(20), ticket, directory)
    aggregate = w.add(uploads, ticket)
    total = w.open(aggregate, ticket, directory)
    found = [
        adverts[0], directory, boxes[0], uploads[0], w.board.read(ticket), aggregate, total.request, total.answers[0], total,
        w.parties[w.names[0]].secrets, w.authority.public_key, w.params, ckks.CkksParameters(),
        stpc.Challenge.draw(bytes(32), ticket, total.published, w.params),
    ]  # fmt: skip
    return {type(one).__name__: one for one in found}


@pytest.mark.parametrize(
    ("kind", "hidden"),
    [
        ("Advert", {"signature"}),
        ("SealedShares", {"box"}),
        ("Upload", {"payload"}),
        ("Aggregate", {"payload"}),
        ("UnmaskAnswer", {"seeds", "keys"}),
        ("Total", {"sum", "masked", "request", "answers", "params"}),
        ("RoundSecrets", {"mask_secret", "seal_secret", "self_seed", "shares", "masked"}),
        ("PublicKey", {"data", "parameters", "context"}),
    ],
)
def test_what_is_secret_or_long_is_not_printed(told, kind, hidden):
    one = told[kind]
    assert hidden <= {field.name for field in dataclasses.fields(one)}
    assert not hidden & set(re.findall(r"(\w+)=", repr(one)))


def test_what_was_signed_or_hashed_does_not_change(told):
    for kind in set(told) - {"RoundSecrets"}:
        one = told[kind]
        with pytest.raises(dataclasses.FrozenInstanceError):
            setattr(one, dataclasses.fields(one)[0].name, None)


def test_an_advert_is_signed_as_the_protocol_says(world):
    ticket = world(3).ticket()
    advert = messages.Advert("hospital-é", b"m" * 32, b"s" * 32, b"c" * 32)
    name = "hospital-é".encode()
    parts = [b"BFL-STPC advert/1", ticket.context(), (11).to_bytes(4, "big"), name, b"m" * 32, b"s" * 32, b"c" * 32]
    assert len(name) == 11
    assert advert.signed_bytes(ticket) == b"".join(parts)


def test_a_seed_is_committed_to_as_the_protocol_says(world):
    ticket = world(3).ticket()
    parts = [b"BFL-STPC seed/1", ticket.context(), b"hospital-000", b"\0", b"s" * 32]
    assert messages.seed_commitment(ticket, "hospital-000", b"s" * 32) == hashlib.sha256(b"".join(parts)).digest()


def test_masks_of_one_and_of_two_have_labels_of_their_own():
    assert masks.self_key(b"s" * 32, b"c", "x") == masks.derive(b"s" * 32, b"c", "self mask", "x")
    assert masks.pair_key(b"s" * 32, b"c", "y", "x") == masks.derive(b"s" * 32, b"c", "pair mask", "x", "y")


def test_shares_are_sealed_with_aes_256_under_what_both_ends_agree_on(told):
    box, directory, secrets = told["SealedShares"], told["Directory"], told["RoundSecrets"]
    assert box.sender == "hospital-000"  # whose secrets these are
    agreed = masks.agree(secrets.seal_private, directory.adverts[box.recipient].seal_key)
    key = masks.derive(agreed, secrets.ticket.context(), "share", box.sender, box.recipient, length=32)
    shares = AESGCM(key).decrypt(box.box[:12], box.box[12:], None)
    assert len(shares) == 2 * shamir.SHARE_BYTES


def test_no_public_key_holds_the_secret_one(told):
    assert ts.context_from(told["PublicKey"].data).is_public()
    assert ckks.CkksKeys().public.is_public()
