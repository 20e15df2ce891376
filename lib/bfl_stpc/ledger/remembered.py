"""What py-evm computes from the same bytes again and again, remembered: nothing changes but the time.

A round of ten hospitals hashes some 2,800 byte strings, two thirds of them anew (addresses, slots, topics, keys of the
trie), takes the nodes of the state's trie apart for every slot that it touches, and searches each contract for its jump
destinations in every call. All of these are functions of bytes alone, so that their answers may be kept.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any

import rlp
import trie.hexary
import trie.utils.nodes
from eth.abc import CodeStreamAPI
from eth.vm.forks import CancunVM
from eth.vm.forks.cancun.computation import CancunComputation
from eth.vm.forks.cancun.state import CancunState
from eth_hash.auto import keccak
from trie.utils import nibbles

KEPT = 1 << 16  # answers of each function: a few megabytes
SHORT = 1024  # bytes; a longer string, such as a contract's code, is hashed and not kept


def remember() -> None:
    """Let hashes and trie nodes be remembered in this process, by all that use py-evm; done once, at import."""
    keccak(b"")  # eth-hash now has its backend
    keccak.hasher = _remembered_hash(keccak.hasher)  # type: ignore[assignment]
    trie.hexary.decode_node = decoded_node  # type: ignore[assignment]
    for module in (trie.hexary, trie.utils.nodes):
        for name in ("bytes_to_nibbles", "decode_nibbles", "remove_nibbles_terminator"):
            if hasattr(module, name):
                setattr(module, name, lru_cache(KEPT)(getattr(nibbles, name)))


def _remembered_hash(backend: Callable[[bytes], bytes]) -> Callable[[bytes | bytearray], bytes]:
    kept = lru_cache(KEPT)(backend)
    return lambda data: kept(bytes(data)) if len(data) <= SHORT else backend(bytes(data))


def decoded_node(encoded: bytes | list[Any]) -> bytes | list[Any]:
    """Return a node of a trie, in lists that the caller may change; one that is decoded already, or blank, as it is."""
    return encoded if isinstance(encoded, list) or not encoded else _lists(_decoded(bytes(encoded)))


@lru_cache(KEPT)
def _decoded(encoded: bytes) -> Any:
    return _tuples(rlp.decode(encoded))


def _tuples(node: Any) -> Any:
    return tuple(map(_tuples, node)) if isinstance(node, list) else node


def _lists(node: Any) -> Any:
    return [_lists(part) if type(part) is tuple else part for part in node] if type(node) is tuple else node


@lru_cache(64)
def _places(code: bytes) -> tuple[set[int], set[int]]:
    """Return where a code may be jumped to and where not, as far as was asked; `CodeStream` fills them in."""
    return set(), set()


class _Computation(CancunComputation):
    code: CodeStreamAPI

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.code.valid_positions, self.code.invalid_positions = _places(self.msg.code)  # type: ignore[attr-defined]


class _State(CancunState):
    computation_class = _Computation


class RememberingVM(CancunVM):
    """py-evm's Cancun rules, with jump destinations remembered by code."""

    _state_class = _State


remember()
