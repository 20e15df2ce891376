"""Injections by hospitals, and by those who carry their messages: into commitments, uploads, shares and keys."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from bfl_stpc import stpc
from bfl_stpc.detection.catalogue import Level
from bfl_stpc.detection.injection import Outcome, injects, trial
from bfl_stpc.detection.rounds import HOSPITALS, RECORDS, SIZE, Play, RoundBench, sha
from bfl_stpc.ledger import Durations
from bfl_stpc.stpc.hazmat import bfv
from bfl_stpc.ticket import Ticket

HEAD = 148  # bytes before the first ciphertext
PHASE = 600  # seconds of a phase that somebody is to miss


def someone(bench: RoundBench, rng: np.random.Generator, count: int = 1) -> list[str]:
    """Return `count` hospitals at random."""
    return [str(name) for name in rng.choice(list(bench.ids), size=count, replace=False)]


def flip(data: bytes, rng: np.random.Generator, start: int = 0) -> bytes:
    """Return `data` with one random bit flipped, at byte `start` or later."""
    place = int(rng.integers(start, len(data)))
    return data[:place] + bytes([data[place] ^ 1 << int(rng.integers(8))]) + data[place + 1 :]


@injects("late_update", RoundBench)
def late_update(bench: RoundBench, level: Level, rng: np.random.Generator) -> Outcome:
    """Let one hospital commit `level.value` seconds after the deadline."""
    (late,) = someone(bench, rng)
    play = bench.play(rng, durations=Durations(commit=PHASE)).until("share")
    remaining = bench.book.round(play.ticket.round).deadline - bench.chain.now()
    bench.chain.advance(remaining + int(level.value) - 2)  # this block and the commit's come a second later each
    return trial(lambda: bench.book.commit(bench.ids[late], play.ticket, sha("late")))


@injects("other_round", RoundBench)
def other_round(bench: RoundBench, level: Level, rng: np.random.Generator) -> Outcome:
    """Use another round's session, or another round's or model's bytes under this round's commitment."""
    (cheat,) = someone(bench, rng)
    if level.name == "the session":
        return _session_of_another_round(bench, cheat, rng)
    earlier = bench.play(rng).until("commit")
    if level.name == "the bytes":
        play = bench.play(rng).until("commit")
        play.rewrite(cheat, earlier.uploads[cheat].payload)
        return trial(*play.rest())
    true = earlier.ticket
    ticket = Ticket(true.round, sha("another model"), true.chain_id, true.contract, true.members, true.threshold)
    fresh = {n: stpc.Party(n, bench.params, attest=bench.attest) for n in bench.ids}
    directory = stpc.set_up(list(fresh.values()), ticket, {n: p.identity for n, p in fresh.items()})
    key = bench.authority.public_key
    foreign = fresh[cheat].protect(earlier.updates[cheat], ticket, directory, key, records=RECORDS)
    earlier.rewrite(cheat, foreign.payload)
    return trial(*earlier.rest())


def _session_of_another_round(bench: RoundBench, cheat: str, rng: np.random.Generator) -> Outcome:
    play = bench.play(rng, away=[cheat])
    bench.book.login(bench.ids[cheat], round=bench.book.next_round() - 1, model=sha("its model"))
    play.take("open")
    return trial(lambda: bench.book.commit(bench.ids[cheat], play.ticket, sha("update")))


@injects("swapped_update", RoundBench)
def swapped_update(bench: RoundBench, level: Level, rng: np.random.Generator) -> Outcome:
    """Exchange the payloads of `level.value` pairs after they were revealed."""
    play = bench.play(rng).until("add")
    names = someone(bench, rng, 2 * int(level.value))
    for one, other in zip(names[::2], names[1::2]):
        mine, theirs = play.uploads[one].payload, play.uploads[other].payload
        play.rewrite(one, theirs)
        play.rewrite(other, mine)
    return trial(*play.rest())


@injects("replayed_update", RoundBench)
def replayed_update(bench: RoundBench, level: Level, rng: np.random.Generator) -> Outcome:
    """Deliver an upload twice, commit twice, or copy another hospital's commitment."""
    cheat, other = someone(bench, rng, 2)
    if level.name == "delivered twice":
        play = bench.play(rng).until("add")
        twice = [*play.uploads.values(), play.uploads[cheat]]
        return trial(lambda: bench.aggregator.add(twice, play.ticket, bench.attest(play.ticket).uploads))
    play = bench.play(rng, away=[cheat]).until("commit")
    bench.book.login(bench.ids[cheat], round=play.ticket.round, model=play.ticket.model)
    if level.name == "committed twice":
        bench.book.commit(bench.ids[cheat], play.ticket, sha("one update"))
        return trial(lambda: bench.book.commit(bench.ids[cheat], play.ticket, sha("another")))
    play.take("commit")
    manager, digest = bench.book.rounds.contract, play.uploads[other].digest
    copied = bench.book.rounds.contract.ask("upload", play.ticket.round, bench.book.registry.place(other))[0]
    salt = bench.ids[other].salt(play.ticket.context() + digest)  # public once `other` has revealed
    return trial(
        lambda: manager.send(bench.ids[cheat], "commit", play.ticket.round, copied),
        lambda: manager.send(bench.ids[cheat], "reveal", play.ticket.round, digest, salt),
    )


