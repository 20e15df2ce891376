"""What is remembered is what would be computed, and nobody can alter it for the next who asks."""

import pytest
import rlp
from Crypto.Hash import keccak as reference
from eth.vm.code_stream import CodeStream
from eth_hash.auto import keccak
from hypothesis import given
from hypothesis import strategies as st
from trie.utils import nibbles, nodes

from bfl_stpc.ledger import measure, remembered

NODES = st.recursive(st.binary(max_size=40), lambda parts: st.lists(parts, max_size=17), max_leaves=30)


@pytest.mark.parametrize("size", [0, 1, 32, remembered.SHORT, remembered.SHORT + 1, 20_000])
def test_hashes_are_keccak(size):
    data = bytes(i % 251 for i in range(size))
    expected = reference.new(data=data, digest_bits=256).digest()
    assert keccak(data) == keccak(bytearray(data)) == keccak(data) == expected


@given(NODES)
def test_a_node_is_read_as_the_trie_reads_it_and_may_be_changed(node):
    encoded = rlp.encode(node)
    expected = nodes.decode_node(encoded)
    first = remembered.decoded_node(encoded)
    assert first == expected
    while isinstance(first, list) and first:
        inner = first[0]
        first[0] = b"changed"
        first = inner
    assert remembered.decoded_node(encoded) == expected


def test_nodes_that_are_decoded_already_pass():
    node = [b"a", b"b"]
    assert remembered.decoded_node(node) is node
    assert remembered.decoded_node(b"") == b""


@given(st.binary(min_size=1, max_size=33))
def test_nibbles_are_the_originals(data):
    assert nodes.decode_nibbles.__wrapped__ is nibbles.decode_nibbles
    assert remembered.trie.hexary.bytes_to_nibbles(data) == nibbles.bytes_to_nibbles(data)


def test_jump_destinations_are_those_of_the_code_and_of_no_other():
    led, _, hospitals = measure.consortium()
    led.login(hospitals[0], round=1, model=measure.sha("w"))
    led.open_round(1, model=measure.sha("w"))
    for contract in (led.registry.contract, led.rounds.contract):
        code = led.chain.code(contract.address)
        valid, invalid = remembered._places(code)
        fresh = CodeStream(code)
        assert valid
        assert all(fresh.is_valid_opcode(place) for place in valid)
        assert not any(fresh.is_valid_opcode(place) for place in invalid)
