"""The ledger: a chain, its contracts, who may do what on them, and the records that they guard.

`Chain` (py-evm in memory, or a node over HTTP) carries the contracts; `Ledger` is what a round needs of them.
`RecordOffice` keeps encrypted records under the patients' consent. Identities sign locally. Refusals raise subclasses
of `bfl_stpc.errors.LedgerError`.
"""

from bfl_stpc.ledger.audit import Action, Decision, Entry, Purpose, Reviewer, Trail
from bfl_stpc.ledger.chain import Chain, InMemoryChain, Receipt
from bfl_stpc.ledger.consent import Consents
from bfl_stpc.ledger.contract import Contract, Event
from bfl_stpc.ledger.facade import Ledger
from bfl_stpc.ledger.identity import Identity
from bfl_stpc.ledger.records import RecordOffice
from bfl_stpc.ledger.registry import Challenge, Hospital, Registry, Session
from bfl_stpc.ledger.rounds import Approval, Durations, Result, Rounds, RoundState
from bfl_stpc.ledger.vault import ReaderKey, Vault

__all__ = [
    "Action",
    "Approval",
    "Chain",
    "Challenge",
    "Consents",
    "Contract",
    "Decision",
    "Durations",
    "Entry",
    "Event",
    "Hospital",
    "Identity",
    "InMemoryChain",
    "Ledger",
    "Purpose",
    "ReaderKey",
    "Receipt",
    "RecordOffice",
    "Registry",
    "Result",
    "Reviewer",
    "RoundState",
    "Rounds",
    "Session",
    "Trail",
    "Vault",
]
