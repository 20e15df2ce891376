"""The trail: one entry proved without the chain, any alteration pinpointed, reviews that go on where they stopped."""

from dataclasses import replace

import pytest
from eth_utils import keccak
from hypothesis import given, settings
from hypothesis import strategies as st
from ledger.consortium import sha

from bfl_stpc import errors
from bfl_stpc.ledger import Action, Purpose, merkle
from bfl_stpc.ledger.audit import Reviewer


@pytest.fixture
def told(team):
    for i in range(7):
        team.led.trail.report(team.hospital(i % 5), sha(f"record {i}"), Purpose.TREATMENT, Action.READ, sha(str(i)))
    return team


def test_python_and_contract_compute_the_same_head_size_and_root(told):
    entries, reviewer = told.led.trail.review()
    point = told.led.trail.anchor_point()
    assert point == {"head": reviewer.head, "size": 7, "root": reviewer.tree.root()}
    assert [e.sequence for e in entries] == list(range(7))


def test_every_entry_is_proved_without_the_chain(told):
    root = told.led.trail.anchor_point()["root"]
    entries, reviewer = told.led.trail.review()
    for entry in entries:
        proof = reviewer.tree.proof(entry.sequence)
        proof.verify(entry.leaf(), root)
        for false in (replace(entry, actor="hospital-04x"), replace(entry, time=entry.time + 1)):
            with pytest.raises(errors.ProofInvalid):
                proof.verify(false.leaf(), root)
        with pytest.raises(errors.ProofInvalid):
            replace(proof, size=8).verify(entry.leaf(), root)


def _alter(entries, heads, how):
    entries, heads = list(entries), list(heads)
    if how == "edit":
        entries[3] = replace(entries[3], purpose=Purpose.RESEARCH)
    elif how == "delete":
        del entries[3], heads[3]
    elif how == "swap":
        entries[3], entries[4] = entries[4], entries[3]
    elif how == "insert":
        entries.insert(3, replace(entries[2], sequence=3))
        heads.insert(3, heads[2])
    elif how == "swap and renumber":
        entries[3], entries[4] = replace(entries[4], sequence=3), replace(entries[3], sequence=4)
    return entries, heads


@pytest.mark.parametrize("how", ["edit", "delete", "swap", "insert", "swap and renumber"])
def test_any_alteration_is_pinpointed(told, how):
    entries, heads = told.led.trail.entries()
    with pytest.raises(errors.TrailTampered) as found:
        Reviewer().extend(*_alter(entries, heads, how))
    assert found.value.sequence == 3


def test_cutting_the_end_or_rewriting_everything_shows_against_the_anchor(told):
    entries, heads = told.led.trail.entries()
    point = told.led.trail.anchor_point()
    cut = Reviewer()
    cut.extend(entries[:-1], heads[:-1])
    with pytest.raises(errors.TrailTampered, match="counts 7"):
        cut.confirm(**point)
    forged = [replace(entries[0], actor="hospital-03"), *entries[1:]]
    reviewer, rewritten = Reviewer(), []
    head = bytes(32)
    for entry in forged:
        head = keccak(head + entry.leaf())
        rewritten.append(head)
    reviewer.extend(forged, rewritten)
    with pytest.raises(errors.TrailTampered, match="rewritten"):
        reviewer.confirm(**point)


def test_a_review_goes_on_where_it_stopped(told):
    entries, heads = told.led.trail.entries()
    reviewer = Reviewer()
    reviewer.extend(entries[:4], heads[:4])
    reviewer.extend(entries[4:], heads[4:])
    reviewer.confirm(**told.led.trail.anchor_point())


def test_a_batch_kept_off_chain_is_proved_against_its_anchor(team):
    batch = [f"read {i}".encode() for i in range(9)]
    tree = team.led.trail.anchor(team.hospital(0), batch)
    root = team.led.trail.review()[0][0].evidence
    for i, content in enumerate(batch):
        tree.proof(i).verify(merkle.leaf_hash(content), root)
    with pytest.raises(errors.ProofInvalid):
        tree.proof(2).verify(merkle.leaf_hash(b"read 3"), root)


def _plain_root(leaves):
    """Second witness: the tree by its definition, padded level by level."""
    layer, zero = list(leaves), bytes(32)
    for _ in range(merkle.DEPTH):
        layer += [zero] * (len(layer) % 2)
        layer = [merkle.node_hash(a, b) for a, b in zip(layer[::2], layer[1::2])] or [merkle.node_hash(zero, zero)]
        zero = merkle.node_hash(zero, zero)
    return merkle.root_hash(layer[0], len(leaves))


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 40), st.data())
def test_trees_of_any_size_equal_their_definition_and_prove_each_leaf(size, data):
    leaves = [sha(str(i)) for i in range(size)]
    tree = merkle.Tree(leaves)
    assert tree.root() == _plain_root(leaves)
    if size:
        index = data.draw(st.integers(0, size - 1))
        proof = tree.proof(index)
        proof.verify(leaves[index], tree.root())
        with pytest.raises(errors.ProofInvalid):
            proof.verify(sha("another"), tree.root())


def test_proofs_of_entries_that_do_not_exist_are_refused():
    with pytest.raises(errors.ConfigError):
        merkle.Tree([sha("a")]).proof(1)
