"""The ledger as a role of its own: a py-evm node with a store, and the chain as the other roles see it from afar."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import rlp
from eth.exceptions import PyEVMError, TransactionNotFound
from eth_keys.exceptions import BadSignature
from eth_utils import ValidationError, keccak
from hexbytes import HexBytes
from web3 import Web3

from bfl_stpc.errors import ChainError, PeerLost
from bfl_stpc.ledger import Chain, Identity, InMemoryChain, Receipt
from bfl_stpc.ledger.chain import CALL_GAS
from bfl_stpc.ledger.replay import replay
from bfl_stpc.system.codec import travels
from bfl_stpc.system.meter import Meter
from bfl_stpc.system.roles import LEDGER
from bfl_stpc.system.service import Caller, answers
from bfl_stpc.system.store import Store


@travels
@dataclass(frozen=True)
class Log:
    """One event, undecoded: contract, topics, data, and its place."""

    address: str
    topics: tuple[bytes, ...]
    data: bytes
    block: int
    index: int
    transaction: bytes


@travels
@dataclass(frozen=True)
class Mined:
    """One transaction in its block: hash, block, gas, events, and the contract that it created, if any."""

    transaction: bytes
    block: int
    gas: int
    logs: tuple[Log, ...]
    contract: str | None


@dataclass
class Node:
    """The node of the chain. Every block is in its store before anyone hears of it; a restart executes them again.

    Attributes:
        store: the blocks.
        chain: what they lead to.
    """

    store: Store = field(repr=False)
    meter: Meter = field(default_factory=Meter, repr=False)
    name: str = LEDGER

    def __post_init__(self) -> None:
        self.restore()

    def restore(self) -> None:
        """Execute the stored blocks.

        Raises:
            BlockRefused: one was altered, left out, added or moved.
        """
        names = [name for name in self.store.names(0) if name.startswith("block ")]
        self.chain: InMemoryChain = replay([self.store.get(0, name) or b"" for name in names])

    @answers(kept=False)
    def chain_id(self) -> int:
        """Return the id of the chain."""
        return self.chain.chain_id

    @answers(kept=False)
    def count(self, address: str) -> int:
        """Return how many transactions `address` has sent."""
        return self.chain.backend.nonce(bytes.fromhex(address[2:]))

    @answers(kept=False)
    def code(self, address: str) -> bytes:
        """Return the code at `address`."""
        return self.chain.code(address)

    @answers(kept=False)
    def submit(self, raw: bytes) -> Mined:
        """Execute a signed transaction in a block of its own; one that is in the chain already is only reported.

        Raises:
            ContractRefused: the contract reverted; the block holds the failed transaction.
            ChainError: it does not belong on this chain, or not now, or it failed before.
        """
        known = self._found(keccak(raw))
        if known is not None:
            return known
        try:
            done = self.chain.backend.execute(raw)
        except (ValidationError, PyEVMError, BadSignature, rlp.RLPException) as error:
            raise ChainError(f"the node did not accept a transaction: {error}") from error
        self.chain.backend.seal()
        self._keep()
        if done.computation.is_error:
            to = done.transaction.to
            raise self.chain._refusal("a sender", "0x" + to.hex() if to else None, done.computation, done.block)
        found = self._found(keccak(raw))
        assert found is not None
        contract = None if done.transaction.to else Web3.to_checksum_address(done.computation.msg.storage_address)
        return Mined(found.transaction, found.block, found.gas, found.logs, contract)

    @answers(kept=False)
    def call(self, to: str, data: bytes, sender: str | None, block: int | None) -> bytes:
        """Return what a read-only call answers."""
        return self.chain.call(to, data, sender=sender, block="latest" if block is None else block)

    @answers(kept=False)
    def logs(self, addresses: tuple[str, ...], from_block: int) -> tuple[Log, ...]:
        """Return the events of contracts since a block, in order."""
        return tuple(_log(entry) for entry in self.chain.logs(addresses, from_block))

    @answers(kept=False)
    def head(self) -> tuple[int, int, bytes]:
        """Return number, time and hash of the last block."""
        return self.chain.height(), self.chain.now(), self.chain.head_hash()

    @answers(kept=False)
    def mine_to(self, number: int) -> None:
        """Mine empty blocks up to `number`, as time would."""
        self.chain.wait_for_block(min(number, self.chain.height() + 300))
        self._keep()

    def _keep(self) -> None:
        kept = sum(name.startswith("block ") for name in self.store.names(0))
        with self.store.transaction():
            for number in range(kept + 1, self.chain.height() + 1):
                block = self.chain.backend.chain.get_canonical_block_by_number(number)
                self.store.put(0, f"block {number:010d}", rlp.encode(block))

    def _found(self, transaction: bytes) -> Mined | None:
        inner = self.chain.backend.chain
        try:
            number, _ = inner.get_canonical_transaction_index(transaction)
        except TransactionNotFound:
            return None
        (receipt,) = inner.get_canonical_block_by_number(number).get_receipts(inner.chaindb)
        if receipt.state_root != b"\x01":
            raise ChainError(f"transaction {transaction.hex()} failed in block {number} before")
        every = self.chain.logs([Web3.to_checksum_address(log.address) for log in receipt.logs], number)
        logs = tuple(_log(entry) for entry in every if bytes(entry["transactionHash"]) == transaction)
        return Mined(transaction, number, receipt.gas_used, logs, None)


class RemoteChain(Chain):
    """The chain of a `Node`, reached in sealed envelopes. Signing stays with the role that owns the key."""

    def __init__(self, caller: Caller) -> None:
        """Reach the node over `caller`.

        Raises:
            ChainError: it does not answer.
        """
        self._caller, self._max_fee = caller, 0
        self._nonces: dict[str, int] = {}
        self.web3 = Web3()  # encodes and decodes; it has no provider
        self.chain_id = self._ask("chain_id", gives=int)

    def transact(self, sender: Identity, to: str | None, data: bytes, *, gas: int = CALL_GAS) -> Receipt:
        """Sign a transaction here, have the node execute it, and return its receipt; see `Chain.transact`."""
        start = time.perf_counter()
        transaction = self._build(sender, to, data, gas)
        built = time.perf_counter()
        raw = sender.sign_transaction(transaction)
        signed = time.perf_counter()
        self._nonces[sender.address] = transaction["nonce"] + 1
        try:
            mined = self._ask("submit", raw, gives=Mined)
        except ChainError:
            self._nonces.pop(sender.address, None)
            raise
        end = time.perf_counter()
        ms = {"build": 1e3 * (built - start), "sign": 1e3 * (signed - built), "submit": 1e3 * (end - signed)}
        logs = [_entry(log) for log in mined.logs]
        return Receipt(mined.transaction, mined.block, mined.gas, logs, mined.contract, ms)

    def call(self, to: str, data: bytes, *, sender: str | None = None, block: int | str = "latest") -> bytes:
        """Return what a read-only call answers; see `Chain.call`."""
        return self._ask("call", to, data, sender, block if isinstance(block, int) else None, gives=bytes)

    def code(self, address: str) -> bytes:
        """Return the code at `address`."""
        return self._ask("code", address, gives=bytes)

    def logs(self, addresses: Sequence[str], from_block: int = 0) -> Sequence[Mapping[str, Any]]:
        """Return the undecoded events of contracts since block `from_block`, in order."""
        return [_entry(log) for log in self._ask("logs", tuple(addresses), from_block, gives=tuple[Log, ...])]

    def now(self) -> int:
        """Return the time of the last block, in seconds since 1970."""
        return self._head()[1]

    def height(self) -> int:
        """Return the number of the last block."""
        return self._head()[0]

    def head_hash(self) -> bytes:
        """Return the hash of the last block (32 bytes)."""
        return self._head()[2]

    def wait_for_block(self, number: int) -> None:
        """Have the node mine up to `number`: this chain has no clock of its own."""
        self._ask("mine_to", number, gives=Any)

    def _count(self, address: str) -> int:
        return self._ask("count", address, gives=int)

    def _head(self) -> tuple[int, int, bytes]:
        return self._ask("head", gives=tuple[int, int, bytes])

    def _ask(self, kind: str, *arguments: Any, gives: Any) -> Any:
        try:
            return self._caller.call(LEDGER, 0, kind, *arguments, gives=gives)
        except PeerLost as error:
            raise ChainError(f"the ledger's node is out of reach: {error}") from error


def _log(entry: Mapping[str, Any]) -> Log:
    topics = tuple(bytes(topic) for topic in entry["topics"])
    place = (entry["blockNumber"], entry["logIndex"], bytes(entry["transactionHash"]))
    return Log(entry["address"], topics, bytes(entry["data"]), *place)


def _entry(log: Log) -> dict[str, Any]:
    """Return an event as web3 writes it."""
    return {
        "address": log.address,
        "topics": [HexBytes(topic) for topic in log.topics],
        "data": HexBytes(log.data),
        "blockNumber": log.block,
        "logIndex": log.index,
        "transactionHash": HexBytes(log.transaction),
        "transactionIndex": 0,
        "blockHash": b"",
    }
