"""The same story on py-evm and on Anvil: equal gas, addresses, events, storage and refusals; and the shown ones."""

import pytest
from ledger.consortium import Consortium, sha

from bfl_stpc import errors, ledger
from bfl_stpc.ledger import Action, Purpose

RECORD = sha("pseudonym")


def story(chain):
    """Live through a whole round and a record's life; return all that an observer can compare."""
    gas, refused = {}, []
    team = Consortium(chain, count=3, threshold=2)
    led = team.led
    for i in range(3):
        gas[f"login {i}"] = led.login(team.hospital(i), round=1, model=team.model).gas
    ticket = led.open_round(1, model=team.model, check_modulus=2**42 - 11)
    for i in range(3):
        gas[f"commit {i}"] = led.commit(team.hospital(i), ticket, sha(str(i))).gas
    for i in range(3):
        gas[f"reveal {i}"] = led.reveal(team.hospital(i), ticket, sha(str(i))).gas
    gas["publish aggregate"] = led.publish_aggregate(ticket, sha("sum")).gas
    gas["publish opening"] = led.publish_opening(ticket, sha("slots")).gas
    led.random_seed(ticket)
    for i in range(3):
        gas[f"check {i}"] = led.post_check(team.hospital(i), ticket, [i, 2 * i]).gas
    result = team.result(uploads=3, checks=(3, 6))
    gas["close"] = led.close_round(ticket, result, team.approvals(ticket, result, (0, 2))).gas
    gas["enrol"] = led.consents.enrol(team.hospital(0), RECORD, team.patient.address, sha("c")).gas
    grant = (team.stranger, team.patient, RECORD, "hospital-01", Purpose.RESEARCH)
    gas["grant"] = led.consents.grant(*grant, Action.TRAIN, seconds=100).gas
    led.consents.request(team.hospital(1), RECORD, Purpose.RESEARCH, Action.TRAIN)
    gas["revoke"] = led.consents.revoke(*grant).gas
    gas["break glass"] = led.consents.break_glass(team.hospital(1), RECORD, "found unconscious").gas
    for wrong in (
        lambda: led.login(team.stranger, round=2, model=team.model),
        lambda: led.commit(team.hospital(0), ticket, sha("late")),
        lambda: led.registry.revoke(team.stranger, "hospital-00"),
        lambda: led.consents.request(team.hospital(1), RECORD, Purpose.RESEARCH, Action.TRAIN),
    ):
        with pytest.raises(errors.LedgerError) as caught:
            wrong()
        refused.append((type(caught.value).__name__, str(caught.value)))
    events = [(e.name, e.contract, e.block, e.index, sorted(e.values.items())) for e in led.events()]
    contracts = (led.registry.contract, led.rounds.contract, led.trail.contract, led.consents.contract)
    slots = [[bytes(chain.web3.eth.get_storage_at(c.address, slot)) for slot in range(12)] for c in contracts]
    seeds = {"SeedFixed"}  # the seed follows the block's hash, which names its chain's own header fields
    return {
        "gas": gas,
        "addresses": [c.address for c in contracts],
        "events": [e for e in events if e[0] not in seeds],
        "storage": slots,
        "refused": refused,
    }


@pytest.fixture(scope="module")
def on_pyevm():
    return story(ledger.Chain.in_memory())


@pytest.fixture
def on_anvil(anvil):
    return story(anvil)


def test_both_chains_tell_the_same_story(on_pyevm, on_anvil):
    for part, told in on_pyevm.items():
        assert told == on_anvil[part], part


def test_the_story_is_not_empty(on_pyevm):
    """A negative control: what is compared above holds something to compare."""
    assert len(on_pyevm["events"]) > 25
    assert sum(any(s) for slots in on_pyevm["storage"] for s in slots) > 10
    assert [name for name, _ in on_pyevm["refused"]] == ["NotAMember", "RoundNotOpen", "NotAuthorised", "AccessDenied"]


def test_a_dead_node_is_a_chain_error():
    with pytest.raises(errors.ChainError, match="no node answers"):
        ledger.Chain.http("http://127.0.0.1:9", timeout=1)


def test_an_address_without_code_is_a_chain_error(chain):
    with pytest.raises(errors.ChainError, match="no AuditTrail"):
        ledger.Contract(chain, "AuditTrail", "0x" + "11" * 20)


def test_a_stale_nonce_is_a_chain_error_and_does_not_stick(team):
    team.chain._nonces[team.admin.address] = 0
    with pytest.raises(errors.ChainError, match="did not accept"):
        team.led.registry.suspend(team.admin, "hospital-00")
    team.led.registry.suspend(team.admin, "hospital-00")


def test_a_stalled_node_is_a_chain_error_after_the_deadline(anvil, anvil_url):
    team = Consortium(anvil, count=2, threshold=2)
    impatient = ledger.Chain.http(anvil_url, timeout=0.5)
    there = ledger.Ledger.connect(impatient, team.led.addresses, coordinator=team.admin, threshold=2)
    anvil.rpc("evm_setAutomine", [False])
    try:
        with pytest.raises(errors.ChainError, match="was not mined within"):
            there.registry.suspend(team.admin, "hospital-00")
        with pytest.raises(errors.ChainError, match="was not mined within"):
            impatient.wait_for_block(impatient.height() + 1)
    finally:
        anvil.rpc("evm_setAutomine", [True])
        anvil.rpc("anvil_dropAllTransactions", [])


def test_the_environment_chooses_the_chain(anvil_url, monkeypatch):
    monkeypatch.setenv("BFL_RPC_URL", anvil_url)
    assert type(ledger.Chain.from_environment()) is ledger.Chain
    monkeypatch.delenv("BFL_RPC_URL")
    assert isinstance(ledger.Chain.from_environment(), ledger.InMemoryChain)
