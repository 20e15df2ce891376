"""Time the federated round and the private step against their peers, all in one run; print ratios as JSON.

Ten hospitals of 1,000 records of 30 features, an MLP 30-64-32-1, batch 32, one epoch. Only ratios of one run mean
anything: this machine's seconds are given for orientation. Contenders take turns, so that whatever else the machine
does meets all of them; a ratio is the median over turns, with its quartiles, and CPU time (of this process and TFF's
worker) stands beside it, which a busy machine disturbs least.

    python benchmarks/bench_federated.py [--peers PYTHON] [--repeats N]

`--peers` names the interpreter of an environment with the locked group `peers`; without it that line is left out.
TF-Privacy's vectorised optimiser is timed as its guide uses it (Keras `fit`, hospital by hospital) and in the two
fastest forms found, which run the batches of all hospitals in one execution: under Keras, and compiled whole by XLA.
These skip what a round has to do besides: leave the process, start from the global model, bring ten updates back.

`benchmarks/draw.py` draws the peers and the curves, and says where the curves bend.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bfl_stpc import federated, privacy
from bfl_stpc.privacy.dpsgd import sampled
from bfl_stpc.privacy.noise import gaussian

HOSPITALS, RECORDS, FEATURES, BATCH = 10, 1000, 30, 32
LAYERS = (FEATURES, 64, 32, 1)
RATE = 0.1
STEPS = RECORDS // BATCH + 1
COUNTS = (5, 10, 20, 50, 100, 200)  # hospitals
WIDTHS = (32, 100, 320, 1000, 3200, 10_000, 32_000)  # hidden units: 10³ to 10⁶ parameters
FEW = 100  # records of a hospital in the curves
Work = Callable[[], Any]


@dataclass(frozen=True)
class Idle:
    """A hospital that hands the global model back: what is left of a round is the call to TFF."""

    spec: federated.Mlp

    def structure(self) -> Hashable:
        """Return the model."""
        return "idle", self.spec

    def parameters(self) -> NDArray[np.float32]:
        """Return one unused number."""
        return np.zeros(1, np.float32)

    def train(self, weights: Any, X: Any, y: Any, parameters: Any, seed: Any) -> Any:
        """Return the weights as they are."""
        return weights


def tables(hospitals: int = HOSPITALS, features: int = FEATURES, records: int = RECORDS) -> list[federated.ClientData]:
    """Return seeded records with a signal, for each hospital."""
    rng = np.random.default_rng(1)
    slope = rng.normal(size=features)
    made = []
    for _ in range(hospitals):
        X = rng.normal(size=(records, features)).astype(np.float32)
        made.append(federated.ClientData(X, (X @ slope > 0).astype(np.float32)))
    return made


def take_turns(works: Mapping[str, Work], repeats: int) -> tuple[dict[str, list[float]], dict[str, float]]:
    """Return the seconds of each work, turn by turn, and its mean CPU seconds, after two unmeasured calls of each."""
    for work in works.values():
        work()
        work()
    times: dict[str, list[float]] = {name: [] for name in works}
    used = dict.fromkeys(works, 0.0)
    for _ in range(repeats):
        for name, work in works.items():
            start, before = time.perf_counter(), cpu_seconds()
            work()
            times[name].append(time.perf_counter() - start)
            used[name] += (cpu_seconds() - before) / repeats
    return times, used


def cpu_seconds() -> float:
    """Return the CPU seconds that this process and TFF's worker have used, the worker's in clock ticks (proc(5))."""
    ticks = 0
    for pid in federated.worker.pids():
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        ticks += int(fields[11]) + int(fields[12])
    return time.process_time() + ticks / os.sysconf("SC_CLK_TCK")


def spread(values: list[float]) -> list[float]:
    """Return lower quartile, median and upper quartile."""
    return [float(q) for q in np.quantile(values, (0.25, 0.5, 0.75))]


def private(spec: federated.Mlp, records: int, learning_rate: float) -> privacy.DpConfig:
    """Return DP-SGD for one epoch in expectation, seeded."""
    simulated = privacy.NoiseSource.SIMULATION
    return privacy.DpConfig(spec, BATCH / records, records // BATCH + 1, 1.0, 1.0, learning_rate, simulated)


def ours(spec: federated.Mlp, hospitals: list[federated.ClientData], learning_rate: float) -> dict[str, Work]:
    """Return one round: plain, by DP-SGD, and without any training."""
    weights, seeds = federated.init_weights(spec, 1), list(range(len(hospitals)))
    plain = federated.TrainConfig(spec, batch=BATCH, learning_rate=learning_rate)
    rules = {
        "round": plain,
        "private round": private(spec, len(hospitals[0].y), learning_rate),
        "call without training": Idle(spec),
    }
    return {
        name: lambda rule=rule: federated.local_updates(weights, hospitals, rule, seeds) for name, rule in rules.items()
    }


def tff_learning(hospitals: list[federated.ClientData]) -> Work:
    """Return one round of `build_unweighted_fed_avg` on the same records, model and batches."""
    import tensorflow as tf
    import tensorflow_federated as tff

    spec = (tf.TensorSpec([None, FEATURES], tf.float32), tf.TensorSpec([None, 1], tf.float32))

    def model() -> Any:
        loss = tf.keras.losses.BinaryCrossentropy(from_logits=True)
        return tff.learning.models.from_keras_model(keras_model(), loss=loss, input_spec=spec)

    process = tff.learning.algorithms.build_unweighted_fed_avg(
        model,
        client_optimizer_fn=tff.learning.optimizers.build_sgdm(RATE),
        server_optimizer_fn=tff.learning.optimizers.build_sgdm(1.0),
    )
    data = [
        tf.data.Dataset.from_tensor_slices((t.X, t.y[:, None])).shuffle(RECORDS, seed=1).batch(BATCH) for t in hospitals
    ]
    state = process.initialize()
    return lambda: process.next(state, data)


def keras_model() -> Any:
    """Return the network in Keras."""
    import tensorflow as tf

    layers = [tf.keras.layers.InputLayer(input_shape=(FEATURES,))]
    layers += [tf.keras.layers.Dense(width, "relu") for width in LAYERS[1:-1]]
    return tf.keras.Sequential([*layers, tf.keras.layers.Dense(1)])


def tf_privacy(hospitals: list[federated.ClientData]) -> dict[str, Work]:
    """Return one epoch over every hospital by TF-Privacy's vectorised optimiser, in three forms."""
    import tensorflow as tf
    from tensorflow_privacy.privacy.optimizers.dp_optimizer_keras_vectorized import VectorizedDPKerasSGDOptimizer

    def parts() -> tuple[Any, Any, Any]:
        optimizer = VectorizedDPKerasSGDOptimizer(1.0, 1.0, num_microbatches=BATCH, learning_rate=RATE)
        loss = tf.keras.losses.BinaryCrossentropy(from_logits=True, reduction=tf.losses.Reduction.NONE)
        return keras_model(), optimizer, loss

    def by_fit(data: list[Any], steps: int) -> Work:
        model, optimizer, loss = parts()
        model.compile(optimizer, loss, steps_per_execution=steps)
        return lambda: [model.fit(table, epochs=1, verbose=0) for table in data]

    def by_xla() -> Work:
        model, optimizer, loss = parts()

        @tf.function(jit_compile=True)
        def epoch(X: Any, y: Any) -> None:
            for i in tf.range(len(X)):
                optimizer.minimize(lambda i=i: loss(y[i], model(X[i])), model.trainable_variables)

        optimizer.minimize(lambda: loss(y[0], model(X[0])), model.trainable_variables)  # makes its variables
        return lambda: (epoch(X, y), model.trainable_variables[0].numpy())

    each = [tf.data.Dataset.from_tensor_slices((t.X, t.y[:, None])).batch(BATCH, True) for t in hospitals]
    whole = RECORDS // BATCH * BATCH  # TF-Privacy takes full batches only
    X = tf.constant(np.concatenate([t.X[:whole] for t in hospitals]).reshape(-1, BATCH, FEATURES))
    y = tf.constant(np.concatenate([t.y[:whole] for t in hospitals]).reshape(-1, BATCH, 1))
    return {
        "TF-Privacy by fit": by_fit(each, 1),
        "TF-Privacy in one execution": by_fit([tf.data.Dataset.from_tensor_slices((X, y))], len(X)),
        "TF-Privacy in one XLA graph": by_xla(),
    }


