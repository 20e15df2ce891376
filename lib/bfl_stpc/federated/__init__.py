"""Federated learning in TensorFlow Federated: model, local training, server steps, scaling, evaluation."""

import os
from pathlib import Path

os.environ.setdefault("GRPC_ENABLE_FORK_SUPPORT", "0")  # else gRPC tells of every process that is started beside it
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # before TensorFlow is imported: its start-up notes are no news

from bfl_stpc.federated import worker
from bfl_stpc.federated.clinical import LIMITS, RELATED, ClinicalInputs, Reading, clinical_inputs
from bfl_stpc.federated.evaluation import (
    Metrics,
    calibration,
    calibration_slope,
    evaluate,
    expected_gap,
    optimum,
    predict,
    roc,
)
from bfl_stpc.federated.features import Inputs, hospital_statistics, logarithms, shared_inputs
from bfl_stpc.federated.medians import count_at_most, medians
from bfl_stpc.federated.model import Mlp, digest, init_weights
from bfl_stpc.federated.personal import mean_regularised
from bfl_stpc.federated.scaling import Scaler, statistics
from bfl_stpc.federated.server import Averaging, FedAdam, FedYogi, Momentum, ServerStep, apply_update, weighted_mean
from bfl_stpc.federated.simulation import Trained, apart, by_hospital, dirichlet, pooled, train
from bfl_stpc.federated.training import ClientData, LocalTraining, PersonalConfig, TrainConfig, local_updates

SEARCH = Path(__file__).with_name("search.csv")  # every setting tried for the notebooks, and its gap in points

__all__ = [
    "LIMITS",
    "RELATED",
    "SEARCH",
    "Averaging",
    "ClientData",
    "ClinicalInputs",
    "FedAdam",
    "FedYogi",
    "Inputs",
    "LocalTraining",
    "Metrics",
    "Mlp",
    "Momentum",
    "PersonalConfig",
    "Reading",
    "Scaler",
    "ServerStep",
    "TrainConfig",
    "Trained",
    "apart",
    "apply_update",
    "by_hospital",
    "calibration",
    "calibration_slope",
    "clinical_inputs",
    "count_at_most",
    "digest",
    "dirichlet",
    "evaluate",
    "expected_gap",
    "hospital_statistics",
    "init_weights",
    "local_updates",
    "logarithms",
    "mean_regularised",
    "medians",
    "optimum",
    "pooled",
    "predict",
    "roc",
    "shared_inputs",
    "statistics",
    "train",
    "weighted_mean",
    "worker",
]
