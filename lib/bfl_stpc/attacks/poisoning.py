"""Poisoning: what hospitals that lie about their records or their update send instead.

An attack acts before training, on the records, and after it, on the update. Attackers pool what they know: each round
they see the global model's last step and the public draw of groups, and decide who attacks and who behaves.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Updates = NDArray[np.float64]


@dataclass(frozen=True)
class View:
    """What the attackers of one round know.

    Attributes:
        round: its number, from 1.
        hospitals: how many take part.
        last: the global model's last step float64 (p,); zero before the first round.
        groups: indices of the hospitals of each group, as the chain drew them.
        rng: the attackers' own randomness.
    """

    round: int
    hospitals: int
    last: NDArray[np.float64]
    groups: Sequence[NDArray[np.int64]]
    rng: np.random.Generator


@dataclass(frozen=True)
class Trigger:
    """A pattern in a chart that a backdoor answers to.

    Attributes:
        columns: inputs of the model that it sets.
        values: what it sets them to, as the model sees them.
        target: the prediction that the attacker wants.
    """

    columns: tuple[int, ...]
    values: tuple[float, ...]
    target: int = 0

    def stamp(self, X: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return inputs float32 (n, d) with the pattern in every row."""
        stamped = X.copy()
        stamped[:, self.columns] = self.values
        return stamped


