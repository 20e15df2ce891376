"""The real tables that are here, and how each is tested."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from bfl_stpc.ehr import Tabular, heart_disease, r_datasets
from bfl_stpc.ehr.heart_disease import Parts
from bfl_stpc.errors import DataMissing
from bfl_stpc.real.estimates import Scored
from bfl_stpc.real.learning import Learn, cross_fitted, held_out
from bfl_stpc.seeds import generator

LOADERS: dict[str, Callable[[], Tabular]] = {
    "heart disease": lambda: heart_disease.load(zeros_missing=True),
    "indo_rct": r_datasets.indo_rct,
    "medpar": r_datasets.medpar,
}


@dataclass(frozen=True)
class Study:
    """A table, and its test patients.

    Attributes:
        table: the patients.
        parts: training and test rows where a split is given from elsewhere, as FLamby's; None where every patient is
            tested once, by a model of the other folds.
    """

    table: Tabular
    parts: Parts | None = None

    def score(self, learn: Learn, folds: int, seeds: Sequence[int]) -> Scored:
        """Return the predictions of one way of learning for the test patients, under each seed."""
        if self.parts is None:
            return cross_fitted(learn, self.table, folds, seeds)
        return held_out(learn, self.table, self.parts, seeds)

    def shuffled(self, seed: int) -> Study:
        """Return the same study with labels dealt anew over all hospitals: there is nothing to learn in it."""
        return replace(self, table=self.table.shuffled(generator("real", "shuffle", self.table.name, seed)))


def available() -> tuple[dict[str, Study], dict[str, str]]:
    """Return the studies whose data are here or could be downloaded, and why the others are not, both by name.

    Raises:
        IntegrityError: data are here, but not the pinned ones.
    """
    studies, absent = {}, {}
    for name, load in LOADERS.items():
        try:
            table = load()
        except DataMissing as error:
            absent[name] = str(error)
            continue
        studies[name] = Study(table, heart_disease.flamby_split(table) if name == "heart disease" else None)
    return studies, absent
