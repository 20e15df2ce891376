"""A table of real patients, whatever it was read from: one row a patient, columns that a model can take."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from bfl_stpc.errors import DataError


@dataclass(frozen=True)
class Tabular:
    """Patients of several hospitals. Unlike `Features` it knows no true probability, hence no ceiling.

    Attributes:
        name: of the data set.
        X: float32 (n, d), categories as columns of 0 and 1; NaN where a value was not recorded.
        y: int8 (n,), 1 where the patient has the outcome.
        hospital: int16 (n,), index into `hospitals`.
        hospitals: names of the hospitals.
        columns: d names of the columns of X.
        label: what y = 1 means, in words.
        groups: per attribute ("sex", "age"), the group of each patient, str (n,); empty where it was not recorded.
        source: where the data come from, with licence, in words.
        reference: per column, centre and spread that are public knowledge, in its unit: what scaling may use where
            even sums of records would cost privacy. A column of 0 and 1 that is not named has (0.5, 0.5).

    Raises:
        DataError: parts disagree in length, a label is not 0 or 1, a hospital has no name or no patient, or X
            holds an infinite value.
    """

    name: str
    X: NDArray[np.float32]
    y: NDArray[np.int8]
    hospital: NDArray[np.int16]
    hospitals: tuple[str, ...]
    columns: tuple[str, ...]
    label: str
    groups: Mapping[str, NDArray[np.str_]] = field(default_factory=dict)
    source: str = ""
    reference: Mapping[str, tuple[float, float]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        n = len(self.X)
        if self.X.shape != (n, len(self.columns)) or self.y.shape != (n,) or self.hospital.shape != (n,):
            raise DataError(
                f"{self.name}: X {self.X.shape}, y {self.y.shape}, hospital {self.hospital.shape} and "
                f"{len(self.columns)} columns do not belong to one table"
            )
        wrong = [key for key, group in self.groups.items() if group.shape != (n,)]
        if wrong:
            raise DataError(f"{self.name}: groups {wrong} do not name one group for each of {n} patients")
        if not np.isin(self.y, (0, 1)).all():
            raise DataError(f"{self.name}: labels must be 0 or 1")
        if np.isinf(self.X).any():
            raise DataError(f"{self.name}: column {self.columns[int(np.isinf(self.X).any(0).argmax())]!r} is infinite")
        if not np.array_equal(np.unique(self.hospital), np.arange(len(self.hospitals))):
            raise DataError(f"{self.name}: each of {len(self.hospitals)} hospitals needs a patient, each patient one")

    @property
    def names(self) -> tuple[str, ...]:
        """The columns, by the word that `Features` has for them."""
        return self.columns

    def at(self, hospital: int) -> NDArray[np.int64]:
        """Return the rows of one hospital, int64 (n_k,)."""
        return np.flatnonzero(self.hospital == hospital)

    def take(self, rows: NDArray[np.int64]) -> Tabular:
        """Return the patients in `rows`; hospitals that have none of them are left out."""
        kept, owner = np.unique(self.hospital[rows], return_inverse=True)
        return replace(
            self,
            X=self.X[rows],
            y=self.y[rows],
            hospital=owner.astype(np.int16),
            hospitals=tuple(self.hospitals[k] for k in kept),
            groups={key: group[rows] for key, group in self.groups.items()},
        )

    def shuffled(self, generator: np.random.Generator, *, within: bool = False) -> Tabular:
        """Return the table with its labels dealt anew, so that nothing can be learned from it.

        Args:
            generator: decides how.
            within: whether labels stay in their hospital: each keeps its share, and which hospital it is still tells.
        """
        if not within:
            return replace(self, y=generator.permutation(self.y))
        y = self.y.copy()
        for k in range(len(self.hospitals)):
            y[self.at(k)] = generator.permutation(y[self.at(k)])
        return replace(self, y=y)

    @property
    def sha256(self) -> str:
        """Digest of columns, hospitals, values, labels and owners."""
        head = "\n".join((self.name, *self.columns, "", *self.hospitals)).encode()
        body = (self.X.astype("<f4"), self.y.astype("i1"), self.hospital.astype("<i2"))
        return hashlib.sha256(head + b"".join(part.tobytes() for part in body)).hexdigest()


def age_groups(age: NDArray) -> NDArray[np.str_]:
    """Return the group of each age in years: under 50, 50 to 64, 65 and over; empty where it is not known."""
    names = np.array(["under 50", "50–64", "65 and over"])[np.digitize(age, (50, 65))]
    return np.where(np.isnan(age), "", names)
