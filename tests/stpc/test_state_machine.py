"""Any order of messages, drops, duplicates and delays gives the survivors' exact sum or a named error."""

import dataclasses

import numpy as np
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from bfl_stpc import stpc
from bfl_stpc.errors import StpcError
from bfl_stpc.stpc.hazmat import fixed_point
from bfl_stpc.ticket import Ticket

HOSPITALS, THRESHOLD, SIZE = 4, 3, 3
PARAMS = stpc.Parameters(hospitals=HOSPITALS, bits=16)
who = st.integers(0, HOSPITALS - 1)


class Protocol(RuleBasedStateMachine):
    """Rules send real messages in any order; `refused` counts named errors, anything else fails the run."""

    outcomes: dict[str, int]

    @initialize()
    def start(self):
        self.board = stpc.Bulletin()
        self.authority = stpc.KeyAuthority(PARAMS, attest=self.board.read)
        self.aggregator = stpc.Aggregator(PARAMS, self.authority.public_key)
        self.names = tuple("ABCD")
        self.parties = [stpc.Party(n, PARAMS, attest=self.board.read) for n in self.names]
        self.identities = {p.name: p.identity for p in self.parties}
        self.tickets = [Ticket(r, b"m" * 32, 1, b"c" * 20, self.names, THRESHOLD) for r in (1, 2)]
        self.updates = np.random.default_rng(0).uniform(-1, 1, (HOSPITALS, SIZE))
        self.adverts, self.boxes, self.uploads, self.answers = [], [], [], []
        self.directory = self.aggregate = self.request = self.slots = None
        self.totals = []

    def attempt(self, action):
        try:
            result = action()
        except StpcError as error:
            self.outcomes[type(error).__name__] = self.outcomes.get(type(error).__name__, 0) + 1
            return None
        return result

    @rule(i=who, round_=st.sampled_from([0, 0, 0, 1]))
    def advertise(self, i, round_):
        if advert := self.attempt(lambda: self.parties[i].advertise(self.tickets[round_])):
            self.adverts.append(advert)

    @precondition(lambda self: self.adverts)
    @rule(data=st.data(), keep=st.integers(1, 5))
    def collect(self, data, keep):
        chosen = data.draw(st.lists(st.sampled_from(self.adverts), max_size=keep, unique_by=id))
        if (d := self.attempt(lambda: stpc.Directory.verify(chosen, self.tickets[0], self.identities))) and (
            self.directory is None
        ):
            self.directory = d

    @precondition(lambda self: self.directory)
    @rule(i=who)
    def share(self, i):
        self.boxes += self.attempt(lambda: self.parties[i].share(self.directory, self.identities)) or []

    @precondition(lambda self: self.boxes)
    @rule(i=who, lose=st.sets(who, max_size=2), twice=st.booleans())
    def deliver(self, i, lose, twice):
        mine = [b for b in self.boxes if b.recipient == self.names[i] and self.names.index(b.sender) not in lose]
        self.attempt(lambda: self.parties[i].receive(mine + mine[:1] * twice))

    @precondition(lambda self: self.directory)
    @rule(i=who, commit=st.booleans())
    def upload(self, i, commit):
        party = self.parties[i]
        upload = self.attempt(
            lambda: party.protect(
                self.updates[i], self.tickets[0], self.directory, self.authority.public_key, records=i + 1
            )
        )
        if upload:
            self.uploads.append(upload)
            if commit:
                self.attempt(lambda: self.board.commit(self.tickets[0], party.name, upload.digest))

    @precondition(lambda self: self.uploads)
    @rule(data=st.data(), publish=st.booleans(), honest=st.booleans())
    def add(self, data, publish, honest):
        committed = self.board.read(self.tickets[0]).uploads
        arrived = [u for u in self.uploads if u.hospital in committed]
        chosen = arrived if honest else data.draw(st.lists(st.sampled_from(self.uploads), max_size=5))
        if aggregate := self.attempt(lambda: self.aggregator.add(chosen, self.tickets[0], committed)):
            self.aggregate = aggregate
            if publish:
                self.attempt(lambda: self.board.publish(self.tickets[0], aggregate.digest))

    @precondition(lambda self: self.aggregate)
    @rule(lost=st.sets(who, max_size=1))
    def ask(self, lost):
        shared = [b.sender for b in self.boxes if self.names.index(b.sender) not in lost]
        self.request = self.aggregator.unmask_request(self.aggregate, self.tickets[0], shared=shared)

    @precondition(lambda self: self.request)
    @rule(i=who, flip=st.booleans())
    def answer(self, i, flip):
        request = self.request
        if flip:
            request = dataclasses.replace(request, survivors=request.dropped, dropped=request.survivors)
        if answer := self.attempt(lambda: self.parties[i].unmask(request)):
            self.answers.append(answer)

    @precondition(lambda self: self.aggregate)
    @rule()
    def decrypt(self):
        slots = self.attempt(lambda: self.authority.open(self.aggregate, self.tickets[0]))
        self.slots = self.slots if slots is None else slots

    @precondition(lambda self: self.request and self.slots is not None)
    @rule(data=st.data(), forge=st.booleans(), repeat=st.booleans())
    def open(self, data, forge, repeat):
        answers = list(self.answers) + self.answers[:1] * repeat
        if forge and answers:
            answers[0] = dataclasses.replace(answers[0], seeds=dict.fromkeys(answers[0].seeds, b"\x00" * 33))
        total = self.attempt(
            lambda: self.aggregator.unmask(self.aggregate, self.request, self.directory, self.slots, answers)
        )
        if total:
            self.totals.append(total)

    @rule()
    def play_on(self):
        """Let an honest scheduler finish whatever is left: makes complete rounds common."""
        for i in range(HOSPITALS):
            if self.parties[i]._round is None:
                self.advertise(i, 0)
        if self.directory is None:
            latest = {a.hospital: a for a in self.adverts}
            self.directory = self.attempt(
                lambda: stpc.Directory.verify(latest.values(), self.tickets[0], self.identities)
            )
        if self.directory is None:
            return
        for i in range(HOSPITALS):
            self.share(i)
        for i in range(HOSPITALS):
            self.deliver(i, set(), False)
        for i in range(HOSPITALS):
            self.upload(i, True)
        self.attempt(lambda: self.board_add())
        if self.aggregate:
            self.ask(set())
            self.decrypt()
            for i in range(HOSPITALS):
                self.answer(i, False)

    def board_add(self):
        committed = self.board.read(self.tickets[0]).uploads
        arrived = [u for u in self.uploads if u.hospital in committed]
        self.aggregate = self.aggregator.add(arrived, self.tickets[0], committed)
        self.board.publish(self.tickets[0], self.aggregate.digest)

    @invariant()
    def never_a_wrong_sum(self):
        while getattr(self, "totals", None):
            total = self.totals.pop()
            inside = [self.names.index(n) for n in total.survivors]
            assert len(inside) >= THRESHOLD
            fields = sum(fixed_point.quantise(self.updates[i], PARAMS).astype(np.int64) for i in inside)
            assert np.array_equal(total.sum, (fields - len(inside) * PARAMS.levels) * PARAMS.step)
            assert total.records == sum(i + 1 for i in inside)
            self.outcomes["opened"] = self.outcomes.get("opened", 0) + 1


@pytest.mark.slow
def test_any_order_gives_the_exact_sum_or_a_named_error():
    Protocol.outcomes = {}
    run_state_machine_as_test(
        Protocol,
        settings=settings(
            max_examples=150,
            stateful_step_count=25,
            deadline=None,
            derandomize=True,
            database=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
    assert Protocol.outcomes.get("opened", 0) >= 20  # the walk reaches the end often enough to mean something
    assert len(Protocol.outcomes) >= 6  # and meets many kinds of refusal
