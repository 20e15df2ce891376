"""Who signs: a name and a secp256k1 key. Transactions and typed data are signed here, never by a node."""

import hashlib
import hmac
import secrets
from collections.abc import Mapping
from typing import Any

import rlp
from eth_account import Account
from eth_account.messages import encode_typed_data
from eth_keys.datatypes import PrivateKey
from eth_utils import keccak

from bfl_stpc.errors import ConfigError
from bfl_stpc.seeds import derive_seed


class Identity:
    """A named key. The key never leaves the object, and is not shown by `repr`.

    Attributes:
        name: ASCII name, at most 32 bytes.
        address: checksummed address of the key.
    """

    def __init__(self, name: str, key: bytes) -> None:
        name32(name)
        self.name = name
        self._account, self._key = Account.from_key(key), PrivateKey(key)
        self.address: str = self._account.address

    @classmethod
    def generate(cls, name: str) -> "Identity":
        """Return an identity whose key comes from the operating system: for deployments."""
        return cls(name, secrets.token_bytes(32))

    @classmethod
    def derive(cls, name: str, seed: int) -> "Identity":
        """Return the identity of `name` under `seed`. **Simulation only**: whoever knows the seed has the key."""
        head = derive_seed("ledger-simulation-key", name, seed).to_bytes(8, "big")
        return cls(name, hashlib.sha256(b"BFL-STPC simulation key" + head).digest())

    def __repr__(self) -> str:
        return f"Identity({self.name!r}, {self.address})"

    def sign_transaction(self, transaction: Mapping[str, Any]) -> bytes:
        """Return the signed bytes of an EIP-1559 transaction."""
        t = transaction
        fees = [t["maxPriorityFeePerGas"], t["maxFeePerGas"], t["gas"]]
        to = bytes.fromhex(t["to"][2:]) if "to" in t else b""
        body = [t["chainId"], t["nonce"], *fees, to, t["value"], t["data"], []]
        v, r, s = self._key.sign_msg_hash(keccak(b"\x02" + rlp.encode(body))).vrs
        return b"\x02" + bytes(rlp.encode([*body, v, r, s]))

    def sign_typed(self, domain: Mapping[str, Any], types: Mapping[str, Any], message: Mapping[str, Any]) -> bytes:
        """Return the 65-byte EIP-712 signature (r, s, v) of `message`; deterministic (RFC 6979)."""
        signable = encode_typed_data(dict(domain), dict(types), dict(message))
        return bytes(self._account.sign_message(signable).signature)

    def salt(self, context: bytes) -> bytes:
        """Return 32 bytes that only this identity can compute, the same each time for the same `context`.

        HMAC-SHA256 under the private key, for the salt of a commitment: nothing has to be stored until the
        reveal. Reveals nothing of the key; a context is used for one commitment only.
        """
        return hmac.new(bytes(self._account.key), b"BFL-STPC commitment salt" + context, hashlib.sha256).digest()


def name32(name: str) -> bytes:
    """Return `name` as a contract stores it: ASCII, zero-padded to 32 bytes.

    Raises:
        ConfigError: the name is empty, longer than 32 bytes, or not printable ASCII.
    """
    if not name.isascii() or not name.isprintable() or not 0 < len(name) <= 32:
        raise ConfigError(f"{name!r} must be 1 to 32 printable ASCII characters")
    return name.encode().ljust(32, b"\0")


def text(name: bytes) -> str:
    """Return the text of a name that a contract stored."""
    return name.rstrip(b"\0").decode("ascii", "backslashreplace")