@injects("malformed_update", RoundBench)
def malformed_update(bench: RoundBench, level: Level, rng: np.random.Generator) -> Outcome:
    """Let a hospital commit to, reveal and deliver bytes that are no update."""
    (cheat,) = someone(bench, rng)
    play = bench.play(rng).until("commit")
    payload = play.uploads[cheat].payload
    if level.name == "one bit wrong":
        payload = flip(payload, rng, HEAD)
    elif level.name == "cut short":
        payload = payload[: int(rng.integers(len(payload)))]
    elif level.name == "too long":
        payload += rng.bytes(int(rng.integers(1, 1000)))
    elif level.name == "other parameters":
        params = stpc.Parameters(hospitals=HOSPITALS, bits=17)
        authority = stpc.KeyAuthority(params, attest=bench.attest)
        payload = _shell(play, _noise(params, rng), authority.public_key, params)
    else:
        payload = _shell(play, _noise(bench.params, rng), bench.authority.public_key, bench.params)
    play.rewrite(cheat, payload)
    return trial(*play.rest())


def _noise(params: stpc.Parameters, rng: np.random.Generator) -> np.ndarray:
    return rng.integers(0, params.modulus, size=params.slots(SIZE), dtype=np.uint64)


def _shell(play: Play, slots: np.ndarray, key: stpc.PublicKey, params: stpc.Parameters) -> bytes:
    peers = bfv.peers_digest(play.online)
    blocks = bfv.encrypt([slots], key, params)
    return bfv.write(blocks, size=SIZE, round_context=play.ticket.context(), peers=peers, key=key, params=params)


@injects("commitment_mismatch", RoundBench)
def commitment_mismatch(bench: RoundBench, level: Level, rng: np.random.Generator) -> Outcome:
    """Let a hospital reveal another digest than it committed to, or deliver other bytes than it revealed."""
    (cheat,) = someone(bench, rng)
    play = bench.play(rng).until("reveal" if level.name == "another digest revealed" else "add")
    play.rewrite(cheat, flip(play.uploads[cheat].payload, rng))
    return trial(*play.rest())


@injects("false_check", RoundBench)
def false_check(bench: RoundBench, level: Level, rng: np.random.Generator) -> Outcome:
    """Let a hospital post a check value that is not that of its upload."""
    (cheat,) = someone(bench, rng)
    play, modulus = bench.play(rng).until("post"), bench.params.modulus
    first, *others = play.tags[cheat]
    if level.name == "none":
        del play.tags[cheat]
    elif level.name == "off by one":
        play.tags[cheat] = ((first + 1) % modulus, *others)
    elif level.name == "at random":
        play.tags[cheat] = tuple(int(value) for value in rng.integers(0, modulus, size=1 + len(others)))
    else:
        play.tags[cheat] = (modulus + int(rng.integers(1000)), *others)
    return trial(*play.rest())


@injects("forged_share", RoundBench)
def forged_share(bench: RoundBench, level: Level, rng: np.random.Generator) -> Outcome:
    """Let `level.value` hospitals answer the unmasking with shares that they made up."""
    play = bench.play(rng).until("unmask")
    cheats = someone(bench, rng, int(level.value))
    for place, answer in enumerate(play.answers):
        if answer.hospital in cheats:
            forged = {name: rng.bytes(len(share)) for name, share in answer.seeds.items()}
            play.answers[place] = replace(answer, seeds=forged)
    return trial(*play.rest())


@injects("forged_advert", RoundBench)
def forged_advert(bench: RoundBench, level: Level, rng: np.random.Generator) -> Outcome:
    """Put other keys than a hospital's own into the directory."""
    (victim,) = someone(bench, rng)
    before = bench.play(rng).until("share")
    if level.name == "another round's keys":
        stale = bench.parties[victim].advertise(before.ticket)
        play = bench.play(rng).until("share")
    else:
        play, stale = before, None
    play.adverts = [bench.parties[name].advertise(play.ticket) for name in play.online]
    place = play.online.index(victim)
    router = stpc.Party(victim, bench.params, attest=bench.attest).advertise(play.ticket)
    if level.name == "own keys, stolen signature":
        router = replace(router, signature=play.adverts[place].signature)
    play.adverts[place] = stale or router
    return trial(*play.rest())
