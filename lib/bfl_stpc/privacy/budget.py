"""A hospital's privacy budget: what it promised, what it has spent, and a refusal before the promise breaks."""

from __future__ import annotations

from dataclasses import dataclass, field

from bfl_stpc.errors import PrivacyError
from bfl_stpc.privacy.accounting import Accountant, Spent, epsilon


@dataclass
class Budget:
    """The promise of one hospital to its patients, enforced.

    Attributes:
        hospital: its name, for messages.
        promised: ε that may never be exceeded.
        delta: δ of the promise.
    """

    hospital: str
    promised: float
    delta: float
    _spent: list[Spent] = field(default_factory=list, repr=False)

    @property
    def spent(self) -> tuple[Spent, ...]:
        """The steps taken so far, as they happened."""
        return tuple(self._spent)

    def epsilon(self, accountant: Accountant = Accountant.PLD) -> float:
        """Return ε spent so far: the number for the ledger's record of the round."""
        return epsilon(self._spent, self.delta, accountant)

    def allows(self, steps: Spent) -> bool:
        """Return whether `steps` more still keep the promise."""
        return epsilon([*self._spent, steps], self.delta) <= self.promised

    def spend(self, steps: Spent) -> float:
        """Charge `steps` before they are taken; return ε after them.

        Raises:
            PrivacyError: they would exceed the promise. Nothing is charged: the hospital must stop, or add noise.
        """
        after = epsilon([*self._spent, steps], self.delta)
        if after > self.promised:
            raise PrivacyError(
                f"{self.hospital} promised ε ≤ {self.promised:g} at δ = {self.delta:g}; {steps.steps} more steps at "
                f"q = {steps.sampling_rate:g}, σ = {steps.noise_multiplier:g} would make it {after:.4f}: stop here"
            )
        self._spent.append(steps)
        return after
