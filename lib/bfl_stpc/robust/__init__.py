"""Robust aggregation under secure sums: random groups, robust rules over them, and who is to blame."""

from bfl_stpc.robust.defence import Defence, Thresholds, Trace, accused, calibrate, defences
from bfl_stpc.robust.exposure import in_one_round, over_rounds
from bfl_stpc.robust.groups import clip, draw_groups, group_means, isolation_risk, smallest_group
from bfl_stpc.robust.rules import RULES, rule
from bfl_stpc.robust.scene import PATTERN, Scene, draw_scene
from bfl_stpc.robust.simulation import Course, simulate
from bfl_stpc.robust.tables import by_attack, costs, curves, identified, versus
from bfl_stpc.robust.tracing import Decoder, first_round, intersect, stand_out
from bfl_stpc.robust.trials import Exposure, Result, Trials

__all__ = [
    "PATTERN",
    "RULES",
    "Course",
    "Decoder",
    "Defence",
    "Exposure",
    "Result",
    "Scene",
    "Thresholds",
    "Trace",
    "Trials",
    "accused",
    "by_attack",
    "calibrate",
    "clip",
    "costs",
    "curves",
    "defences",
    "draw_groups",
    "draw_scene",
    "first_round",
    "group_means",
    "identified",
    "in_one_round",
    "intersect",
    "isolation_risk",
    "over_rounds",
    "rule",
    "simulate",
    "smallest_group",
    "stand_out",
    "versus",
]
