"""Sizes and ratios that the design promises; the times are ratios within one run, by the committed benchmark."""

import importlib.util
from pathlib import Path

import pytest


@pytest.fixture(scope="module")
def bench():
    path = Path(__file__).parents[2] / "benchmarks" / "bench_stpc.py"
    spec = importlib.util.spec_from_file_location("bench_stpc", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_masks_alone_reach_the_information_bound(bench):
    found = bench.masking(100_000, hospitals=10, bits=20, repeats=1)
    assert found["bytes_per_parameter"] <= 3.1
    assert found["bytes_per_parameter"] == pytest.approx(found["bound_bytes_per_parameter"], rel=1e-3)


@pytest.mark.slow
def test_packed_bfv_against_ckks_at_a_million_parameters(bench):
    found = bench.encryption(10**6, repeats=2)
    assert found["bytes_ratio"] >= 7
    assert found["encrypt_ratio"] >= 5
    assert found["end_to_end_ratio"] >= 4
    assert found["bfv_error"] <= 10 * 2**-19 / 2 * 1.001


def test_recovery_costs_less_than_ten_hospitals(bench):
    assert bench.recovery(100_000)["recover_in_protects"] < 10
