"""What the parties of a round learn under each protection of updates: four attacks, from four seats."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import product

from bfl_stpc.ablation.combinations import Combination
from bfl_stpc.attacks.setting import Setting
from bfl_stpc.attacks.trials import (
    HOSPITALS,
    Attack,
    AttributeInference,
    Inversion,
    Membership,
    PropertyInference,
    Success,
    measure,
    pooled,
)
from bfl_stpc.attacks.views import AGGREGATOR, AGGREGATOR_AT, ANYONE, AUTHORITY, Observer, Protection

PROTECTIONS = tuple(Protection(*on) for on in product((False, True), repeat=3))
# Who looks; the first two are the third parties, and each of them alone.
SEATS: Mapping[str, tuple[Observer, ...]] = {
    "one third party": (AGGREGATOR, AUTHORITY),
    "aggregator + half of the hospitals": (AGGREGATOR_AT,),
    "anyone, from the published sum": (ANYONE,),
}
OBSERVERS = tuple(observer for seat in SEATS.values() for observer in seat)
SINGLE = (AGGREGATOR, AUTHORITY, AGGREGATOR_AT)  # those who go for one hospital's update


def attacks(setting: Setting, *, victims: int, rounds: int, shadows: int, seed: int) -> dict[str, Attack]:
    """Return the attacks by the question that each answers: `victims` trials, for membership `rounds` rounds."""
    return {
        "a record": Inversion(setting, victims, seed),
        "a diagnosis": AttributeInference(setting, victims, seed),
        "membership": Membership(setting, rounds * HOSPITALS, seed, shadows=shadows),
        "the outcome share": PropertyInference(setting, victims, seed),
    }


def success(
    make: Callable[[int], Mapping[str, Attack]], protections: Sequence[Protection], *, seeds: Sequence[int]
) -> dict[tuple[str, Protection, Observer], Success]:
    """Return the success of each attack under each protection from each seat of `OBSERVERS`, over all seeds.

    Args:
        make: told a seed, returns the attacks by name.
        protections: of updates.
        seeds: of victims and draws.
    """
    found: dict[tuple[str, Protection, Observer], list[Success]] = {}
    for seed in seeds:
        for name, attack in make(seed).items():  # each trains once, and is seen from all seats
            for protection in protections:
                for observer, one in zip(OBSERVERS, measure(attack, protection, OBSERVERS), strict=True):
                    found.setdefault((name, protection, observer), []).append(one)
    return {cell: pooled(runs) for cell, runs in found.items()}


def beats_guess(
    found: Mapping[tuple[str, Protection, Observer], Success], combination: Combination
) -> dict[str, list[str]]:
    """Return the attacks that beat a guess under `combination`, by who looks (`SEATS`).

    A key authority is there only with encryption; without, its seat is that of somebody who intercepts the upload.
    """
    names = list(dict.fromkeys(name for name, _, _ in found))
    return {
        seat: [n for n in names if any(not found[n, combination.protection, o].stopped for o in observers)]
        for seat, observers in SEATS.items()
    }
