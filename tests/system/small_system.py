"""A small consortium on random records: three hospitals, twelve inputs, one hidden layer of four."""

import numpy as np

from bfl_stpc import federated, system
from bfl_stpc.seeds import generator

SPEC = federated.Mlp((12, 4, 1))
CONFIG = federated.TrainConfig(SPEC, epochs=1, batch=16, learning_rate=0.1)
CLIP = 0.3


def small_records(hospitals=3):
    records = {}
    for k in range(hospitals):
        rng = generator("test records", k)
        X = rng.normal(size=(40 + 20 * k, 12)).astype(np.float32)
        records[f"hospital-{k}"] = federated.ClientData(X, (X[:, 0] + X[:, 1] > 0).astype(np.int8))
    return records


def small_consortium(seed=1, hospitals=3, **others):
    return system.found(
        small_records(hospitals), CONFIG, experiment="test", seed=seed, clip=CLIP, max_records=1000, **others
    )
