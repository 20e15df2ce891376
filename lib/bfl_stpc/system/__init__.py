"""The whole system: roles, and one round that composes learning, secure computation and the ledger."""

from bfl_stpc.system.embedded import found
from bfl_stpc.system.meter import Meter, Step
from bfl_stpc.system.roles import Consortium, Hospital
from bfl_stpc.system.round import State, run_round

__all__ = ["Consortium", "Hospital", "Meter", "State", "Step", "found", "run_round"]
