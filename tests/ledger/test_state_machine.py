"""Random histories of rounds and consents, against a small model of what should hold."""

import hypothesis.strategies as st
import pytest
from hypothesis import HealthCheck, settings
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from ledger.consortium import Consortium, sha

from bfl_stpc import errors, ledger
from bfl_stpc.ledger import Action, Purpose

HOSPITALS = st.integers(0, 3)
THRESHOLD = 3


class Rounds(RuleBasedStateMachine):
    """The model: phase, who committed, who revealed, who is active. The contracts must agree after every step."""

    @initialize()
    def deploy(self):
        self.team = Consortium(ledger.Chain.in_memory(), count=4, threshold=THRESHOLD)
        self.led, self.ticket, self.phase = self.team.led, None, "none"
        self.committed, self.revealed, self.revoked, self.heads = set(), set(), set(), [self.led.head_hash()]

    def attempt(self, should_pass, act):
        """Do it; it must pass exactly if the model says so, and a refusal must change nothing of the round."""
        before = self.led.round(self.ticket.round) if self.ticket else None
        try:
            act()
            passed = True
        except errors.ContractRefused:
            passed = False
            if before is not None:
                assert self.led.round(self.ticket.round) == before
        assert passed == should_pass
        return passed

    @precondition(lambda self: self.phase in ("none", "finalised", "aborted"))
    @rule()
    def open(self):
        number = self.led.next_round()
        active = [i for i in range(4) if i not in self.revoked]
        for i in active:
            self.led.login(self.team.hospital(i), round=number, model=self.team.model)
        self.members = set(active)
        enough = len(active) >= THRESHOLD
        self.ticket = None
        if self.attempt(enough, lambda: self.led.open_round(number, model=self.team.model)):
            self.ticket = self.led.ticket(number)
            self.phase, self.committed, self.revealed = "commit", set(), set()

    @precondition(lambda self: self.ticket)
    @rule(i=HOSPITALS)
    def commit(self, i):
        allowed = self.phase == "commit" and i in self.members - self.committed - self.revoked
        if self.attempt(allowed, lambda: self.led.commit(self.team.hospital(i), self.ticket, sha(str(i)))):
            self.committed.add(i)
            if len(self.committed) == len(self.members):
                self.phase = "reveal"

    @precondition(lambda self: self.ticket)
    @rule()
    def close_commits(self):
        allowed = self.phase == "commit" and len(self.committed) >= THRESHOLD
        if self.attempt(allowed, lambda: self.led.close_commits(self.ticket)):
            self.phase = "reveal"

    @precondition(lambda self: self.ticket)
    @rule(i=HOSPITALS, honest=st.booleans())
    def reveal(self, i, honest):
        allowed = self.phase == "reveal" and honest and i in self.committed - self.revealed - self.revoked
        digest = sha(str(i) if honest else "another")
        if self.attempt(allowed, lambda: self.led.reveal(self.team.hospital(i), self.ticket, digest)):
            self.revealed.add(i)
            if self.revealed == self.committed:
                self.phase = "aggregate"

    @precondition(lambda self: self.ticket)
    @rule()
    def close_reveals(self):
        allowed = self.phase == "reveal" and len(self.revealed) >= THRESHOLD
        if self.attempt(allowed, lambda: self.led.close_reveals(self.ticket)):
            self.phase = "aggregate"

    @precondition(lambda self: self.phase == "aggregate")
    @rule(signers=st.sets(HOSPITALS))
    def finalise(self, signers):
        if self.led.round(self.ticket.round).opened is None:
            self.team.publish(self.ticket)
        # the model may not move in this machine, so that later rounds can start from it
        result = ledger.Result(sha("sum"), self.team.model, len(self.revealed), 0.1)
        names = sorted(signers)
        approvals = [self.led.approve(self.team.hospital(i), self.ticket, result) for i in names]
        enough = len(signers) >= THRESHOLD
        valid = signers <= self.members - self.revoked
        members = [a for a in approvals if a.hospital in self.ticket.members]
        if len(members) < len(approvals):
            return  # refused before the chain is asked
        if self.attempt(enough and valid, lambda: self.led.close_round(self.ticket, result, approvals)):
            self.phase = "finalised"

    @precondition(lambda self: self.ticket)
    @rule()
    def abort(self):
        allowed = self.phase not in ("finalised", "aborted")
        if self.attempt(allowed, lambda: self.led.abort_round(self.ticket, "by the test")):
            self.phase = "aborted"

    @precondition(lambda self: self.ticket)
    @rule(i=HOSPITALS)
    def revoke(self, i):
        name = f"hospital-{i:02d}"
        if self.attempt(i not in self.revoked, lambda: self.led.registry.revoke(self.team.admin, name)):
            self.revoked.add(i)

    @precondition(lambda self: self.ticket)
    @rule(i=HOSPITALS)
    def paused_means_no_writes(self, i):
        for contract in (self.led.rounds.contract, self.led.registry.contract):
            contract.send(self.team.admin, "pause")
        self.attempt(False, lambda: self.led.commit(self.team.hospital(i), self.ticket, sha(str(i))))
        self.attempt(False, lambda: self.led.abort_round(self.ticket, "by the test"))
        for contract in (self.led.rounds.contract, self.led.registry.contract):
            contract.send(self.team.admin, "unpause")

    @invariant()
    def the_chain_agrees_with_the_model(self):
        if getattr(self, "ticket", None):
            state = self.led.round(self.ticket.round)
            assert state.phase == self.phase
            assert (state.commits, state.reveals) == (len(self.committed), len(self.revealed))
            assert self.revealed <= self.committed <= self.members


