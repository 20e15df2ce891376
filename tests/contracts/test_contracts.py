"""The contracts as sources: recompiled to the same bytes, fuzzed, covered, and their gas held."""

import json
import os
import re
import subprocess
from pathlib import Path

import pytest

from bfl_stpc.ledger import measure

ROOT = Path(__file__).parents[2]
CONTRACTS = ROOT / "contracts"
LEAST_COVERAGE = 95.0  # per cent, of lines and of branches


def run_forge(forge, node, *arguments):
    path = f"{Path(node).parent}{os.pathsep}{os.environ['PATH']}"
    return subprocess.run(
        [forge, *arguments],
        cwd=CONTRACTS,
        env={**os.environ, "PATH": path, "NO_COLOR": "1"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_artifacts_are_what_the_sources_give(node, compile_contracts, capsys):
    compile_contracts.install()
    compile_contracts.check(compile_contracts.compile_all())
    assert "byte for byte" in capsys.readouterr().out


def test_the_check_names_what_differs(compile_contracts, tmp_path, monkeypatch):
    """A negative control: a changed, a missing and a surplus artifact are each named."""
    files = {p.name: p.read_text() for p in (CONTRACTS / "artifacts").iterdir()}
    monkeypatch.setattr(compile_contracts, "ARTIFACTS", tmp_path)
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    compile_contracts.check(files)
    (tmp_path / "AuditTrail.json").write_text(files["AuditTrail.json"].replace("0x60", "0x61", 1))
    (tmp_path / "FLRoundManager.json").unlink()
    (tmp_path / "Backdoor.json").write_text("{}")
    with pytest.raises(SystemExit) as refused:
        compile_contracts.check(files)
    message = str(refused.value)
    for expected in ("AuditTrail.json: differs", "FLRoundManager.json: missing", "Backdoor.json: no source"):
        assert expected in message


def test_the_lock_names_no_registry_and_pins_every_package():
    lock = json.loads((CONTRACTS / "package-lock.json").read_text())
    packages = {name: p for name, p in lock["packages"].items() if name}
    assert all("integrity" in p and "resolved" not in p for p in packages.values())
    wanted = json.loads((CONTRACTS / "package.json").read_text())
    versions = {**wanted["dependencies"], **wanted["optionalDependencies"]}
    assert all(re.fullmatch(r"\d+\.\d+\.\d+", v) for v in versions.values())


def test_every_external_function_is_documented():
    for path in (CONTRACTS / "src").glob("*.sol"):
        lines = path.read_text().splitlines()
        for number, line in enumerate(lines):
            if re.match(r"    (function|event|error|constructor)\b", line):
                header = " ".join(lines[number : number + 8]).split("{")[0]
                if line.startswith("    function") and not re.search(r"\b(external|public)\b", header):
                    continue
                before = lines[number - 1].strip()
                assert before.startswith("///"), f"{path.name}:{number + 1}: {line.strip()}"


def test_gas_is_the_recorded_gas():
    recorded = json.loads((CONTRACTS / "gas.json").read_text())
    assert recorded["reasons"]
    measured = measure.gas()
    mend = "mend: python benchmarks/bench_ledger.py --gas --accept 'the reason for the change'"
    assert measured == recorded["gas"], mend


@pytest.mark.slow
def test_fuzz_tests_and_invariants_hold(forge, node):
    run = run_forge(forge, node, "test")
    assert run.returncode == 0, run.stdout[-4000:] + run.stderr[-2000:]
    passed = int(re.search(r"(\d+) tests passed, 0 failed", run.stdout).group(1))
    assert passed >= 61


@pytest.mark.slow
def test_coverage_of_lines_and_branches(forge, node):
    run = run_forge(forge, node, "coverage", "--no-match-contract", "Invariants")
    assert run.returncode == 0, run.stdout[-4000:] + run.stderr[-2000:]
    rows = re.findall(r"\| src/(\w+)\.sol +\| +([\d.]+)% [^|]*\|[^|]*\| +([\d.]+)%", run.stdout)
    assert {name for name, _, _ in rows} == {p.stem for p in (CONTRACTS / "src").glob("*.sol")}
    for name, lines, branches in rows:
        assert float(lines) >= LEAST_COVERAGE, name
        assert float(branches) >= LEAST_COVERAGE, name
