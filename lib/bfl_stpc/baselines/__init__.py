"""The four baselines and two controls: documented reconstructions, each a complete system on the same patients."""

from bfl_stpc.baselines import controls, ejss, feacs, flbm_iot, ours, ppflb
from bfl_stpc.baselines.cohort import Patients, Records, public_scaling
from bfl_stpc.baselines.report import Card, Costs, Exposure, Report, View

__all__ = [
    "Card",
    "Costs",
    "Exposure",
    "Patients",
    "Records",
    "Report",
    "View",
    "controls",
    "ejss",
    "feacs",
    "flbm_iot",
    "ours",
    "ppflb",
    "public_scaling",
]
