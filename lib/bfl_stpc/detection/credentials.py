"""Injections of credentials: forged, used again, too late, for elsewhere, withdrawn, stolen."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from bfl_stpc import stpc
from bfl_stpc.detection.access import AccessBench
from bfl_stpc.detection.catalogue import Level
from bfl_stpc.detection.injection import Outcome, injects, trial
from bfl_stpc.detection.rounds import RoundBench, sha
from bfl_stpc.detection.updates import flip, someone
from bfl_stpc.ledger import Action, Identity, Purpose

ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141  # of the group of secp256k1


@injects("forged_login", AccessBench)
def forged_login(bench: AccessBench, level: Level, rng: np.random.Generator) -> Outcome:
    """Answer a hospital's challenge without its key."""
    victim, other = bench.someone(rng, 2)
    challenge = bench.challenge(victim)
    signature = challenge.sign(victim)
    if level.name == "one bit flipped":
        signature = flip(signature, rng)
    elif level.name == "cut short":
        signature = signature[: int(rng.integers(65))]
    elif level.name == "upper half of s":
        high = (ORDER - int.from_bytes(signature[32:64], "big")).to_bytes(32, "big")
        signature = signature[:32] + high + bytes([signature[64] ^ 7])  # 27 and 28 change places
    elif level.name == "by another hospital":
        signature = challenge.sign(other)
    else:
        challenge = bench.challenge(bench.stranger)
        signature = challenge.sign(bench.stranger)
    return trial(lambda: bench.registry.answer(bench.stranger, challenge, signature))


@injects("replayed_login", AccessBench)
def replayed_login(bench: AccessBench, level: Level, rng: np.random.Generator) -> Outcome:
    """Bring a signed challenge a second time, `level.value` seconds after the first."""
    (victim,) = bench.someone(rng)
    challenge = bench.challenge(victim)
    signature = challenge.sign(victim)
    bench.registry.answer(victim, challenge, signature)
    if level.value:
        bench.chain.advance(int(level.value))
    return trial(lambda: bench.registry.answer(bench.stranger, challenge, signature))


@injects("expired_login", AccessBench)
def expired_login(bench: AccessBench, level: Level, rng: np.random.Generator) -> Outcome:
    """Bring a signed challenge `level.value` seconds after its expiry."""
    (victim,) = bench.someone(rng)
    challenge = bench.challenge(victim)
    signature = challenge.sign(victim)
    bench.chain.advance(challenge.expiry - bench.chain.now() + int(level.value) - 2)  # two blocks, a second each
    return trial(lambda: bench.registry.answer(bench.stranger, challenge, signature))


@injects("foreign_login", AccessBench)
def foreign_login(bench: AccessBench, level: Level, rng: np.random.Generator) -> Outcome:
    """Bring a challenge that was signed for another chain or contract."""
    (victim,) = bench.someone(rng)
    here = bench.challenge(victim)
    if level.name == "another contract":
        elsewhere = replace(here, registry=bench.consents.contract.address)
    else:
        elsewhere = replace(here, chain_id=here.chain_id + 1 + int(rng.integers(1000)))
    brought = here if level.name.endswith("relabelled") else elsewhere
    return trial(lambda: bench.registry.answer(bench.stranger, brought, elsewhere.sign(victim)))


@injects("withdrawn_key", AccessBench)
def withdrawn_key(bench: AccessBench, level: Level, rng: np.random.Generator) -> Outcome:
    """Log in with a key that was rotated away, or whose hospital was suspended or revoked."""
    registry, admin, victim = bench.registry, bench.admin, bench.newcomer()
    if level.name == "rotated away":
        registry.rotate_key(victim, victim.name, Identity.derive(f"{victim.name} again", 1))
    elif level.name == "suspended":
        registry.suspend(admin, victim.name)
    else:
        registry.revoke(admin, victim.name)
    challenge = bench.challenge(victim)
    return trial(lambda: registry.answer(bench.stranger, challenge, challenge.sign(victim)))


@injects("stolen_key", RoundBench)
def stolen_key(bench: RoundBench, level: Level, rng: np.random.Generator) -> Outcome:
    """Act as a hospital with its own key, or keys."""
    (victim,) = someone(bench, rng)
    if level.name == "ledger key, to read a record":
        return _read_as(bench, bench.ids[victim], rng)
    if level.name == "both keys, owner takes part":
        play = bench.play(rng).until("commit")
        identity, own = bench.ids[victim], play.uploads[victim].digest
        bench.book.commit(identity, play.ticket, sha("the thief's update"))
        return trial(lambda: bench.book.commit(identity, play.ticket, own))
    play = bench.play(rng).until("share")  # the thief has logged in
    if level.name == "ledger key, owner away":
        thief = stpc.Party(victim, bench.params, attest=bench.attest)
        parties = bench.parties | {victim: thief}
        play.adverts = [parties[name].advertise(play.ticket) for name in play.online]
    return trial(*play.rest())  # with both keys, whatever the thief sends is the hospital's


def _read_as(bench: RoundBench, hospital: Identity, rng: np.random.Generator) -> Outcome:
    consents, record = bench.book.consents, rng.bytes(32)
    patient, custodian = Identity.derive("patient", 1), bench.ids[someone(bench, rng)[0]]
    consents.enrol(custodian, record, patient.address, rng.bytes(32))
    consents.grant(custodian, patient, record, hospital.name, Purpose.TREATMENT, Action.READ, seconds=3600)
    return trial(lambda: consents.request(hospital, record, Purpose.TREATMENT, Action.READ))
