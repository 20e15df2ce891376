"""Rounds and their results: the Python side of `FLRoundManager.sol`."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from eth_abi import encode
from eth_utils import keccak

from bfl_stpc.errors import ConfigError, NotAMember, RoundNotOpen, RoundRefused, UploadMismatch
from bfl_stpc.ledger.chain import Chain, Receipt
from bfl_stpc.ledger.contract import Contract
from bfl_stpc.ledger.identity import Identity, name32
from bfl_stpc.ledger.registry import Registry, domain
from bfl_stpc.ticket import Ticket

RESULT_TYPES = {
    "Result": [
        {"name": "round", "type": "uint64"},
        {"name": "aggregate", "type": "bytes32"},
        {"name": "model", "type": "bytes32"},
        {"name": "uploads", "type": "uint16"},
        {"name": "epsilonNano", "type": "uint64"},
        {"name": "checks", "type": "uint64[2]"},
    ]
}


@dataclass(frozen=True)
class Durations:
    """Seconds that each phase of a round may last."""

    commit: int = 3600
    reveal: int = 3600
    aggregate: int = 3600


NO_PROMISE = 2**64 - 1  # the ε on chain of a round without differential privacy


@dataclass(frozen=True)
class Result:
    """What a round produced; hospitals sign it.

    Attributes:
        aggregate: SHA-256 of the published sum.
        model: SHA-256 of the new global weights.
        uploads: hospitals in the sum.
        epsilon: privacy loss of the round, infinite where it promises none; kept on chain in 1e-9, rounded up,
            infinity as the largest uint64.
        checks: inner products of the published sum with the two seeded vectors, if the round demands them.
    """

    aggregate: bytes
    model: bytes
    uploads: int
    epsilon: float = math.inf
    checks: tuple[int, int] = (0, 0)

    def __post_init__(self) -> None:
        if len(self.aggregate) != 32 or len(self.model) != 32:
            raise ConfigError("the digests of a result must be SHA-256: 32 bytes each")
        if not (0 <= self.epsilon < 1e9 or self.epsilon == math.inf):
            raise ConfigError(f"epsilon is {self.epsilon}; it must be at least 0 and below 1e9, or infinite")

    def encoded(self) -> tuple[Any, ...]:
        """Return the `Result` that the contract takes."""
        nano = NO_PROMISE if self.epsilon == math.inf else math.ceil(self.epsilon * 1e9)
        return (self.aggregate, self.model, self.uploads, nano, list(self.checks))


@dataclass(frozen=True)
class Approval:
    """A hospital's signature of a result."""

    hospital: str
    signature: bytes


@dataclass(frozen=True)
class RoundState:
    """A round as the chain has it.

    Attributes:
        phase: none, commit, reveal, aggregate, finalised or aborted.
        members, threshold, commits, reveals, checks: counts of hospitals.
        deadline: end of the present phase, in seconds since 1970.
        model: SHA-256 of the weights that the round starts from.
        seed_block: the block whose hash seeds the verification; 0 before the opened sum is published.
        check_modulus: modulus of the check values; 0 if the round demands none.
        check_sums: sums of the check values.
        aggregate: SHA-256 of the published sum of ciphertexts, or None before that.
        opened: SHA-256 of what it decrypts to, or None before that is published.
    """

    phase: str
    members: int
    threshold: int
    commits: int
    reveals: int
    checks: int
    deadline: int
    model: bytes
    seed_block: int
    check_modulus: int
    check_sums: tuple[int, ...]
    aggregate: bytes | None
    opened: bytes | None


def commitment_of(ticket: Ticket, address: str, digest: bytes, salt: bytes) -> bytes:
    """Return the commitment of the hospital at `address` (32 bytes), as `FLRoundManager.commitmentOf` computes it.

    Raises:
        ConfigError: the digest is no SHA-256.
    """
    if len(digest) != 32:
        raise ConfigError(f"the digest of an upload has {len(digest)} bytes; SHA-256 has 32")
    types = ["uint256", "address", "uint64", "address", "bytes32", "bytes32"]
    return keccak(encode(types, [ticket.chain_id, ticket.contract, ticket.round, address, digest, salt]))


