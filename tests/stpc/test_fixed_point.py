import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bfl_stpc import stpc
from bfl_stpc.errors import Corrupt, UpdateError
from bfl_stpc.stpc.hazmat import fixed_point
from bfl_stpc.stpc.hazmat.masks import CHUNK


def slots_of(update, params, records=1, **more):
    return np.concatenate(list(fixed_point.encode(update, records, params, **more)))


@settings(max_examples=60, deadline=None)
@given(
    hospitals=st.integers(2, 12),
    bits=st.integers(2, 20),
    size=st.integers(1, 40),
    seed=st.integers(0, 2**32),
    clip=st.sampled_from([1e-3, 1.0, 37.5]),
)
def test_sums_of_slots_decode_to_sums_of_fields(hospitals, bits, size, seed, clip):
    params = stpc.Parameters(hospitals=hospitals, bits=bits, clip=clip)
    updates = np.random.default_rng(seed).uniform(-clip, clip, (hospitals, size))
    total = sum(slots_of(u, params, records=7) for u in updates) % params.modulus
    decoded, records = fixed_point.decode(total, size, hospitals, params)
    fields = sum(fixed_point.quantise(u, params).astype(np.int64) for u in updates)
    assert np.array_equal(decoded, (fields - hospitals * params.levels) * params.step)
    assert np.abs(decoded - updates.sum(0)).max() <= hospitals * params.step * 0.5 * (1 + 1e-9)
    assert records == 7 * hospitals


@pytest.mark.parametrize("value", [-1.0, 0.0, 1.0])
def test_bounds_and_zero_are_exact(value):
    params = stpc.Parameters(hospitals=3)
    decoded, _ = fixed_point.decode(slots_of(np.full(5, value), params), 5, 1, params)
    assert np.array_equal(decoded, np.full(5, value))


@pytest.mark.parametrize("size", [1, 2 * CHUNK - 3, 2 * CHUNK - 1, 2 * CHUNK, 2 * CHUNK + 1, 4 * CHUNK])
def test_chunks_hold_every_slot_once_and_end_with_the_record_count(size):
    params = stpc.Parameters(hospitals=3)
    update = np.random.default_rng(0).uniform(-1, 1, size).astype(np.float32)
    chunks = list(fixed_point.encode(update, 42, params))
    assert all(c.size == CHUNK for c in chunks[:-1])
    slots = np.concatenate(chunks)
    assert slots.size == params.slots(size)
    decoded, records = fixed_point.decode(slots, size, 1, params)
    assert np.abs(decoded - update).max() <= params.step / 2 * (1 + 1e-9)
    assert records == 42


@pytest.mark.parametrize(
    ("update", "records", "reason"),
    [
        (np.zeros((2, 2)), 1, "flatten"),
        (np.zeros(0), 1, "flatten"),
        (np.zeros(3, dtype=int), 1, "floats"),
        (np.array([0.0, np.nan]), 1, "value 1 .* not finite"),
        (np.array([np.inf]), 1, "not finite"),
        (np.array([0.0, np.inf]), 1, "value 1 .* not finite"),
        (np.array([-np.inf, 0.0]), 1, "value 0 .* not finite"),
        (np.array([0.0, 1.0000001]), 1, "exceeds the clip"),
        (np.array([-1.5]), 1, "exceeds the clip"),
        (np.zeros(3), 0, "records"),
        (np.zeros(3), 10**9, "records"),
    ],
)
def test_what_cannot_be_encoded_is_refused_before_anything_is_yielded(update, records, reason):
    with pytest.raises(UpdateError, match=reason):
        next(fixed_point.encode(update, records, stpc.Parameters(hospitals=3)))


def test_stochastic_rounding_is_unbiased_and_repeats_with_its_seed():
    params = stpc.Parameters(hospitals=2, bits=4, rounding=stpc.Rounding.STOCHASTIC)
    update = np.full(40_000, 0.1)
    a, b, c = (
        fixed_point.decode(slots_of(update, params, rounding_seed=s), update.size, 1, params)[0] for s in (1, 1, 2)
    )
    assert np.array_equal(a, b)
    assert not np.array_equal(a, c)
    error = a.mean() - 0.1
    assert abs(error) < 4 * params.step / 2 / np.sqrt(update.size)
    nearest = stpc.Parameters(hospitals=2, bits=4)
    biased = fixed_point.decode(slots_of(update, nearest), update.size, 1, nearest)[0].mean() - 0.1
    assert abs(biased) > 0.04  # the control: rounding to nearest moves every value the same way


def test_a_seed_belongs_to_stochastic_rounding_only():
    with pytest.raises(UpdateError, match="rounding_seed"):
        slots_of(np.zeros(3), stpc.Parameters(hospitals=2), rounding_seed=1)
    with pytest.raises(UpdateError, match="rounding_seed"):
        slots_of(np.zeros(3), stpc.Parameters(hospitals=2, rounding=stpc.Rounding.STOCHASTIC))


def test_values_outside_every_sum_are_noticed():
    params = stpc.Parameters(hospitals=3)
    slots = slots_of(np.ones(5), params)
    fixed_point.decode(slots, 5, 1, params)
    for place, value in ((0, params.modulus - 1), (2, 2**21), (-1, 0), (-1, params.modulus - 1)):
        wrong = slots.copy()
        wrong[place] = value
        with pytest.raises(Corrupt, match="not a sum of 1"):
            fixed_point.decode(wrong, 5, 1, params)


def test_a_field_at_its_limit_is_a_sum_and_one_beyond_is_none():
    params = stpc.Parameters(hospitals=3)
    most = np.full(5, params.clip)
    total = 2 * slots_of(most, params, records=params.max_records)
    decoded, records = fixed_point.decode(total, 5, 2, params)
    assert (decoded == 2 * params.clip).all()
    assert records == 2 * params.max_records
    total[0] += 1
    with pytest.raises(Corrupt, match="not a sum of 2"):
        fixed_point.decode(total, 5, 2, params)


@pytest.mark.parametrize("slot", [0, 1, 2])
def test_what_lies_above_the_fields_of_a_slot_is_noticed(slot):
    params = stpc.Parameters(hospitals=3, bits=16, plain_bits=47)
    slots = slots_of(np.zeros(5), params)
    above = params.field_width * params.fields
    assert params.modulus >> above  # there is room for it
    slots[slot] += np.uint64(1 << above)
    with pytest.raises(Corrupt, match="not a sum of 1"):
        fixed_point.decode(slots, 5, 1, params)


def test_the_luckiest_draw_does_not_push_a_value_over_the_clip():
    class Luckiest:
        def random(self, size):
            return np.full(size, 1 - 2.0**-53)

    params = stpc.Parameters(hospitals=10, rounding=stpc.Rounding.STOCHASTIC)
    fields = fixed_point.quantise(np.array([params.clip]), params, rng=Luckiest())
    assert fields.tolist() == [2 * params.levels]  # level + draw is the next level in float64
