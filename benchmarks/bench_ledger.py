"""Speed and gas of the ledger: ratios to web3 and eth-tester as they come, measured in the same run.

    python benchmarks/bench_ledger.py                      everything, as JSON
    python benchmarks/bench_ledger.py --gas                gas of each operation, as JSON
    python benchmarks/bench_ledger.py --gas --accept WHY   the same, and record it in contracts/gas.json with the reason

The paper prints 72.59 ms for an authentication; nothing here aims at it, since the library for one elliptic curve
moves the result past it.
"""

import argparse
import json
from pathlib import Path
from typing import Any

from bfl_stpc.ledger import measure

GAS_FILE = Path(__file__).resolve().parents[1] / "contracts" / "gas.json"
PAPER_LOGIN_MS = 72.59  # the paper's abstract
LEAST = {"commit: defaults / ours": 3.0, "batch: ours / defaults": 8.0}


def report(repeats: int, batch: int) -> dict[str, Any]:
    """Return everything, as ratios and as it was measured."""
    runs = measure.compare(repeats, batch)
    fast, slow = runs["coincurve"], runs["pure Python"]
    ratios = {
        "commit: defaults / ours": slow["defaults_commit_ms"] / fast["commit_ms"],
        "commit: defaults with coincurve / ours": fast["defaults_commit_ms"] / fast["commit_ms"],
        "batch: ours / defaults": fast["batch_per_second"] * slow["defaults_commit_ms"] / 1e3,
        "batch: ours / defaults with coincurve": fast["batch_per_second"] * fast["defaults_commit_ms"] / 1e3,
        "login: without coincurve / with": slow["login_ms"]["median"] / fast["login_ms"]["median"],
        "login: paper / ours": PAPER_LOGIN_MS / fast["login_ms"]["median"],
    }
    missed = [
        f"{name} is {ratios[name]:.1f}; at least {least} was promised"
        for name, least in LEAST.items()
        if ratios[name] < least
    ]
    growth = measure.growth((1_000, 10_000, 100_000))
    return {"ratios": ratios, "missed": missed, "runs": runs, "growth": growth, "gas": measure.gas()}


def main() -> None:
    """Measure and print what was asked for."""
    parser = argparse.ArgumentParser(description="Speed and gas of the ledger.")
    parser.add_argument("--gas", action="store_true", help="only gas")
    parser.add_argument("--accept", metavar="WHY", help="with --gas: record it in contracts/gas.json with this reason")
    parser.add_argument("--repeats", type=int, default=40)
    parser.add_argument("--batch", type=int, default=500)
    options = parser.parse_args()
    if not options.gas:
        print(json.dumps(report(options.repeats, options.batch), indent=1))
        return
    used = measure.gas()
    if options.accept:
        old = json.loads(GAS_FILE.read_text()) if GAS_FILE.exists() else {"reasons": []}
        GAS_FILE.write_text(json.dumps({"gas": used, "reasons": [*old["reasons"], options.accept]}, indent=1) + "\n")
    print(json.dumps(used, indent=1))


if __name__ == "__main__":
    main()
