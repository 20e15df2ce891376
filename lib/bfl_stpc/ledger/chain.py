"""The chain: py-evm in memory, or any node over HTTP. Gas and fees are explicit, signing is local."""

import os
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from typing import Any

from eth.abc import ReceiptAPI
from eth.exceptions import PyEVMError, Revert
from eth_keys.exceptions import BadSignature
from eth_tester import EthereumTester
from eth_utils import ValidationError, to_checksum_address
from hexbytes import HexBytes
from web3 import EthereumTesterProvider, Web3
from web3.exceptions import TimeExhausted
from web3.middleware import ExtraDataToPOAMiddleware

from bfl_stpc.errors import ChainError
from bfl_stpc.ledger import reverts
from bfl_stpc.ledger.identity import Identity
from bfl_stpc.ledger.pyevm import GENESIS_TIME, DeterministicBackend

CALL_GAS = 5_000_000  # gas limit of a transaction; the largest measured call needs less than half
DEPLOY_GAS = 10_000_000


@dataclass(frozen=True)
class Receipt:
    """One transaction that the chain accepted.

    Attributes:
        tx_hash: 32 bytes.
        block: number of its block.
        gas: gas used.
        logs: its events, undecoded.
        contract: address of the contract that it created, if any.
        ms: milliseconds by step: build, sign, submit (transport and checks), execute, mine, receipt. Over HTTP
            a node does not tell execute and mine from submit: they are absent.
    """

    tx_hash: bytes
    block: int
    gas: int
    logs: Sequence[Mapping[str, Any]]
    contract: str | None
    ms: Mapping[str, float]

    @property
    def total_ms(self) -> float:
        """Return the milliseconds of all steps."""
        return sum(self.ms.values())


