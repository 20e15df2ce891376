"""Differential privacy for records: DP-SGD with exact ghost norms, accounting, budgets and audits."""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # before TensorFlow is imported: its start-up notes are no news

from bfl_stpc.privacy import audit
from bfl_stpc.privacy.accounting import Accountant, Spent, calibrate, epsilon
from bfl_stpc.privacy.budget import Budget
from bfl_stpc.privacy.dpsgd import DpConfig
from bfl_stpc.privacy.noise import NoiseSource

__all__ = ["Accountant", "Budget", "DpConfig", "NoiseSource", "Spent", "audit", "calibrate", "epsilon"]
