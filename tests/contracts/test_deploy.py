"""The Besu recipe says that it is untested, and agrees with what the contracts need."""

import json
from pathlib import Path

import yaml

from bfl_stpc.ledger.pyevm import BLOCK_GAS

BESU = Path(__file__).parents[2] / "deploy" / "besu"


def test_the_recipe_is_marked_untested():
    assert "**Untested.**" in (BESU / "README.md").read_text()


def test_genesis_has_the_rules_that_the_contracts_were_compiled_for():
    genesis = json.loads((BESU / "qbft-config.json").read_text())["genesis"]
    assert genesis["config"]["cancunTime"] == 0
    assert genesis["config"]["zeroBaseFee"] is True
    assert int(genesis["gasLimit"], 16) == BLOCK_GAS


def test_four_validators_and_one_local_port():
    services = yaml.safe_load((BESU / "compose.yml").read_text())["services"]
    assert len(services) == 4
    assert [p for s in services.values() for p in s.get("ports", [])] == ["127.0.0.1:8545:8545"]
