"""One round of Flower's simulation on the records and model of bench_federated.py; run by the peers' interpreter.

The model is trained in NumPy, so that what is timed is Flower's round and as little else as possible: this favours it.
"""

import itertools
import json
import statistics
import time

import flwr as fl
import numpy as np

HOSPITALS, RECORDS, LAYERS, BATCH, RATE, ROUNDS = 10, 1000, (30, 64, 32, 1), 32, 0.1, 6


def tables() -> list[tuple[np.ndarray, np.ndarray]]:
    """Return the same seeded records as bench_federated.tables."""
    rng = np.random.default_rng(1)
    slope = rng.normal(size=LAYERS[0])
    made = []
    for _ in range(HOSPITALS):
        X = rng.normal(size=(RECORDS, LAYERS[0])).astype(np.float32)
        made.append((X, (X @ slope > 0).astype(np.float32)))
    return made


def epoch(parts: list[np.ndarray], X: np.ndarray, y: np.ndarray) -> list[np.ndarray]:
    """Return the weights after one shuffled epoch of SGD."""
    parts = [part.copy() for part in parts]
    for rows in np.array_split(np.random.default_rng(1).permutation(len(y)), len(y) // BATCH + 1):
        inputs = [X[rows]]
        for kernel, bias in zip(parts[0:-2:2], parts[1:-2:2]):
            inputs.append(np.maximum(inputs[-1] @ kernel + bias, 0))
        logits = (inputs[-1] @ parts[-2] + parts[-1])[:, 0]
        delta = ((1 / (1 + np.exp(-logits)) - y[rows]) / len(rows))[:, None].astype(np.float32)
        for at in range(len(parts) - 2, -1, -2):
            a, kernel = inputs[at // 2], parts[at].copy()
            parts[at] -= RATE * (a.T @ delta)
            parts[at + 1] -= RATE * delta.sum(0)
            delta = (delta @ kernel.T) * (a > 0)
    return parts


class Hospital(fl.client.NumPyClient):
    """A Flower client over one table."""

    def __init__(self, table: tuple[np.ndarray, np.ndarray]) -> None:
        self.table = table

    def fit(self, parameters: list[np.ndarray], config: dict) -> tuple[list[np.ndarray], int, dict]:
        """Train one epoch from `parameters`."""
        return epoch(parameters, *self.table), RECORDS, {}


class Timed(fl.server.strategy.FedAvg):
    """FedAvg that notes when each round is aggregated."""

    def __init__(self, **options: object) -> None:
        super().__init__(**options)
        self.times: list[float] = []

    def aggregate_fit(self, *arguments: object) -> object:
        """Aggregate, and note the time."""
        result = super().aggregate_fit(*arguments)
        self.times.append(time.perf_counter())
        return result


def main() -> None:
    """Run the rounds and print the median time between them; the first pays Ray's start and is left out."""
    data, rng, parts = tables(), np.random.default_rng(2), []
    for i, o in itertools.pairwise(LAYERS):
        parts += [rng.normal(0, np.sqrt(2 / i), (i, o)).astype(np.float32), np.zeros(o, np.float32)]
    strategy = Timed(
        fraction_evaluate=0.0,
        min_available_clients=HOSPITALS,
        initial_parameters=fl.common.ndarrays_to_parameters(parts),
    )
    fl.simulation.start_simulation(
        client_fn=lambda cid: Hospital(data[int(cid)]).to_client(),
        num_clients=HOSPITALS,
        config=fl.server.ServerConfig(num_rounds=ROUNDS),
        strategy=strategy,
        client_resources={"num_cpus": 1},
        ray_init_args={"include_dashboard": False},
    )
    print(json.dumps({"seconds": statistics.median(np.diff(strategy.times))}))


if __name__ == "__main__":
    main()
