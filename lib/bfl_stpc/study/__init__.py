"""The study: profiles, notebooks, results with provenance, claims. Knows nothing of the protocols."""

from bfl_stpc.study.claims import Claim, Finding, examine, judge, load_claims
from bfl_stpc.study.claims import markdown as claims_table
from bfl_stpc.study.claims import publish as publish_claims
from bfl_stpc.study.cohorts import cohort
from bfl_stpc.study.exercise import check
from bfl_stpc.study.experiment import Run, load_result, start
from bfl_stpc.study.intervals import mean_interval, wilson_interval
from bfl_stpc.study.opening import opening
from bfl_stpc.study.profiles import Profile, load_profile

__all__ = [
    "Claim",
    "Finding",
    "Profile",
    "Run",
    "check",
    "claims_table",
    "cohort",
    "examine",
    "judge",
    "load_claims",
    "load_profile",
    "load_result",
    "mean_interval",
    "opening",
    "publish_claims",
    "start",
    "wilson_interval",
]
