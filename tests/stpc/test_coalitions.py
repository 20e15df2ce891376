"""What each coalition holds, beyond the sum, is uniform; with the protection off the same tests fail.

The model under attack is logistic regression on one record: its gradient is (error · record, error), from which the
record follows by one division. An attacker who can invert anything can invert this.
"""

import numpy as np
import pytest
import tenseal as ts
from scipy import stats

from bfl_stpc import stpc
from bfl_stpc.attacks import coalition
from bfl_stpc.stpc.hazmat import bfv, fixed_point, masks

FEATURES = 4000
ALPHA = 1e-6  # of a false alarm, per test


@pytest.fixture(scope="module")
def played(world):
    """Five hospitals; the update of the first is the gradient on one binary record."""
    w = world(5, bits=16)
    ticket, rng = w.ticket(), np.random.default_rng(0)
    record = rng.integers(0, 2, FEATURES)
    victim = np.append(0.37 * record, 0.37)
    updates = {n: rng.normal(0, 0.1, FEATURES + 1).clip(-1, 1) for n in w.names} | {w.names[0]: victim}
    directory = stpc.set_up(list(w.parties.values()), ticket, w.identities)
    uploads = dict(zip(w.names, w.upload(w.names, updates, ticket, directory)))
    aggregate = w.add(list(uploads.values()), ticket)
    total = w.open(aggregate, ticket, directory)
    return w, ticket, directory, uploads, record, victim, total


def uniform_pvalue(slots, modulus):
    """Chi-square over 64 equal cells of Z_t, for the whole and for the low bits."""
    whole = np.bincount((slots.astype(object) * 64 // modulus).astype(int), minlength=64)
    low = np.bincount((slots % np.uint64(64)).astype(int), minlength=64)
    return min(stats.chisquare(whole).pvalue, stats.chisquare(low).pvalue)


def invert(slots, params):
    return coalition.invert_gradient(slots, FEATURES + 1, params)


def accuracy(guess, record):
    return float((guess == record).mean())


GUESS = 0.5 + 5 * 0.5 / np.sqrt(FEATURES)  # five standard deviations above a coin


def held(played, hospitals=(), *, aggregator=False):
    w, _, directory, uploads, *_, total = played
    return coalition.held(
        uploads[w.names[0]],
        directory,
        w.params,
        w.authority,
        answers=total.answers if aggregator else (),
        colluders=[w.parties[w.names[i]] for i in hospitals],
    )


def ciphertext_words(played):
    """The aggregator's view without the secret key: the coefficients of the victim's ciphertext."""
    w, ticket, _, uploads, *_ = played
    key = w.authority.public_key
    *_, blocks = bfv.read(uploads[w.names[0]].payload, round_context=ticket.context(), key=key, params=w.params)
    ciphertext = ts.bfv_vector_from(key.context, bytes(blocks[0])).ciphertext()[0]
    prime = key.context.seal_context().data.first_context_data().parms().coeff_modulus()[0].value()
    return np.array([ciphertext[i] for i in range(2 * w.params.ring_degree)], dtype=object), prime


def test_aggregator_alone(played):
    words, prime = ciphertext_words(played)
    counts = np.bincount((words * 64 // prime).astype(int), minlength=64)
    assert stats.chisquare(counts).pvalue > ALPHA


COALITIONS = {
    "key authority": ((), False),
    "aggregator and key authority": ((), True),
    "both and one hospital": ((1,), True),
    "both and threshold - 1 hospitals": ((1, 2), True),
}


@pytest.mark.parametrize("name", COALITIONS)
def test_a_coalition_holds_uniform_numbers_and_its_inversion_is_a_guess(played, name):
    w, *_, record, _, _ = played
    hospitals, aggregator = COALITIONS[name]
    view = held(played, hospitals, aggregator=aggregator)
    assert uniform_pvalue(view[:-1], w.params.modulus) > ALPHA
    assert accuracy(invert(view, w.params), record) < GUESS


def test_with_the_masks_off_the_same_tests_fail(played):
    w, *_, record, victim, _ = played
    bare = np.concatenate(list(fixed_point.encode(victim, 100, w.params)))
    assert uniform_pvalue(bare[:-1], w.params.modulus) < ALPHA
    assert accuracy(invert(bare, w.params), record) > 0.99


@pytest.mark.parametrize("aggregator", [False, True])
def test_hospitals_at_the_threshold_pool_their_shares_and_know_every_mask(played, aggregator):
    w, *_, record, _, _ = played
    view = held(played, (2, 3, 4), aggregator=aggregator)
    assert uniform_pvalue(view[:-1], w.params.modulus) < ALPHA
    assert accuracy(invert(view, w.params), record) > 0.99


def test_a_coalition_of_everybody_else_reads_the_update(played):
    """The limit of any sum: masks hide a hospital among the honest, and here it is the only one."""
    w, *_, record, _, _ = played
    view = held(played, (1, 2, 3, 4), aggregator=True)
    assert uniform_pvalue(view[:-1], w.params.modulus) < ALPHA
    assert accuracy(invert(view, w.params), record) > 0.99


def test_dropped_hospitals_hide_nobody(world):
    """Their masks were recombined, so the aggregator knows them: at least two honest hospitals must *survive*."""
    w = world(5)
    ticket, rng = w.ticket(), np.random.default_rng(1)
    record = rng.integers(0, 2, FEATURES)
    updates = w.updates(FEATURES + 1) | {w.names[0]: np.append(0.37 * record, 0.37)}
    directory = stpc.set_up(list(w.parties.values()), ticket, w.identities)
    uploads = w.upload(w.names[:3], updates, ticket, directory)
    total = w.open(w.add(uploads, ticket), ticket, directory)
    for colluders, broken in ((w.names[1:2], False), (w.names[1:3], True)):
        parties = [w.parties[n] for n in colluders]
        view = coalition.held(uploads[0], directory, w.params, w.authority, answers=total.answers, colluders=parties)
        assert (accuracy(invert(view, w.params), record) > 0.99) == broken
        assert (uniform_pvalue(view[:-1], w.params.modulus) < ALPHA) == broken


def test_the_sum_itself_hides_what_a_sum_hides(played):
    """Not a cryptographic promise: the sum is what the protocol gives away, and one record weighs in it."""
    *_, record, _, total = played
    guess = (total.sum[:-1] > np.median(total.sum[:-1])).astype(int)
    assert 0.6 < accuracy(guess, record) < 0.95  # masks cannot prevent this: differential privacy must


def test_two_uploads_of_one_update_share_nothing(world):
    views = []
    for model in (b"a" * 32, b"b" * 32):
        w = world(3)
        ticket, update = w.ticket(model=model), np.full(4000, 0.25)
        directory = stpc.set_up(list(w.parties.values()), ticket, w.identities)
        w.upload(w.names[:1], {w.names[0]: update}, ticket, directory)
        views.append(masks.from_bytes(w.parties[w.names[0]]._round.masked, w.params.modulus))
    gap = (views[0] + np.uint64(w.params.modulus) - views[1]) % np.uint64(w.params.modulus)
    assert uniform_pvalue(gap, w.params.modulus) > ALPHA
