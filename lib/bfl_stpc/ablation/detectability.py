"""Which kinds of the catalogue go unnoticed once a component is off: the catalogue's own injections, everywhere.

Where the ledger is off, five kinds need an injection of their own, because the catalogue's speaks to the ledger: here
the same is done in a round, or a vault, that has none. An attacker who knows what is missing could do more: the count
of unnoticed kinds is a lower bound.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import product
from typing import Any

import numpy as np

from bfl_stpc import detection, stpc
from bfl_stpc.ablation.combinations import Combination
from bfl_stpc.ablation.rehearsal import Rehearsal
from bfl_stpc.detection.access import AccessBench
from bfl_stpc.detection.injection import Outcome, trial
from bfl_stpc.detection.updates import someone
from bfl_stpc.errors import BflError
from bfl_stpc.ledger import ReaderKey, Vault
from bfl_stpc.seeds import generator

Own = Callable[[Any, str, np.random.Generator], Outcome]  # the rehearsal first; a vault needs none


def withdrawn(bench: Rehearsal, level: str, rng: np.random.Generator) -> Outcome:
    """Let a hospital take part whose key was withdrawn: without a registry there is nowhere to write that down."""
    return trial(*bench.play(rng).rest())


def late(bench: Rehearsal, level: str, rng: np.random.Generator) -> Outcome:
    """Add one hospital's update after the sum of the others was made: nobody else knows when the round was closed."""
    (slow,) = someone(bench, rng)
    play = bench.play(rng).until("add")
    arrived, play.uploads = play.uploads, {n: u for n, u in play.uploads.items() if n != slow}
    play.take("add")

    def readmit() -> None:
        play.uploads = arrived
        play.aggregate = play.sum_of(list(arrived.values()), list(arrived))

    return trial(readmit, *play.rest())


def equivocating(bench: Rehearsal, level: str, rng: np.random.Generator) -> Outcome:
    """Give the key authority two sums to open, or two halves of the hospitals two lists of survivors."""
    (victim,) = someone(bench, rng)
    play = bench.play(rng).until("publish")
    second = play.sum_without(victim)
    play.take("publish")
    first = bench.word
    said = stpc.Attestation({n: d for n, d in first.uploads.items() if n != victim}, second.digest)
    if level == "two sums to the key authority":
        play.take("decrypt")
        bench.word = said
        return trial(lambda: bench.authority.open(second, play.ticket))
    request = bench.aggregator.unmask_request(play.aggregate, play.ticket, play.directory.adverts)
    other = stpc.UnmaskRequest(play.ticket, second.survivors, (victim,))

    def ask(name: str, word: stpc.Attestation, question: stpc.UnmaskRequest) -> None:
        bench.word = word  # as this hospital hears it
        bench.parties[name].unmask(question)

    early, *rest = someone(bench, rng, len(play.online))
    return trial(partial(ask, early, first, request), *(partial(ask, name, said, other) for name in rest))


def unasked(bench: Rehearsal, level: str, rng: np.random.Generator) -> Outcome:
    """Read a record that the patient never opened, or no longer: the custodian has no list of consents to look at."""
    custodian, reader, vault = ReaderKey("hospital-00"), ReaderKey("hospital-01"), Vault()
    stored = vault.put({"resourceType": "Patient", "birthDate": "1930-01-01"}, {custodian.reader: custodian.public})
    return trial(
        lambda: vault.share(stored.record, custodian, reader.reader, reader.public),
        lambda: vault.get(stored.record, reader, committed=stored.commitment),
    )


@dataclass(frozen=True)
class Case:
    """One kind of the catalogue where components may be off.

    Attributes:
        levels: of the kind, that are injected; with the components without which each has no place.
        own: what is injected where there is no ledger; the catalogue's own injection if not given.
    """

    levels: Mapping[str, tuple[str, ...]]
    own: Own | None = None


def _all(kind: str, *needs: str, without: Sequence[str] = (), **more: tuple[str, ...]) -> dict[str, tuple[str, ...]]:
    names = [level.name for level in detection.load().kinds[kind].levels if level.name not in without]
    return {name: (*needs, *more.get(name.replace(" ", "_"), ())) for name in names}