class Consent(RuleBasedStateMachine):
    """The model: a table of what is granted. Every decision must follow it, and every decision must be in the trail."""

    RECORDS = tuple(sha(f"record {i}") for i in range(2))

    @initialize()
    def deploy(self):
        self.team = Consortium(ledger.Chain.in_memory(), count=2, threshold=2)
        self.led, self.granted, self.erased, self.decisions = self.team.led, {}, set(), 0
        for record in self.RECORDS:
            self.led.consents.enrol(self.team.hospital(0), record, self.team.patient.address, sha("c"))

    where = (st.sampled_from(RECORDS), st.integers(0, 1), st.sampled_from([Purpose.TREATMENT, Purpose.RESEARCH]))

    def attempt(self, should_pass, act):
        try:
            act()
            passed = True
        except errors.ContractRefused:
            passed = False
        assert passed == should_pass

    @rule(record=where[0], i=where[1], purpose=where[2], actions=st.integers(1, 15), seconds=st.integers(1, 60))
    def grant(self, record, i, purpose, actions, seconds):
        args = (self.team.stranger, self.team.patient, record, f"hospital-{i:02d}", purpose, actions)
        until = self.team.chain.now() + seconds
        self.attempt(record not in self.erased, lambda: self.led.consents.grant(*args, seconds=seconds))
        if record not in self.erased:
            self.granted[record, i, purpose] = (actions, until)

    @rule(record=where[0], i=where[1], purpose=where[2])
    def revoke(self, record, i, purpose):
        args = (self.team.stranger, self.team.patient, record, f"hospital-{i:02d}", purpose)
        self.attempt((record, i, purpose) in self.granted, lambda: self.led.consents.revoke(*args))
        self.granted.pop((record, i, purpose), None)

    @rule(record=where[0])
    def withdraw(self, record):
        args = (self.team.stranger, self.team.patient, record)
        self.attempt(record not in self.erased, lambda: self.led.consents.withdraw(*args))
        self.granted = {k: v for k, v in self.granted.items() if k[0] != record}

    @rule(record=where[0])
    def erase(self, record):
        args = (self.team.hospital(0), self.team.patient, record)
        self.attempt(record not in self.erased, lambda: self.led.consents.erase(*args))
        self.erased.add(record)
        self.granted = {k: v for k, v in self.granted.items() if k[0] != record}

    @rule(seconds=st.integers(1, 40))
    def wait(self, seconds):
        self.team.chain.advance(seconds)

    @rule(record=where[0], i=where[1], purpose=where[2], action=st.sampled_from(list(Action)))
    def request(self, record, i, purpose, action):
        actions, until = self.granted.get((record, i, purpose), (0, 0))
        permitted = bool(actions & action) and self.team.chain.now() + 1 <= until
        self.decisions += 1
        try:
            self.led.consents.request(self.team.hospital(i), record, purpose, action)
            assert permitted
        except errors.AccessDenied:
            assert not permitted

    def teardown(self):
        if hasattr(self, "led"):
            entries, _ = self.led.trail.review()
            assert len(entries) == self.decisions


LIMITS = settings(max_examples=8, stateful_step_count=25, deadline=None, suppress_health_check=list(HealthCheck))
TestRounds = pytest.mark.slow(Rounds.TestCase)
TestConsent = pytest.mark.slow(Consent.TestCase)
TestRounds.settings = TestConsent.settings = LIMITS
