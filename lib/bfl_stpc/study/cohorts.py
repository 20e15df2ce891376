"""The synthetic cohort of a profile: generated once, kept with its hashes, verified at every load."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from bfl_stpc.lazy import Lazy
from bfl_stpc.study import paths
from bfl_stpc.study.profiles import Profile
from bfl_stpc.study.sources import closure, hash_files
from bfl_stpc.study.store import sha256

if TYPE_CHECKING:
    from bfl_stpc import ehr
else:
    ehr = Lazy("bfl_stpc.ehr")


def cohort_folder(config: ehr.CohortConfig) -> Path:
    """Return where the cohort of `config` is kept: the name covers the configuration and the generator's source."""
    source = hash_files(closure("import bfl_stpc.ehr"))
    return paths.BUILD / "cohorts" / sha256(repr(config).encode(), source.encode())[:16]


def cohort(profile: Profile) -> ehr.Cohort:
    """Return the synthetic cohort of `profile`.

    Raises:
        IntegrityError: a kept file differs from its recorded SHA-256; the message says what to delete.
        DataError: the folder cannot be written.
    """
    config = ehr.CohortConfig(patients=profile.patients, hospitals=profile.hospitals)
    folder = cohort_folder(config)
    if folder.exists():
        return ehr.load(folder)
    made = ehr.generate(config)
    ehr.save(made, folder)
    return made
