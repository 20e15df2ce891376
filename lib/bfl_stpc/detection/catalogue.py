"""The published catalogue of attacks and faults: data/catalogue.yaml, read and checked."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import yaml

from bfl_stpc import errors
from bfl_stpc.errors import BflError, ConfigError
from bfl_stpc.study import paths

CATALOGUE = paths.DATA / "catalogue.yaml"


class Basis(enum.Enum):
    """Why a detector finds what it finds."""

    CRYPTOGRAPHIC = "cryptographic"  # a check that what is injected cannot pass, and what is clean cannot fail
    STATISTICAL = "statistical"  # a score against a threshold: both rates are measured
    NONE = "none"  # nothing in the system looks for it, or what notices it does so by chance


@dataclass(frozen=True)
class Level:
    """How hard one severity of a kind hits: `value` is in the unit that the kind's `injects` names."""

    name: str
    value: float


@dataclass(frozen=True)
class Kind:
    """One kind of attack or fault.

    Attributes:
        id: name in code.
        name: name in tables.
        family: heading under which it stands.
        injects: what an injection does, and what its levels count.
        levels: its severities, mildest first.
        detectors: what must notice it: error classes of `bfl_stpc.errors`, or names of statistical detectors.
        basis: why they notice it.
        consequence: what it would do if it went unnoticed; gives the weight.
        weight: share of attention in the aggregate, fixed by the consequence.
        note: where the detector's sight ends, if it does.
    """

    id: str
    name: str
    family: str
    injects: str
    levels: tuple[Level, ...]
    detectors: tuple[str, ...]
    basis: Basis
    consequence: str
    weight: float
    note: str = ""


@dataclass(frozen=True)
class Catalogue:
    """All kinds, in the order in which they are printed.

    Attributes:
        kinds: by id.
        weights: weight of each consequence, with its reason.
        families: headings in order.
    """

    kinds: Mapping[str, Kind]
    weights: Mapping[str, tuple[float, str]]
    families: tuple[str, ...]

    def hardest(self) -> Catalogue:
        """Return the same kinds, each with its hardest level alone: enough to measure a time."""
        return replace(self, kinds={name: replace(kind, levels=kind.levels[-1:]) for name, kind in self.kinds.items()})


def load(path: Path = CATALOGUE) -> Catalogue:
    """Return the catalogue.

    Raises:
        ConfigError: an entry is incomplete, unknown or contradicts itself; it is named.
    """
    table = yaml.safe_load(path.read_text(encoding="utf-8"))
    weights = {name: (float(w["weight"]), str(w["reason"])) for name, w in table["consequences"].items()}
    kinds: dict[str, Kind] = {}
    for entry in table["kinds"]:
        kind = _kind(entry, weights)
        if kind.id in kinds:
            raise ConfigError(f"data/catalogue.yaml holds {kind.id!r} twice")
        kinds[kind.id] = kind
    return Catalogue(kinds, weights, tuple(dict.fromkeys(kind.family for kind in kinds.values())))


def is_error(name: str) -> bool:
    """Tell whether a detector's name is that of an error class of this package."""
    found = getattr(errors, name, None)
    return isinstance(found, type) and issubclass(found, BflError)


def _kind(entry: Mapping[str, Any], weights: Mapping[str, tuple[float, str]]) -> Kind:
    name = entry.get("id", "an entry without id")
    required = {"id", "name", "family", "injects", "levels", "detectors", "basis", "consequence"}
    if wrong := (set(entry) - {"note"}) ^ required:
        raise ConfigError(f"data/catalogue.yaml: {name} lacks or should not have {sorted(wrong)}")
    try:
        basis = Basis(entry["basis"])
    except ValueError as error:
        raise ConfigError(f"data/catalogue.yaml: {name} has no basis called {entry['basis']!r}") from error
    if entry["consequence"] not in weights:
        raise ConfigError(f"data/catalogue.yaml: {name} has no consequence called {entry['consequence']!r}")
    levels = tuple(Level(str(level), float(value)) for level, value in entry["levels"].items())
    detectors = tuple(entry["detectors"])
    if not levels:
        raise ConfigError(f"data/catalogue.yaml: {name} has no severity level")
    if basis is Basis.CRYPTOGRAPHIC and not (detectors and all(map(is_error, detectors))):
        raise ConfigError(f"data/catalogue.yaml: {name} is cryptographic, so its detectors are classes of errors.py")
    if basis is Basis.STATISTICAL and not detectors:
        raise ConfigError(f"data/catalogue.yaml: {name} is statistical and names no detector")
    texts = {key: " ".join(str(entry[key]).split()) for key in ("id", "name", "family", "injects", "consequence")}
    note = " ".join(str(entry.get("note", "")).split())
    weight = weights[entry["consequence"]][0]
    return Kind(**texts, levels=levels, detectors=detectors, basis=basis, weight=weight, note=note)
