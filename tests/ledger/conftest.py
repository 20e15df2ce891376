"""A small consortium on a fresh chain: py-evm in memory, and the same on Anvil over HTTP."""

import hashlib
import os
import socket
import subprocess
import time
from pathlib import Path

import pytest
from bfl_stpc import ledger
from bfl_stpc.ledger.pyevm import BLOCK_GAS, GENESIS_TIME

ANVIL = Path(__file__).parents[2] / "contracts" / "node_modules" / "@foundry-rs" / "anvil-linux-amd64" / "bin" / "anvil"
CHAIN_ID = 131277322940537  # eth-tester's


def sha(text: str) -> bytes:
    return hashlib.sha256(text.encode()).digest()


class Consortium:
    """Five hospitals, threshold three, and what most tests do with them."""

    def __init__(self, chain: ledger.Chain, seed: int = 1, count: int = 5, threshold: int = 3) -> None:
        self.chain, self.seed = chain, seed
        self.admin = ledger.Identity.derive("consortium", seed)
        self.aggregator = ledger.Identity.derive("aggregator", seed)
        self.stranger = ledger.Identity.derive("stranger", seed)
        self.patient = ledger.Identity.derive("patient", seed)
        names = [f"hospital-{i:02d}" for i in range(count)]
        self.ids = {n: ledger.Identity.derive(n, seed) for n in names}
        self.led = ledger.Ledger.deploy(
            chain,
            admin=self.admin,
            hospitals={n: i.address for n, i in self.ids.items()},
            threshold=threshold,
            coordinator=self.aggregator,
        )
        self.model = sha("weights 0")

    def hospital(self, index: int) -> ledger.Identity:
        return self.ids[f"hospital-{index:02d}"]

    def open(self, **options):
        number = self.led.next_round()
        for identity in self.ids.values():
            self.led.login(identity, round=number, model=self.model)
        return self.led.open_round(number, model=self.model, **options)

    def upload(self, ticket, who=None):
        chosen = list(self.ids.values()) if who is None else [self.hospital(i) for i in who]
        for identity in chosen:
            self.led.commit(identity, ticket, sha(identity.name))
        if len(chosen) < len(self.ids):
            self.led.close_commits(ticket)
        for identity in chosen:
            self.led.reveal(identity, ticket, sha(identity.name))

    def publish(self, ticket):
        self.led.publish_aggregate(ticket, sha("sum"))
        self.led.publish_opening(ticket, sha("slots"))

    def result(self, uploads=None, checks=(0, 0)):
        return ledger.Result(sha("sum"), sha("weights 1"), len(self.ids) if uploads is None else uploads, 0.5, checks)

    def approvals(self, ticket, result, who=(0, 1, 2)):
        return [self.led.approve(self.hospital(i), ticket, result) for i in who]


class AnvilChain(ledger.Chain):
    """A test node: it mines on demand and lets tests move its clock."""

    def advance(self, seconds: int) -> None:
        self.rpc("evm_increaseTime", [seconds])
        self.rpc("evm_mine", [])

    def wait_for_block(self, number: int) -> None:
        while self.height() < number:
            self.rpc("evm_mine", [])

    def rpc(self, method, params):
        answer = self.web3.provider.make_request(method, params)
        assert "error" not in answer, answer
        return answer["result"]


@pytest.fixture(scope="session")
def anvil_url():
    """The node at BFL_RPC_URL, or an Anvil started here on a free port and stopped at the end."""
    if url := os.environ.get("BFL_RPC_URL"):
        yield url
        return
    if not ANVIL.exists():
        missing = f"{ANVIL} is missing: run python tools/compile_contracts.py --install (needs node and npm)"
        pytest.fail(missing) if os.environ.get("CI") else pytest.skip(missing)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    options = ["--port", str(port), "--chain-id", str(CHAIN_ID), "--hardfork", "cancun", "--accounts", "1"]
    options += ["--block-base-fee-per-gas", "0", "--gas-limit", str(BLOCK_GAS), "--timestamp", str(GENESIS_TIME)]
    options += ["--disable-min-priority-fee", "--silent"]
    process = subprocess.Popen([ANVIL, *options], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    try:
        for _ in range(200):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            assert process.poll() is None, "anvil stopped at once"
            time.sleep(0.05)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(10)


@pytest.fixture
def anvil(anvil_url):
    """A fresh chain on the test node: put back to its genesis afterwards."""
    chain = AnvilChain(ledger.Chain.http(anvil_url).web3)
    chain.rpc("anvil_setBlockTimestampInterval", [1])
    snapshot = chain.rpc("evm_snapshot", [])
    yield chain
    chain.rpc("evm_revert", [snapshot])


@pytest.fixture(params=["pyevm", "anvil"])
def chain(request):
    """Each chain in turn: what a test says of one it says of both."""
    return ledger.Chain.in_memory() if request.param == "pyevm" else request.getfixturevalue("anvil")


@pytest.fixture
def team(chain) -> Consortium:
    return Consortium(chain)
