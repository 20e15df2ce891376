"""The four baselines and two controls: documented reconstructions, each a complete system on the same patients."""

from bfl_stpc.baselines import campaign, compare, controls, ejss, exposure, feacs, flbm_iot, ours, ppflb
from bfl_stpc.baselines.cohort import Patients, Records, public_scaling
from bfl_stpc.baselines.report import Card, Costs, Exposure, Report, View
from bfl_stpc.baselines.search import BUDGET, SEARCH, own_trials
from bfl_stpc.baselines.systems import BASELINES, CARDS, PRIVATE, SHARED, WITH_NOISE, operate_all, run_all

__all__ = [
    "BASELINES",
    "BUDGET",
    "CARDS",
    "PRIVATE",
    "SEARCH",
    "SHARED",
    "WITH_NOISE",
    "Card",
    "Costs",
    "Exposure",
    "Patients",
    "Records",
    "Report",
    "View",
    "campaign",
    "compare",
    "controls",
    "ejss",
    "exposure",
    "feacs",
    "flbm_iot",
    "operate_all",
    "ours",
    "own_trials",
    "ppflb",
    "public_scaling",
    "run_all",
]
