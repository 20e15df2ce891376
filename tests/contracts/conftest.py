"""Node and Forge: used where they are, missed loudly in CI."""

import importlib.util
import shutil
import sys
from pathlib import Path

import pytest
from ledger.node import FORGE, ROOT, require


@pytest.fixture(scope="session")
def forge():
    """The locked Forge."""
    return require(FORGE)


@pytest.fixture(scope="session")
def node(forge):
    """The node that the locked packages run on."""
    beside = Path(sys.prefix) / "bin" / "node"
    return str(beside) if beside.exists() else shutil.which("node")


@pytest.fixture
def compile_contracts():
    """The compiler's script, as a module."""
    spec = importlib.util.spec_from_file_location("compile_contracts", ROOT / "tools" / "compile_contracts.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
