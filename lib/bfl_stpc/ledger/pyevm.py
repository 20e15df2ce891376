"""A py-evm backend for eth-tester that repeats: genesis, block times and `mix_hash` are derived, not drawn."""

import hashlib
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from eth.abc import BlockAPI, BlockHeaderAPI, ComputationAPI, ReceiptAPI, SignedTransactionAPI, VirtualMachineAPI
from eth.vm.message import Message
from eth_tester import PyEVMBackend
from eth_tester.backends.pyevm.main import ZERO_ADDRESS, get_default_genesis_params
from eth_typing import Address
from eth_utils import ValidationError

from bfl_stpc.ledger.remembered import RememberingVM

GENESIS_TIME = 1_767_225_600  # 2026-01-01T00:00:00Z, in seconds since 1970
BLOCK_SECONDS = 1
BLOCK_GAS = 1_000_000_000  # never half full, so that the base fee stays 0: a consortium has no currency


@dataclass
class _Pending:
    """The block under construction: its machine, the header so far, and what was executed in it."""

    vm: VirtualMachineAPI
    header: BlockHeaderAPI
    transactions: list[SignedTransactionAPI] = field(default_factory=list)
    receipts: list[ReceiptAPI] = field(default_factory=list)


@dataclass(frozen=True)
class Executed:
    """One transaction of the block under construction.

    Attributes:
        transaction: as decoded from its bytes, its signature checked.
        receipt: its status, events, and the gas of its block up to it.
        computation: what it answered or why it reverted.
        gas: gas that it used itself.
        block: number of its block.
        first_event: place of its first event among those of its block.
    """

    transaction: SignedTransactionAPI
    receipt: ReceiptAPI
    computation: ComputationAPI
    gas: int
    block: int
    first_event: int


class DeterministicBackend(PyEVMBackend):
    """py-evm with Cancun rules, free gas, one second a block, and a clock that only `advance` moves.

    Attributes:
        execute_ms: milliseconds that the EVM took for the last transaction.
        mine_ms: milliseconds that sealing the last block took.
    """

    execute_ms = 0.0
    mine_ms = 0.0
    _pending: _Pending | None = None
    _reader: VirtualMachineAPI | None = None  # at the head, its state kept warm from one question to the next

    def __init__(self, genesis_time: int = GENESIS_TIME) -> None:
        genesis = get_default_genesis_params({"timestamp": genesis_time, "gas_limit": BLOCK_GAS})
        genesis["base_fee_per_gas"] = 0
        nobody = {b"\x01".rjust(20, b"\0"): {"balance": 0, "nonce": 0, "code": b"", "storage": {}}}
        super().__init__(genesis, nobody, vm_configuration=((0, RememberingVM),))
        self._next_time(BLOCK_SECONDS)

    def advance(self, seconds: int) -> None:
        """Let the next block come `seconds` later than it would, and mine it empty."""
        self._next_time(BLOCK_SECONDS + seconds)
        self.mine_blocks()

    def execute(self, raw_transaction: bytes) -> Executed:
        """Execute a signed transaction in the block under construction, which `seal` ends, and time it.

        Raises:
            ValidationError: it does not belong on this chain, or not here; the block is as before.
        """
        start = time.perf_counter()
        pending = self._pending or _Pending(self.chain.get_vm(), self.chain.header)
        transaction = pending.vm.get_transaction_builder().decode(raw_transaction)
        receipt, computation = pending.vm.apply_transaction(pending.header, transaction)
        gas, events = receipt.gas_used - pending.header.gas_used, sum(len(r.logs) for r in pending.receipts)
        header = pending.vm.add_receipt_to_header(pending.header, receipt)
        pending.header = pending.vm.increment_blob_gas_used(header, transaction)
        pending.transactions.append(transaction)
        pending.receipts.append(receipt)
        self._pending = pending
        self.execute_ms = 1e3 * (time.perf_counter() - start)
        return Executed(transaction, receipt, computation, gas, pending.header.block_number, events)

    @property
    def mined(self) -> bool:
        """Whether all that was executed is in a block."""
        return self._pending is None

    def seal(self) -> None:
        """Append the block under construction, if there is one, and time it."""
        if self._pending is None:
            return
        start = time.perf_counter()
        pending, self._pending = self._pending, None
        self._persist(self._filled(pending))
        self.mine_ms = 1e3 * (time.perf_counter() - start)

    def ask(self, to: bytes, data: bytes, sender: bytes, gas: int, number: int | None = None) -> ComputationAPI:
        """Return what a call answers after block `number`, or after all that was executed; it leaves no trace."""
        if number is not None:
            vm = self.chain.get_vm(at_header=self.chain.get_canonical_block_header_by_number(number))
        elif self._pending is not None:
            vm = self._pending.vm
        else:
            if self._reader is None:
                self._reader = self.chain.get_vm(at_header=self.chain.get_canonical_head())
            vm = self._reader
        state = vm.state
        message = Message(gas, Address(to), Address(sender), 0, data, state.get_code(Address(to)))
        context = state.get_transaction_context_class()(gas_price=0, origin=sender)
        before = state.snapshot()
        computation = state.computation_class.apply_message(state, message, context)
        state.revert(before)
        return computation

    def nonce(self, address: bytes) -> int:
        """Return the number of transactions of `address` up to the last block."""
        return int(self.chain.get_vm(at_header=self.chain.get_canonical_head()).state.get_nonce(address))

    def mine_blocks(self, num_blocks: int = 1, coinbase: bytes = ZERO_ADDRESS) -> tuple[bytes, ...]:
        """Seal `num_blocks` empty blocks whose `mix_hash` follows from their parent, and time it."""
        self.seal()
        start = time.perf_counter()
        hashes = tuple(self.chain.mine_block(**self._seal(coinbase)).hash for _ in self._each(num_blocks))
        self._reader = None
        self.mine_ms = 1e3 * (time.perf_counter() - start)
        return hashes

    def mine_all(self, raw_transactions: Sequence[bytes]) -> tuple[BlockAPI, tuple[ReceiptAPI, ...]]:
        """Execute signed transactions in one block and append it. Return the block and its receipts, in order."""
        self.seal()
        block, receipts = self.build(raw_transactions)
        self._persist(block)
        return block, receipts

    def build(self, raw_transactions: Sequence[bytes]) -> tuple[BlockAPI, tuple[ReceiptAPI, ...]]:
        """Execute signed transactions in a block that is not appended. Return it and its receipts, in order."""
        vm = self.chain.get_vm()
        builder = vm.get_transaction_builder()
        transactions = [builder.decode(raw) for raw in raw_transactions]
        header, receipts, _ = vm.apply_all_transactions(transactions, self.chain.header)
        return self._filled(_Pending(vm, header, transactions, list(receipts))), tuple(receipts)

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
        self._reader = None
        self.chain.header = self.chain.create_header_from_parent(self.chain.get_canonical_head())
        self._next_time(BLOCK_SECONDS)

    def _filled(self, pending: _Pending) -> BlockAPI:
        vm, done = pending.vm, (pending.transactions, pending.receipts)
        filled = vm.set_block_transactions_and_withdrawals(vm.get_block(), pending.header, *done)
        return vm.mine_block(filled, **self._seal(ZERO_ADDRESS)).block  # validates it

    def _persist(self, block: BlockAPI) -> None:
        self.chain.persist_block(block, perform_validation=False)
        self.settle()

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
