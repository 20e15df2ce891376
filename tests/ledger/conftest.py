"""A small consortium on a fresh chain: py-evm in memory, and the same on Anvil over HTTP."""

import os
import socket
import subprocess
import time

import pytest
from ledger.consortium import Consortium
from ledger.node import ANVIL, require

from bfl_stpc import ledger
from bfl_stpc.ledger.pyevm import BLOCK_GAS, GENESIS_TIME

CHAIN_ID = 131277322940537  # eth-tester's


class AnvilChain(ledger.Chain):
    """A test node: it mines on demand and lets tests move its clock."""

    def advance(self, seconds: int) -> None:
        self.rpc("evm_setNextBlockTimestamp", [self.now() + 1 + seconds])
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
    require(ANVIL)
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
