"""Secure third-party computation: recipes with safe defaults. The pieces beneath are in `bfl_stpc.stpc.hazmat`."""

from bfl_stpc.stpc.aggregator import Aggregator
from bfl_stpc.stpc.authority import KeyAuthority
from bfl_stpc.stpc.bulletin import Bulletin
from bfl_stpc.stpc.hazmat.bfv import PublicKey
from bfl_stpc.stpc.messages import (
    Advert,
    Aggregate,
    Attestation,
    Directory,
    SealedShares,
    Total,
    UnmaskAnswer,
    UnmaskRequest,
    Upload,
)
from bfl_stpc.stpc.parameters import Parameters, Rounding, Weighting
from bfl_stpc.stpc.party import Party
from bfl_stpc.stpc.recipes import open_sum, set_up
from bfl_stpc.stpc.verify import Challenge, verify_sum

__all__ = [
    "Advert",
    "Aggregate",
    "Aggregator",
    "Attestation",
    "Bulletin",
    "Challenge",
    "Directory",
    "KeyAuthority",
    "Parameters",
    "Party",
    "PublicKey",
    "Rounding",
    "SealedShares",
    "Total",
    "UnmaskAnswer",
    "UnmaskRequest",
    "Upload",
    "Weighting",
    "open_sum",
    "set_up",
    "verify_sum",
]
