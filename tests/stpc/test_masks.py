import hashlib
import hmac
import os

import numpy as np
import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from scipy import stats

from bfl_stpc.errors import Corrupt
from bfl_stpc.stpc.hazmat import masks

T = 281474976694273
SMALL = 40961  # of 16-bit words three in eight are redrawn: the mask must stay uniform all the same


def test_both_ends_agree():
    a, b = X25519PrivateKey.generate(), X25519PrivateKey.generate()
    assert masks.agree(a, b.public_key().public_bytes_raw()) == masks.agree(b, a.public_key().public_bytes_raw())


@pytest.mark.parametrize("public", [bytes(32), b"\x01" + bytes(31), b"short"])
def test_small_order_and_malformed_keys_are_refused(public):
    with pytest.raises(Corrupt, match="X25519"):
        masks.agree(X25519PrivateKey.generate(), public)


def test_derivation_is_hkdf_as_rfc_5869_defines_it():
    info = b"".join(len(n).to_bytes(4, "big") + n for n in (b"label", b"a", b"bb"))
    prk = hmac.digest(hashlib.sha256(b"context").digest(), b"secret", "sha256")
    expected = hmac.digest(prk, info + b"\x01", "sha256")[:16]
    assert masks.derive(b"secret", b"context", "label", "a", "bb") == expected


def test_every_input_changes_the_key():
    keys = {
        masks.pair_key(s, c, a, b)
        for s in (b"1" * 32, b"2" * 32)
        for c in (b"round 1", b"round 2")
        for a, b in (("x", "y"), ("x", "z"), ("xy", ""))
    }
    assert len(keys) == 12
    assert masks.pair_key(b"1" * 32, b"c", "x", "y") == masks.pair_key(b"1" * 32, b"c", "y", "x")
    assert masks.self_key(b"1" * 32, b"c", "x") not in keys


def test_the_stream_is_aes_in_counter_mode():
    key = os.urandom(16)
    counters = b"".join(i.to_bytes(16, "big") for i in range(500))
    ecb = Cipher(algorithms.AES(key), modes.ECB()).encryptor().update(counters)  # the second witness
    words = np.frombuffer(ecb, dtype="<u8") & np.uint64(2**48 - 1)
    assert np.array_equal(masks.MaskStream(key, T).next(1000), words)  # 1000 draws: none is at or above T


def test_masks_do_not_depend_on_how_they_are_cut():
    key = bytes(range(16))
    whole = masks.MaskStream(key, SMALL).next(1000).copy()
    stream = masks.MaskStream(key, SMALL)
    pieces = [stream.next(n).copy() for n in (1, 7, 492, 500)]  # odd pieces: the cipher keeps its place
    assert np.array_equal(np.concatenate(pieces), whole)


def test_masks_are_uniform_where_many_words_are_redrawn():
    values = masks.MaskStream(os.urandom(16), SMALL).next(masks.CHUNK)
    assert int(values.max()) < SMALL
    counts = np.bincount((values * np.uint64(32) // np.uint64(SMALL)).astype(int), minlength=32)
    assert stats.chisquare(counts).pvalue > 1e-6


def test_redrawn_words_come_from_blocks_that_the_stream_never_reaches():
    """Another implementation must draw the same: word p anew from AES(2¹²⁷ + p·2³² + attempt), until one fits."""
    key, low = bytes(range(16)), np.uint64(2**16 - 1)
    ecb = Cipher(algorithms.AES(key), modes.ECB())

    def words(counter):
        block = ecb.encryptor().update(counter.to_bytes(16, "big"))
        return [int(word & low) for word in np.frombuffer(block, dtype="<u8")]

    expected = [word for counter in range(200) for word in words(counter)]
    redrawn = 0
    for place, word in enumerate(expected):
        attempt = 0
        while word >= SMALL:
            word = words(2**127 + (place << 32) + attempt)[0]
            attempt += 1
        expected[place], redrawn = word, max(redrawn, attempt)
    assert redrawn > 1
    assert masks.MaskStream(key, SMALL).next(400).tolist() == expected


def test_reducing_words_modulo_t_would_not_be_uniform():
    words = np.frombuffer(os.urandom(2 * masks.CHUNK), dtype="<u2").astype(np.uint64) % np.uint64(SMALL)
    counts = np.bincount((words * np.uint64(32) // np.uint64(SMALL)).astype(int), minlength=32)
    assert stats.chisquare(counts).pvalue < 1e-12  # the control: the test above can fail


@pytest.mark.parametrize("size", [1, 1000, masks.CHUNK + 1])
def test_masks_cancel_in_pairs(size):
    keys = [os.urandom(16) for _ in range(5)]
    slots = np.random.default_rng(0).integers(0, T, size).astype(np.uint64)
    masked = masks.apply_masks(slots, keys[:3], keys[3:], T)
    assert size == 1 or not np.array_equal(masked, slots)
    assert np.array_equal(masks.apply_masks(masked, keys[3:], keys[:3], T), slots)


def test_masking_equals_arithmetic_on_integers():
    keys = [os.urandom(16) for _ in range(4)]
    slots = np.random.default_rng(1).integers(0, T, 50).astype(np.uint64)
    m = [[int(v) for v in masks.MaskStream(k, T).next(50)] for k in keys]
    expected = [(int(s) + m[0][i] - m[1][i] - m[2][i] - m[3][i]) % T for i, s in enumerate(slots)]
    assert masks.apply_masks(slots, keys[:1], keys[1:], T).tolist() == expected


def test_a_word_that_equals_the_modulus_is_redrawn():
    words = [int(masks.MaskStream(i.to_bytes(16, "big"), 5).next(1)[0]) for i in range(400)]
    assert set(words) == set(range(5))  # one word of eight is 5
    assert set(masks.MaskStream(bytes(16), 5).next(1000).tolist()) == set(range(5))


@pytest.mark.parametrize("bits", range(16, 64))
def test_the_largest_values_fit_the_fewest_bytes(bits):
    slots = np.array([0, 1, 2**bits - 2], dtype=np.uint64)
    data = masks.to_bytes(slots, 2**bits - 1)
    assert len(data) == 3 * -(-bits // 8)
    assert np.array_equal(masks.from_bytes(data, 2**bits - 1), slots)


@pytest.mark.parametrize(("modulus", "width"), [(T, 6), (SMALL, 2), (2**40 - 87, 5)])
def test_bytes_round_trip(modulus, width):
    slots = np.random.default_rng(2).integers(0, modulus, 77).astype(np.uint64)
    data = masks.to_bytes(slots, modulus)
    assert len(data) == 77 * width
    assert np.array_equal(masks.from_bytes(data, modulus), slots)
