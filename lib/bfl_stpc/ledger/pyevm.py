"""A py-evm backend for eth-tester that repeats: genesis, block times and `mix_hash` are derived, not drawn."""

import hashlib
import time
from collections.abc import Sequence
from typing import Any

from eth.abc import BlockAPI, ReceiptAPI
from eth.vm.forks import CancunVM
from eth_tester import PyEVMBackend
from eth_tester.backends.pyevm.main import ZERO_ADDRESS, get_default_genesis_params
from eth_utils import ValidationError

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

    def mine_all(self, raw_transactions: Sequence[bytes]) -> tuple[BlockAPI, tuple[ReceiptAPI, ...]]:
        """Execute signed transactions in one block and append it. Return the block and its receipts, in order."""
        block, receipts = self.build(raw_transactions)
        self.chain.persist_block(block)
        self.settle()
        return block, receipts

    def build(self, raw_transactions: Sequence[bytes]) -> tuple[BlockAPI, tuple[ReceiptAPI, ...]]:
        """Execute signed transactions in a block that is not appended. Return it and its receipts, in order."""
        vm = self.chain.get_vm()
        builder = vm.get_transaction_builder()
        transactions = [builder.decode(raw) for raw in raw_transactions]
        header, receipts, _ = vm.apply_all_transactions(transactions, self.chain.header)
        filled = vm.set_block_transactions_and_withdrawals(vm.get_block(), header, transactions, receipts)
        return vm.mine_block(filled, **self._seal(ZERO_ADDRESS)).block, tuple(receipts)

    def check(self, block: BlockAPI) -> None:
        """Execute a block on top of the head and compare it with its header, without appending it.

        Raises:
            ValidationError: it does not follow the head, or its roots are not what the execution gives.
        """
        parent = self.chain.get_canonical_head()
        if block.header.parent_hash != parent.hash:
            raise ValidationError(f"its parent is {block.header.parent_hash.hex()}; the head is {parent.hash.hex()}")
        header = self.chain.create_header_from_parent(parent).copy(gas_used=block.header.gas_used)
        executed = self.chain.get_vm(header).import_block(block).block
        if executed.hash != block.hash:
            pairs = zip(executed.header.as_dict().items(), block.header.as_dict().values())
            wrong = [name for (name, got), claimed in pairs if got != claimed]
            raise ValidationError(f"its header claims another {', '.join(wrong)} than its execution gives")
        self.chain.validate_block(block)

    def append(self, block: BlockAPI) -> None:
        """Check a block that another chain made, and append it."""
        self.check(block)
        self.chain.persist_block(block)
        self.settle()

    def settle(self) -> None:
        """Start the next block on top of the head."""
        self.chain.header = self.chain.create_header_from_parent(self.chain.get_canonical_head())
        self._next_time(BLOCK_SECONDS)

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
