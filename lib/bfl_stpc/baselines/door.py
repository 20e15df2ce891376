"""Logins at a hospital registry, as the injections of `detection.credentials` need them: the same for every ledger."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from bfl_stpc import detection
from bfl_stpc.detection import Outcome
from bfl_stpc.ledger import Chain, Challenge, Contract, Identity, Registry

# kind → (the levels that mean something in this system, how one is injected)
Injectors = Mapping[str, tuple[Sequence[str], Callable[[str, np.random.Generator], Outcome]]]
LOGINS = ("forged_login", "replayed_login", "expired_login", "foreign_login", "withdrawn_key")


class Door:
    """The registry of one system, with what an injected login touches.

    Attributes:
        registry, chain, admin: of the system.
        stranger: who is nobody.
        consents: another contract of the same chain, under the name that the injections know.
    """

    def __init__(self, registry: Registry, admin: Identity, ids: Sequence[Identity], other: Contract) -> None:
        self.registry, self.admin, self.ids = registry, admin, list(ids)
        self.chain: Chain = registry.contract.chain
        self.stranger = Identity.derive("stranger", 1)
        self.consents = _Elsewhere(other)
        self._newcomers = 0

    def someone(self, rng: np.random.Generator, count: int = 1) -> list[Identity]:
        """Return `count` members at random."""
        return [self.ids[i] for i in rng.choice(len(self.ids), size=count, replace=False)]

    def newcomer(self) -> Identity:
        """Register one more member, for what is not undone."""
        self._newcomers += 1
        identity = Identity.derive(f"newcomer-{self._newcomers:03d}", 1)
        self.registry.register(self.admin, identity.name, identity.address)
        return identity

    def challenge(self, identity: Identity) -> Challenge:
        """Return the challenge for the next login of `identity`."""
        return self.registry.challenge(identity.address, round=1, model=hashlib.sha256(b"model").digest())

    def injectors(self) -> Injectors:
        """Return the injections of `LOGINS`, at all levels of the catalogue."""
        kinds = detection.load().kinds

        def of(kind: str) -> Callable[[str, np.random.Generator], Outcome]:
            levels = {level.name: level for level in kinds[kind].levels}
            inject = detection.registry()[kind].inject
            return lambda level, rng: inject(self, levels[level], rng)  # type: ignore[arg-type]

        return {kind: ([level.name for level in kinds[kind].levels], of(kind)) for kind in LOGINS}


class _Elsewhere:
    def __init__(self, contract: Contract) -> None:
        self.contract = contract