def profile(call: float, total: float, repeats: int) -> dict[str, float]:
    """Return the CPU seconds of a private round by part: the call to TFF, sampling, noise, and the steps (the rest)."""
    import tensorflow as tf

    size, seed, rate = federated.Mlp(LAYERS).size, tf.constant([1, 2], tf.int64), tf.constant(BATCH / RECORDS)
    works = {
        "Poisson sampling": tf.function(lambda: tf.where(sampled(STEPS, RECORDS, rate, seed))),
        "noise": tf.function(lambda: gaussian(STEPS, size, tf.constant(1.0), seed)),
    }
    used = take_turns(works, HOSPITALS * repeats)[1]
    found = {"call to TFF": call} | {name: HOSPITALS * seconds for name, seconds in used.items()}
    return found | {"clipped steps": total - sum(found.values())}


def scaling(repeats: int) -> dict[str, dict[str, Any]]:
    """Time a round against the number of hospitals (100 records each) and against the number of parameters."""
    by_count = [take_turns(ours(federated.Mlp(LAYERS), tables(k, records=FEW), RATE), repeats)[0] for k in COUNTS]
    models = [federated.Mlp((FEATURES, width, 1)) for width in WIDTHS]
    by_size = [take_turns(ours(model, tables(records=FEW), 1e-3), repeats)[0] for model in models]
    return {"hospitals": _curve(COUNTS, by_count), "parameters": _curve([m.size for m in models], by_size)}