BFV_SHELLS = ("other parameters", "noise in a well-formed shell")
CASES: Mapping[str, Case] = {
    "withdrawn_key": Case(_all("withdrawn_key"), withdrawn),
    "no_consent": Case(_all("no_consent"), unasked),
    "after_revocation": Case(_all("after_revocation", without=("record erased",)), unasked),
    "late_update": Case(_all("late_update"), late),
    "other_round": Case({"the bytes": ()}),
    "swapped_update": Case(_all("swapped_update")),
    # In the clear any bits of the right length are numbers, so that "one bit wrong" would be another update.
    "malformed_update": Case(_all("malformed_update", without=BFV_SHELLS, one_bit_wrong=("encryption",))),
    "commitment_mismatch": Case({"other bytes delivered": ()}),
    "false_check": Case(_all("false_check", "masks")),
    "forged_share": Case(_all("forged_share", "masks")),
    "lying_sum": Case(_all("lying_sum", a_ciphertext_of_its_own_added=("encryption",))),
    "dropping": Case(_all("dropping")),
    "double_counting": Case(_all("double_counting")),
    "equivocating": Case(
        {"two sums to the key authority": ("encryption",), "two lists to the hospitals": ("masks",)}, equivocating
    ),
    "lying_authority": Case(_all("lying_authority", "encryption")),
    "tampered_model": Case(_all("tampered_model")),
}
ACCESS = ("no_consent", "after_revocation")  # of records: the only kinds with a place in a centre
ELSEWHERE = ("withdrawn_key", *ACCESS)  # the ledger decides these outside of rounds
SETTINGS = tuple(
    Combination(True, *on) for on in product((False, True), repeat=3)
)  # without noise: nothing looks at it


@dataclass(frozen=True)
class Noticed:
    """What became of one kind under one combination.

    Attributes:
        kind: of the catalogue.
        combination: what was on.
        injections, detected: counts; no injections where the kind has no place.
        by: who noticed.
    """

    kind: str
    combination: Combination
    injections: int
    detected: int
    by: tuple[str, ...]

    @property
    def state(self) -> str:
        """`no place`, `unnoticed` (never noticed), `sometimes`, or `noticed` (every time)."""
        if not self.injections:
            return "no place"
        return {0: "unnoticed", self.injections: "noticed"}.get(self.detected, "sometimes")


def examine(combination: Combination, *, injections: int, seed: int) -> list[Noticed]:
    """Inject every kind of `CASES` so many times under `combination`, its levels in turn."""
    rounds = Rehearsal(combination, seed) if combination.federated else None
    access = AccessBench(seed) if combination.ledger else None
    found = []
    for kind, case in CASES.items():
        outcomes = []
        levels = {level.name: level for level in detection.load().kinds[kind].levels}
        inject = detection.registry()[kind].inject
        placed = [name for name, needs in case.levels.items() if all(getattr(combination, need) for need in needs)]
        if rounds is None and kind not in ACCESS:
            placed = []
        for number in range(injections if placed else 0):
            level = placed[number % len(placed)]
            rng = generator("ablation detection", kind, level, number, seed)
            if case.own is not None and not combination.ledger:
                outcomes.append(case.own(rounds, level, rng))
            else:
                outcomes.append(inject(access if kind in ELSEWHERE else rounds, levels[level], rng))
        by = tuple(sorted({o.by for o in outcomes if o.detected}))
        found.append(Noticed(kind, combination, len(outcomes), sum(o.detected for o in outcomes), by))
    return found


def false_alarms(combination: Combination, *, rounds: int, seed: int) -> int:
    """Return in how many of `rounds` honest rounds any check objected: the negative control."""
    bench, alarms = Rehearsal(combination, seed), 0
    for number in range(rounds):
        try:
            bench.play(generator("ablation clean", number, seed)).until(None)
        except BflError:
            alarms += 1
    return alarms