class Chain:
    """A chain seen through web3. Make one with `in_memory` or `http`.

    Attributes:
        web3: the provider.
        chain_id: as the node tells.
    """

    def __init__(self, web3: Web3, *, max_fee: int = 0, timeout: float = 60.0) -> None:
        """See `in_memory` and `http`; `max_fee` in wei per gas, `timeout` in seconds."""
        self.web3, self._max_fee, self._timeout = web3, max_fee, timeout
        self.chain_id = web3.eth.chain_id
        self._nonces: dict[str, int] = {}

    @classmethod
    def in_memory(cls, genesis_time: int = GENESIS_TIME) -> "InMemoryChain":
        """Return a new chain in this process. The same transactions give the same head hash in any process."""
        return InMemoryChain(DeterministicBackend(genesis_time))

    @classmethod
    def http(cls, url: str, *, max_fee: int = 0, timeout: float = 60.0) -> "Chain":
        """Return the chain of the node at `url`.

        Args:
            url: JSON-RPC address.
            max_fee: highest price in wei per gas; 0 where gas is free, as in the consortium that we describe.
            timeout: seconds to wait for a receipt.

        Raises:
            ChainError: no node answers there.
        """
        web3 = Web3(Web3.HTTPProvider(url, request_kwargs={"timeout": timeout}))
        web3.middleware_onion.inject(ExtraDataToPOAMiddleware, layer=0)  # QBFT's long extraData
        if not web3.is_connected():
            raise ChainError(f"no node answers at {url}; start one, or unset BFL_RPC_URL")
        return cls(web3, max_fee=max_fee, timeout=timeout)

    @classmethod
    def from_environment(cls) -> "Chain":
        """Return the chain of the node at `BFL_RPC_URL`, or a new one in memory where that is not set."""
        url = os.environ.get("BFL_RPC_URL")
        return cls.http(url) if url else cls.in_memory()

    def transact(self, sender: Identity, to: str | None, data: bytes, *, gas: int = CALL_GAS) -> Receipt:
        """Sign and send one transaction, wait until it is mined, and return its receipt.

        Raises:
            ContractRefused: the contract reverted; the subclass tells why. The chain holds a failed transaction.
            ChainError: the node did not accept it, or did not mine it in time.
        """
        start = time.perf_counter()
        transaction = self._build(sender, to, data, gas)
        built = time.perf_counter()
        raw = sender.sign_transaction(transaction)
        signed = time.perf_counter()
        try:
            tx_hash = self.web3.eth.send_raw_transaction(raw)
        except Exception as error:  # providers raise what they like
            self._nonces.pop(sender.address, None)
            raise ChainError(f"the node did not accept a transaction of {sender.name}: {error}") from error
        self._nonces[sender.address] = transaction["nonce"] + 1
        submitted = time.perf_counter()
        receipt = self._receipt(tx_hash)
        ms = {
            "build": 1e3 * (built - start),
            "sign": 1e3 * (signed - built),
            "submit": 1e3 * (submitted - signed),
            "receipt": 1e3 * (time.perf_counter() - submitted),
        }
        if receipt["status"] != 1:
            raise self._why(sender.address, to, data, receipt["blockNumber"])
        logs, contract = receipt["logs"], receipt["contractAddress"]
        return Receipt(bytes(tx_hash), receipt["blockNumber"], receipt["gasUsed"], logs, contract, ms)

    def transact_all(self, calls: Sequence[tuple[Identity, str, bytes]]) -> list[int]:
        """Send calls (sender, contract, data) in order; return the gas of each. In memory they share one block.

        Raises:
            ContractRefused: a call reverted; the subclass tells why. What came before it stands.
            ChainError: the node did not accept it, or did not mine it in time.
        """
        return [self.transact(sender, to, data).gas for sender, to, data in calls]

    @contextmanager
    def together(self) -> Iterator[None]:
        """Put the transactions of the block of code into one block of the chain, where it is in memory.

        Each is still checked and answered at once, and calls see it, as a node shows what is pending; events, height
        and head do not, until the block of code ends. Over HTTP the node decides, and this changes nothing.
        """
        yield

    def mine(self) -> None:
        """End the block that `together` fills, where it is in memory; elsewhere the node decides."""

    def call(self, to: str, data: bytes, *, sender: str | None = None, block: int | str = "latest") -> bytes:
        """Return what a read-only call answers.

        Raises:
            ContractRefused: the contract reverted; the subclass tells why.
            ChainError: the node refused the call.
        """
        call: dict[str, Any] = {"to": to, "data": data, "gas": CALL_GAS, "maxFeePerGas": 0, "maxPriorityFeePerGas": 0}
        if sender is not None:
            call["from"] = sender
        try:
            return bytes(self.web3.eth.call(call, block))  # type: ignore[arg-type]
        except Exception as error:  # mapped in one place
            raise reverts.from_exception(error) from error

    def code(self, address: str) -> bytes:
        """Return the code of the contract at `address`; empty if there is none."""
        return bytes(self.web3.eth.get_code(address))  # type: ignore[arg-type]

    def logs(self, addresses: Sequence[str], from_block: int = 0) -> Sequence[Mapping[str, Any]]:
        """Return the undecoded events of contracts since block `from_block`, in order."""
        wanted: Any = {"fromBlock": from_block, "toBlock": "latest", "address": list(addresses)}
        return self.web3.eth.get_logs(wanted)

    def now(self) -> int:
        """Return the time of the last block, in seconds since 1970."""
        return int(self.web3.eth.get_block("latest")["timestamp"])

    def height(self) -> int:
        """Return the number of the last block."""
        return int(self.web3.eth.block_number)

    def head_hash(self) -> bytes:
        """Return the hash of the last block (32 bytes): it commits to the whole history and state."""
        return bytes(self.web3.eth.get_block("latest")["hash"])

    def wait_for_block(self, number: int) -> None:
        """Return once block `number` is mined.

        Raises:
            ChainError: not within the timeout.
        """
        end = time.monotonic() + self._timeout
        while self.height() < number:
            if time.monotonic() > end:
                raise ChainError(f"block {number} was not mined within {self._timeout} s; the head is {self.height()}")
            time.sleep(0.05)

    def _build(self, sender: Identity, to: str | None, data: bytes, gas: int) -> dict[str, Any]:
        nonce = self._nonces.get(sender.address)
        if nonce is None:
            nonce = self._count(sender.address)
        transaction = {"type": 2, "chainId": self.chain_id, "nonce": nonce, "gas": gas, "value": 0, "data": data}
        transaction |= {"maxFeePerGas": self._max_fee, "maxPriorityFeePerGas": 0}
        return transaction | ({} if to is None else {"to": to})

    def _count(self, address: str) -> int:
        return int(self.web3.eth.get_transaction_count(address))  # type: ignore[arg-type]

    def _receipt(self, tx_hash: bytes) -> Mapping[str, Any]:
        try:
            receipt = self.web3.eth.wait_for_transaction_receipt(tx_hash, self._timeout, 0.02)  # type: ignore[arg-type]
        except TimeExhausted as error:
            message = f"transaction {tx_hash.hex()} was not mined within {self._timeout} s; the node may be stalled"
            raise ChainError(message) from error
        return receipt

    def _why(self, sender: str, to: str | None, data: bytes, block: int) -> Exception:
        if to is None:
            return ChainError(f"the constructor of a contract reverted in block {block}")
        try:
            self.call(to, data, sender=sender, block=block)
        except (reverts.ContractRefused, ChainError) as error:
            return error
        return ChainError(
            f"a transaction of {sender} failed in block {block}, but would pass now: out of gas or a race"
        )


