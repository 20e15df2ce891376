"""The search for settings: cross-validation inside the training part of the heart disease split, and nowhere else.

`python -m bfl_stpc.real` does it again and writes search.csv: every setting that was tried, and its log loss, which
is a proper score and wobbles less than accuracy. The best row of each kind holds on all tables, unchanged: of the
other tables no patient was looked at for it.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any

import pandas as pd

from bfl_stpc.ehr import Tabular, heart_disease
from bfl_stpc.real.estimates import estimate, log_loss
from bfl_stpc.real.learning import Learn, Settings, alone, at_home, cross_fitted, pooled, together

SEARCH = Path(__file__).with_name("search.csv")
FOLDS, SEEDS = 5, (101, 102)  # of the search; the study has others
# Below 1 a hospital of three patients would be believed; the search sees none so small, so it cannot judge that.
PENALTIES = (1.0, 3.0, 10.0, 30.0, 100.0)
KINDS: dict[str, Callable[[Settings], Learn]] = {
    "together": together,
    "pooled": pooled,
    "alone": alone,
    "at home": at_home,  # corrects the best of `together`
}
OF_FIT = {"pooled": "pooled_penalty", "alone": "own_penalty", "at home": "home_penalty"}


def grid(kind: str) -> Iterator[dict[str, Any]]:
    """Return the settings to try for one kind: 24 of learning together, five penalties of each fit."""
    if kind != "together":
        yield from ({OF_FIT[kind]: penalty} for penalty in PENALTIES)
        return
    steps = [(1, 32, 0.1), (1, 32, 0.3), (5, 32, 0.03), (5, 32, 0.1), (5, 512, 0.3), (5, 512, 1.0)]
    for (epochs, batch, rate), decay in itertools.product(steps, (0.0, 0.01, 0.03, 0.1)):
        yield {"epochs": epochs, "batch": batch, "learning_rate": rate, "decay": decay}


def search(table: Tabular, tell: Callable[[str], object] = print) -> pd.DataFrame:
    """Return a row for every setting: kind, setting (JSON), log loss in nats by cross-validation on `table`."""
    rows: list[dict[str, Any]] = []
    shared: dict[str, Any] = {}
    for kind, learn in KINDS.items():
        for setting in grid(kind):
            scored = cross_fitted(learn(Settings(**shared, **setting)), table, FOLDS, SEEDS)
            loss = round(estimate(log_loss, scored, draws=1).value, 5)
            rows.append({"kind": kind, "setting": json.dumps(setting), "log_loss": loss})
            tell(f"{kind} {rows[-1]['setting']}: {loss}")
        if kind == "together":
            shared = json.loads(min(rows, key=lambda row: row["log_loss"])["setting"])
    return pd.DataFrame(rows)


def training_part() -> Tabular:
    """Return the training patients of FLamby's split, zeros that cannot be taken as gaps: all that `search` reads."""
    table = heart_disease.load(zeros_missing=True)
    return table.take(heart_disease.flamby_split(table).train)


def chosen() -> Settings:
    """Return the best setting of each kind in search.csv."""
    tried = pd.read_csv(SEARCH)
    best = tried.loc[tried.groupby("kind").log_loss.idxmin(), "setting"]
    merged = {name: value for setting in best for name, value in json.loads(setting).items()}
    return Settings(**{field.name: merged.get(field.name, field.default) for field in fields(Settings)})
