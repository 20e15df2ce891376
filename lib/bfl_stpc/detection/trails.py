"""Synthetic audit trails of users at hospitals: what normal weeks look like, and four ways to abuse access.

The chain's trail names hospitals; which user acted stands in the hospital's own log, of which the chain anchors the
Merkle roots. Such logs stay where they are, so a detector learns from them federatedly. Everything here is an
assumption of the generator, not a measurement of a hospital:

A user has a role, a unit and a shift. In a week he acts as often as his role does (negative binomial), at the hours of
his shift, mostly on records of his unit; clerks and researchers range wider. Hospitals differ in volume, in how
often people help out on other units, and in how many work at night. One patient in a hundred is well known.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bfl_stpc.ledger.audit import Action

# role: share of users, actions a week, share on records of the own unit, shares of READ, AMEND and SHARE
ROLES: dict[str, tuple[float, float, float, tuple[float, float, float]]] = {
    "physician": (0.30, 70, 0.90, (0.80, 0.18, 0.02)),
    "nurse": (0.45, 90, 0.95, (0.75, 0.249, 0.001)),
    "clerk": (0.15, 50, 0.35, (0.90, 0.07, 0.03)),
    "researcher": (0.10, 40, 0.20, (0.88, 0.0, 0.12)),
}
UNITS, PATIENTS, SURNAMES, WELL_KNOWN = 6, 300, 150, 0.01
ABUSES = ("insider browsing", "bulk export", "off-hours", "snooping")
FEATURES = (
    "actions", "records", "other units", "share of other units", "exports", "amendments", "off shift",
    "share off shift", "well-known records", "own surname", "most in an hour", "most on one foreign record",
    *ROLES,
)  # fmt: skip


@dataclass(frozen=True)
class Site:
    """One hospital's habits.

    Attributes:
        volume: factor of everyone's activity.
        helping: factor of the odds of acting on another unit.
        night: share of users on night shift.
        unit, surname, well_known: of each patient (PATIENTS,).
    """

    volume: float
    helping: float
    night: float
    unit: NDArray[np.int64]
    surname: NDArray[np.int64]
    well_known: NDArray[np.bool_]

    @classmethod
    def draw(cls, rng: np.random.Generator) -> Site:
        """Return a hospital's habits and patients."""
        return cls(
            volume=float(np.exp(0.3 * rng.standard_normal())),
            helping=float(np.exp(0.4 * rng.standard_normal())),
            night=float(rng.uniform(0.1, 0.3)),
            unit=rng.integers(UNITS, size=PATIENTS),
            surname=rng.integers(SURNAMES, size=PATIENTS),
            well_known=rng.random(PATIENTS) < WELL_KNOWN,
        )


@dataclass(frozen=True)
class User:
    """One user: index of the role in `ROLES`, unit, whether on night shift, and surname."""

    role: int
    unit: int
    night: bool
    surname: int

    @classmethod
    def draw(cls, site: Site, rng: np.random.Generator) -> User:
        """Return a user of `site`."""
        role = int(rng.choice(len(ROLES), p=[each[0] for each in ROLES.values()]))
        return cls(role, int(rng.integers(UNITS)), bool(rng.random() < site.night), int(rng.integers(SURNAMES)))


def week(
    site: Site, user: User, rng: np.random.Generator, abuse: str | None = None, extra: int = 0
) -> NDArray[np.float64]:
    """Return the entries of a user's week, float64 (n, 3): hour since Monday 0:00, patient, `Action`.

    Abuse adds `extra` entries: *insider browsing* reads other units' records in the own shift; *bulk export* shares
    distinct records within an hour of the shift; *off-hours* reads records of the own unit outside the shift;
    *snooping* returns to one well-known person or namesake of another unit.
    """
    _, rate, own, mix = list(ROLES.values())[user.role]
    mean = rate * site.volume
    n = int(rng.negative_binomial(5, 5 / (5 + mean)))
    foreign = (1 - own) * site.helping / (own + (1 - own) * site.helping)
    patients = _patients(site, user, rng, rng.random(n) < foreign)
    actions = rng.choice([Action.READ, Action.AMEND, Action.SHARE], n, p=mix)
    entries = [np.column_stack([_hours(user, rng, n), patients, actions])]
    if abuse is not None and extra:
        entries.append(_abuse(site, user, rng, abuse, extra))
    return np.concatenate(entries).astype(np.float64)


