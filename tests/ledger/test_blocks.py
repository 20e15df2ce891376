"""Several transactions in one block: the same outcome as in blocks of their own, and a reader in between leaves no trace."""

import pytest

from bfl_stpc import errors, ledger
from bfl_stpc.ledger import measure
from bfl_stpc.ledger.replay import export_blocks, replay


def logged_in(together):
    led, _, hospitals = measure.consortium()
    start = led.chain.height()
    if together:
        with led.chain.together():
            sessions = [led.login(h, round=1, model=measure.sha("w")) for h in hospitals]
    else:
        sessions = [led.login(h, round=1, model=measure.sha("w")) for h in hospitals]
    return led, hospitals, sessions, led.chain.height() - start


def test_one_block_holds_what_ten_did():
    alone, hospitals, apart, blocks = logged_in(together=False)
    led, _, sessions, block = logged_in(together=True)
    assert (blocks, block) == (10, 1)
    assert [s.hospital for s in sessions] == [s.hospital for s in apart]
    assert {s.valid_until for s in sessions} == {apart[0].valid_until}  # all at the time of the first
    found = [e for e in led.events() if e.name == "HospitalLoggedIn"]
    assert [e.index for e in found] == list(range(10))
    ticket, same = (book.open_round(1, model=measure.sha("w")) for book in (led, alone))
    assert ticket == same
    with led.chain.together():
        height = led.chain.height()
        receipts = []
        for number, h in enumerate(hospitals):
            assert led.round(1).commits == number  # what is pending can be read, and reading leaves no trace
            receipts.append(led.commit(h, ticket, measure.sha(h.name)))
        assert led.chain.height() == height
    assert led.round(1).commits == 10
    assert {r.block for r in receipts} == {led.chain.height()}
    assert [r.gas for r in receipts] == [alone.commit(h, ticket, measure.sha(h.name)).gas for h in hospitals]
    assert replay(export_blocks(led.chain)).head_hash() == led.chain.head_hash()


def test_a_refusal_is_explained_at_once_and_the_others_of_its_block_stand():
    led, hospitals, _, _ = logged_in(together=True)
    ticket = led.open_round(1, model=measure.sha("w"))
    stranger = ledger.Identity.derive("stranger", 2)
    with led.chain.together():
        led.commit(hospitals[0], ticket, measure.sha("a"))
        with pytest.raises(errors.NotAMember):
            led.commit(stranger, ticket, measure.sha("b"))
        with pytest.raises(errors.DuplicateUpload):
            led.commit(hospitals[0], ticket, measure.sha("c"))
        led.commit(hospitals[1], ticket, measure.sha("d"))
    assert led.round(1).commits == 2


def test_an_error_of_the_caller_loses_no_transaction():
    led, hospitals, _, _ = logged_in(together=True)
    ticket = led.open_round(1, model=measure.sha("w"))

    def stumble():
        with led.chain.together(), led.chain.together():
            led.commit(hospitals[0], ticket, measure.sha("a"))
            raise KeyError

    with pytest.raises(KeyError):
        stumble()
    assert led.round(1).commits == 1


def test_answers_are_those_of_the_head():
    led, hospitals, _, _ = logged_in(together=True)
    ticket = led.open_round(1, model=measure.sha("w"))
    now = led.chain.height()
    assert led.round(1).commits == led.round(1).commits == 0
    led.commit(hospitals[0], ticket, measure.sha("a"))
    assert led.round(1).commits == 1
    rounds = led.rounds.contract
    old = led.chain.call(rounds.address, rounds.encode("getRound", 1), block=now)
    assert old != led.chain.call(rounds.address, rounds.encode("getRound", 1))
    led.chain.advance(10)
    assert led.chain.now() > ticket.round  # an empty block is a new head, too
    assert led.round(1).commits == 1
