"""The whole system: roles, and one round that composes learning, secure computation and the ledger."""

from bfl_stpc.system import inspection
from bfl_stpc.system.embedded import found
from bfl_stpc.system.meter import Meter, Step
from bfl_stpc.system.metrics import RoundMetrics, measure
from bfl_stpc.system.preparation import common_scaler, records, rows_by_hospital
from bfl_stpc.system.roles import Consortium, Hospital
from bfl_stpc.system.round import State, run_round

__all__ = [
    "Consortium",
    "Hospital",
    "Meter",
    "RoundMetrics",
    "State",
    "Step",
    "common_scaler",
    "found",
    "inspection",
    "measure",
    "records",
    "rows_by_hospital",
    "run_round",
]
