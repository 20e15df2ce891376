"""Injections into rounds whose updates travel in the clear: PPFLB-style and FLBM-IoT-style."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping

import numpy as np

from bfl_stpc import federated
from bfl_stpc.baselines import flbm_iot, plain, ppflb
from bfl_stpc.baselines.door import Door, Injectors
from bfl_stpc.detection import Outcome, trial
from bfl_stpc.ledger import Approval, Identity, Ledger, Result
from bfl_stpc.seeds import generator
from bfl_stpc.ticket import Ticket

INPUTS, RECORDS, HOSPITALS = 6, 20, 4


def tables(hospitals: int = HOSPITALS) -> dict[str, federated.ClientData]:
    """Return small random records: what is inside does not matter to a check."""
    made = {}
    for k in range(hospitals):
        rng = generator("baseline trial", k)
        X = rng.normal(size=(RECORDS + k, INPUTS)).astype(np.float32)
        made[f"hospital-{k:02d}"] = federated.ClientData(X, (X[:, 0] > 0).astype(np.float32))
    return made


def door(members: Mapping[str, Identity]) -> Door:
    """Return the logins of `members` on a ledger of their own: newcomers would change whom a round needs."""
    book, ids = plain.found(list(members), 1, admin="door")
    return Door(book.registry, book.coordinator, list(ids.values()), book.rounds.contract)


class PlainRounds:
    """Rounds of one ledger: begun, tampered with, ended or aborted.

    Attributes:
        book, members: the ledger and who signs for it.
        size: parameters of a model.
        payloads: as they will be delivered, by member.
    """

    def __init__(self, book: Ledger, members: Mapping[str, Identity], size: int) -> None:
        self.book, self.members, self.size = book, dict(members), size
        self.weights = np.zeros(size, np.float32)
        self.payloads: dict[str, bytes] = {}
        self.ticket: Ticket | None = None

    def begin(self, rng: np.random.Generator, **forged: Callable[[bytes, Ticket], bytes]) -> Ticket:
        """Open a round, let everyone commit and reveal; `forged` rewrites a member's payload before it commits."""
        ticket = self.open()
        for name in self.members:
            update = rng.normal(size=self.size).astype(np.float32)
            payload = plain.encode(update, RECORDS, ticket)
            self.payloads[name] = forged[name](payload, ticket) if name in forged else payload
        for act in (self.book.commit, self.book.reveal):
            for name, payload in self.payloads.items():
                act(self.members[name], ticket, hashlib.sha256(payload).digest())
        return ticket

    def open(self, absent: str = "") -> Ticket:
        """Abort what is open, log everyone but `absent` in, and open the next round."""
        if self.ticket and self.book.round(self.ticket.round).phase not in ("finalised", "aborted"):
            self.book.abort_round(self.ticket, "next trial")
        number, model = self.book.next_round(), federated.digest(self.weights)
        for name, identity in self.members.items():
            if name != absent:
                self.book.login(identity, round=number, model=model)
        self.ticket = self.book.open_round(number, model=model)
        return self.ticket

    def collect(self, ticket: Ticket) -> plain.Read:
        """Return the delivered updates, as the aggregator and every member check them."""
        return plain.collect(self.book, ticket, self.payloads, self.size)

    def announce(self, ticket: Ticket, mean: np.ndarray) -> Callable[[], None]:
        """Return the step in which `mean` float64 (p,) is published and every member repeats it before it signs."""
        aggregate = mean.tobytes()
        digest = hashlib.sha256(aggregate).digest()
        after = federated.apply_update(self.weights, mean)
        result = Result(digest, federated.digest(after), len(self.members))

        def sign() -> None:
            self.book.publish_aggregate(ticket, digest)
            self.book.publish_opening(ticket, digest)
            approvals = []
            for name in self.members:
                own = plain.mean(self.collect(ticket)).tobytes()
                plain.agree(name, ticket, own == aggregate)
                approvals.append(self.book.approve(self.members[name], ticket, result))
            self.book.close_round(ticket, result, approvals)
            self.weights = after

        return sign

    def someone(self, rng: np.random.Generator, count: int = 1) -> list[str]:
        """Return `count` members at random."""
        return [str(name) for name in rng.choice(list(self.members), size=count, replace=False)]

    def injectors(self) -> Injectors:
        """Return what can be injected into a round, by kind of the catalogue."""
        return {
            "stolen_key": (["ledger key, owner away"], self.stolen_key),
            "other_round": (["the session", "the bytes", "the model"], self.other_round),
            "swapped_update": (["one pair", "two pairs"], self.swapped),
            "replayed_update": (["delivered twice", "committed twice"], self.replayed),
            # Any bits of the right length are numbers, so that "one bit wrong" would be another update.
            "malformed_update": (["cut short", "too long", "noise in a well-formed shell"], self.malformed),
            "commitment_mismatch": (["other bytes delivered", "another digest revealed"], self.mismatch),
            "lying_sum": (["one step in one parameter", "every parameter"], self.lying),
            "dropping": (["one, listed as present"], self.dropping),
            "double_counting": (["one upload", "two uploads"], self.doubled),
            "wrong_model": (["a ticket that matches", "the true ticket"], self.wrong_model),
            "forged_result": (["one too few", "one by a stranger"], self.forged_result),
            "tampered_model": (["one weight", "all of them"], self.tampered_model),
        }

    def stolen_key(self, level: str, rng: np.random.Generator) -> Outcome:
        """Let a thief with a member's key send an update of its own."""
        (victim,) = self.someone(rng)

        def another(_: bytes, ticket: Ticket) -> bytes:
            return plain.encode(rng.normal(size=self.size).astype(np.float32), RECORDS, ticket)

        ticket = self.begin(rng, **{victim: another})
        return trial(lambda: self.collect(ticket), self.announce(ticket, plain.mean(self.collect(ticket))))

    def other_round(self, level: str, rng: np.random.Generator) -> Outcome:
        """Use the session, or the bytes, of another round or model."""
        (cheat,) = self.someone(rng)
        if level == "the session":
            ticket = self.open(absent=cheat)
            self.book.login(self.members[cheat], round=ticket.round + 1, model=ticket.model)
            return trial(lambda: self.book.commit(self.members[cheat], ticket, rng.bytes(32)))
        if level == "the bytes":
            self.begin(rng)
            earlier = self.payloads[cheat]
            ticket = self.begin(rng, **{cheat: lambda *_: earlier})
            return trial(lambda: self.collect(ticket))

        def foreign(_: bytes, t: Ticket) -> bytes:
            other = Ticket(t.round, rng.bytes(32), t.chain_id, t.contract, t.members, t.threshold)
            return plain.encode(np.ones(self.size, np.float32), RECORDS, other)

        ticket = self.begin(rng, **{cheat: foreign})
        return trial(lambda: self.collect(ticket))

    def swapped(self, level: str, rng: np.random.Generator) -> Outcome:
        """Exchange the payloads of members after they were revealed."""
        ticket = self.begin(rng)
        names = self.someone(rng, 4 if level == "two pairs" else 2)
        for one, other in zip(names[::2], names[1::2]):
            self.payloads[one], self.payloads[other] = self.payloads[other], self.payloads[one]
        return trial(lambda: self.collect(ticket))

    def replayed(self, level: str, rng: np.random.Generator) -> Outcome:
        """Deliver a copy of another's payload as one's own, or commit twice."""
        cheat, other = self.someone(rng, 2)
        if level == "committed twice":
            ticket = self.open()
            self.book.commit(self.members[cheat], ticket, rng.bytes(32))
            return trial(lambda: self.book.commit(self.members[cheat], ticket, rng.bytes(32)))
        ticket = self.begin(rng)
        self.payloads[cheat] = self.payloads[other]
        return trial(lambda: self.collect(ticket))

    def malformed(self, level: str, rng: np.random.Generator) -> Outcome:
        """Commit to bytes that are no update, and deliver them."""
        (cheat,) = self.someone(rng)

        def wrong(payload: bytes, ticket: Ticket) -> bytes:
            if level == "noise in a well-formed shell":
                return plain.encode((1e3 * rng.normal(size=self.size)).astype(np.float32), RECORDS, ticket)
            return payload[:-5] if level == "cut short" else payload + b"\0"

        ticket = self.begin(rng, **{cheat: wrong})
        return trial(lambda: self.announce(ticket, plain.mean(self.collect(ticket)))())

    def mismatch(self, level: str, rng: np.random.Generator) -> Outcome:
        """Commit to one update, and deliver or reveal another."""
        (cheat,) = self.someone(rng)
        if level == "other bytes delivered":
            ticket = self.begin(rng)
            self.payloads[cheat] = plain.encode(np.ones(self.size, np.float32), RECORDS, ticket)
            return trial(lambda: self.collect(ticket))
        ticket, true, other = self.open(), rng.bytes(32), rng.bytes(32)
        for identity in self.members.values():
            self.book.commit(identity, ticket, true)
        return trial(lambda: self.book.reveal(self.members[cheat], ticket, other))

    def lying(self, level: str, rng: np.random.Generator) -> Outcome:
        """Publish another mean than that of the updates."""
        ticket = self.begin(rng)
        mean = plain.mean(self.collect(ticket))
        if level == "every parameter":
            mean = mean + 1e-6
        else:
            place = int(rng.integers(self.size))
            mean[place] = np.nextafter(mean[place], np.inf)
        return trial(self.announce(ticket, mean))

    def dropping(self, level: str, rng: np.random.Generator) -> Outcome:
        """Publish the mean without one update, as if it were there."""
        ticket = self.begin(rng)
        (left_out,) = self.someone(rng)
        read = {name: entry for name, entry in self.collect(ticket).items() if name != left_out}
        return trial(self.announce(ticket, plain.mean(read)))

    def doubled(self, level: str, rng: np.random.Generator) -> Outcome:
        """Publish a mean in which updates count twice."""
        ticket = self.begin(rng)
        twice = self.someone(rng, 2 if level == "two uploads" else 1)
        read = {n: (u, 2 * work if n in twice else work) for n, (u, work) in self.collect(ticket).items()}
        return trial(self.announce(ticket, plain.mean(read)))

    def wrong_model(self, level: str, rng: np.random.Generator) -> Outcome:
        """Give one member another global model, with a challenge for it or with the true one."""
        (victim,) = self.someone(rng)
        own = federated.digest(self.weights + np.float32(1))
        ticket = self.open(absent=victim)
        if level == "a ticket that matches":  # the member logs in for the model that it was given
            self.book.login(self.members[victim], round=ticket.round, model=own)
            return trial(lambda: self.book.commit(self.members[victim], ticket, rng.bytes(32)))
        return trial(lambda: plain.agree(victim, ticket, own == ticket.model))

    def forged_result(self, level: str, rng: np.random.Generator) -> Outcome:
        """Finalise without the members' consent."""
        ticket = self.begin(rng)
        digest = hashlib.sha256(rng.bytes(32)).digest()
        self.book.publish_aggregate(ticket, digest)
        self.book.publish_opening(ticket, digest)
        result = Result(digest, digest, len(self.members))
        few = list(self.members)[: ticket.threshold - 1]
        approvals = [self.book.approve(self.members[name], ticket, result) for name in few]
        if level == "one by a stranger":
            stranger = self.book.approve(Identity.derive("stranger", 1), ticket, result)
            last = [name for name in self.members if name not in few][-1]
            approvals.append(Approval(last, stranger.signature))
        return trial(lambda: self.book.close_round(ticket, result, approvals))

    def tampered_model(self, level: str, rng: np.random.Generator) -> Outcome:
        """Change the published weights between two rounds."""
        ticket = self.begin(rng)
        self.announce(ticket, plain.mean(self.collect(ticket)))()
        place = slice(None) if level == "all of them" else int(rng.integers(self.size))
        altered = self.weights.copy()
        altered[place] = np.nextafter(altered[place], np.float32(np.inf))
        number = self.book.next_round()
        return trial(lambda: self.book.open_round(number, model=federated.digest(altered)))

    def honest(self, rng: np.random.Generator) -> Outcome:
        """Run a round without an attack: what it reports is a false alarm."""
        ticket = self.begin(rng)
        return trial(self.announce(ticket, plain.mean(self.collect(ticket))))