class Rounds:
    """The round manager of one chain. Refusals are subclasses of `ContractRefused`."""

    PHASES = ("none", "commit", "reveal", "aggregate", "finalised", "aborted")

    def __init__(self, contract: Contract, registry: Registry) -> None:
        """Wrap a deployed `FLRoundManager` and its registry."""
        self.contract, self.registry = contract, registry
        self._revealed: dict[tuple[int, int], bytes] = {}  # by round and place

    @classmethod
    def deploy(cls, chain: Chain, admin: Identity, registry: Registry, coordinator: Identity) -> "Rounds":
        """Deploy a manager owned by `admin`, in which `coordinator` opens and finalises rounds."""
        arguments = (admin.address, registry.contract.address, coordinator.address)
        return cls(Contract.deploy(chain, "FLRoundManager", admin, *arguments)[0], registry)

    def next(self) -> int:
        """Return the number of the next round. An aborted round keeps its number: masks were bound to it."""
        return int(self.contract.ask("lastRound")) + 1

    def model(self) -> bytes | None:
        """Return the SHA-256 of the last finalised model, or None before the first."""
        model = bytes(self.contract.ask("model"))
        return model if any(model) else None

    def open(
        self,
        coordinator: Identity,
        round: int,
        *,
        model: bytes,
        threshold: int,
        check_modulus: int,
        durations: Durations,
    ) -> Ticket:
        """Open `round` and return its ticket, as the contract recorded it."""
        lasting = (durations.commit, durations.reveal, durations.aggregate)
        self.contract.send(coordinator, "openRound", round, model, threshold, check_modulus, lasting)
        return self.ticket(round)

    def ticket(self, round: int) -> Ticket:
        """Return the ticket of a round that was opened: what a hospital that joins reads from the chain.

        Raises:
            RoundNotOpen: it never was.
        """
        f = self.contract.fields("getRound", round)
        if self.PHASES[f["phase"]] == "none":
            values: dict[str, object] = {"round": round}
            raise RoundNotOpen(
                f"round {round} was never opened; the next is {self.next()}", "FLRoundWrongPhase", values
            )
        order = self.registry.order()
        members = tuple(name for i, name in enumerate(order) if f["members"] >> i & 1)
        chain, address = self.contract.chain, bytes.fromhex(self.contract.address[2:])
        return Ticket(round, f["model"], chain.chain_id, address, members, f["threshold"])

    def commit(self, identity: Identity, ticket: Ticket, digest: bytes) -> Receipt:
        """Commit `identity` to `digest` (SHA-256 of its ciphertext), salted; needs a session for this ticket."""
        salt = identity.salt(ticket.context() + digest)
        commitment = commitment_of(ticket, identity.address, digest, salt)
        return self.contract.send(identity, "commit", ticket.round, commitment)

    def reveal(self, identity: Identity, ticket: Ticket, digest: bytes) -> Receipt:
        """Open the commitment that `commit` made."""
        salt = identity.salt(ticket.context() + digest)
        return self.contract.send(identity, "reveal", ticket.round, digest, salt)

    def close_commits(self, sender: Identity, ticket: Ticket) -> Receipt:
        """Close the commitments with a threshold of them: the coordinator at will, others after the deadline."""
        return self.contract.send(sender, "closeCommits", ticket.round)

    def close_reveals(self, sender: Identity, ticket: Ticket) -> Receipt:
        """Close the reveals with a threshold of them: the coordinator at will, others after the deadline."""
        return self.contract.send(sender, "closeReveals", ticket.round)

    def check_commitment(self, hospital: str, ticket: Ticket, digest: bytes) -> None:
        """Return if `digest` is what `hospital` committed to and revealed in this round.

        Raises:
            NotAMember: the hospital is not a member of the round.
            UploadMismatch: it revealed nothing, or another digest.
        """
        if hospital not in ticket.members:
            values: dict[str, object] = {"round": ticket.round, "name": hospital}
            raise NotAMember(f"{hospital} is not a member of round {ticket.round}", "FLRoundNotMember", values)
        index = self.registry.place(hospital)
        revealed = self.contract.ask("upload", ticket.round, index)[1]
        if revealed != digest:
            found = "revealed nothing" if not any(revealed) else f"revealed {revealed.hex()}"
            message = f"{hospital} {found} in round {ticket.round}; its ciphertext has SHA-256 {digest.hex()}"
            raise UploadMismatch(message, "FLRoundCommitmentMismatch", {"revealed": revealed, "given": digest})

    def check_own_commitment(self, identity: Identity, ticket: Ticket, digest: bytes) -> None:
        """Return if `identity` has committed to `digest` in this round, revealed or not.

        Raises:
            UploadMismatch: it committed to nothing, or to another digest.
        """
        expected = commitment_of(ticket, identity.address, digest, identity.salt(ticket.context() + digest))
        found = bytes(self.contract.ask("upload", ticket.round, self.registry.place(identity.name))[0])
        if found != expected:
            did = "committed to another upload" if any(found) else "committed to no upload"
            message = f"{identity.name} {did} in round {ticket.round}; this one has SHA-256 {digest.hex()}"
            raise UploadMismatch(message, "FLRoundCommitmentMismatch", {"committed": found, "given": expected})

    def revealed(self, ticket: Ticket) -> dict[str, bytes]:
        """Return the revealed digests (32 bytes) by hospital, in ledger order, without those that revealed nothing."""
        digests = ((name, self._digest(ticket.round, self.registry.place(name))) for name in ticket.members)
        return {name: digest for name, digest in digests if any(digest)}

    def _digest(self, round: int, place: int) -> bytes:
        """Return the digest revealed at a place of ledger order, or zero: once revealed, no function alters it."""
        if (round, place) not in self._revealed:
            digest = bytes(self.contract.ask("upload", round, place)[1])
            if not any(digest):
                return digest
            self._revealed[round, place] = digest
        return self._revealed[round, place]

    def publish_aggregate(self, coordinator: Identity, ticket: Ticket, digest: bytes) -> Receipt:
        """Publish the SHA-256 of the sum of ciphertexts, once a round; the key authority opens nothing else."""
        return self.contract.send(coordinator, "publishAggregate", ticket.round, digest)

    def publish_opening(self, coordinator: Identity, ticket: Ticket, digest: bytes) -> Receipt:
        """Publish the SHA-256 of the decrypted slots, once a round; only then is the block of the seed named."""
        return self.contract.send(coordinator, "publishOpening", ticket.round, digest)

    def random_seed(self, ticket: Ticket) -> bytes:
        """Return the seed of the round's verification (32 bytes), waiting for the block that yields it.

        It follows from the hash of a block mined after uploads and opened sum were fixed: neither depends on it.

        Raises:
            RoundNotOpen: the opened sum is not published.
            RoundRefused: nobody asked within 256 blocks, and no check value fixed it.
        """
        try:
            return bytes(self.contract.ask("seedOf", ticket.round))
        except RoundRefused as error:
            if error.error != "FLRoundSeedNotReady":
                raise
        self.contract.chain.wait_for_block(self.state(ticket.round).seed_block + 1)
        return bytes(self.contract.ask("seedOf", ticket.round))

    def post_check(self, identity: Identity, ticket: Ticket, values: Sequence[int]) -> Receipt:
        """Post the two inner products of the hospital's masked vector with the seeded vectors."""
        return self.contract.send(identity, "postCheck", ticket.round, list(values))

    def approve(self, identity: Identity, ticket: Ticket, result: Result) -> Approval:
        """Return the hospital's EIP-712 signature of `result`. Sign only what you have verified."""
        names = [f["name"] for f in RESULT_TYPES["Result"]]
        message = dict(zip(names, (ticket.round, *result.encoded()), strict=True))
        here = domain("FLRoundManager", self.contract.chain.chain_id, self.contract.address)
        return Approval(identity.name, identity.sign_typed(here, RESULT_TYPES, message))

    def finalise(self, coordinator: Identity, ticket: Ticket, result: Result, approvals: Iterable[Approval]) -> Receipt:
        """Fix the result with the approvals of a threshold of members."""
        place = {name: i for i, name in enumerate(ticket.members)}
        foreign = [a.hospital for a in approvals if a.hospital not in place]
        if foreign:
            values: dict[str, object] = {"round": ticket.round, "name": foreign[0]}
            raise NotAMember(f"{foreign[0]} is not a member of round {ticket.round}", "FLRoundNotMember", values)
        signatures = [a.signature for a in sorted(approvals, key=lambda a: place[a.hospital])]
        return self.contract.send(coordinator, "finalise", ticket.round, result.encoded(), signatures)

    def abort(self, sender: Identity, round: int, reason: str) -> Receipt:
        """End a round without a result: the coordinator at will, others after the deadline. 32 ASCII characters."""
        return self.contract.send(sender, "abort", round, name32(reason))

    def state(self, round: int) -> RoundState:
        """Return the round's record; phase "none" if it was never opened."""
        f = self.contract.fields("getRound", round)
        return RoundState(
            phase=self.PHASES[f["phase"]],
            members=f["memberCount"],
            threshold=f["threshold"],
            commits=f["commits"],
            reveals=f["reveals"],
            checks=f["checks"],
            deadline=f["deadline"],
            model=f["model"],
            seed_block=f["seedBlock"],
            check_modulus=f["modulus"],
            check_sums=tuple(f["checkSums"]),
            aggregate=f["aggregate"] if any(f["aggregate"]) else None,
            opened=f["opened"] if any(f["opened"]) else None,
        )
