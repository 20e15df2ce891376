"""Injections into systems that collect records: FEACS-style and EJSS-style."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from bfl_stpc.baselines import ejss, feacs
from bfl_stpc.baselines.cohort import Records
from bfl_stpc.baselines.door import Door, Injectors
from bfl_stpc.detection import Outcome, trial
from bfl_stpc.detection.updates import flip
from bfl_stpc.ledger import Action, Identity, Purpose
from bfl_stpc.ledger.audit import Reviewer
from bfl_stpc.seeds import generator

HOSPITALS, RECORDS, VALUES = 4, 6, 10


def records() -> dict[str, Records]:
    """Return small random records: what is inside does not matter to a check."""
    made = {}
    for k in range(HOSPITALS):
        rng = generator("baseline trial records", k)
        y = (rng.random(RECORDS) > 0.5).astype(np.float32)
        made[f"hospital-{k:02d}"] = Records(rng.normal(size=(RECORDS, VALUES)).astype(np.float32), y)
    return made


class SealedStore:
    """FEACS-style: the server's logins, its decisions, and what it stores; set up anew for each trial."""

    def injectors(self) -> Injectors:
        """Return what can be injected, by kind of the catalogue."""
        return {
            "forged_login": (["one bit flipped", "cut short", "by another hospital", "by an unknown key"], self.forged),
            "replayed_login": (["at once", "a minute later", "four minutes later"], self.replayed),
            "expired_login": (["one second late", "an hour late", "a day late"], self.expired),
            "foreign_login": (["another contract"], self.foreign),
            "withdrawn_key": (["revoked"], self.withdrawn),
            "stolen_key": (["ledger key, to read a record"], self.stolen),
            "no_consent": (["no consent at all"], self.no_right),
            "after_revocation": (["revoked"], self.after_revocation),
            "beyond_purpose": (["another purpose"], self.beyond_purpose),
            "kept_copy": (["one record", "three records"], self.kept_copy),
            "past_the_ledger": (["one record", "three records"], self.past_the_decision),
            "tampered_record": (["one bit", "another record's", "deleted"], self.tampered_record),
            "tampered_trail": (["one field", "an entry removed"], self.tampered_log),
        }

    def fresh(self) -> feacs.Deployment:
        """Return a filled deployment."""
        return feacs.Deployment.fill(records())

    def forged(self, level: str, rng: np.random.Generator) -> Outcome:
        """Answer a user's challenge without its key."""
        made = self.fresh()
        victim, other = made.hospitals["hospital-00"], made.hospitals["hospital-01"]
        challenge = made.service.challenge(victim.name)
        signature, name = victim.sign(challenge), victim.name
        if level == "one bit flipped":
            signature = flip(signature, rng)
        elif level == "cut short":
            signature = signature[: int(rng.integers(64))]
        elif level == "by another hospital":
            signature = other.sign(challenge)
        else:
            stranger = feacs.User("stranger")
            name, signature = stranger.name, stranger.sign(challenge)
        return trial(lambda: made.service.login(name, challenge, signature))

    def replayed(self, level: str, rng: np.random.Generator) -> Outcome:
        """Bring a signed challenge a second time."""
        made = self.fresh()
        challenge = made.service.challenge("trainer")
        signature = made.trainer.sign(challenge)
        made.service.login("trainer", challenge, signature)
        made.service.now += {"at once": 0, "a minute later": 60, "four minutes later": 240}[level]
        return trial(lambda: made.service.login("trainer", challenge, signature))

    def expired(self, level: str, rng: np.random.Generator) -> Outcome:
        """Bring a signed challenge after its expiry."""
        made = self.fresh()
        challenge = made.service.challenge("trainer")
        late = {"one second late": 1, "an hour late": 3600, "a day late": 86400}[level]
        made.service.now += feacs.CHALLENGE_SECONDS + late
        return trial(lambda: made.service.login("trainer", challenge, made.trainer.sign(challenge)))

    def foreign(self, level: str, rng: np.random.Generator) -> Outcome:
        """Bring a challenge that another server gave."""
        made, elsewhere = self.fresh(), feacs.Service(feacs.Authority())
        challenge = elsewhere.challenge("trainer")
        return trial(lambda: made.service.login("trainer", challenge, made.trainer.sign(challenge)))

    def withdrawn(self, level: str, rng: np.random.Generator) -> Outcome:
        """Log in with a revoked key."""
        made = self.fresh()
        made.service.revoke(made.trainer)
        return trial(lambda: made.service.authenticate(made.trainer))

    def stolen(self, level: str, rng: np.random.Generator) -> Outcome:
        """Act with the trainer's own key and attribute keys."""
        made = self.fresh()
        return trial(made.collect)

    def no_right(self, level: str, rng: np.random.Generator) -> Outcome:
        """Ask as one hospital for another's record."""
        made = self.fresh()
        asker, number = made.hospitals["hospital-01"], made.numbers["hospital-00"][0]
        return trial(lambda: made.service.fetch(asker, [number], "treatment"))

    def after_revocation(self, level: str, rng: np.random.Generator) -> Outcome:
        """Ask again once revoked."""
        made = self.fresh()
        made.service.authenticate(made.trainer)
        made.service.revoke(made.trainer)
        return trial(lambda: made.service.fetch(made.trainer, [0], "research"))

    def beyond_purpose(self, level: str, rng: np.random.Generator) -> Outcome:
        """Ask for one's own patient's record, but for research."""
        made = self.fresh()
        asker, number = made.hospitals["hospital-00"], made.numbers["hospital-00"][0]
        return trial(lambda: made.service.fetch(asker, [number], "research"))

    def kept_copy(self, level: str, rng: np.random.Generator) -> Outcome:
        """Keep ciphertexts and attribute keys, and open them once revoked."""
        made = self.fresh()
        numbers = made.numbers["hospital-00"][: 3 if level == "three records" else 1]
        kept, keys = [made.service.records[n] for n in numbers], dict(made.trainer.held)
        made.service.revoke(made.trainer)
        return trial(lambda: [feacs.unseal(s, n, keys, (0,)) for n, s in zip(numbers, kept)])

    def past_the_decision(self, level: str, rng: np.random.Generator) -> Outcome:
        """Open records as the attribute authority, without asking the server for a decision."""
        made = self.fresh()
        numbers = made.numbers["hospital-00"][: 3 if level == "three records" else 1]
        stored, keys = made.service.records, made.service.authority.keys
        return trial(lambda: [feacs.unseal(stored[n], n, keys, (0,)) for n in numbers])

    def tampered_record(self, level: str, rng: np.random.Generator) -> Outcome:
        """Change what is stored, and collect."""
        made = self.fresh()
        stored, number = made.service.records, int(rng.integers(RECORDS))
        if level == "one bit":
            stored[number] = replace(stored[number], content=flip(stored[number].content, rng))
        elif level == "deleted":
            del stored[number]
        else:
            stored[number] = stored[(number + 1) % RECORDS]
        return trial(made.collect)

    def tampered_log(self, level: str, rng: np.random.Generator) -> Outcome:
        """Change the server's own log after a refusal; then everything goes on, and nothing compares the log."""
        made = self.fresh()
        trial(lambda: made.service.fetch(made.hospitals["hospital-01"], [0], "treatment"))
        if level == "one field":
            made.service.log[-1] = replace(made.service.log[-1], permitted=True)
        else:
            made.service.log.pop()
        return trial(made.collect)

    def honest(self, rng: np.random.Generator) -> Outcome:
        """Collect all records as the rules allow."""
        return trial(self.fresh().collect)


