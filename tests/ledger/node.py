"""Node's packages for tests: installed from the lock where node is, missed loudly in CI."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = ROOT / "contracts" / "node_modules" / "@foundry-rs"
ANVIL = PACKAGES / "anvil-linux-amd64" / "bin" / "anvil"
FORGE = PACKAGES / "forge-linux-amd64" / "bin" / "forge"


def require(binary: Path) -> Path:
    """Return the locked `binary`, installing it first; skip where that cannot be, or fail in CI."""
    command = [sys.executable, ROOT / "tools" / "compile_contracts.py", "--install"]
    run = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    if run.returncode or not binary.exists():
        missing = f"{binary.name} is missing: {run.stderr.strip()[-500:] or 'the lock holds it for Linux x86-64 only'}"
        (pytest.fail if os.environ.get("CI") else pytest.skip)(missing)
    return binary
