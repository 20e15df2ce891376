"""Replicated execution with quorum certificates: several py-evm chains execute each block and sign what they got.

Not a consensus protocol: no leader election, no network, no promise to make progress. It shows what a quorum of
independent executions proves, and what it cannot: with n replicas a block is final with ceil(2n/3) signatures, so
two different blocks at one height need more than a third of the replicas to sign both.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import rlp
from eth.exceptions import PyEVMError
from eth_account import Account
from eth_account.messages import encode_typed_data
from eth_keys.exceptions import BadSignature
from eth_utils import ValidationError

from bfl_stpc.errors import BlockRefused, CertificateInvalid, ConfigError
from bfl_stpc.ledger.chain import Chain, InMemoryChain
from bfl_stpc.ledger.identity import Identity
from bfl_stpc.ledger.replay import decode_block, import_block

VOTE_TYPES = {"Vote": [{"name": "height", "type": "uint64"}, {"name": "block", "type": "bytes32"}]}


def quorum(replicas: int) -> int:
    """Return how many of `replicas` signatures make a block final: ceil(2n/3)."""
    return -(-2 * replicas // 3)


def _domain(chain_id: int) -> dict[str, object]:
    return {"name": "BFL-STPC Block", "version": "1", "chainId": chain_id}


@dataclass(frozen=True)
class Certificate:
    """Signatures of one block: what makes it final, for anyone who knows the replicas' addresses."""

    chain_id: int
    height: int
    block: bytes
    signatures: Mapping[str, bytes]

    def verify(self, replicas: Mapping[str, str]) -> None:
        """Return if a quorum of `replicas` (address by name) signed this block.

        Raises:
            CertificateInvalid: a signer is foreign, a signature is forged, or there are too few.
        """
        message = {"height": self.height, "block": self.block}
        signable = encode_typed_data(_domain(self.chain_id), VOTE_TYPES, message)
        for name, signature in self.signatures.items():
            if name not in replicas:
                raise CertificateInvalid(f"{name} is no replica, and signed block {self.height}")
            if _recover(signable, signature) != replicas[name]:
                raise CertificateInvalid(f"the signature of {name} under block {self.height} is forged")
        needed = quorum(len(replicas))
        if len(self.signatures) < needed:
            raise CertificateInvalid(
                f"block {self.height} has {len(self.signatures)} signatures; {needed} make it final"
            )


def _recover(signable: object, signature: bytes) -> str | None:
    try:
        return str(Account.recover_message(signable, signature=signature))  # type: ignore[arg-type]
    except (BadSignature, ValidationError, ValueError, TypeError):  # a malformed signature recovers nobody
        return None


@dataclass
class Replica:
    """One executor: a chain of its own, a key, the transactions it heard of, and what it signed at each height."""

    identity: Identity
    chain: InMemoryChain = field(default_factory=Chain.in_memory)
    pool: list[bytes] = field(default_factory=list)
    signed: dict[int, bytes] = field(default_factory=dict)

    def propose(self) -> bytes:
        """Return the next block over the pool, as RLP bytes; nothing is appended yet."""
        return rlp.encode(self.chain.backend.build(self.pool)[0])

    def vote(self, block: bytes) -> tuple[bytes, bytes]:
        """Execute a proposed block; return its hash and our signature. Never signs two blocks at one height.

        Raises:
            BlockRefused: it does not execute to its header, or we signed another at this height.
        """
        decoded = decode_block(self.chain, block)
        height, digest = self.chain.height() + 1, bytes(decoded.hash)
        if self.signed.get(height, digest) != digest:
            raise BlockRefused(f"{self.identity.name} signed another block {height}: the leader equivocates")
        try:
            self.chain.backend.check(decoded)
        except (ValidationError, PyEVMError, BadSignature, ValueError) as error:
            raise BlockRefused(f"{self.identity.name} does not sign block {height}: {error}") from error
        self.signed[height] = digest
        message = {"height": height, "block": digest}
        return digest, self.identity.sign_typed(_domain(self.chain.chain_id), VOTE_TYPES, message)

    def adopt(self, block: bytes, certificate: Certificate, replicas: Mapping[str, str]) -> None:
        """Append a block that a quorum signed.

        Raises:
            CertificateInvalid: the certificate does not hold, or is of another block.
            BlockRefused: we get another result than the quorum: stop and investigate.
        """
        certificate.verify(replicas)
        decoded = decode_block(self.chain, block)
        if decoded.hash != certificate.block:
            raise CertificateInvalid(f"the certificate of block {certificate.height} is of another block")
        import_block(self.chain, block)
        included = {t.hash for t in decoded.transactions}
        builder = self.chain.backend.chain.get_vm().get_transaction_builder()
        self.pool = [raw for raw in self.pool if builder.decode(raw).hash not in included]


class ReplicaSet:
    """Replicas that hear the same transactions and take turns in proposing.

    Attributes:
        members: the replicas, in the order in which they lead.
        addresses: their addresses by name: what a verifier of certificates must know.
    """

    def __init__(self, identities: Sequence[Identity]) -> None:
        """Start a replica for each identity, all from one genesis; at least four tolerate one fault."""
        if len(identities) < 4:
            raise ConfigError(f"{len(identities)} replicas tolerate no fault; take at least 4")
        self.members = [Replica(identity) for identity in identities]
        self.addresses = {identity.name: identity.address for identity in identities}

    def submit(self, transaction: bytes) -> None:
        """Let every replica hear of a signed transaction."""
        for replica in self.members:
            replica.pool.append(transaction)

    def leader(self) -> Replica:
        """Return whose turn it is."""
        return self.members[min(r.chain.height() for r in self.members) % len(self.members)]

    def certify(self, block: bytes, *, silent: Sequence[str] = ()) -> Certificate:
        """Collect votes for a block from all but the `silent`; adopt it where it was heard, if it is final.

        Raises:
            CertificateInvalid: no quorum; nothing is adopted. The message holds each refusal.
        """
        heard = [r for r in self.members if r.identity.name not in silent]
        votes: dict[str, bytes] = {}
        refusals, digest, height = [], b"", heard[0].chain.height() + 1
        for replica in heard:
            try:
                digest, votes[replica.identity.name] = replica.vote(block)
            except BlockRefused as error:
                refusals.append(str(error))
        certificate = Certificate(self.members[0].chain.chain_id, height, digest, votes)
        try:
            certificate.verify(self.addresses)
        except CertificateInvalid as error:
            raise CertificateInvalid("; ".join([str(error), *refusals])) from error
        for replica in heard:
            replica.adopt(block, certificate, self.addresses)
        return certificate
