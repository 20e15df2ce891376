"""Which components are on: every combination that means something."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

from bfl_stpc.attacks.views import Protection
from bfl_stpc.errors import ConfigError

LETTERS = {"federated": "FL", "ledger": "ledger", "encryption": "HE", "masks": "SMPC", "noise": "DP"}


@dataclass(frozen=True)
class Combination:
    """Components that are on.

    Encryption and masks protect updates: where records are collected in one place, there are none.

    Attributes:
        federated: hospitals train where their records lie; otherwise one centre collects the records.
        ledger: contracts authenticate hospitals, order the rounds and record digests.
        encryption: BFV under the key authority's key.
        masks: pairwise masks, gone in the sum.
        noise: record-level DP-SGD.

    Raises:
        ConfigError: encryption or masks without federated learning.
    """

    federated: bool = False
    ledger: bool = False
    encryption: bool = False
    masks: bool = False
    noise: bool = False

    def __post_init__(self) -> None:
        if not self.federated and (self.encryption or self.masks):
            raise ConfigError("encryption and masks protect updates: without federated learning there are none")

    @property
    def name(self) -> str:
        """The components that are on, joined by plus signs."""
        parts = [letters for field, letters in LETTERS.items() if getattr(self, field)]
        return " + ".join(parts) or "central"

    @property
    def protection(self) -> Protection:
        """What protects an update, as the attacks on privacy know it."""
        return Protection(self.noise, self.encryption, self.masks)


def meaningful() -> tuple[Combination, ...]:
    """Return all combinations that mean something: four of a centre, sixteen of federated learning."""
    found = []
    for on in product((False, True), repeat=len(LETTERS)):
        chosen = dict(zip(LETTERS, on))
        if chosen["federated"] or not (chosen["encryption"] or chosen["masks"]):
            found.append(Combination(**chosen))
    return tuple(found)


ALL = Combination(*[True] * len(LETTERS))


def without(component: str) -> Combination:
    """Return everything but one component; without federated learning, encryption and masks go too."""
    on = dict.fromkeys(LETTERS, True) | {component: False}
    if component == "federated":
        on |= {"encryption": False, "masks": False}
    return Combination(**on)
