"""What a consortium agrees on, the cards by which its roles know one another, and how a hospital starts from both."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from eth_account import Account
from eth_account.messages import encode_typed_data
from eth_keys.exceptions import BadSignature
from eth_utils import ValidationError

from bfl_stpc import federated, privacy, stpc
from bfl_stpc.errors import ConfigError, Stranger
from bfl_stpc.ledger import Identity, Ledger
from bfl_stpc.system.codec import travels
from bfl_stpc.system.roles import Charter, Hospital
from bfl_stpc.system.store import Store


@dataclass(frozen=True)
class Articles:
    """The articles of a consortium.

    Attributes:
        hospitals: their names, in ledger order.
        config: how hospitals train; by hospital where they differ, as their noise does under one promise.
        experiment: name from which training seeds derive.
        clip: bound on the Euclidean norm of an update.
        max_records: most records of one hospital; public.
        promise: (ε, δ) that every hospital promises its patients, if it trains by DP-SGD.
    """

    hospitals: tuple[str, ...]
    config: federated.LocalTraining | Mapping[str, federated.LocalTraining]
    experiment: str
    clip: float
    max_records: int
    promise: tuple[float, float] | None = None

    def __post_init__(self) -> None:
        for name in self.hospitals:
            if isinstance(self.trains(name), privacy.DpConfig) != (self.promise is not None):
                raise ConfigError(f"{name}: DP-SGD and a promise (ε, δ) belong together: give both or neither")

    def trains(self, name: str) -> federated.LocalTraining:
        """Return how hospital `name` trains."""
        return self.config[name] if isinstance(self.config, Mapping) else self.config

    @property
    def threshold(self) -> int:
        """Fewest uploads whose sum may be opened: more than half."""
        return len(self.hospitals) // 2 + 1

    @cached_property
    def params(self) -> stpc.Parameters:
        """Fixed point, packing and encryption.

        Raises:
            ParameterError: too many hospitals for the fixed-point fields.
        """
        weighting, most = stpc.Weighting.RECORDS, self.max_records
        return stpc.Parameters.widest(len(self.hospitals), clip=self.clip, weighting=weighting, max_records=most)

    def charter(self, cards: Mapping[str, bytes], key: stpc.PublicKey) -> Charter:
        """Return the charter, once all have shown their cards and the key authority its public key."""
        return Charter(cards, self.params, key, self.clip, self.experiment)

    def hospital(
        self,
        identity: Identity,
        *,
        signing_key: Ed25519PrivateKey,
        data: federated.ClientData,
        charter: Charter,
        book: Ledger,
        store: Store,
        pseudonyms: Sequence[bytes] | None = None,
    ) -> Hospital:
        """Return the hospital of `identity`, going on from its store; the arguments are those of `Hospital`."""
        return Hospital(
            identity=identity,
            signing_key=signing_key,
            data=data,
            config=self.trains(identity.name),
            charter=charter,
            book=book,
            store=store,
            budget=privacy.Budget(identity.name, *self.promise) if self.promise else None,
            pseudonyms=pseudonyms,
        )


_DOMAIN = {"name": "BFL-STPC card", "version": "1"}
_TYPES = {"Card": [{"name": "name", "type": "string"}, {"name": "key", "type": "bytes32"}]}


@travels
@dataclass(frozen=True)
class Card:
    """How the others know a role, bound to its account on the ledger.

    Attributes:
        name: its name.
        key: Ed25519 public key (32 bytes) that signs its greetings and its keys of a round.
        address: its account on the ledger.
        signature: of that account over name and key (EIP-712).
    """

    name: str
    key: bytes
    address: str
    signature: bytes

    def check(self, book: Ledger | None = None) -> None:
        """Return if the account signed this card and, with `book` given, if it is the one registered under the name.

        Raises:
            Stranger: it did not, or is another.
        """
        message = encode_typed_data(_DOMAIN, _TYPES, {"name": self.name, "key": self.key})
        try:
            signer = Account.recover_message(message, signature=self.signature)
        except (BadSignature, ValidationError, ValueError) as error:
            raise Stranger(f"the card of {self.name!r} bears no signature") from error
        if signer != self.address:
            raise Stranger(f"the card of {self.name!r} was not signed by its account {self.address}")
        if book is not None and book.registry.hospital(self.name).address != self.address:
            raise Stranger(f"the ledger registers another account for {self.name!r} than its card names")


@dataclass(frozen=True)
class Keys:
    """The secret keys of one role: of its card, and of its account on the ledger. They never leave its process."""

    identity: Identity
    signing: Ed25519PrivateKey = field(repr=False)

    @classmethod
    def of(cls, name: str, store: Store) -> Keys:
        """Return the keys that `store` holds; the first time, make them from the operating system's randomness."""
        kept = store.get(0, "keys")
        if kept is None:
            kept = Ed25519PrivateKey.generate().private_bytes_raw() + secrets.token_bytes(32)
            store.put(0, "keys", kept)
        return cls(Identity(name, kept[32:]), Ed25519PrivateKey.from_private_bytes(kept[:32]))

    def card(self) -> Card:
        """Return the role's card."""
        name, key = self.identity.name, self.signing.public_key().public_bytes_raw()
        signature = self.identity.sign_typed(_DOMAIN, _TYPES, {"name": name, "key": key})
        return Card(name, key, self.identity.address, signature)