class InMemoryChain(Chain):
    """py-evm in this process, deterministic; see `Chain.in_memory`.

    Transactions and calls go to the machine directly: eth-tester and web3 would format each of them to JSON and back.
    """

    def __init__(self, backend: DeterministicBackend) -> None:
        """Wrap `backend` in eth-tester and web3."""
        self.backend = backend
        self._together = False
        self._answers: dict[tuple[str, bytes, str | None], bytes] = {}
        self._answered_at = b""
        super().__init__(Web3(EthereumTesterProvider(EthereumTester(backend))))

    def transact(self, sender: Identity, to: str | None, data: bytes, *, gas: int = CALL_GAS) -> Receipt:
        """Sign and execute one transaction, in a block of its own or the one of `together`; return its receipt.

        Raises:
            ContractRefused: the contract reverted; the subclass tells why. The chain holds a failed transaction.
            ChainError: the chain did not accept it.
        """
        start = time.perf_counter()
        transaction = self._build(sender, to, data, gas)
        built = time.perf_counter()
        raw = sender.sign_transaction(transaction)
        signed = time.perf_counter()
        try:
            done = self.backend.execute(raw)
        except (ValidationError, PyEVMError, BadSignature) as error:
            self._nonces.pop(sender.address, None)
            raise ChainError(f"the node did not accept a transaction of {sender.name}: {error}") from error
        self._nonces[sender.address] = transaction["nonce"] + 1
        if not self._together:
            self.backend.seal()
        submitted = time.perf_counter()
        if done.computation.is_error:
            raise self._refusal(sender.address, to, done.computation, done.block)
        logs = _entries(done.receipt, done.block, done.transaction.hash, done.first_event)
        contract = None if to is not None else to_checksum_address(done.computation.msg.storage_address)
        execute, mine = self.backend.execute_ms, 0.0 if self._together else self.backend.mine_ms
        ms = {
            "build": 1e3 * (built - start),
            "sign": 1e3 * (signed - built),
            "submit": 1e3 * (submitted - signed) - execute - mine,
            "execute": execute,
            "mine": mine,
            "receipt": 1e3 * (time.perf_counter() - submitted),
        }
        return Receipt(bytes(done.transaction.hash), done.block, done.gas, logs, contract, ms)

    def transact_all(self, calls: Sequence[tuple[Identity, str, bytes]]) -> list[int]:
        """Sign calls (sender, contract, data), mine them in one block, and return the gas of each.

        Raises:
            ContractRefused: a call reverted; the others of its block stand. The first is explained.
            ChainError: the block could not be built; nothing was sent.
        """
        raws = []
        fresh = dict(self._nonces)
        for sender, to, data in calls:
            transaction = self._build(sender, to, data, CALL_GAS)
            raws.append(sender.sign_transaction(transaction))
            self._nonces[sender.address] = transaction["nonce"] + 1
        try:
            block, receipts = self.backend.mine_all(raws)
        except (ValidationError, PyEVMError) as error:
            self._nonces = fresh
            raise ChainError(f"the block of {len(calls)} transactions could not be built: {error}") from error
        totals = [0, *(r.gas_used for r in receipts)]  # cumulative within the block
        for (sender, to, data), receipt in zip(calls, receipts):
            if receipt.state_root != b"\x01":
                raise self._why(sender.address, to, data, block.number)
        return [after - before for before, after in pairwise(totals)]

    @contextmanager
    def together(self) -> Iterator[None]:
        """See `Chain.together`. What was executed before an error stays in the block."""
        if self._together:
            yield  # within a wider block
            return
        self.backend.seal()
        self._together = True
        try:
            yield
        finally:
            self._together = False
            self.backend.seal()

    def mine(self) -> None:
        """Append what was executed as one block."""
        self.backend.seal()

    def call(self, to: str, data: bytes, *, sender: str | None = None, block: int | str = "latest") -> bytes:
        """Return what a read-only call answers; see `Chain.call`. Asked again at the same head, it is remembered."""
        number = block if isinstance(block, int) else None
        head, key, lasting = self.head_hash(), (to, data, sender), number is None and self.backend.mined
        if self._answered_at != head:
            self._answers, self._answered_at = {}, head
        if lasting and key in self._answers:
            return self._answers[key]
        asker = bytes(20) if sender is None else bytes.fromhex(sender[2:])
        computation = self.backend.ask(bytes.fromhex(to[2:]), data, asker, CALL_GAS, number)
        if computation.is_error:
            raise self._refusal(asker.hex(), to, computation, number)
        if lasting:
            self._answers[key] = bytes(computation.output)
        return bytes(computation.output)

    def advance(self, seconds: int) -> None:
        """Let `seconds` pass, and mine an empty block."""
        self.backend.advance(seconds)

    def now(self) -> int:
        """Return the time of the last block, in seconds since 1970."""
        return int(self.backend.chain.get_canonical_head().timestamp)

    def height(self) -> int:
        """Return the number of the last block."""
        return int(self.backend.chain.get_canonical_head().block_number)

    def head_hash(self) -> bytes:
        """Return the hash of the last block (32 bytes): it commits to the whole history and state."""
        return bytes(self.backend.chain.get_canonical_head().hash)

    def wait_for_block(self, number: int) -> None:
        """Mine empty blocks up to `number`: nobody else would."""
        while self.height() < number:
            self.backend.mine_blocks()

    def logs(self, addresses: Sequence[str], from_block: int = 0) -> Sequence[Mapping[str, Any]]:
        """Return the undecoded events of contracts; read from the blocks, since eth-tester's search is quadratic."""
        inner = self.backend.chain
        found: list[Mapping[str, Any]] = []
        for number in range(max(1, from_block), self.height() + 1):
            block = inner.get_canonical_block_by_number(number)
            receipts = block.get_receipts(inner.chaindb) if block.transactions else ()
            index = 0
            for transaction, receipt in zip(block.transactions, receipts):
                entries = _entries(receipt, number, transaction.hash, index)
                found += [entry | {"blockHash": block.hash} for entry in entries if entry["address"] in addresses]
                index += len(entries)
        return found

    def _count(self, address: str) -> int:
        return self.backend.nonce(bytes.fromhex(address[2:]))

    @staticmethod
    def _refusal(sender: str, to: str | None, computation: Any, block: int | None) -> Exception:
        if to is None:
            return ChainError(f"the constructor of a contract reverted in block {block}")
        if isinstance(computation.error, Revert):
            return reverts.refused(bytes(computation.output))
        return ChainError(f"a call of {sender} failed in block {block}: {computation.error!r}")


def _entries(receipt: ReceiptAPI, block: int, tx_hash: bytes, first: int) -> list[dict[str, Any]]:
    """Return the events of one transaction as web3 writes them; `first` is the place of the first in its block."""
    place = {"blockNumber": block, "transactionHash": tx_hash, "transactionIndex": 0, "blockHash": b""}
    entries = []
    for index, log in enumerate(receipt.logs, first):
        topics = [HexBytes(t.to_bytes(32, "big")) for t in log.topics]
        entry = {"address": _checksummed(log.address), "topics": topics, "data": HexBytes(log.data), "logIndex": index}
        entries.append(entry | place)
    return entries


_checksummed = lru_cache(maxsize=1024)(to_checksum_address)
