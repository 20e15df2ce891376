"""Only listed types travel, and each field is what its class declares."""

import math
from dataclasses import dataclass

import cbor2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from bfl_stpc import stpc
from bfl_stpc.errors import Corrupt
from bfl_stpc.ledger import Result
from bfl_stpc.system import State
from bfl_stpc.system.codec import decode, encode
from bfl_stpc.ticket import Ticket

TICKET = Ticket(3, bytes(32), 1337, bytes(20), ("a", "b", "c"), 2)


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        (TICKET, Ticket),
        (Result(bytes(32), bytes(32), 3, math.inf, (2**64 - 1, 0)), Result),
        (stpc.Upload("a", 1, b"payload"), stpc.Upload),
        (stpc.UnmaskAnswer("a", {"b": b"1"}, {}), stpc.UnmaskAnswer),
        (stpc.Parameters(5, weighting=stpc.Weighting.RECORDS), stpc.Parameters),
        ((1, "x", b"y"), tuple[int, str, bytes]),
        ({"a": (1.5, 2.0)}, dict[str, tuple[float, ...]]),
        (None, int | None),
        (7, int | None),
    ],
)
def test_what_is_encoded_comes_back(value, kind):
    assert decode(encode(value), kind) == value


@pytest.mark.parametrize("dtype", [np.uint64, np.float32, np.float64])
def test_vectors_come_back_bit_for_bit(dtype):
    vector = np.frombuffer(np.random.default_rng(1).bytes(80), dtype)
    assert decode(encode(vector), NDArray[dtype]).tobytes() == vector.tobytes()


def test_a_state_comes_back_with_its_optimiser():
    state = State(2, np.arange(4, dtype=np.float32))
    back = decode(encode(state), State)
    assert back.digest == state.digest
    assert back.server == state.server


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        (1, str),
        (True, int),
        (b"x", str),
        ((1, 2), tuple[int]),
        ({"a": 1}, dict[str, str]),
        (np.zeros(3, np.float32), NDArray[np.float64]),
        (TICKET, stpc.Upload),
        ("secure", stpc.Weighting),
    ],
)
def test_another_type_is_refused(value, kind):
    with pytest.raises(Corrupt):
        decode(encode(value), kind)


def test_a_field_of_another_type_is_refused():
    forged = cbor2.dumps(cbor2.CBORTag(27, ["Upload", "a", "one", b""]))
    with pytest.raises(Corrupt, match="a str stands where int belongs"):
        decode(forged, stpc.Upload)


def test_a_record_whose_class_refuses_it_is_refused():
    forged = cbor2.dumps(cbor2.CBORTag(27, ["Ticket", 0, bytes(32), 1, bytes(20), ["a", "b"], 2]))
    with pytest.raises(Corrupt):
        decode(forged, Ticket)


@pytest.mark.parametrize("name", ["Popen", "Hospital", "Identity", "eval", ""])
def test_no_other_class_can_be_named(name):
    with pytest.raises(Corrupt):
        decode(cbor2.dumps(cbor2.CBORTag(27, [name, "x"])), str)


def test_what_may_not_travel_is_not_encoded():
    @dataclass
    class Secret:
        key: bytes

    with pytest.raises(TypeError, match="Secret may not travel"):
        encode(Secret(b"k"))


def test_bytes_after_the_end_are_refused():
    with pytest.raises(Corrupt, match="follow the end"):
        decode(encode(1) + b"\0", int)


@given(st.binary(max_size=200))
def test_junk_is_refused_or_is_what_was_asked_for(data):
    try:
        value = decode(data, Ticket)
    except Corrupt:
        return
    assert isinstance(value, Ticket)
