"""The Merkle tree of the audit trail: depth 32, keccak256, leaves, nodes and root kept apart by a prefix.

The same tree as `AuditTrail.sol` grows one leaf at a time (after Ethereum's deposit contract); here with proofs.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from eth_utils import keccak

from bfl_stpc.errors import ConfigError, ProofInvalid

DEPTH = 32


def leaf_hash(content: bytes) -> bytes:
    """Return the leaf (32 bytes) of an entry's canonical bytes."""
    return keccak(b"\x00" + content)


def node_hash(left: bytes, right: bytes) -> bytes:
    """Return the parent of two nodes."""
    return keccak(b"\x01" + left + right)


def root_hash(node: bytes, size: int) -> bytes:
    """Return the root of a tree with `size` leaves and top node `node`."""
    return keccak(b"\x02" + node + size.to_bytes(8, "big"))


def _zeros() -> tuple[bytes, ...]:
    nodes = [bytes(32)]
    for _ in range(DEPTH):
        nodes.append(node_hash(nodes[-1], nodes[-1]))
    return tuple(nodes)


ZEROS = _zeros()


@dataclass(frozen=True)
class Proof:
    """That a leaf is at `index` of a tree of `size` leaves: its 32 siblings, from the bottom up."""

    index: int
    size: int
    siblings: tuple[bytes, ...]

    def verify(self, leaf: bytes, root: bytes) -> None:
        """Return if `leaf` is where the proof says, in the tree with this root; 34 hashes, whatever the size.

        Raises:
            ProofInvalid: it is not.
        """
        node = leaf
        for level, sibling in enumerate(self.siblings):
            node = node_hash(sibling, node) if self.index >> level & 1 else node_hash(node, sibling)
        inside = 0 <= self.index < self.size and len(self.siblings) == DEPTH
        if not inside or root_hash(node, self.size) != root:
            raise ProofInvalid(f"entry {self.index} of {self.size} does not belong to the root {root.hex()}")


class Tree:
    """A growing tree that keeps its nodes: appending costs one hash and a bit, a proof costs none."""

    def __init__(self, leaves: Iterable[bytes] = ()) -> None:
        """Start from `leaves`, in order."""
        self._layers: list[list[bytes]] = [[] for _ in range(DEPTH + 1)]
        for leaf in leaves:
            self.append(leaf)

    def __len__(self) -> int:
        return len(self._layers[0])

    def append(self, leaf: bytes) -> None:
        """Add the next leaf (32 bytes)."""
        self._layers[0].append(leaf)
        for level in range(DEPTH):
            layer, above = self._layers[level], self._layers[level + 1]
            if len(layer) % 2:
                return
            above.append(node_hash(layer[-2], layer[-1]))

    def root(self) -> bytes:
        """Return the root (32 bytes)."""
        node = ZEROS[0]
        for level in range(DEPTH):
            layer = self._layers[level]
            odd = len(self) >> level & 1
            node = node_hash(layer[-1], node) if odd else node_hash(node, ZEROS[level])
        return root_hash(node, len(self))

    def proof(self, index: int) -> Proof:
        """Return the proof of leaf `index`."""
        if not 0 <= index < len(self):
            raise ConfigError(f"entry {index} does not exist; the tree has {len(self)}")
        partial = self._partial()
        siblings = [self._node(level, (index >> level) ^ 1, partial) for level in range(DEPTH)]
        return Proof(index, len(self), tuple(siblings))

    def _partial(self) -> Sequence[bytes]:
        """Return, for each level, the node over the leaves that do not fill one (zero-padded)."""
        nodes = [ZEROS[0]]
        for level in range(DEPTH):
            layer = self._layers[level]
            odd = len(self) >> level & 1
            nodes.append(node_hash(layer[-1], nodes[-1]) if odd else node_hash(nodes[-1], ZEROS[level]))
        return nodes

    def _node(self, level: int, place: int, partial: Sequence[bytes]) -> bytes:
        layer = self._layers[level]
        if place < len(layer):
            return layer[place]
        return partial[level] if place == len(layer) else ZEROS[level]
