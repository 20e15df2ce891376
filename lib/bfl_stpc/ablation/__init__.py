"""The ablation: every meaningful combination of federated learning, ledger, encryption, masks and noise."""

from bfl_stpc.ablation import curious, detectability, difficulty, models
from bfl_stpc.ablation.combinations import ALL, LETTERS, Combination, meaningful, without
from bfl_stpc.ablation.paths import Cost, Path, collection
from bfl_stpc.ablation.training import Run, learn

__all__ = [
    "ALL",
    "LETTERS",
    "Combination",
    "Cost",
    "Path",
    "Run",
    "collection",
    "curious",
    "detectability",
    "difficulty",
    "learn",
    "meaningful",
    "models",
    "without",
]