class StoredRounds(PlainRounds):
    """PPFLB-style rounds: payloads lie in the content store, under the digests that the chain holds."""

    def __init__(self) -> None:
        settings = ppflb.Settings(rounds=4)
        self.consortium = ppflb.Consortium(tables(), settings, seed=1)
        super().__init__(self.consortium.ledger, self.consortium.members, self.consortium.spec.size)

    def collect(self, ticket: Ticket) -> plain.Read:
        """Return the updates that the store has under the digests on chain."""
        revealed = self.book.revealed(ticket)
        blocks = {ppflb.identifier(revealed[name]): payload for name, payload in self.payloads.items()}
        self.consortium.store.blocks = blocks  # whoever delivers, delivers into the store
        return self.consortium.read(ticket)

    def injectors(self) -> Injectors:
        """Return the injections of a round and of a login."""
        return dict(door(self.members).injectors()) | dict(super().injectors())


class ClusterRounds(PlainRounds):
    """FLBM-IoT-style rounds: those of one cluster, and the exchange between clusters."""

    def __init__(self) -> None:
        settings = flbm_iot.Settings(clusters=2, rounds=2, inner=1)
        self.federation = flbm_iot.Federation(tables(2 * HOSPITALS), settings, seed=1)
        cluster = self.federation.clusters[0]
        super().__init__(cluster.ledger, cluster.members, self.federation.spec.size)

    def injectors(self) -> Injectors:
        """Return the injections of a round, of a login, and of a cluster that lies to the others."""
        own = {"equivocating": (["two sums to the ledger", "two lists to the hospitals"], self.equivocating)}
        return dict(door(self.members).injectors()) | dict(super().injectors()) | own

    def equivocating(self, level: str, rng: np.random.Generator) -> Outcome:
        """Publish two aggregates, or send other clusters another model than the one on the own ledger."""
        ticket = self.begin(rng)
        first, second = (rng.normal(size=self.size).astype("<f4").tobytes() for _ in range(2))
        self.book.publish_aggregate(ticket, hashlib.sha256(first).digest())
        if level == "two sums to the ledger":
            return trial(lambda: self.book.publish_aggregate(ticket, hashlib.sha256(second).digest()))
        cluster = self.federation.clusters[0]
        return trial(lambda: cluster.verify(cluster.message(ticket.round, second)))
