"""What a table holds and what was done to it, for a person to read before anything is trained."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import stats

from bfl_stpc.ehr.own.checks import Note, auc
from bfl_stpc.ehr.own.encode import Rows
from bfl_stpc.ehr.own.mapping import Mapping

TRIED = 200_000  # patients on whom single inputs are tried


@dataclass(frozen=True)
class Report:
    """What a table holds.

    Attributes:
        title: name of the table and its size, in words.
        hospitals: a row each: `hospital`, `patients`, `outcome` (share of y = 1), `low`, `high` (95 % Wilson), and
            `missing` (share of the values of inputs that were not recorded).
        inputs: a row each: `input`, `kind`, `columns` it has in X, `missing`, and `auc` alone, where recorded.
        ignored: columns that are no inputs, and what was seen in them.
        notes: what a reader should know.
    """

    title: str
    hospitals: pd.DataFrame
    inputs: pd.DataFrame
    ignored: dict[str, str]
    notes: tuple[Note, ...]

    def markdown(self) -> str:
        """Return the report as Markdown."""
        where, what = self.hospitals.copy(), self.inputs.copy()
        where["outcome"] = [
            f"{100 * row.outcome:.1f} % [{100 * row.low:.1f}, {100 * row.high:.1f}]" for row in where.itertuples()
        ]
        where["missing"] = [f"{100 * share:.1f} %" for share in where["missing"]]
        what["missing"] = [f"{100 * share:.1f} %" for share in what["missing"]]
        what["auc"] = [f"{value:.3f}" for value in what["auc"]]
        parts = [f"# {self.title}", "## Hospitals", _markdown(where.drop(columns=["low", "high"]))]
        parts += ["## Inputs", _markdown(what)]
        if self.ignored:
            parts += [
                "## Left out",
                "\n".join(f"- `{name}`: {note or 'as asked'}" for name, note in self.ignored.items()),
            ]
        said = [f"- {note.what}: {note.mend}." for note in self.notes] or ["- Nothing stands against training."]
        return "\n\n".join([*parts, "## Before you train", "\n".join(said)]) + "\n"


def report(name: str, rows: Rows, mapping: Mapping, notes: list[Note]) -> Report:
    """Return the report on rows that passed the checks."""
    hospitals = []
    for k, hospital in enumerate(rows.hospitals):
        own = rows.hospital == k
        ones, count = int(rows.y[own].sum()), int(own.sum())
        interval = stats.binomtest(ones, count).proportion_ci(0.95, "wilson")
        hospitals.append(
            {
                "hospital": hospital,
                "patients": count,
                "outcome": ones / count,
                "low": float(interval.low),
                "high": float(interval.high),
                "missing": float(np.isnan(rows.X[own]).mean()),
            }
        )
    step = -(-len(rows.y) // TRIED)
    X, y = rows.X[::step], rows.y[::step]
    inputs = []
    for position, column in enumerate(rows.inputs):
        own = rows.origin == position
        inputs.append(
            {
                "input": column,
                "kind": mapping.columns[column].kind,
                "columns": int(own.sum()),
                "missing": float(np.isnan(rows.X[:, own]).mean()),
                "auc": max(auc(part[~np.isnan(part)], y[~np.isnan(part)]) for part in X[:, own].T),
            }
        )
    if rows.unlabelled:
        dropped = Note(f"{rows.unlabelled} of {rows.read} rows lack label or hospital", "left out as the mapping asks")
        notes = [dropped, *notes]
    if len(rows.y) + rows.unlabelled < rows.read:
        notes = [Note(f"{len(rows.y)} of {rows.read} rows are used", "by the draw or the rules named here"), *notes]
    size = f"{len(rows.y)} patients, {len(rows.hospitals)} hospitals, {100 * rows.y.mean():.1f} % with the outcome"
    return Report(
        f"{name}: {size}",
        pd.DataFrame(hospitals),
        pd.DataFrame(inputs).sort_values("auc", ascending=False, kind="stable").reset_index(drop=True),
        {key: how.note for key, how in mapping.columns.items() if how.kind == "ignore"},
        tuple(notes),
    )


def _markdown(frame: pd.DataFrame) -> str:
    """Return a frame as a Markdown table; numbers are set right."""
    head = "| " + " | ".join(frame.columns) + " |"
    rule = "|" + "|".join("---:" if pd.api.types.is_numeric_dtype(frame[c]) else "---" for c in frame) + "|"
    rows = ["| " + " | ".join(str(v).replace("|", "\\|") for v in row) + " |" for row in frame.itertuples(index=False)]
    return "\n".join([head, rule, *rows])
