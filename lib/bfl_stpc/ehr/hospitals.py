"""How hospitals differ: size, case mix, instruments, and habits of ordering and coding."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from bfl_stpc.ehr.codes import CONDITIONS, LABS, QUANTITIES
from bfl_stpc.ehr.config import CohortConfig
from bfl_stpc.seeds import generator

SOMETIMES_ABSENT = ("lactate", "ntprobnp", "hba1c", "crp")  # assays that a small laboratory may not run
ABSENT_SHARE = 0.15


@dataclass(frozen=True)
class Hospital:
    """One hospital as the generator sees it; models see its records only.

    Attributes:
        index, name: position from 0, and the name used in tables ("hospital-01" is index 0).
        patients: number of patients.
        mean_age: mean age of its patients, years.
        female: share of women.
        acuity: shift of acute severity, in standard deviations of a patient's.
        conditions: per chronic condition, shift of its log-odds.
        gain, offset: per quantity, recorded = gain × true + offset (offset in the quantity's unit).
        ordering: per quantity, shift of the log-odds of not being measured.
        absent: quantities that the hospital never measures.
        coding: share of chronic conditions that reach the record.
    """

    index: int
    name: str
    patients: int
    mean_age: float
    female: float
    acuity: float
    conditions: Mapping[str, float]
    gain: Mapping[str, float]
    offset: Mapping[str, float]
    ordering: Mapping[str, float]
    absent: frozenset[str]
    coding: float


def hospitals(config: CohortConfig) -> tuple[Hospital, ...]:
    """Return the hospitals of a cohort; all but `patients` of one depends on its own index alone."""
    sizes = _sizes(config)
    return tuple(_hospital(config, index, int(size)) for index, size in enumerate(sizes))


def _sizes(config: CohortConfig) -> np.ndarray:
    """Return int64 (hospitals,) sizes that add up exactly: a common floor, the rest in proportion to size."""
    logs = [generator("ehr", config.seed, "size", k).standard_normal() for k in range(config.hospitals)]
    weights = np.exp(config.size_spread * np.array(logs))
    floor = config.patients // (4 * config.hospitals)
    free = config.patients - floor * config.hospitals
    exact = free * weights / weights.sum()
    sizes = np.floor(exact).astype(np.int64)
    largest = np.argsort(sizes - exact, kind="stable")[: free - sizes.sum()]
    sizes[largest] += 1
    return sizes + floor


def _hospital(config: CohortConfig, index: int, patients: int) -> Hospital:
    mix = generator("ehr", config.seed, "case-mix", index).standard_normal(3 + len(CONDITIONS))
    mix *= config.case_mix_spread
    tuning = generator("ehr", config.seed, "calibration", index).standard_normal((2, len(QUANTITIES)))
    tuning *= config.calibration_spread
    habits = generator("ehr", config.seed, "habits", index)
    general, coding = config.missingness_spread * habits.standard_normal(2)
    ordering = config.missingness_spread * habits.standard_normal(len(QUANTITIES))
    lacks = habits.random(len(SOMETIMES_ABSENT)) < ABSENT_SHARE * min(1.0, config.missingness_spread)
    labs = {q.name for q in LABS}
    return Hospital(
        index=index,
        name=f"hospital-{index + 1:02d}",
        patients=patients,
        mean_age=64.0 + 5.0 * float(np.clip(mix[0], -2, 2)),
        female=0.5 + 0.03 * float(np.clip(mix[1], -3, 3)),
        acuity=0.35 * float(np.clip(mix[2], -2, 2)),
        conditions={c.name: 0.3 * float(m) for c, m in zip(CONDITIONS, mix[3:])},
        gain={q.name: 1 + q.gain_sd * float(t) for q, t in zip(QUANTITIES, tuning[0])},
        offset={q.name: q.offset_sd * float(t) for q, t in zip(QUANTITIES, tuning[1])},
        ordering={
            q.name: float((0.5 if q.name in labs else 0.3) * general + 0.4 * o) for q, o in zip(QUANTITIES, ordering)
        },
        absent=frozenset(name for name, lacking in zip(SOMETIMES_ABSENT, lacks) if lacking),
        coding=float(1 / (1 + np.exp(-(2.6 + 0.5 * coding)))),
    )
