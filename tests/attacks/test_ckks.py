import numpy as np
import pytest
import tenseal as ts

from bfl_stpc import stpc
from bfl_stpc.attacks import ckks as attack
from bfl_stpc.attacks.ring import Ring, embed, evaluate
from bfl_stpc.stpc.hazmat import bfv
from bfl_stpc.stpc.hazmat.ckks import CkksKeys, CkksParameters


@pytest.fixture(scope="module")
def keys():
    return CkksKeys()


@pytest.fixture(scope="module")
def round_of(keys):
    """Two blocks of five hospitals' updates: uploads, ciphertext sums and what decryption returns."""
    updates = [np.random.default_rng(i).normal(0, 0.05, 8192) for i in range(5)]
    uploads = [keys.encrypt(u) for u in updates]
    sums = keys.add(uploads)
    return updates, uploads, sums, keys.decrypt(sums)


def observed(sums, published):
    return [(sums[0], published[:4096]), (sums[1], published[4096:])]


def test_published_sums_give_the_whole_key_and_every_update(keys, round_of):
    updates, uploads, sums, published = round_of
    assert np.abs(published - sum(updates)).max() < 1e-6
    key = attack.recover_ckks_key(keys.public, observed(sums, published))
    assert key.ternary == 1.0
    for update, upload in zip(updates, uploads):
        read = np.concatenate([attack.read_ckks(keys.public, block, key) for block in upload])
        assert np.abs(read - update).max() < 1e-6


def test_the_recovered_key_is_the_secret_key(keys, round_of):
    _, _, sums, published = round_of
    key = attack.recover_ckks_key(keys.public, observed(sums, published))
    prime = keys.public.seal_context().data.first_context_data().parms().coeff_modulus()[0].value()
    secret = keys.secret.secret_key().data.data()
    truth = Ring(8192, prime).inverse(np.array([secret[i] for i in range(8192)], dtype=object))
    assert key.coefficients.tolist() == truth.tolist()


def test_an_average_leaks_as_the_sum_does(keys, round_of):
    _, _, sums, published = round_of
    average = published / 5
    assert attack.recover_ckks_key(keys.public, observed(sums, 5 * average)).ternary == 1.0


@pytest.mark.parametrize("blur", ["other round", "float32", "noise"])
def test_the_attack_needs_what_decryption_returned_to_the_last_bit(keys, round_of, blur):
    updates, _, sums, published = round_of
    changed = {
        "other round": sum(updates),  # the true sum: right to eight digits, and useless to the attacker
        "float32": published.astype(np.float32).astype(np.float64),
        "noise": published + np.random.default_rng(9).normal(0, 1e-9, published.size),
    }[blur]
    assert attack.recover_ckks_key(keys.public, observed(sums, changed)).ternary < 0.001


def test_the_same_attack_gains_nothing_on_bfv():
    params = stpc.Parameters(hospitals=5)
    secret, rng = bfv.SecretKey(params), np.random.default_rng(3)
    slots = [rng.integers(0, 2**45, 4096).astype(np.uint64) for _ in range(5)]
    columns = [tuple(next(bfv.encrypt([s], secret.public, params)) for s in slots)]
    (total,) = bfv.add(columns, secret.public, params)
    published = secret.decrypt([total], 4096)
    assert np.array_equal(published, sum(slots) % np.uint64(params.modulus))
    key = attack.recover_bfv_key(secret.public.context, params.modulus, total, published)
    assert key.ternary < 0.001


def test_the_bfv_attack_would_work_if_the_noise_were_known():
    """The control of the test above: add the true noise to the equation and the key comes out."""
    params = stpc.Parameters(hospitals=2)
    secret = bfv.SecretKey(params)
    context, slots = secret.public.context, np.arange(4096, dtype=np.uint64)
    (block,) = bfv.encrypt([slots], secret.public, params)
    prime = context.seal_context().data.first_context_data().parms().coeff_modulus()[0].value()
    ring = Ring(4096, prime)
    key = secret._context.secret_key().data.data()
    s = np.array([key[i] for i in range(4096)], dtype=object)
    ciphertext = ts.bfv_vector_from(context, block).ciphertext()[0]
    c0, c1 = (np.array([ciphertext[h * 4096 + i] for i in range(4096)], dtype=object) for h in (0, 1))
    with_noise = ring.inverse((ring.forward(c0) + ring.forward(c1) * s) % prime)
    known = ring.divide(ring.forward(with_noise - c0), ring.forward(c1))
    assert attack.Recovered(ring.inverse(known)).ternary == 1.0


def test_small_ring_by_hand():
    ring = Ring(4, 17)
    a, b = np.array([1, 2, 3, 4], dtype=object), np.array([5, 0, 1, 16], dtype=object)
    product = np.zeros(4, dtype=object)
    for i in range(4):
        for j in range(4):
            product[(i + j) % 4] += a[i] * b[j] * (-1 if i + j >= 4 else 1)  # x^4 = −1
    assert ((ring.inverse(ring.forward(a) * ring.forward(b) % 17) - product) % 17 == 0).all()
    assert (ring.inverse(ring.forward(a)) % 17).tolist() == a.tolist()
    flipped = np.array([1, -4, -3, -2], dtype=object)  # a(1/x)
    assert ring.forward(flipped).tolist() == ring.forward(a)[::-1].tolist()


def test_the_embedding_is_its_own_witness():
    slots = np.random.default_rng(0).normal(size=512)
    poly = embed(slots, 1024)
    assert np.allclose(evaluate(poly), slots)
    zeta = np.exp(1j * np.pi / 1024)
    assert np.isclose(np.polyval(poly[::-1], zeta**9), slots[2])  # 3^2


def test_defaults_are_the_parameters_that_frameworks_use():
    assert (CkksParameters().ring_degree, CkksParameters().coeff_bits, CkksParameters().slots) == (
        8192,
        (60, 40, 40),
        4096,
    )
