"""What a protected round costs beside a plain one, each protection by itself and all together, in one run; JSON.

Ten hospitals of 1,000 records of 30 features, an MLP 30-64-32-1, batch 32, one epoch: the plain round is one call to
TFF, the protected one has DP-SGD, masks, encryption, verification and the ledger. Only ratios of one run mean
anything. Wall time suffers from whatever else runs; time of the cores (this process and TFF's worker) does so less.

    python benchmarks/bench_system.py [--peers PYTHON] [--repeats N] [--default-cohort]

`--peers` names the interpreter of an environment with the locked group `peers`, for Flower's simulation of the
unprotected round on the same records; without it that line is left out.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from bfl_stpc import ehr, federated, privacy, study, system
from bfl_stpc.system import sampling, trials
from bfl_stpc.system.meter import Meter
from bfl_stpc.system.metrics import split

HOSPITALS, RECORDS, FEATURES, BATCH, RATE = 10, 1000, 30, 32, 0.1
LAYERS = (FEATURES, 64, 32, 1)
CHAIN = ("authenticate", "open", "commit", "verify", "record")  # phases in which the ledger does most of the work
CRYPTO = ("share keys", "protect", "aggregate", "open the sum")
TARGETS = {"all ÷ plain": 4.0, "chain and crypto, share of the round": 0.5, "all ÷ Flower": 1.0}


def ladder(records: Mapping[str, federated.ClientData], layers: Sequence[int], repeats: int) -> dict[str, Any]:
    """Return seconds and ratios of every rung, and where the time of a fully protected round goes."""
    spec, most = federated.Mlp(tuple(layers)), max(len(data.y) for data in records.values())
    plain = federated.TrainConfig(spec, batch=BATCH, learning_rate=RATE)
    simulated = privacy.NoiseSource.SIMULATION
    private = privacy.DpConfig(spec, BATCH / most, most // BATCH + 1, 1.0, 1.0, RATE, simulated)
    rungs = trials.Ladder(records, plain, private, promise=(1e3, 1e-5))
    taken = rungs.run(repeats)
    steps = [step for round in split(rungs.steps)[-repeats:] for step in round]
    phases = {step.phase: step.ms for step in Meter(steps).by_phase()}
    wall = sum(run.wall_ms for run in taken["all"])
    phases["messages and stores"] = wall - sum(phases.values())
    found: dict[str, Any] = {"milliseconds": {}, "ratios": {}}
    for what in ("wall_ms", "cpu_ms"):
        medians = {name: statistics.median(getattr(run, what) for run in runs) for name, runs in taken.items()}
        found["milliseconds"][what] = medians
        ratios = trials.ratios(taken, what)
        found["ratios"][what] = {name: spread(values) for name, values in ratios.items()}
    found["phases, share of the round"] = {phase: ms / wall for phase, ms in phases.items()}
    found["chain and crypto, share of the round"] = sum(phases[p] for p in CHAIN + CRYPTO) / wall
    found["processor time, share of the round"] = profile(rungs, repeats)
    together = found["milliseconds"]["wall_ms"]
    found["ratios"]["all ÷ the same private training alone"] = together["all"] / together["+ differential privacy"]
    return found


def profile(rungs: trials.Ladder, repeats: int) -> dict[str, float]:
    """Return the share of each layer, and of TFF's worker, in the processor time of protected rounds."""
    begun, own = trials.cpu_seconds(), time.process_time()
    with sampling.sampled() as found:
        for _ in range(repeats):
            rungs.rungs["all"]()
    here, everywhere = time.process_time() - own, trials.cpu_seconds() - begun
    share = {layer: count / found.total() * here / everywhere for layer, count in found.most_common()}
    return share | {"training (TFF's worker)": 1 - here / everywhere}


def table(shares: Mapping[str, float]) -> str:
    """Return a table of shares, the largest first."""
    rows = sorted(shares.items(), key=lambda row: -row[1])
    return "\n".join(f"{name:40}{share:7.1%}" for name, share in rows)


def spread(values: Sequence[float]) -> dict[str, float]:
    """Return median and quartiles."""
    low, middle, high = statistics.quantiles(values, n=4)
    return {"median": middle, "low": low, "high": high}


def flower(python: str) -> float:
    """Return milliseconds of one round of Flower's simulation."""
    script = Path(__file__).with_name("bench_federated_flower.py")
    done = subprocess.run([python, script], capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"the Flower peer failed: {done.stderr[-500:]}")
    line = next(line for line in done.stdout.splitlines() if line.startswith("{"))  # Ray prints around it
    return 1e3 * float(json.loads(line)["seconds"])


def default_cohort() -> dict[str, federated.ClientData]:
    """Return the scaled training records of the quick profile's cohort."""
    profile = study.load_profile("quick")
    features = study.cohort(profile).features()
    train = ehr.split(features, seed=profile.seeds[0]).train
    return system.records(features, train, system.common_scaler(features, train))


def main() -> None:
    """Measure, and print one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--peers", help="interpreter of an environment with the group `peers`")
    parser.add_argument("--repeats", type=int, default=9)
    parser.add_argument("--default-cohort", action="store_true", help="also on the cohort of the quick profile")
    wanted = parser.parse_args()
    found: dict[str, Any] = {"cores": os.cpu_count(), "load": os.getloadavg()[0]}
    found["headline"] = ladder(trials.random_records(HOSPITALS, RECORDS, FEATURES), LAYERS, wanted.repeats)
    against = {
        "all ÷ plain": found["headline"]["ratios"]["wall_ms"]["all"]["median"],
        "chain and crypto, share of the round": found["headline"]["chain and crypto, share of the round"],
    }
    if wanted.peers:
        found["Flower, milliseconds"] = flower(wanted.peers)
        against["all ÷ Flower"] = found["headline"]["milliseconds"]["wall_ms"]["all"] / found["Flower, milliseconds"]
    if wanted.default_cohort:
        records = default_cohort()
        inputs = next(iter(records.values())).X.shape[1]
        found["default cohort"] = ladder(records, (inputs, 64, 32, 1), wanted.repeats)
        against["all ÷ plain"] = found["default cohort"]["ratios"]["wall_ms"]["all"]["median"]
        against["chain and crypto, share of the round"] = found["default cohort"][
            "chain and crypto, share of the round"
        ]
    found["targets"] = {k: {"reached": v, "target": TARGETS[k], "met": v <= TARGETS[k]} for k, v in against.items()}
    print(json.dumps(found, indent=1, ensure_ascii=False))
    for part in ("headline", "default cohort"):
        for what in ("phases, share of the round", "processor time, share of the round"):
            if part in found:
                print(f"\n{part}: {what}\n{table(found[part][what])}", file=sys.stderr)
    federated.worker.close()


if __name__ == "__main__":
    main()
