import itertools
import os

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from bfl_stpc.errors import ShareError
from bfl_stpc.stpc.hazmat import shamir


@settings(max_examples=50, deadline=None)
@given(secret=st.binary(min_size=32, max_size=32), n=st.integers(1, 12), data=st.data())
def test_any_threshold_of_shares_recovers_the_secret(secret, n, data):
    threshold = data.draw(st.integers(1, n))
    shares = shamir.split(secret, n=n, threshold=threshold)
    chosen = data.draw(st.lists(st.sampled_from(sorted(shares)), min_size=threshold, max_size=n, unique=True))
    assert shamir.combine({i: shares[i] for i in chosen}, threshold=threshold) == secret


def test_the_field_is_prime():
    p = shamir.PRIME
    d, s = p - 1, 0
    while d % 2 == 0:
        d, s = d // 2, s + 1
    for base in (2, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37):  # Miller-Rabin
        x = pow(base, d, p)
        assert x in (1, p - 1) or any((x := x * x % p) == p - 1 for _ in range(s - 1))


def test_two_of_three_shares_match_a_line_by_hand():
    shares = shamir.split((5).to_bytes(32, "big"), n=3, threshold=2)
    y = {i: int.from_bytes(s, "big") for i, s in shares.items()}
    assert (2 * y[1] - y[2]) % shamir.PRIME == 5  # the line through (1, y1), (2, y2) at 0
    assert (y[3] - 2 * y[2] + y[1]) % shamir.PRIME == 0


@pytest.mark.parametrize("threshold", [2, 3, 5])
def test_one_share_too_few_leads_elsewhere(threshold):
    secret = os.urandom(32)
    shares = shamir.split(secret, n=6, threshold=threshold)
    assert set(shares) == set(range(1, 7))
    for chosen in itertools.combinations(shares, threshold - 1):
        try:
            found = shamir.combine({i: shares[i] for i in chosen}, threshold=threshold - 1)
        except ShareError:
            continue  # not even a value of 32 bytes
        assert found != secret


def test_fewer_shares_are_uniform_whatever_the_secret():
    for secret in (bytes(32), b"\xff" * 32):
        tops = [shamir.split(secret, n=3, threshold=3)[2][1] for _ in range(2000)]
        counts = [sum(lo <= t < lo + 32 for t in tops) for lo in range(0, 256, 32)]
        assert stats.chisquare(counts).pvalue > 1e-6


def test_with_threshold_one_every_share_is_the_secret():
    secret = os.urandom(32)  # the control of the test above
    assert {s[1:] for s in shamir.split(secret, n=4, threshold=1).values()} == {secret}


def test_a_forged_share_is_noticed_when_there_is_one_to_spare():
    shares = shamir.split(os.urandom(32), n=5, threshold=3)
    forged = {**shares, 2: bytes(33)}
    for others in itertools.combinations((1, 3, 4, 5), 3):
        with pytest.raises(ShareError, match="forged"):
            shamir.combine({i: forged[i] for i in (2, *others)}, threshold=3)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda s: {1: s[1]}, "1 shares of 3"),
        (lambda s: {1: s[1], 2: s[2], 3: b""}, "form"),
        (lambda s: {0: s[1], 2: s[2], 3: s[3]}, "form"),
        (lambda s: {1: s[1], 2: s[2], 3: b"\xff" * 33}, "form"),
        (lambda s: {1: s[1], 2: s[2], 3: shamir.PRIME.to_bytes(33, "big")}, "form"),
        (lambda s: dict.fromkeys(s, (2**256).to_bytes(33, "big")), "another secret"),  # a constant wider than 32 bytes
    ],
)
def test_unusable_shares_are_refused(change, reason):
    with pytest.raises(ShareError, match=reason):
        shamir.combine(change(shamir.split(bytes(32), n=3, threshold=3)), threshold=3)


@pytest.mark.parametrize(("secret", "n", "threshold"), [(b"short", 3, 2), (bytes(32), 3, 4), (bytes(32), 3, 0)])
def test_what_cannot_be_shared_is_refused(secret, n, threshold):
    with pytest.raises(ShareError):
        shamir.split(secret, n=n, threshold=threshold)
