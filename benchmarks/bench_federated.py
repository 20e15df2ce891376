"""Time the federated round and the private step against their peers, all in one run; print ratios as JSON.

Ten hospitals of 1,000 records of 30 features, an MLP 30-64-32-1, batch 32, one epoch. Only ratios of one run mean
anything: this machine's seconds are given for orientation.

    python benchmarks/bench_federated.py [--peers PYTHON] [--repeats N]

The curves bend where a fixed cost gives way: a call to TFF costs the same for one hospital as for ten, so time grows
in proportion only from about twenty hospitals on; below some 10⁴ parameters a step's time is that of launching its
operations, above 10⁵ that of moving its weights.

`--peers` names the interpreter of an environment with the locked group `peers`; without it that line is left out.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from bfl_stpc import federated, privacy

HOSPITALS, RECORDS, FEATURES, BATCH = 10, 1000, 30, 32
LAYERS = (FEATURES, 64, 32, 1)
RATE = 0.1


def tables(hospitals: int = HOSPITALS, features: int = FEATURES, records: int = RECORDS) -> list[federated.ClientData]:
    """Return seeded records with a signal, for each hospital."""
    rng = np.random.default_rng(1)
    slope = rng.normal(size=features)
    made = []
    for _ in range(hospitals):
        X = rng.normal(size=(records, features)).astype(np.float32)
        made.append(federated.ClientData(X, (X @ slope > 0).astype(np.float32)))
    return made


def median_seconds(work: Callable[[], Any], repeats: int) -> float:
    """Return the median time of `work` after one unmeasured call."""
    work()
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def rounds(repeats: int) -> dict[str, float]:
    """Time one round: ours, ours by DP-SGD, and TFF's own federated averaging."""
    spec, hospitals = federated.Mlp(LAYERS), tables()
    weights, seeds = federated.init_weights(spec, 1), list(range(HOSPITALS))
    plain = federated.TrainConfig(spec, batch=BATCH, learning_rate=RATE)
    simulated = privacy.NoiseSource.SIMULATION
    private = privacy.DpConfig(spec, BATCH / RECORDS, RECORDS // BATCH + 1, 1.0, 1.0, RATE, simulated)
    return {
        "round": median_seconds(lambda: federated.local_updates(weights, hospitals, plain, seeds), repeats),
        "private round": median_seconds(lambda: federated.local_updates(weights, hospitals, private, seeds), repeats),
        "tff.learning round": tff_learning(hospitals, repeats),
        "TF-Privacy epochs": tf_privacy(hospitals, max(1, repeats // 3)),
    }


def tff_learning(hospitals: list[federated.ClientData], repeats: int) -> float:
    """Return the time of one round of `build_unweighted_fed_avg` on the same records, model and batches."""
    import tensorflow as tf
    import tensorflow_federated as tff

    spec = (tf.TensorSpec([None, FEATURES], tf.float32), tf.TensorSpec([None, 1], tf.float32))

    def model() -> Any:
        layers = [tf.keras.layers.InputLayer(input_shape=(FEATURES,))]
        layers += [tf.keras.layers.Dense(width, "relu") for width in LAYERS[1:-1]]
        keras = tf.keras.Sequential([*layers, tf.keras.layers.Dense(1)])
        loss = tf.keras.losses.BinaryCrossentropy(from_logits=True)
        return tff.learning.models.from_keras_model(keras, loss=loss, input_spec=spec)

    process = tff.learning.algorithms.build_unweighted_fed_avg(
        model,
        client_optimizer_fn=tff.learning.optimizers.build_sgdm(RATE),
        server_optimizer_fn=tff.learning.optimizers.build_sgdm(1.0),
    )
    data = [
        tf.data.Dataset.from_tensor_slices((t.X, t.y[:, None])).shuffle(RECORDS, seed=1).batch(BATCH) for t in hospitals
    ]
    state = process.initialize()
    return median_seconds(lambda: process.next(state, data), repeats)


def tf_privacy(hospitals: list[federated.ClientData], repeats: int) -> float:
    """Return the time of one epoch at each hospital by TF-Privacy's vectorised optimiser, compiled once."""
    import tensorflow as tf
    from tensorflow_privacy.privacy.optimizers.dp_optimizer_keras_vectorized import VectorizedDPKerasSGDOptimizer

    layers = [tf.keras.layers.InputLayer(input_shape=(FEATURES,))]
    layers += [tf.keras.layers.Dense(width, "relu") for width in LAYERS[1:-1]]
    model = tf.keras.Sequential([*layers, tf.keras.layers.Dense(1)])
    optimizer = VectorizedDPKerasSGDOptimizer(1.0, 1.0, num_microbatches=BATCH, learning_rate=RATE)
    loss = tf.keras.losses.BinaryCrossentropy(from_logits=True, reduction=tf.losses.Reduction.NONE)
    model.compile(optimizer, loss)
    data = [
        tf.data.Dataset.from_tensor_slices((t.X, t.y[:, None])).batch(BATCH, drop_remainder=True) for t in hospitals
    ]

    def epochs() -> None:
        for table in data:
            model.fit(table, epochs=1, verbose=0)

    return median_seconds(epochs, repeats)


def scaling(repeats: int) -> dict[str, dict[str, float]]:
    """Time a round against the number of hospitals (100 records each) and against the number of parameters."""
    spec, plain = federated.Mlp(LAYERS), {}
    config, weights = federated.TrainConfig(spec, batch=BATCH, learning_rate=RATE), federated.init_weights(spec, 1)
    for count in (5, 10, 20, 50, 100, 200):
        some, seeds = tables(count, records=100), list(range(count))
        call = lambda some=some, seeds=seeds: federated.local_updates(weights, some, config, seeds)  # noqa: E731
        plain[str(count)] = median_seconds(call, repeats)
    by_size = {}
    for hidden in (32, 320, 3200, 32000):
        wide = federated.Mlp((FEATURES, hidden, 1))
        start, several = federated.init_weights(wide, 1), tables(records=100)
        slow = federated.TrainConfig(wide, batch=BATCH, learning_rate=1e-3)
        call = lambda a=start, b=several, c=slow: federated.local_updates(a, b, c, list(range(HOSPITALS)))  # noqa: E731
        by_size[str(wide.size)] = median_seconds(call, repeats)
    return {"by hospitals": plain, "by parameters": by_size}


def main() -> None:
    """Measure, and print one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--peers", help="interpreter of an environment with the group `peers`")
    parser.add_argument("--repeats", type=int, default=9)
    wanted = parser.parse_args()
    seconds = rounds(wanted.repeats)
    if wanted.peers:
        script = Path(__file__).with_name("bench_federated_flower.py")
        done = subprocess.run([wanted.peers, script], capture_output=True, text=True, check=False)
        if done.returncode:
            sys.exit(f"the Flower peer failed: {done.stderr[-500:]}")
        line = next(line for line in done.stdout.splitlines() if line.startswith("{"))  # Ray prints around it
        seconds["Flower round"] = json.loads(line)["seconds"]
    ours, private = seconds["round"], seconds["private round"]
    ratios = {
        "round ÷ tff.learning": ours / seconds["tff.learning round"],
        "TF-Privacy ÷ private round": seconds["TF-Privacy epochs"] / private,
        "private round ÷ round": private / ours,
    }
    if wanted.peers:
        ratios["round ÷ Flower"] = ours / seconds["Flower round"]
    print(json.dumps({"seconds": seconds, "ratios": ratios, "scaling": scaling(3)}, indent=1, ensure_ascii=False))
    federated.worker.close()


if __name__ == "__main__":
    main()
