"""Faults without a culprit: silence, lateness, lost memory and flipped bits."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from bfl_stpc import stpc
from bfl_stpc.detection.catalogue import Level
from bfl_stpc.detection.injection import Outcome, injects, trial
from bfl_stpc.detection.rounds import Play, RoundBench, sha
from bfl_stpc.detection.updates import PHASE, flip, someone
from bfl_stpc.ledger import Durations


@injects("dropout", RoundBench)
def dropout(bench: RoundBench, level: Level, rng: np.random.Generator) -> Outcome:
    """Let hospitals fall silent in the middle of a round."""
    silent = someone(bench, rng, 3)
    at = {
        "one before it commits": "commit",
        "one after committing": "reveal",
        "one after revealing": "add",
        "too many before the opening": "answer",
    }[level.name]
    play = bench.play(rng).until(at)
    gone = silent if at == "answer" else silent[:1]
    play.online = [name for name in play.online if name not in gone]
    if at != "commit":  # what it would have sent does not arrive
        play.uploads = {name: play.uploads[name] for name in play.online}
    return trial(*play.rest())


@injects("straggler", RoundBench)
def straggler(bench: RoundBench, level: Level, rng: np.random.Generator) -> Outcome:
    """Let one hospital take its step once the round has gone on."""
    (slow,) = someone(bench, rng)
    identity, book = bench.ids[slow], bench.book
    if level.name == "checks after the deadline":
        play = bench.play(rng, durations=Durations(aggregate=PHASE)).until("post")
        bench.chain.advance(PHASE)
        return trial(lambda: book.post_check(identity, play.ticket, play.tags[slow]))
    if level.name == "commits after the closing":
        play = bench.play(rng, away=[slow]).until("commit")
        play.take("commit")
        book.login(identity, round=play.ticket.round, model=play.ticket.model)
        book.close_commits(play.ticket)
        return trial(lambda: book.commit(identity, play.ticket, sha("slow")))
    play = bench.play(rng).until("reveal")
    play.online.remove(slow)
    play.take("reveal")
    book.close_reveals(play.ticket)
    return trial(lambda: book.reveal(identity, play.ticket, play.uploads[slow].digest))


@injects("crash", RoundBench)
def crash(bench: RoundBench, level: Level, rng: np.random.Generator) -> Outcome:
    """Let a role lose its memory or its process after the uploads were revealed."""
    (lost,) = someone(bench, rng)
    play = bench.play(rng).until("publish")
    if level.name == "a hospital":
        return _with_another(bench, "parties", bench.parties | {lost: _reborn(bench, lost)}, play)
    if level.name == "the key authority":
        return _with_another(bench, "authority", stpc.KeyAuthority(bench.params, attest=bench.attest), play)
    model = play.ticket.model
    return trial(lambda: bench.book.open_round(play.ticket.round + 1, model=model))  # by whoever takes its place


def _reborn(bench: RoundBench, name: str) -> stpc.Party:
    return stpc.Party(name, bench.params, attest=bench.attest, signing_key=bench.parties[name]._signing_key)


def _with_another(bench: RoundBench, role: str, other: object, play: Play) -> Outcome:
    whole = getattr(bench, role)
    setattr(bench, role, other)
    try:
        return trial(*play.rest())
    finally:
        setattr(bench, role, whole)


@injects("corrupted_message", RoundBench)
def corrupted_message(bench: RoundBench, level: Level, rng: np.random.Generator) -> Outcome:
    """Flip one bit of a message on its way."""
    (sender, reader) = someone(bench, rng, 2)
    if level.name == "an advert":
        play = bench.play(rng).until("share")
        play.adverts = [bench.parties[name].advertise(play.ticket) for name in play.online]
        place = play.online.index(sender)
        advert = play.adverts[place]
        if rng.integers(2):
            play.adverts[place] = replace(advert, mask_key=flip(advert.mask_key, rng))
        else:
            play.adverts[place] = replace(advert, signature=flip(advert.signature, rng))
        return trial(*play.rest())
    if level.name == "sealed shares":
        play = bench.play(rng).until("share")
        parties, ids = [bench.parties[name] for name in play.online], bench.identities
        adverts = [party.advertise(play.ticket) for party in parties]
        directory = stpc.Directory.verify(adverts, play.ticket, ids)
        boxes = [box for p in parties for box in p.share(directory, ids) if box.recipient == reader]
        hurt = [replace(b, box=flip(b.box, rng)) if b.sender == sender else b for b in boxes]
        return trial(lambda: bench.parties[reader].receive(hurt))
    play = bench.play(rng).until("add" if level.name == "an upload" else "decrypt")
    if level.name == "an upload":
        play.rewrite(sender, flip(play.uploads[sender].payload, rng))
    else:
        play.aggregate = replace(play.aggregate, payload=flip(play.aggregate.payload, rng))
    return trial(*play.rest())
