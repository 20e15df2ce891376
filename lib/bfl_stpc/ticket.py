"""The round ticket: what the ledger says a round is, and what every mask and signature binds to."""

from dataclasses import dataclass

from bfl_stpc.errors import ConfigError


@dataclass(frozen=True)
class Ticket:
    """One opened round, as recorded on chain.

    Attributes:
        round: round number, counted from 1.
        model: SHA-256 of the canonical bytes of the global weights (32 bytes).
        chain_id: id of the chain on which the round was opened.
        contract: 20-byte address of the round manager.
        members: names of the hospitals of the round, in ledger order.
        threshold: fewest uploads whose sum may be opened; more than half of `members`.
    """

    round: int
    model: bytes
    chain_id: int
    contract: bytes
    members: tuple[str, ...]
    threshold: int

    def __post_init__(self) -> None:
        if self.round < 1:
            raise ConfigError(f"round is {self.round}; rounds count from 1")
        if len(self.model) != 32:
            raise ConfigError(f"model digest has {len(self.model)} bytes; SHA-256 has 32")
        if len(self.contract) != 20:
            raise ConfigError(f"contract address has {len(self.contract)} bytes; it needs 20")
        if len(set(self.members)) != len(self.members):
            raise ConfigError("a hospital is listed twice among the members of the round")
        if not len(self.members) // 2 < self.threshold <= len(self.members):
            raise ConfigError(
                f"threshold {self.threshold} must be more than half of {len(self.members)} members, and at most all"
            )

    def context(self) -> bytes:
        """Return the canonical bytes that masks, key derivations and signatures are bound to."""
        head = b"BFL-STPC/1" + self.round.to_bytes(8, "big") + self.model
        chain = self.chain_id.to_bytes(32, "big") + self.contract + self.threshold.to_bytes(4, "big")
        names = b"".join(len(n.encode()).to_bytes(4, "big") + n.encode() for n in self.members)
        return head + chain + names
