"""The compiled contracts: loaded from contracts/artifacts and held to their recorded SHA-256."""

import hashlib
import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from bfl_stpc.errors import ConfigError, IntegrityError

CONTRACTS = Path(__file__).resolve().parents[3] / "contracts"
NAMES = ("HospitalRegistry", "FLRoundManager", "AuditTrail", "ConsentRegistry")


@dataclass(frozen=True)
class Artifact:
    """One compiled contract.

    Attributes:
        name: name of the contract.
        abi: its interface, as solc writes it.
        bytecode: creation code.
        notices: what each custom error means, from the source's NatSpec.
        compiler: name and version of the compiler.
    """

    name: str
    abi: list[dict[str, Any]]
    bytecode: bytes
    notices: dict[str, str]
    compiler: str


@cache
def load(name: str, folder: Path = CONTRACTS) -> Artifact:
    """Return the artifact of contract `name`, checked against SHA256SUMS and against its source.

    Raises:
        ConfigError: there is no contract of this name.
        IntegrityError: the artifact's bytes, or those of the source beside it, are not the recorded ones.
    """
    path = folder / "artifacts" / f"{name}.json"
    lines = (folder / "artifacts" / "SHA256SUMS").read_text().splitlines()
    sums = {file: digest for digest, file in map(str.split, lines)}
    if path.name not in sums:
        raise ConfigError(f"there is no contract {name!r}; there are {', '.join(sorted(sums))}")
    if not path.is_file():
        raise IntegrityError(f"{path} is missing; mend: git checkout {path}, or python tools/compile_contracts.py")
    _require(path, sums[path.name], "git checkout the file, or python tools/compile_contracts.py")
    content = json.loads(path.read_text())
    for source, expected in content["sources_sha256"].items():
        if source.startswith("src/"):
            _require(folder / source, expected, "python tools/compile_contracts.py, and commit contracts/artifacts")
    bytecode = bytes.fromhex(content["bytecode"][2:])
    return Artifact(name, content["abi"], bytecode, content["notices"], content["compiler"])


def _require(path: Path, expected: str, mend: str) -> None:
    found = hashlib.sha256(path.read_bytes()).hexdigest()
    if found != expected:
        raise IntegrityError(f"{path}: SHA-256 {found} found, {expected} expected; mend: {mend}")
