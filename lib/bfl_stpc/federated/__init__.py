"""Federated learning in TensorFlow Federated: model, local training, server steps, scaling, evaluation."""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # before TensorFlow is imported: its start-up notes are no news

from bfl_stpc.federated import worker
from bfl_stpc.federated.evaluation import Metrics, calibration, evaluate, predict, roc
from bfl_stpc.federated.features import Inputs, hospital_statistics, logarithms
from bfl_stpc.federated.model import Mlp, digest, init_weights
from bfl_stpc.federated.scaling import Scaler, statistics
from bfl_stpc.federated.server import Averaging, FedAdam, Momentum, apply_update, weighted_mean
from bfl_stpc.federated.simulation import Trained, apart, pooled, train
from bfl_stpc.federated.training import ClientData, LocalTraining, TrainConfig, local_updates

__all__ = [
    "Averaging",
    "ClientData",
    "FedAdam",
    "Inputs",
    "LocalTraining",
    "Metrics",
    "Mlp",
    "Momentum",
    "Scaler",
    "TrainConfig",
    "Trained",
    "apart",
    "apply_update",
    "calibration",
    "digest",
    "evaluate",
    "hospital_statistics",
    "init_weights",
    "local_updates",
    "logarithms",
    "pooled",
    "predict",
    "roc",
    "statistics",
    "train",
    "weighted_mean",
    "worker",
]
