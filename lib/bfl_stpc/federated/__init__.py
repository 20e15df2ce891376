"""Federated learning in TensorFlow Federated: model, local training, scaling, evaluation."""

from bfl_stpc.federated.evaluation import Metrics, evaluate, predict
from bfl_stpc.federated.model import Mlp, digest, init_weights
from bfl_stpc.federated.scaling import Scaler, statistics
from bfl_stpc.federated.training import ClientData, TrainConfig, apply_update, local_updates

__all__ = [
    "ClientData",
    "Metrics",
    "Mlp",
    "Scaler",
    "TrainConfig",
    "apply_update",
    "digest",
    "evaluate",
    "init_weights",
    "local_updates",
    "predict",
    "statistics",
]
