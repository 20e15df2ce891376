"""Attacks and faults injected into the real interfaces, and what notices them: the catalogue and its campaign."""

from bfl_stpc.detection import (  # each registers its kinds
    access,
    aggregator,
    credentials,
    evidence,
    faults,
    updates,
    whole,
)
from bfl_stpc.detection.campaign import (
    Campaign,
    Trial,
    aggregate,
    by_kind,
    by_level,
    clean_events,
    milliseconds,
    run,
    sensitivity,
    tidy,
)
from bfl_stpc.detection.catalogue import Basis, Catalogue, Kind, Level, load
from bfl_stpc.detection.injection import Bench, Clean, Outcome, injects, registry, trial

__all__ = [
    "Basis",
    "Bench",
    "Campaign",
    "Catalogue",
    "Clean",
    "Kind",
    "Level",
    "Outcome",
    "Trial",
    "access",
    "aggregate",
    "aggregator",
    "by_kind",
    "by_level",
    "clean_events",
    "credentials",
    "evidence",
    "faults",
    "injects",
    "load",
    "milliseconds",
    "registry",
    "run",
    "sensitivity",
    "tidy",
    "trial",
    "updates",
    "whole",
]