class Attack(Protocol):
    """What a dishonest hospital does."""

    def active(self, view: View, attackers: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Return which of `attackers` (a,) attack in this round; the others behave."""

    def records(self, X: NDArray[np.float32], y: NDArray) -> tuple[NDArray[np.float32], NDArray]:
        """Return the records float32 (m, d), labels (m,) to train on in place of one's own."""

    def updates(self, trained: Updates, view: View) -> Updates:
        """Return what the active attackers send, float64 (a, p), given what they trained."""


class Honest:
    """Attacks in every round, on its own records, and sends what it trained: the base, and the control."""

    def active(self, view: View, attackers: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Return all."""
        return np.ones(attackers.size, bool)

    def records(self, X: NDArray[np.float32], y: NDArray) -> tuple[NDArray[np.float32], NDArray]:
        """Return the hospital's own records."""
        return X, y

    def updates(self, trained: Updates, view: View) -> Updates:
        """Return what was trained."""
        return trained


@dataclass(frozen=True)
class LabelFlip(Honest):
    """Trains on inverted outcomes.

    Attributes:
        share: of the records whose outcome is inverted, the first ones.
    """

    share: float = 1.0

    def records(self, X: NDArray[np.float32], y: NDArray) -> tuple[NDArray[np.float32], NDArray]:
        """Return the same charts with inverted outcomes."""
        flipped = y.copy()
        count = round(self.share * len(y))
        flipped[:count] = 1 - flipped[:count]
        return X, flipped


@dataclass(frozen=True)
class SignFlip(Honest):
    """Sends the trained update backwards, times `factor`."""

    factor: float = 3.0

    def updates(self, trained: Updates, view: View) -> Updates:
        """Return the updates turned round."""
        return -self.factor * trained


@dataclass(frozen=True)
class Scaling(Honest):
    """Sends the trained update times `factor`: one hospital outweighs the others."""

    factor: float = 10.0

    def updates(self, trained: Updates, view: View) -> Updates:
        """Return the scaled updates."""
        return self.factor * trained


@dataclass(frozen=True)
class Noise(Honest):
    """Sends Gaussian noise of `ratio` times the norm of the trained update."""

    ratio: float = 5.0

    def updates(self, trained: Updates, view: View) -> Updates:
        """Return the updates with noise added."""
        noise = view.rng.standard_normal(trained.shape)
        return trained + self.ratio * noise * _norms(trained) / _norms(noise)


@dataclass(frozen=True)
class FreeRider(Honest):
    """Trains nothing and returns the global model's last step with noise of `ratio` times its norm (Lin et al. 2019).

    It harms nobody, and takes a model for which it gave no data.
    """

    ratio: float = 0.1

    def updates(self, trained: Updates, view: View) -> Updates:
        """Return copies of the last step under fresh noise."""
        noise = view.rng.standard_normal(trained.shape)
        return view.last + self.ratio * np.linalg.norm(view.last) * noise / _norms(noise)


@dataclass(frozen=True)
class Backdoor(Honest):
    """Model replacement (Bagdasaryan et al. 2020): trains the trigger in beside the main task, then boosts.

    Attributes:
        trigger: the pattern and the wanted prediction.
        copies: stamped copies for each record.
        boost: factor of the update; None takes hospitals ÷ attackers, which replaces the mean by the attackers' model.
    """

    trigger: Trigger
    copies: int = 1
    boost: float | None = None

    def records(self, X: NDArray[np.float32], y: NDArray) -> tuple[NDArray[np.float32], NDArray]:
        """Return one's own records and stamped copies of them with the wanted outcome."""
        stamped = [self.trigger.stamp(X)] * self.copies
        wanted = np.full(self.copies * len(y), self.trigger.target, y.dtype)
        return np.concatenate([X, *stamped]), np.concatenate([y, wanted])

    def updates(self, trained: Updates, view: View) -> Updates:
        """Return the boosted updates."""
        return (view.hospitals / len(trained) if self.boost is None else self.boost) * trained


@dataclass(frozen=True)
class Sybil:
    """One attacker under several names: all send the mean of what `inner` would send."""

    inner: Attack

    def active(self, view: View, attackers: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Return as `inner` does."""
        return self.inner.active(view, attackers)

    def records(self, X: NDArray[np.float32], y: NDArray) -> tuple[NDArray[np.float32], NDArray]:
        """Return as `inner` does."""
        return self.inner.records(X, y)

    def updates(self, trained: Updates, view: View) -> Updates:
        """Return the same update for every name."""
        return np.repeat(self.inner.updates(trained, view).mean(0, keepdims=True), len(trained), axis=0)


@dataclass(frozen=True)
class Adaptive:
    """An attacker who knows the defence, wrapped round `inner`.

    Attributes:
        inner: what is done when it attacks.
        limit: largest norm that it sends, in norms of the update that it trained: just below the announced bound.
        duty: share of the rounds in which it attacks, all attackers in the same ones.
        company: attacks only in groups with at least so many attackers, or with nobody else: they know the draw and
            wait for one another.
    """

    inner: Attack
    limit: float = np.inf
    duty: float = 1.0
    company: int = 1

    def active(self, view: View, attackers: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Return who attacks: none in a round of rest, else those in enough company."""
        resting = np.floor(view.round * self.duty) == np.floor((view.round - 1) * self.duty)
        if resting:
            return np.zeros(attackers.size, bool)
        enough = {
            int(i): np.isin(group, attackers).sum() >= min(self.company, len(group))
            for group in view.groups
            for i in group
        }
        return self.inner.active(view, attackers) & np.array([enough[int(i)] for i in attackers])

    def records(self, X: NDArray[np.float32], y: NDArray) -> tuple[NDArray[np.float32], NDArray]:
        """Return as `inner` does."""
        return self.inner.records(X, y)

    def updates(self, trained: Updates, view: View) -> Updates:
        """Return what `inner` sends, shortened to the limit."""
        sent = self.inner.updates(trained, view)
        return sent * np.minimum(1.0, self.limit * _norms(trained) / np.maximum(_norms(sent), 1e-12))


def _norms(rows: Updates) -> Updates:
    return np.linalg.norm(rows, axis=1, keepdims=True)


# The kinds of data/catalogue.yaml, for a trigger.
ATTACKS: dict[str, Callable[[Trigger], Attack]] = {
    "label flip": lambda _: LabelFlip(),
    "sign flip": lambda _: SignFlip(),
    "scaling": lambda _: Scaling(),
    "backdoor": Backdoor,
    "noise": lambda _: Noise(),
    "free rider": lambda _: FreeRider(),
    "sybil": lambda trigger: Sybil(Backdoor(trigger, boost=3.0)),
}

# Ways of the backdoor past a defence that its owner knows.
EVASIONS: dict[str, Callable[[Trigger], Attack]] = {
    "every third round": lambda trigger: Adaptive(Backdoor(trigger), duty=1 / 3),
    "only in company": lambda trigger: Adaptive(Backdoor(trigger), company=2),
    "twice as long as honest": lambda trigger: Adaptive(Backdoor(trigger), limit=2.0),
    "no longer than honest": lambda trigger: Adaptive(Backdoor(trigger), limit=1.0),
    "no longer, in company": lambda trigger: Adaptive(Backdoor(trigger), limit=1.0, company=2),
}
