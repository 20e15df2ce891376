"""Training among attackers: the rounds of `federated`, with some hospitals lying and a server that defends itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from bfl_stpc.attacks.poisoning import Attack, View
from bfl_stpc.errors import ConfigError
from bfl_stpc.federated import ClientData, apply_update, init_weights, local_updates
from bfl_stpc.robust.defence import Defence, Thresholds, Trace, accused
from bfl_stpc.robust.groups import Groups, clip, draw_groups, group_means
from bfl_stpc.robust.rules import rule
from bfl_stpc.robust.scene import Scene
from bfl_stpc.robust.tracing import Decoder, intersect, stand_out
from bfl_stpc.seeds import derive_seed, generator


@dataclass(frozen=True)
class Course:
    """What came of a run.

    Attributes:
        models: the global model after each round, float32 (R, p).
        attackers: their indices.
        excluded: round after which each excluded hospital (by index) was shut out.
        updates: what was sent in each round, float64 (R, K, p); zero for the excluded.
        groups: drawn in each round.
    """

    models: NDArray[np.float32] = field(repr=False)
    attackers: NDArray[np.int64]
    excluded: Mapping[int, int]
    updates: NDArray[np.float64] = field(repr=False)
    groups: tuple[Groups, ...] = field(repr=False)

    @property
    def caught(self) -> dict[int, int]:
        """Round of exclusion of each attacker that was caught."""
        return {i: t for i, t in self.excluded.items() if i in self.attackers}

    @property
    def innocent(self) -> dict[int, int]:
        """Round of exclusion of each honest hospital that was blamed."""
        return {i: t for i, t in self.excluded.items() if i not in self.attackers}


def simulate(
    scene: Scene,
    defence: Defence,
    *,
    rounds: int,
    experiment: str,
    seed: int,
    attack: Attack | None = None,
    attackers: int = 0,
    thresholds: Thresholds | None = None,
) -> Course:
    """Train for `rounds` rounds; `attackers` hospitals, drawn by the seed, follow `attack`.

    All hospitals weigh alike, since a number of records is a claim that an attacker could inflate. The hash of the
    round's block is simulated by the seed.

    Raises:
        ConfigError: there are as many attackers as hospitals, or a bound or a trace without thresholds.
    """
    names = list(scene.tables)
    if not 0 <= attackers < len(names) or (attackers and attack is None):
        raise ConfigError(f"{attackers} attackers of {len(names)} hospitals: name the attack, leave one honest")
    if thresholds is None and (defence.bounded or defence.trace is not Trace.NONE):
        raise ConfigError("a bound or a trace needs thresholds: calibrate them on clean runs of other seeds")
    bad = np.sort(generator(experiment, seed, "attackers").choice(len(names), attackers, replace=False))
    weights = init_weights(scene.config.spec, derive_seed(experiment, seed, "weights"))
    watch = _Watch(defence, thresholds, len(names), weights.size)
    last = np.zeros(weights.size)
    models, sent, dealt = [], [], []
    for number in range(1, rounds + 1):
        present = [i for i in range(len(names)) if i not in watch.excluded]
        block = derive_seed(experiment, seed, "block", number).to_bytes(32, "big")
        drawn = draw_groups(block, number, [names[i] for i in present], min(defence.size or len(present), len(present)))
        groups = tuple(np.array(present)[members] for members in drawn)
        view = View(number, len(present), last, groups, generator(experiment, seed, "attack", number))
        updates = _updates(scene, weights, present, bad, attack, view, experiment, seed)
        opened = means = group_means(updates, groups)
        if defence.bounded and thresholds is not None:
            means = clip(means, float(thresholds.bound[number - 1]))
        assumed = round(defence.assumed * len(means))
        moved = apply_update(weights, rule(defence.rule)(means, assumed))
        last, weights = moved.astype(np.float64) - weights, moved
        models.append(weights)
        sent.append(updates)
        dealt.append(groups)
        watch.look(groups, opened, number)  # as opened: only unclipped sums add up
    return Course(np.array(models), bad, watch.excluded, np.array(sent), tuple(dealt))


def _updates(
    scene: Scene,
    weights: NDArray[np.float32],
    present: list[int],
    bad: NDArray[np.int64],
    attack: Attack | None,
    view: View,
    experiment: str,
    seed: int,
) -> NDArray[np.float64]:
    """Return what every hospital sends, float64 (K, p); zero for those shut out."""
    names, data = list(scene.tables), list(scene.tables.values())
    here = bad[np.isin(bad, present)]
    acting = here[attack.active(view, here)] if attack is not None and here.size else here[:0]
    for i in acting:
        data[i] = ClientData(*attack.records(data[i].X, data[i].y))  # type: ignore[union-attr]
    seeds = [derive_seed(experiment, seed, names[i], view.round) for i in present]
    trained = np.zeros((len(names), weights.size))
    trained[present] = local_updates(weights, [data[i] for i in present], scene.config, seeds)
    if acting.size:
        trained[acting] = attack.updates(trained[acting], view)  # type: ignore[union-attr]
    return trained


class _Watch:
    """Identifies attackers over rounds, and remembers who was shut out when."""

    def __init__(self, defence: Defence, thresholds: Thresholds | None, hospitals: int, parameters: int) -> None:
        self.excluded: dict[int, int] = {}
        self._trace, self._thresholds, self._hospitals = defence.trace, thresholds, hospitals
        self._decoder = Decoder(hospitals, parameters)
        self._groups: list[Groups] = []
        self._flags: list[NDArray[np.bool_]] = []
        self._before: list[int] = []

    def look(self, groups: Groups, means: NDArray[np.float64], number: int) -> None:
        """Take in one round's opened means; shut out whom they accuse twice in a row, one a round.

        An attacker who rests leaves its deviation to those who sat with it; one more round, of other groups, clears
        most of them. Most of the hospitals are never shut out.
        """
        if self._thresholds is None or self._trace is Trace.NONE:
            return
        suspects, rank = self._suspects(groups, means, number)
        again, self._before = [i for i in suspects if i in self._before], suspects
        if again and len(self.excluded) < (self._hospitals - 1) // 2:
            self.excluded[max(again, key=lambda i: rank[i])] = number

    def _suspects(
        self, groups: Groups, means: NDArray[np.float64], number: int
    ) -> tuple[list[int], NDArray[np.float64]]:
        assert self._thresholds is not None
        if self._trace is Trace.INTERSECT:
            self._groups.append(groups)
            self._flags.append(self._thresholds.flags(means, number))
            chance = intersect(self._groups, self._flags, self._hospitals)
            found, rank = chance < self._thresholds.chance, -chance
        else:
            self._decoder.add(groups, means / self._thresholds.bound[number - 1])
            inside = np.array([i for i in range(self._hospitals) if i not in self.excluded])
            rank = np.ones(self._hospitals)
            rank[inside] = stand_out(self._decoder.profiles()[inside])
            found, rank = accused(rank, self._thresholds, number, len(groups)), np.abs(np.log(rank + 1e-300))
        return [int(i) for i in np.flatnonzero(found) if i not in self.excluded], rank
