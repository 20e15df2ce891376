"""The whole system: roles, the messages between them, and one round that composes learning, computation and ledger."""

from bfl_stpc.system import inspection
from bfl_stpc.system.consortium import Absence, Consortium
from bfl_stpc.system.embedded import EmbeddedConsortium, found
from bfl_stpc.system.meter import Meter, Step
from bfl_stpc.system.metrics import RoundMetrics, measure
from bfl_stpc.system.preparation import common_scaler, records, rows_by_hospital
from bfl_stpc.system.roles import AGGREGATOR, AUTHORITY, LEDGER, Authority, Hospital
from bfl_stpc.system.round import run_round
from bfl_stpc.system.state import State
from bfl_stpc.system.store import Store
from bfl_stpc.system.wire import Endpoint

__all__ = [
    "AGGREGATOR",
    "AUTHORITY",
    "LEDGER",
    "Absence",
    "Authority",
    "Consortium",
    "EmbeddedConsortium",
    "Endpoint",
    "Hospital",
    "Meter",
    "RoundMetrics",
    "State",
    "Step",
    "Store",
    "common_scaler",
    "found",
    "inspection",
    "measure",
    "records",
    "rows_by_hospital",
    "run_round",
]
