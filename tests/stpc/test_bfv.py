import hashlib
import pickle

import numpy as np
import pytest
import tenseal as ts
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bfl_stpc import stpc
from bfl_stpc.errors import Corrupt, Foreign, MessageError, NoiseExhausted, Oversized, Truncated
from bfl_stpc.stpc.hazmat import bfv

PARAMS = stpc.Parameters(hospitals=200, bits=15, plain_bits=47)


@pytest.fixture(scope="module")
def secret():
    return bfv.SecretKey(PARAMS)


@pytest.fixture(scope="module")
def payload(secret):
    slots = np.arange(PARAMS.slots(9000), dtype=np.uint64)
    key = secret.public
    return bfv.write(
        bfv.encrypt([slots], key, PARAMS), size=9000, round_context=b"r", peers=bytes(32), key=key, params=PARAMS
    )


def read(data, secret, **changes):
    return bfv.read(data, **{"round_context": b"r", "key": secret.public, "params": PARAMS, **changes})


def resealed(body):
    return body + hashlib.sha256(body).digest()


def test_round_trip(secret, payload):
    size, _, blocks = read(payload, secret)
    assert size == 9000
    slots = secret.decrypt(blocks, PARAMS.slots(size))
    assert np.array_equal(slots, np.arange(PARAMS.slots(9000)))


def test_addition_is_exact_modulo_t_at_full_capacity_with_noise_to_spare(secret):
    key, rng = secret.public, np.random.default_rng(0)
    vectors = [rng.integers(0, PARAMS.modulus, 4096).astype(np.uint64) for _ in range(200)]
    blocks = [next(bfv.encrypt([v], key, PARAMS)) for v in vectors]
    (total,) = bfv.add([tuple(blocks)], key, PARAMS)
    expected = np.sum([v.astype(object) for v in vectors], axis=0) % PARAMS.modulus
    assert secret.decrypt([total], 4096).tolist() == expected.tolist()
    assert secret.budgets([total])[0] >= 1
    assert secret.budgets(blocks[:1])[0] > secret.budgets([total])[0]


def test_a_spent_noise_budget_is_an_error_not_a_wrong_number(secret):
    key = secret.public
    (block,) = bfv.encrypt([np.ones(4096, dtype=np.uint64)], key, PARAMS)
    vector = ts.bfv_vector_from(key.context, block)
    for _ in range(8):
        vector.add_(vector)  # 256 times the same ciphertext: its noise adds up in one direction
    with pytest.raises(NoiseExhausted, match="noise budget"):
        secret.decrypt([vector.serialize()], 4096)


def test_equal_plaintexts_give_different_ciphertexts(secret):
    key, slots = secret.public, np.zeros(4096, dtype=np.uint64)
    assert next(bfv.encrypt([slots], key, PARAMS)) != next(bfv.encrypt([slots], key, PARAMS))


@pytest.mark.parametrize("length", [0, 10, 175, 190, 40_000, -1, -33])
def test_a_truncated_payload_is_refused(secret, payload, length):
    with pytest.raises((Truncated, Corrupt)):
        read(payload[:length], secret)


@pytest.mark.parametrize("length", [10, 190, 40_000])
def test_truncation_is_named_even_if_the_checksum_was_made_anew(secret, payload, length):
    with pytest.raises(Truncated):
        read(payload[:10] if length == 10 else resealed(payload[:length]), secret)


@pytest.mark.parametrize("position", [200, 70_000, -40, -1])
def test_a_flipped_bit_is_refused(secret, payload, position):
    flipped = bytearray(payload)
    flipped[position] ^= 1
    with pytest.raises(Corrupt, match="checksum"):
        read(bytes(flipped), secret)


def test_foreign_version_parameters_key_and_round_are_told_apart(secret, payload):
    with pytest.raises(Foreign, match="version"):
        read(b"BSTPCct0" + payload[8:], secret)
    with pytest.raises(Foreign, match="other parameters"):
        read(payload, secret, params=stpc.Parameters(hospitals=199, bits=15, plain_bits=47))
    with pytest.raises(Foreign, match="another public key"):
        read(payload, secret, key=bfv.SecretKey(PARAMS).public)
    with pytest.raises(Foreign, match="another round"):
        read(payload, secret, round_context=b"other")


def test_oversized_payloads_are_refused_before_they_are_parsed(secret, payload):
    with pytest.raises(Oversized):
        read(payload + bytes(10**6), secret)
    with pytest.raises(Oversized, match="follow the last"):
        read(resealed(payload[:-32] + b"tail"), secret)
    claims = bytearray(payload)
    claims[136:144] = (2**40).to_bytes(8, "big")
    with pytest.raises(Oversized, match="claims"):
        read(bytes(claims), secret)
    claims = bytearray(payload)
    claims[144:148] = b"\xff" * 4
    with pytest.raises(Oversized, match="a ciphertext of"):
        read(bytes(claims), secret)


def test_blocks_that_are_not_our_ciphertexts_are_refused(secret):
    key = secret.public
    other = ts.context(ts.SCHEME_TYPE.BFV, 8192, plain_modulus=1032193, n_threads=1)
    strange = [
        b"",
        b"not a ciphertext",
        ts.bfv_vector(other, [1, 2, 3]).serialize(),
        ts.bfv_vector(key.context, [1, 2, 3]).serialize(),  # fewer slots than a ciphertext of ours
    ]
    for block in strange:
        with pytest.raises(Corrupt, match="block"):
            bfv.load(block, key.context, PARAMS)


def test_a_flipped_bit_inside_a_block_never_passes_the_container(secret, payload):
    rng, refused = np.random.default_rng(0), 0
    for position in rng.integers(0, len(payload), 40):
        flipped = bytearray(payload)
        flipped[position] ^= 1 << int(rng.integers(8))
        try:
            read(bytes(flipped), secret)
        except MessageError:
            refused += 1
    assert refused == 40


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_whatever_arrives_is_read_or_refused_by_name(secret, payload, data):
    cut = data.draw(st.integers(0, len(payload)))
    junk = data.draw(st.binary(max_size=200))
    where = data.draw(st.sampled_from(["head", "tail", "middle"]))
    mixed = {"head": junk + payload[cut:], "tail": payload[:cut] + junk, "middle": payload[:cut] + junk + payload[cut:]}
    try:
        read(mixed[where], secret)
    except MessageError:
        return
    assert mixed[where] == payload


def test_the_public_key_holds_no_secret_and_survives_pickling(secret):
    key = secret.public
    assert not key.context.is_private()
    assert pickle.loads(pickle.dumps(key)) == key
    private = secret._context.serialize(save_secret_key=True, save_galois_keys=False, save_relin_keys=False)
    with pytest.raises(Corrupt, match="secret key must never"):
        stpc.PublicKey(private, PARAMS.digest)
    with pytest.raises(Corrupt, match="cannot be read"):
        stpc.PublicKey(b"junk", PARAMS.digest)
