"""The ledger: a chain, its contracts, and who may do what on them.

`Chain` (py-evm in memory, or a node over HTTP) carries `HospitalRegistry` and `FLRoundManager`; `Ledger` is what a
round needs of them. Identities sign locally. Refusals raise subclasses of `bfl_stpc.errors.LedgerError`.
"""

from bfl_stpc.ledger.chain import Chain, InMemoryChain, Receipt
from bfl_stpc.ledger.contract import Contract, Event
from bfl_stpc.ledger.facade import Ledger
from bfl_stpc.ledger.identity import Identity
from bfl_stpc.ledger.registry import Challenge, Hospital, Registry, Session
from bfl_stpc.ledger.rounds import Approval, Durations, Result, Rounds, RoundState

__all__ = [
    "Approval",
    "Chain",
    "Challenge",
    "Contract",
    "Durations",
    "Event",
    "Hospital",
    "Identity",
    "InMemoryChain",
    "Ledger",
    "Receipt",
    "Registry",
    "Result",
    "RoundState",
    "Rounds",
    "Session",
]
