"""The ledger as a round sees it: log in, open, commit, reveal, close."""

from collections.abc import Iterable, Mapping, Sequence

from bfl_stpc.errors import ConfigError
from bfl_stpc.ledger.artifacts import NAMES
from bfl_stpc.ledger.audit import Trail
from bfl_stpc.ledger.chain import Chain, Receipt
from bfl_stpc.ledger.consent import Consents
from bfl_stpc.ledger.contract import Contract, Event
from bfl_stpc.ledger.identity import Identity
from bfl_stpc.ledger.registry import SESSION_SECONDS, Registry, Session
from bfl_stpc.ledger.rounds import Approval, Durations, Result, Rounds, RoundState
from bfl_stpc.ticket import Ticket


class Ledger:
    """The contracts of one consortium on one chain. Every refusal raises a `LedgerError` and changes nothing.

    Attributes:
        chain: where the contracts live.
        registry: hospitals, keys and logins.
        rounds: the rounds.
        trail: the audit trail.
        consents: patients' consent, and decisions on requests.
        coordinator: who opens and finalises rounds.
        threshold: fewest uploads whose sum may be opened.
    """

    def __init__(
        self, registry: Registry, rounds: Rounds, consents: Consents, coordinator: Identity, threshold: int
    ) -> None:
        """Bring deployed contracts together; see `deploy`."""
        self.chain, self.registry, self.rounds = registry.contract.chain, registry, rounds
        self.consents, self.trail = consents, consents.trail
        self.coordinator, self.threshold = coordinator, threshold

    @classmethod
    def deploy(
        cls,
        chain: Chain,
        *,
        admin: Identity,
        hospitals: Mapping[str, str],
        threshold: int,
        coordinator: Identity | None = None,
        session_seconds: int = SESSION_SECONDS,
    ) -> "Ledger":
        """Deploy the contracts and register `hospitals` (name to address) in the given order.

        Args:
            chain: an empty or existing chain.
            admin: owner of the contracts.
            hospitals: at most 256.
            threshold: fewest uploads whose sum may be opened: more than half of the hospitals.
            coordinator: who opens and finalises rounds; the admin if not given.
            session_seconds: how long a login lasts.
        """
        registry = Registry.deploy(chain, admin, session_seconds=session_seconds)
        for name, address in hospitals.items():
            registry.register(admin, name, address)
        rounds = Rounds.deploy(chain, admin, registry, coordinator or admin)
        consents = Consents.deploy(chain, admin, registry, Trail.deploy(chain, admin, registry))
        return cls(registry, rounds, consents, coordinator or admin, threshold)

    @classmethod
    def connect(cls, chain: Chain, addresses: Mapping[str, str], *, coordinator: Identity, threshold: int) -> "Ledger":
        """Attach to contracts that were deployed before: `addresses` as `Ledger.addresses` gives them.

        A hospital's process needs the identity of its own only: pass it as `coordinator`, and the contract refuses
        what only the true coordinator may do.

        Raises:
            ChainError: there is no code at an address.
            ConfigError: an address is missing.
        """
        missing = sorted(set(NAMES) - set(addresses))
        if missing:
            raise ConfigError(f"no address is given for {', '.join(missing)}")
        contracts = {name: Contract(chain, name, addresses[name]) for name in NAMES}
        registry = Registry(contracts["HospitalRegistry"])
        consents = Consents(contracts["ConsentRegistry"], Trail(contracts["AuditTrail"]))
        return cls(registry, Rounds(contracts["FLRoundManager"], registry), consents, coordinator, threshold)

    @property
    def addresses(self) -> dict[str, str]:
        """Return the address of each contract by its name: what others need to `connect`."""
        wrapped = (self.registry, self.rounds, self.trail, self.consents)
        return {w.contract.artifact.name: w.contract.address for w in wrapped}

    def login(self, identity: Identity, *, round: int, model: bytes) -> Session:
        """Log a hospital in for `round` and `model` (SHA-256 of the global weights); see `Registry.login`."""
        return self.registry.login(identity, round=round, model=model)

    def open_round(
        self, round: int, *, model: bytes, check_modulus: int = 0, durations: Durations | None = None
    ) -> Ticket:
        """Open `round`, which must be the next, on the model of the last finalised round.

        Args:
            round: `next_round()`.
            model: SHA-256 of the canonical bytes of the global weights.
            check_modulus: modulus of the check values of the verifiable sum; 0 to demand none.
            durations: seconds for each phase; an hour each if not given.
        """
        options = {"check_modulus": check_modulus, "durations": durations or Durations()}
        return self.rounds.open(self.coordinator, round, model=model, threshold=self.threshold, **options)  # type: ignore[arg-type]

    def ticket(self, round: int) -> Ticket:
        """Return the ticket of a round that was opened, from the chain alone."""
        return self.rounds.ticket(round)

    def commit(self, identity: Identity, ticket: Ticket, digest: bytes) -> Receipt:
        """Commit a logged-in hospital to the SHA-256 of its ciphertext, salted."""
        return self.rounds.commit(identity, ticket, digest)

    def close_commits(self, ticket: Ticket) -> Receipt:
        """Close the commitments before all members have committed: needs a threshold of them."""
        return self.rounds.close_commits(self.coordinator, ticket)

    def reveal(self, identity: Identity, ticket: Ticket, digest: bytes) -> Receipt:
        """Open a hospital's commitment, once all members have committed or the commitments were closed."""
        return self.rounds.reveal(identity, ticket, digest)

    def close_reveals(self, ticket: Ticket) -> Receipt:
        """Close the reveals before all who committed have revealed: needs a threshold of them."""
        return self.rounds.close_reveals(self.coordinator, ticket)

    def check_commitment(self, hospital: str, ticket: Ticket, digest: bytes) -> None:
        """Return if `hospital` committed to `digest` and revealed it; raise `UploadMismatch` otherwise."""
        self.rounds.check_commitment(hospital, ticket, digest)

    def revealed(self, ticket: Ticket) -> dict[str, bytes]:
        """Return the revealed digests by hospital, in ledger order."""
        return self.rounds.revealed(ticket)

    def publish_aggregate(self, ticket: Ticket, digest: bytes) -> Receipt:
        """Publish the SHA-256 of the sum of ciphertexts, once a round; the key authority opens nothing else."""
        return self.rounds.publish_aggregate(self.coordinator, ticket, digest)

    def publish_opening(self, ticket: Ticket, digest: bytes) -> Receipt:
        """Publish the SHA-256 of the decrypted slots, once a round; the verification's seed comes after it."""
        return self.rounds.publish_opening(self.coordinator, ticket, digest)

    def random_seed(self, ticket: Ticket) -> bytes:
        """Return 32 bytes that nobody knew when the uploads were fixed: a later block's hash, bound to the round."""
        return self.rounds.random_seed(ticket)

    def post_check(self, identity: Identity, ticket: Ticket, values: Sequence[int]) -> Receipt:
        """Post a hospital's two check values, if the round demands them."""
        return self.rounds.post_check(identity, ticket, values)

    def approve(self, identity: Identity, ticket: Ticket, result: Result) -> Approval:
        """Return a hospital's signature of the result that it verified."""
        return self.rounds.approve(identity, ticket, result)

    def close_round(self, ticket: Ticket, result: Result, approvals: Iterable[Approval]) -> Receipt:
        """Finalise the round: its model becomes the one that the next round must start from."""
        return self.rounds.finalise(self.coordinator, ticket, result, list(approvals))

    def abort_round(self, ticket: Ticket, reason: str) -> Receipt:
        """End the round without a result. Retry with the next number: masks were bound to this one."""
        return self.rounds.abort(self.coordinator, ticket.round, reason)

    def next_round(self) -> int:
        """Return the number of the next round."""
        return self.rounds.next()

    def round(self, number: int) -> RoundState:
        """Return what the chain says of round `number`."""
        return self.rounds.state(number)

    def events(self, from_block: int = 0) -> list[Event]:
        """Return all events of the contracts since block `from_block`, in order."""
        wrapped = (self.registry, self.rounds, self.trail, self.consents)
        by_address = {w.contract.address: w.contract for w in wrapped}
        logs = self.chain.logs(list(by_address), from_block)
        found = [event for contract in by_address.values() for event in contract.events(logs)]
        return sorted(found, key=lambda e: (e.block, e.index))

    def head_hash(self) -> bytes:
        """Return the hash of the chain's head (32 bytes); equal for equal histories."""
        return self.chain.head_hash()
