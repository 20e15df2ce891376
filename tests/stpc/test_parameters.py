import dataclasses
import math

import pytest
from tenseal import sealapi

from bfl_stpc import stpc
from bfl_stpc.errors import ParameterError
from bfl_stpc.stpc.hazmat.ckks import CkksParameters
from bfl_stpc.stpc.parameters import HE_STANDARD_128


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"coeff_bits": (60, 50)}, "109 bits"),
        ({"ring_degree": 2048, "coeff_bits": (30, 25)}, "54 bits"),
        ({"ring_degree": 4000}, "ring degree"),
        ({"coeff_bits": (60,)}, "at least two"),
        ({"bits": 46}, "lower bits or hospitals"),
        ({"hospitals": 1}, "hides nothing"),
        ({"hospitals": 72, "bits": 16}, "standard deviations of noise"),
        ({"clip": 0.0}, "clip"),
        ({"clip": float("inf")}, "clip"),
        ({"bits": 1}, "bits a field"),
        ({"max_records": 2**46}, "records"),
        ({"max_records": -(-stpc.Parameters(hospitals=10).modulus // 10)}, "records exceed a slot"),
        ({"ring_degree": 8192, "coeff_bits": (61, 49)}, "20 to 60"),
        ({"coeff_bits": (60, 19)}, "20 to 60"),
        ({"plain_bits": 49}, "plaintext modulus"),
    ],
)
def test_unsafe_or_impossible_parameters_are_refused_with_their_reason(changes, reason):
    with pytest.raises(ParameterError, match=reason):
        stpc.Parameters(**{"hospitals": 10, **changes})


@pytest.mark.parametrize(
    ("hospitals", "bits", "plain_bits"), [(10, 20, 48), (50, 18, 48), (71, 17, 48), (100, 16, 47), (200, 15, 47)]
)
def test_two_fields_fit_a_slot(hospitals, bits, plain_bits):
    params = stpc.Parameters(hospitals=hospitals, bits=bits, plain_bits=plain_bits)
    assert params.fields == 2
    full = hospitals * 2 * params.levels
    assert full < 2**params.field_width
    assert full + (full << params.field_width) < params.modulus


@pytest.mark.parametrize(
    ("hospitals", "bits", "plain_bits"), [(2, 23, 48), (10, 20, 48), (71, 17, 48), (72, 16, 47), (200, 15, 47)]
)
def test_the_widest_fields_are_found(hospitals, bits, plain_bits):
    found = stpc.Parameters.widest(hospitals, clip=2.0)
    assert (found.bits, found.plain_bits, found.fields, found.clip) == (bits, plain_bits, 2, 2.0)


def test_what_cannot_be_is_refused_by_the_search_too():
    with pytest.raises(ParameterError, match="109 bits"):
        stpc.Parameters.widest(10, coeff_bits=(60, 60))


def test_the_modulus_is_a_batching_prime():
    params = stpc.Parameters(hospitals=10)
    t = params.modulus
    assert t % (2 * params.ring_degree) == 1
    assert t < 2**params.plain_bits
    assert all(pow(a, t - 1, t) == 1 for a in (2, 3, 5, 7, 11, 13))  # Fermat, six bases


@pytest.mark.parametrize(
    "changes",
    [
        {"bits": 16}, {"clip": 2.0}, {"rounding": stpc.Rounding.STOCHASTIC}, {"hospitals": 9}, {"plain_bits": 47},
        {"max_records": 7}, {"weighting": stpc.Weighting.RECORDS}, {"coeff_bits": (60, 48)},
        {"ring_degree": 8192, "coeff_bits": (60, 49)},
    ],
)  # fmt: skip
def test_every_change_changes_the_digest(changes):
    params = stpc.Parameters(hospitals=10)
    assert dataclasses.replace(params, **changes).digest != params.digest
    assert stpc.Parameters(hospitals=10).digest == params.digest


def test_the_table_of_the_standard_is_that_of_seal():
    """SEAL holds the table of the HE standard too: homomorphicencryption.org 2018, 128 bits, ternary secret."""
    level = sealapi.SEC_LEVEL_TYPE.TC128
    assert {n: sealapi.CoeffModulus.MaxBitCount(n, level) for n in HE_STANDARD_128} == HE_STANDARD_128


def test_what_a_study_gets_that_says_nothing():
    params = stpc.Parameters(hospitals=10)
    assert (params.bits, params.plain_bits, params.clip, params.max_records) == (20, 48, 1.0, 10**6)
    assert (params.weighting.value, params.rounding.value) == ("uniform", "nearest")
    assert {w.value for w in stpc.Weighting} == {"uniform", "records"}
    assert {r.value for r in stpc.Rounding} == {"nearest", "stochastic"}
    assert (CkksParameters().ring_degree, CkksParameters().scale_bits) == (8192, 40)


@pytest.mark.parametrize(
    "changes",
    [
        {"max_records": 1}, {"plain_bits": 16, "bits": 2, "max_records": 100}, {"coeff_bits": (60, 20)},
        {"coeff_bits": (49, 60)}, {"bits": 2},
    ],
)  # fmt: skip
def test_the_last_allowed_value_is_allowed(changes):
    stpc.Parameters(**{"hospitals": 2, "plain_bits": 24, "bits": 8, "max_records": 10, **changes})


@pytest.mark.parametrize(("degree", "coeff_bits", "kept"), [(4096, (60, 49), 60), (8192, (60, 50, 49), 110)])
def test_the_noise_margin_counts_all_primes_but_the_last(degree, coeff_bits, kept):
    params = stpc.Parameters(hospitals=10, ring_degree=degree, coeff_bits=coeff_bits)
    deviation = math.sqrt(10 * (1 + 2 * degree / 3) / 12)  # of ten rounding errors times a ternary secret
    assert params.noise_margin == pytest.approx(2**kept / (2 * params.modulus) / deviation, rel=1e-12)
