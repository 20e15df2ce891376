"""Profiles: how much of the study to run. Settings live in data/profiles.yaml."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import yaml

from bfl_stpc.errors import ConfigError
from bfl_stpc.study import paths

RANK = {"smoke": 0, "quick": 1, "paper": 2}


@dataclass(frozen=True)
class Profile:
    """How much to run.

    Attributes:
        name: `smoke` (CI), `quick` (the reviewer) or `paper` (every figure, at least five seeds).
        patients: number of patients in the synthetic cohort.
        hospitals: number of hospitals over which they are spread.
        seeds: seeds over which a study repeats; intervals are taken over them.
        alone: whether a notebook, or a cell, that reports times has the machine for itself.
        settings: per notebook, the settings of that notebook alone.
    """

    name: str
    patients: int
    hospitals: int
    seeds: tuple[int, ...]
    alone: bool
    settings: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    def of(self, notebook: str) -> Mapping[str, Any]:
        """Return the settings of one notebook (empty where it has none)."""
        return self.settings.get(notebook, {})


def unknown(kind: str, name: str, known: list[str]) -> ConfigError:
    """Return the error for a name that does not exist, with the nearest one that does."""
    near = difflib.get_close_matches(name, known, n=1)
    hint = f"; did you mean {near[0]!r}?" if near else ""
    return ConfigError(f"unknown {kind} {name!r}: choose one of {', '.join(known)}{hint}")


def load_profile(name: str) -> Profile:
    """Return the profile `name` of data/profiles.yaml.

    Raises:
        ConfigError: the profile does not exist, or the file holds a key that no profile has.
    """
    if name not in RANK:
        raise unknown("profile", name, list(RANK))
    table = yaml.safe_load((paths.DATA / "profiles.yaml").read_text(encoding="utf-8"))
    entry = table["profiles"][name]
    if wrong := set(entry) ^ {"patients", "hospitals", "seeds", "alone"}:
        raise ConfigError(f"data/profiles.yaml: profile {name} has unknown keys, or lacks some: {sorted(wrong)}")
    settings = {}
    for notebook, by_profile in table.get("notebooks", {}).items():
        if missing := set(RANK) - set(by_profile):
            raise ConfigError(f"data/profiles.yaml: notebook {notebook} lacks the profiles {sorted(missing)}")
        settings[notebook] = by_profile[name]
    return Profile(name, entry["patients"], entry["hospitals"], tuple(entry["seeds"]), entry["alone"], settings)