def _curve(x: Any, points: list[dict[str, list[float]]]) -> dict[str, Any]:
    return {"x": list(x), "series": {name: [spread(point[name]) for point in points] for name in points[0]}}


def flower(python: str) -> float:
    """Return the median seconds of a round of Flower's simulation, in the peers' environment."""
    script = Path(__file__).with_name("bench_federated_flower.py")
    done = subprocess.run([python, script], capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"the Flower peer failed: {done.stderr[-500:]}")
    line = next(line for line in done.stdout.splitlines() if line.startswith("{"))  # Ray prints around it
    return float(json.loads(line)["seconds"])


def main() -> None:
    """Measure, and print one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--peers", help="interpreter of an environment with the group `peers`")
    parser.add_argument("--repeats", type=int, default=15)
    wanted = parser.parse_args()
    hospitals = tables()
    works = ours(federated.Mlp(LAYERS), hospitals, RATE)
    works |= {"tff.learning round": tff_learning(hospitals)} | tf_privacy(hospitals)
    times, used = take_turns(works, wanted.repeats)
    seconds = {name: spread(values) for name, values in times.items()}
    compiled = min((name for name in times if "in one" in name), key=lambda name: statistics.median(times[name]))
    pairs = {
        "round ÷ tff.learning": ("round", "tff.learning round"),
        "private round ÷ round": ("private round", "round"),
        "TF-Privacy by fit ÷ private round": ("TF-Privacy by fit", "private round"),
        f"{compiled} ÷ private round": (compiled, "private round"),
    }
    ratios = {name: spread([a / b for a, b in zip(times[over], times[under])]) for name, (over, under) in pairs.items()}
    if wanted.peers:
        seconds["Flower round"] = [flower(wanted.peers)] * 3
        ratios["round ÷ Flower"] = [value / seconds["Flower round"][1] for value in seconds["round"]]
    report = {
        "ratios, by quartiles": ratios,
        "ratios of CPU time": {n: used[a] / used[b] for n, (a, b) in pairs.items()},
        "seconds, by quartiles": seconds,
        "CPU seconds": used,
        "CPU seconds by part": profile(used["call without training"], used["private round"], wanted.repeats),
        "scaling": scaling(max(3, wanted.repeats // 3)),
    }
    print(json.dumps(report, indent=1, ensure_ascii=False))
    federated.worker.close()


if __name__ == "__main__":
    main()
