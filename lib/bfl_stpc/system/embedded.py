"""All roles in one process, on an in-memory chain: the same messages as between machines, handed over in memory."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from bfl_stpc import federated, ledger
from bfl_stpc.errors import PeerLost
from bfl_stpc.seeds import derive_seed
from bfl_stpc.system.consortium import Consortium
from bfl_stpc.system.founding import Articles
from bfl_stpc.system.meter import Meter
from bfl_stpc.system.node import Node, RemoteChain
from bfl_stpc.system.roles import AGGREGATOR, AUTHORITY, LEDGER, Authority
from bfl_stpc.system.service import Caller, Role, Service
from bfl_stpc.system.store import Store
from bfl_stpc.system.wire import Endpoint


@dataclass
class InProcess:
    """A transport that hands parcels over in memory.

    Attributes:
        services: who answers, by name; a role that is not here is lost.
    """

    services: dict[str, Service] = field(default_factory=dict)

    def post(self, parcels: Mapping[str, bytes]) -> dict[str, bytes | PeerLost]:
        """Return what each role answers, one after another."""
        return {
            name: self.services[name].handle(parcel) if name in self.services else PeerLost(f"{name} is not there")
            for name, parcel in parcels.items()
        }


@dataclass
class EmbeddedConsortium(Consortium):
    """A consortium whose other roles live in this process, where a lesson or a test can look at them.

    Attributes:
        transport: hands the parcels over.
        builders: how each role starts: from its own store, as after a crash.
    """

    transport: InProcess = field(default_factory=InProcess, repr=False)
    builders: dict[str, Callable[[], Service]] = field(default_factory=dict, repr=False)

    def role(self, name: str) -> Role:
        """Return the role called `name` itself: no role of the protocol can do that."""
        return self.transport.services[name].role

    def restart(self, name: str) -> None:
        """Start a role anew from its store: what its process had in memory is gone."""
        self.transport.services[name] = self.builders[name]()


def found(
    records: Mapping[str, federated.ClientData],
    config: federated.LocalTraining | Mapping[str, federated.LocalTraining],
    *,
    experiment: str,
    seed: int,
    clip: float,
    max_records: int,
    promise: tuple[float, float] | None = None,
    pseudonyms: Mapping[str, Sequence[bytes]] | None = None,
    node: bool = False,
    stores: Path | None = None,
) -> EmbeddedConsortium:
    """Return a consortium of the hospitals in `records`, its contracts deployed and its keys made.

    Ledger identities derive from `seed` (simulation only), so the chain repeats; keys of cards, masks and encryption
    come from the operating system.

    Args:
        records: each hospital's scaled training records, by name; their order is the ledger's.
        config: how hospitals train; by hospital where they differ, as their noise does under one promise.
        experiment: name from which training seeds derive.
        seed: of the simulation.
        clip: bound on the Euclidean norm of an update.
        max_records: most records of one hospital; public.
        promise: (ε, δ) that every hospital promises its patients, if it trains by DP-SGD.
        pseudonyms: of each hospital's records, in their order, where consent is asked of the ledger before training.
        node: whether the ledger is a role of its own, asked in messages like the others, with a store of its own;
            otherwise all read and write one chain in memory, which is faster and cannot die alone.
        stores: folder for a store of each role; in memory if not given, and gone with the process.

    Raises:
        ConfigError: DP-SGD without a promise, or a promise without DP-SGD.
        ParameterError: too many hospitals for the fixed-point fields.
    """
    articles = Articles(tuple(records), config, experiment, clip, max_records, promise)
    names, params, threshold = articles.hospitals, articles.params, articles.threshold
    third = (AGGREGATOR, AUTHORITY, LEDGER) if node else (AGGREGATOR, AUTHORITY)
    keep = {name: Store(stores / f"{name}.sqlite" if stores else None) for name in (*names, *third)}
    keys = {name: Ed25519PrivateKey.generate() for name in keep}
    cards = {name: key.public_key().public_bytes_raw() for name, key in keys.items()}
    charter = articles.charter(cards, Authority(AUTHORITY, params, keep[AUTHORITY]).keys.public_key)
    identities = {name: ledger.Identity.derive(name, derive_seed("identity", seed)) for name in (*names, *third)}
    admin = ledger.Identity.derive("consortium", derive_seed("identity", seed))
    transport, meter = InProcess(), Meter()

    def endpoint(name: str) -> Endpoint:
        return Endpoint(name, keys[name], cards)

    def chain(end: Endpoint) -> ledger.Chain:
        return RemoteChain(Caller(end, transport, Meter())) if node else ledger.Chain.in_memory()

    if node:
        transport.services[LEDGER] = Service(Node(keep[LEDGER]), endpoint(LEDGER))
    own = endpoint(AGGREGATOR)
    addresses = {name: identities[name].address for name in names}
    book = ledger.Ledger.deploy(chain(own), admin=admin, hospitals=addresses, threshold=threshold)

    def view(end: Endpoint) -> ledger.Ledger:
        if not node:
            return book
        reader = identities[end.name]
        return ledger.Ledger.connect(chain(end), book.addresses, coordinator=reader, threshold=threshold)

    def start(name: str) -> Service:
        end = endpoint(name)
        if name == LEDGER:
            return Service(Node(keep[name]), end)
        if name == AUTHORITY:
            return Service(Authority(name, params, keep[name], view(end)), end)
        role = articles.hospital(
            identities[name],
            signing_key=keys[name],
            data=records[name],
            charter=charter,
            book=view(end),
            store=keep[name],
            pseudonyms=pseudonyms[name] if pseudonyms else None,
        )
        return Service(role, end)

    builders: dict[str, Callable[[], Service]] = {name: partial(start, name) for name in keep if name != AGGREGATOR}
    transport.services |= {name: build() for name, build in builders.items() if name not in transport.services}
    return EmbeddedConsortium(
        charter=charter,
        hospitals=names,
        book=book,
        caller=Caller(own, transport, meter),
        store=keep[AGGREGATOR],
        meter=meter,
        transport=transport,
        builders=builders,
    )