class SharedStore:
    """EJSS-style: logins, requests to the nodes, shares, and the trail; set up anew for each trial."""

    def injectors(self) -> Injectors:
        """Return what can be injected, by kind of the catalogue."""
        made = ejss.Deployment(list(records()), seed=1)
        door = Door(made.registry, made.admin, list(made.hospitals.values()), made.trail.contract)
        return dict(door.injectors()) | {
            "stolen_key": (["ledger key, to read a record"], self.stolen),
            "no_consent": (["no consent at all"], self.no_right),
            "after_revocation": (["revoked"], self.after_revocation),
            "beyond_purpose": (["another purpose"], self.beyond_purpose),
            "kept_copy": (["one record", "three records"], self.kept_copy),
            "past_the_ledger": (["one record", "three records"], self.past_the_ledger),
            "tampered_record": (["one bit", "another record's", "deleted"], self.tampered_record),
            "forged_share": (["one hospital", "two hospitals"], self.forged_share),
            "tampered_trail": (
                ["one field", "an entry removed", "two entries exchanged", "the end cut off"],
                self.tampered_trail,
            ),
        }

    def fresh(self) -> ejss.Deployment:
        """Return a filled deployment."""
        return ejss.Deployment.fill(records(), seed=1)

    def stolen(self, level: str, rng: np.random.Generator) -> Outcome:
        """Act with the analyst's own key."""
        return trial(self.fresh().collect)

    def no_right(self, level: str, rng: np.random.Generator) -> Outcome:
        """Ask a node for shares as a registered hospital whose request no patient allowed: nobody asks patients."""
        made = self.fresh()
        made.analyst = made.hospitals["hospital-01"]
        return trial(made.collect)

    def after_revocation(self, level: str, rng: np.random.Generator) -> Outcome:
        """Collect again once revoked."""
        made = self.fresh()
        made.collect()
        made.registry.revoke(made.admin, made.analyst.name)
        return trial(lambda: made.nodes[1].release(made.analyst, 1, "hospital-00"))

    def beyond_purpose(self, level: str, rng: np.random.Generator) -> Outcome:
        """Report one request, and ask the nodes for another."""
        made = self.fresh()
        made.registry.login(made.analyst, round=1, model=ejss.REQUEST)
        note = ejss.evidence(1, "hospital-00")
        made.trail.report(made.analyst, bytes(32), Purpose.RESEARCH, Action.TRAIN, note)
        return trial(lambda: made.nodes[1].release(made.analyst, 1, "hospital-01"))

    def kept_copy(self, level: str, rng: np.random.Generator) -> Outcome:
        """Keep shares, and combine them once revoked."""
        made = self.fresh()
        kept = {n: made.nodes[n].shares["hospital-00"] for n in (1, 2, 3)}
        made.collect()
        made.registry.revoke(made.admin, made.analyst.name)
        count = 3 if level == "three records" else 1
        return trial(lambda: [ejss.combine({n: kept[n][k] for n in kept}, 44) for k in range(count)])

    def past_the_ledger(self, level: str, rng: np.random.Generator) -> Outcome:
        """Let a threshold of nodes combine what they hold, without a request."""
        made = self.fresh()
        count = 3 if level == "three records" else 1
        held = {n: made.nodes[n].shares["hospital-00"] for n in (2, 4, 5)}
        return trial(lambda: [ejss.combine({n: held[n][k] for n in held}, 44) for k in range(count)])

    def tampered_record(self, level: str, rng: np.random.Generator) -> Outcome:
        """Change a share where it is kept, and collect."""
        made = self.fresh()
        shares, at = made.nodes[2].shares["hospital-00"], int(rng.integers(RECORDS))
        if level == "one bit":
            shares[at] = replace(shares[at], content=flip(shares[at].content, rng))
        elif level == "deleted":
            del shares[at]
        else:
            shares[at] = shares[(at + 1) % RECORDS]
        return trial(made.collect)

    def forged_share(self, level: str, rng: np.random.Generator) -> Outcome:
        """Let nodes answer with shares that they made up."""
        made = self.fresh()
        for number in (1, 3) if level == "two hospitals" else (1,):
            made.nodes[number].shares["hospital-00"][0] = ejss.share(rng.bytes(44))[number - 1]
        return trial(made.collect)

    def tampered_trail(self, level: str, rng: np.random.Generator) -> Outcome:
        """Alter an exported trail before its review."""
        made = self.fresh()
        entries, heads = made.trail.entries()
        at = int(rng.integers(len(entries) - 1))
        if level == "one field":
            entries[at] = replace(entries[at], actor=Identity.derive("stranger", 1).name)
        elif level == "an entry removed":
            del entries[at], heads[at]
        elif level == "two entries exchanged":
            entries[at], entries[at + 1] = entries[at + 1], entries[at]
        else:
            entries, heads = entries[:-1], heads[:-1]
        reviewer, anchor = Reviewer(), made.trail.anchor_point()
        return trial(lambda: reviewer.extend(entries, heads), lambda: reviewer.confirm(**anchor))

    def honest(self, rng: np.random.Generator) -> Outcome:
        """Collect all records as the rules allow."""
        return trial(self.fresh().collect)
