"""One deployed contract: encode a call, send or ask it, decode what comes back."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from eth_abi import decode
from eth_abi.exceptions import EncodingError
from eth_utils import keccak
from eth_utils.abi import collapse_if_tuple

from bfl_stpc.errors import ChainError, ConfigError
from bfl_stpc.ledger.artifacts import Artifact, load
from bfl_stpc.ledger.chain import DEPLOY_GAS, Chain, Receipt
from bfl_stpc.ledger.identity import Identity


@dataclass(frozen=True)
class Event:
    """One event of a contract.

    Attributes:
        name: name of the event.
        values: its arguments by name.
        contract: name of the contract.
        block: number of its block.
        index: place among the events of its block.
        tx_hash: 32 bytes.
    """

    name: str
    values: Mapping[str, Any]
    contract: str
    block: int
    index: int
    tx_hash: bytes


@dataclass(frozen=True)
class _Function:
    """One function of a contract: its selector, its types, and the fields of the struct that it answers, if any."""

    selector: bytes
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    fields: tuple[str, ...]

    @classmethod
    def of(cls, entry: Mapping[str, Any]) -> "_Function":
        """Return the function of an entry of an ABI; ours overload no name."""
        inputs, outputs = (tuple(collapse_if_tuple(dict(p)) for p in entry[side]) for side in ("inputs", "outputs"))
        fields = tuple(c["name"] for o in entry["outputs"][:1] for c in o.get("components", ()))
        return cls(keccak(text=f"{entry['name']}({','.join(inputs)})")[:4], inputs, outputs, fields)


class Contract:
    """A contract at an address of a chain.

    Attributes:
        address: checksummed address.
        artifact: what was compiled.
    """

    def __init__(self, chain: Chain, name: str, address: str) -> None:
        """Attach to contract `name` at `address`.

        Raises:
            ChainError: there is no code at the address.
        """
        self.chain, self.artifact, self.address = chain, load(name), address
        if not chain.code(address):
            raise ChainError(f"there is no {name} at {address} on chain {chain.chain_id}")
        self._web3 = chain.web3.eth.contract(address=address, abi=self.artifact.abi)  # type: ignore[call-overload]
        functions = [e for e in self.artifact.abi if e["type"] == "function"]
        self._functions = {f["name"]: _Function.of(f) for f in functions}
        decoders = [self._web3.events[e["name"]]() for e in self.artifact.abi if e["type"] == "event"]
        self._decoders = {keccak(text=d.signature): (d.event_name, d) for d in decoders}

    @classmethod
    def deploy(cls, chain: Chain, name: str, sender: Identity, *arguments: Any) -> tuple["Contract", Receipt]:
        """Create contract `name` and attach to it."""
        artifact: Artifact = load(name)
        factory = chain.web3.eth.contract(abi=artifact.abi, bytecode=artifact.bytecode)
        data = bytes.fromhex(factory.constructor(*arguments).data_in_transaction[2:])
        receipt = chain.transact(sender, None, data, gas=DEPLOY_GAS)
        assert receipt.contract is not None
        return cls(chain, name, receipt.contract), receipt

    def encode(self, function: str, *arguments: Any) -> bytes:
        """Return the call data of `function`.

        Raises:
            ConfigError: the arguments do not fit its types.
        """
        known = self._functions[function]
        try:
            if len(arguments) != len(known.inputs):
                raise ValueError(f"it takes {len(known.inputs)}, not {len(arguments)}")
            return known.selector + self.chain.web3.codec.encode(known.inputs, arguments)
        except (EncodingError, ValueError, TypeError) as error:
            reason = str(error).splitlines()[0]
            raise ConfigError(f"{self.artifact.name}.{function} does not take these arguments: {reason}") from error

    def send(self, sender: Identity, function: str, *arguments: Any) -> Receipt:
        """Send a transaction; see `Chain.transact`."""
        return self.chain.transact(sender, self.address, self.encode(function, *arguments))

    def ask(self, function: str, *arguments: Any) -> Any:
        """Return what a view function answers, decoded; see `Chain.call`."""
        answer = self.chain.call(self.address, self.encode(function, *arguments))
        decoded = _decoded(self._functions[function].outputs, answer)
        return decoded[0] if len(decoded) == 1 else decoded

    def fields(self, function: str, *arguments: Any) -> dict[str, Any]:
        """Return the struct that a view function answers, by field name."""
        return dict(zip(self._functions[function].fields, self.ask(function, *arguments), strict=True))

    def events(self, logs: Any) -> list[Event]:
        """Return those of `logs` that this contract emitted, decoded, in order."""
        events = []
        for log in logs:
            if log["address"] == self.address:
                name, decoder = self._decoders[bytes(log["topics"][0])]
                args = dict(decoder.process_log(log)["args"])
                place = (log["blockNumber"], log["logIndex"], bytes(log["transactionHash"]))
                events.append(Event(name, args, self.artifact.name, *place))
        return events

    def logged(self, from_block: int = 0) -> list[Event]:
        """Return the events of this contract since block `from_block`, in order."""
        return self.events(self.chain.logs([self.address], from_block))


@lru_cache(4096)
def _decoded(types: tuple[str, ...], answer: bytes) -> tuple[Any, ...]:
    """Return the values in an answer: every hospital asks for the same ones."""
    return decode(types, answer)
