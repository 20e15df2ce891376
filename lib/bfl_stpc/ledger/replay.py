"""Blocks as bytes: export a chain and replay it elsewhere, which executes everything again and so finds tampering."""

from collections.abc import Sequence

import rlp
from eth.abc import BlockAPI
from eth.exceptions import PyEVMError
from eth_keys.exceptions import BadSignature
from eth_utils import ValidationError

from bfl_stpc.errors import BlockRefused
from bfl_stpc.ledger.chain import Chain, InMemoryChain
from bfl_stpc.ledger.pyevm import GENESIS_TIME


def export_blocks(chain: InMemoryChain) -> tuple[bytes, ...]:
    """Return the RLP bytes of every block after genesis, in order."""
    inner = chain.backend.chain
    return tuple(
        rlp.encode(inner.get_canonical_block_by_number(n))
        for n in range(1, inner.get_canonical_head().block_number + 1)
    )


def decode_block(chain: InMemoryChain, block: bytes) -> BlockAPI:
    """Return the block that exported bytes stand for; raise `BlockRefused` if they stand for none."""
    try:
        return rlp.decode(block, chain.backend.chain.get_vm().get_block_class())
    except (rlp.RLPException, ValueError, TypeError) as error:
        raise BlockRefused(f"block {chain.height() + 1} does not decode: {error}") from error


def import_block(chain: InMemoryChain, block: bytes) -> None:
    """Execute one exported block on top of `chain`, compare every root with its header, and append it.

    Raises:
        BlockRefused: the bytes are no block, do not follow the head, or do not execute to what the header says.
    """
    decoded = decode_block(chain, block)
    try:
        chain.backend.append(decoded)
    except (ValidationError, PyEVMError, BadSignature, ValueError) as error:
        raise BlockRefused(f"block {chain.height() + 1} does not hold: {error}") from error


def replay(blocks: Sequence[bytes], *, head: bytes | None = None, genesis_time: int = GENESIS_TIME) -> InMemoryChain:
    """Return a new chain with these blocks executed again.

    Args:
        blocks: as `export_blocks` returns them.
        head: the expected head hash; catches missing blocks at the end.
        genesis_time: of the exported chain.

    Raises:
        BlockRefused: a block was altered, left out, added or moved: the first that does not hold is named.
    """
    chain = Chain.in_memory(genesis_time)
    for block in blocks:
        import_block(chain, block)
    if head is not None and chain.head_hash() != head:
        raise BlockRefused(f"the replay ends at block {chain.height()} with another head than the recorded one")
    return chain
