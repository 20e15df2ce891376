"""A py-evm backend for eth-tester that repeats: genesis, block times and `mix_hash` are derived, not drawn."""

import hashlib
import time
from collections.abc import Sequence
from typing import Any

from eth.vm.forks import CancunVM
from eth_tester import PyEVMBackend
from eth_tester.backends.pyevm.main import ZERO_ADDRESS, get_default_genesis_params

GENESIS_TIME = 1_767_225_600  # 2026-01-01T00:00:00Z, in seconds since 1970
BLOCK_SECONDS = 1
BLOCK_GAS = 1_000_000_000  # never half full, so that the base fee stays 0: a consortium has no currency


class DeterministicBackend(PyEVMBackend):
    """py-evm with Cancun rules, free gas, one second a block, and a clock that only `advance` moves.

    Attributes:
        execute_ms: milliseconds that the EVM took for the last transaction.
        mine_ms: milliseconds that sealing the last block took.
    """

    execute_ms = 0.0
    mine_ms = 0.0

    def __init__(self, genesis_time: int = GENESIS_TIME) -> None:
        genesis = get_default_genesis_params({"timestamp": genesis_time, "gas_limit": BLOCK_GAS})
        genesis["base_fee_per_gas"] = 0
        nobody = {b"\x01".rjust(20, b"\0"): {"balance": 0, "nonce": 0, "code": b"", "storage": {}}}
        super().__init__(genesis, nobody, vm_configuration=((0, CancunVM),))
        self._next_time(BLOCK_SECONDS)

    def advance(self, seconds: int) -> None:
        """Let the next block come `seconds` later than it would, and mine it empty."""
        self._next_time(BLOCK_SECONDS + seconds)
        self.mine_blocks()

    def send_raw_transaction(self, raw_transaction: bytes) -> bytes:
        """Execute a signed transaction in the pending block, and time it."""
        start = time.perf_counter()
        result = super().send_raw_transaction(raw_transaction)
        self.execute_ms = 1e3 * (time.perf_counter() - start)
        return result

    def mine_blocks(self, num_blocks: int = 1, coinbase: bytes = ZERO_ADDRESS) -> tuple[bytes, ...]:
        """Seal `num_blocks` blocks whose `mix_hash` follows from their parent, and time it."""
        start = time.perf_counter()
        hashes = tuple(self.chain.mine_block(**self._seal(coinbase)).hash for _ in self._each(num_blocks))
        self.mine_ms = 1e3 * (time.perf_counter() - start)
        return hashes

    def mine_all(self, raw_transactions: Sequence[bytes]) -> tuple[Any, tuple[Any, ...]]:
        """Execute signed transactions in one block. Return the block and its receipts, in order."""
        builder = self.chain.get_vm().get_transaction_builder()
        transactions = [builder.decode(raw) for raw in raw_transactions]
        imported, receipts, _ = self.chain.mine_all(transactions, **self._seal(ZERO_ADDRESS))
        self._next_time(BLOCK_SECONDS)
        return imported.imported_block, receipts

    def _each(self, num_blocks: int) -> Any:
        for number in range(num_blocks):
            yield number
            self._next_time(BLOCK_SECONDS)

    def _seal(self, coinbase: bytes) -> dict[str, bytes]:
        mix = hashlib.sha256(b"BFL-STPC mix_hash" + self.chain.header.parent_hash).digest()
        return {"coinbase": coinbase, "mix_hash": mix}

    def _next_time(self, seconds: int) -> None:
        parent = self.chain.get_canonical_head()
        self.chain.set_header_timestamp(parent.timestamp + seconds)