def _patients(site: Site, user: User, rng: np.random.Generator, foreign: NDArray[np.bool_]) -> NDArray[np.int64]:
    inside, outside = np.flatnonzero(site.unit == user.unit), np.flatnonzero(site.unit != user.unit)
    return np.where(foreign, rng.choice(outside, foreign.size), rng.choice(inside, foreign.size))


def _hours(user: User, rng: np.random.Generator, n: int, *, off: bool = False) -> NDArray[np.float64]:
    middle = 1.0 if user.night != off else 13.0
    return 24 * rng.integers(5, size=n) + (middle + 2.5 * rng.standard_normal(n)) % 24


def _abuse(site: Site, user: User, rng: np.random.Generator, abuse: str, extra: int) -> NDArray[np.float64]:
    abroad = np.flatnonzero(site.unit != user.unit)
    hours, action = _hours(user, rng, extra, off=abuse == "off-hours"), Action.READ
    if abuse == "insider browsing":
        patients = rng.choice(abroad, extra)
    elif abuse == "bulk export":
        patients, action = rng.permutation(PATIENTS)[:extra], Action.SHARE
        hours = np.sort(hours[:1] + rng.random(patients.size))
    elif abuse == "off-hours":
        patients = _patients(site, user, rng, np.zeros(extra, bool))
    else:
        of_interest = abroad[site.well_known[abroad] | (site.surname[abroad] == user.surname)]
        patients = np.full(extra, rng.choice(of_interest if of_interest.size else abroad))
    return np.column_stack([hours, patients, np.full(patients.size, action)])


def features(site: Site, user: User, entries: NDArray[np.float64]) -> NDArray[np.float32]:
    """Return what a detector sees of a week, float32 (len(FEATURES),): counts as log(1 + n), shares as they are."""
    hour, patient, action = entries[:, 0], entries[:, 1].astype(np.int64), entries[:, 2]
    n = len(entries)
    foreign = site.unit[patient] != user.unit
    away = np.abs((hour % 24 - (1.0 if user.night else 13.0) + 12) % 24 - 12) > 7
    counts = [
        n,
        np.unique(patient).size,
        foreign.sum(),
        (action == Action.SHARE).sum(),
        (action == Action.AMEND).sum(),
        away.sum(),
        (site.well_known[patient] & foreign).sum(),
        ((site.surname[patient] == user.surname) & foreign).sum(),
        np.bincount(hour.astype(np.int64)).max(initial=0),
        np.bincount(patient[foreign]).max(initial=0),
    ]
    log = np.log1p(np.array(counts, float))
    shares = [foreign.sum() / max(n, 1), away.sum() / max(n, 1)]
    roles = np.eye(len(ROLES))[user.role]
    ordered = [*log[:3], shares[0], *log[3:6], shares[1], *log[6:], *roles]
    return np.array(ordered, np.float32)


@dataclass(frozen=True)
class Weeks:
    """User-weeks of one hospital: X float32 (n, len(FEATURES)), abuse int64 (n,), −1 for none else its index."""

    X: NDArray[np.float32]
    abuse: NDArray[np.int64]

    @property
    def y(self) -> NDArray[np.float32]:
        """Return 1 for weeks with abuse, float32 (n,)."""
        return (self.abuse >= 0).astype(np.float32)


SEVERITY = {"insider browsing": (8, 40), "bulk export": (8, 80), "off-hours": (8, 40), "snooping": (3, 12)}


def draw_weeks(rng: np.random.Generator, *, users: int, weeks: int, abused: float = 0.1) -> Weeks:
    """Return the weeks of a new hospital's users; a share `abused` holds abuse, all kinds alike often."""
    site = Site.draw(rng)
    rows, kinds = [], []
    for _ in range(users):
        user = User.draw(site, rng)
        for _ in range(weeks):
            kind = int(rng.integers(len(ABUSES))) if rng.random() < abused else -1
            name = ABUSES[kind] if kind >= 0 else None
            extra = int(rng.integers(*SEVERITY[name], endpoint=True)) if name else 0
            rows.append(features(site, user, week(site, user, rng, name, extra)))
            kinds.append(kind)
    return Weeks(np.array(rows), np.array(kinds))
