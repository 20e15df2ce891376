"""Injections by third parties: an aggregator, a key authority or a coordinator that does not do its duty."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial

import numpy as np

from bfl_stpc.detection.catalogue import Level
from bfl_stpc.detection.injection import Outcome, injects, trial
from bfl_stpc.detection.rounds import SIZE, STEPS, Play, RoundBench, sha
from bfl_stpc.detection.updates import someone
from bfl_stpc.ledger import Result
from bfl_stpc.stpc.hazmat import bfv


@injects("lying_sum", RoundBench)
def lying_sum(bench: RoundBench, level: Level, rng: np.random.Generator) -> Outcome:
    """Announce another sum than that of the uploads, more or less consistently."""
    if level.name == "a ciphertext of its own added":
        play = bench.play(rng).until("publish")
        _add_own(play, rng)
        return trial(*play.rest())
    play = bench.play(rng).until("announce")
    step, place = bench.params.step, int(rng.integers(SIZE))
    change = np.zeros(SIZE)
    if level.name == "every parameter":
        change = rng.uniform(-1, 1, SIZE)
    else:
        change[place] = step
    masked = play.total.masked.copy()
    if level.name == "the masked sum to match":
        slot, lane = divmod(place, bench.params.fields)
        unit = 1 << bench.params.field_width * lane
        masked[slot] = (int(masked[slot]) + unit) % bench.params.modulus
    play.total = replace(play.total, sum=play.total.sum + change, masked=masked)
    return trial(*play.rest())


def _add_own(play: Play, rng: np.random.Generator) -> None:
    """Add a ciphertext that raises one field by one to the sum that will be published."""
    bench = play.bench
    slots = np.zeros(bench.params.slots(SIZE), dtype=np.uint64)
    slots[int(rng.integers(slots.size - 1))] = 1
    key, params, context = bench.authority.public_key, bench.params, play.ticket.context()
    honest = bfv.read(play.aggregate.payload, round_context=context, key=key, params=params)
    own = list(bfv.encrypt([slots], key, params))
    blocks = bfv.add(zip(honest.blocks, own, strict=True), key, params)
    payload = bfv.write(blocks, size=SIZE, round_context=context, peers=honest.peers, key=key, params=params)
    play.aggregate = replace(play.aggregate, payload=payload)


@injects("dropping", RoundBench)
def dropping(bench: RoundBench, level: Level, rng: np.random.Generator) -> Outcome:
    """Leave uploads out of the sum, and list their hospitals as lost or as present."""
    play = bench.play(rng).until("add")
    out = someone(bench, rng, 2 if level.name.startswith("two") else 1)
    kept = [name for name in play.online if name not in out]
    listed = play.online if level.name.endswith("present") else kept
    play.aggregate = play.sum_of([play.uploads[name] for name in kept], listed)
    play.skip("add")
    return trial(*_with_forged_total(play))


@injects("double_counting", RoundBench)
def double_counting(bench: RoundBench, level: Level, rng: np.random.Generator) -> Outcome:
    """Add `level.value` uploads twice."""
    play = bench.play(rng).until("add")
    twice = someone(bench, rng, int(level.value))
    uploads = [*play.uploads.values(), *(play.uploads[name] for name in twice)]
    play.aggregate = play.sum_of(uploads, play.online)
    play.skip("add")
    return trial(*_with_forged_total(play))


def _with_forged_total(play: Play) -> list[Callable[[], object]]:
    """Return the steps to the end, with a total that the cheat makes up where the honest aggregator unmasks."""

    def forge() -> None:
        play.total = play.forged_total()
        play.skip("unmask")

    steps = play.rest()
    steps[STEPS.index("unmask") - play.done] = forge
    return steps


@injects("equivocating", RoundBench)
def equivocating(bench: RoundBench, level: Level, rng: np.random.Generator) -> Outcome:
    """Tell the ledger, the key authority or the hospitals two different things."""
    (victim,) = someone(bench, rng)
    play = bench.play(rng).until("publish")
    second = play.sum_without(victim)
    play.take("publish")
    if level.name == "two sums to the ledger":
        return trial(lambda: bench.book.publish_aggregate(play.ticket, second.digest))
    play.take("decrypt")
    if level.name == "two sums to the key authority":
        return trial(lambda: bench.authority.open(second, play.ticket))
    request = bench.aggregator.unmask_request(play.aggregate, play.ticket, play.directory.adverts)
    other = replace(request, survivors=second.survivors, dropped=(victim,))
    first, *late = someone(bench, rng, len(play.online))
    bench.parties[first].unmask(request)
    return trial(*(partial(bench.parties[name].unmask, other) for name in late))


@injects("lying_authority", RoundBench)
def lying_authority(bench: RoundBench, level: Level, rng: np.random.Generator) -> Outcome:
    """Return another plaintext than that of the published sum."""
    play, modulus = bench.play(rng).until("answer"), bench.params.modulus
    if level.name == "every slot":
        play.slots = rng.integers(0, modulus, size=play.slots.size, dtype=np.uint64)
    else:
        play.slots = play.slots.copy()
        place = int(rng.integers(play.slots.size - 1))
        play.slots[place] = (int(play.slots[place]) + 1) % modulus
    return trial(*play.rest())


@injects("forged_result", RoundBench)
def forged_result(bench: RoundBench, level: Level, rng: np.random.Generator) -> Outcome:
    """Finalise a result that a threshold of hospitals did not sign."""
    play = bench.play(rng).until("close")
    result, approve = play.result(), bench.book.approve
    signers = sorted(someone(bench, rng, bench.book.threshold), key=play.online.index)
    play.approvals = [approve(bench.ids[name], play.ticket, result) for name in signers]
    place = int(rng.integers(len(signers)))
    if level.name == "one too few":
        del play.approvals[place]
    elif level.name == "one of another result":
        other = Result(result.aggregate, sha("other model"), result.uploads, result.epsilon, result.checks)
        play.approvals[place] = approve(bench.ids[signers[place]], play.ticket, other)
    elif level.name == "one by a stranger":
        forged = approve(bench.stranger, play.ticket, result)
        play.approvals[place] = replace(forged, hospital=signers[place])
    else:
        play.closer = bench.stranger
    return trial(*play.rest())
