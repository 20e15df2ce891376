"""What clinicians ask of predictions: at my hospital, for my patients, and at the risk at which I would treat."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from bfl_stpc.ehr import Tabular
from bfl_stpc.real.estimates import (
    DRAWS,
    Estimate,
    Scored,
    accuracy,
    auc,
    balanced_accuracy,
    brier,
    difference,
    estimate,
    excess_risk,
    net_benefit,
    sensitivity,
)


def scores(scored: Mapping[str, Scored], *, draws: int = DRAWS) -> pd.DataFrame:
    """Return a row for each way of learning: accuracy, balanced accuracy, AUC and Brier score, each an `Estimate`."""
    metrics = {"accuracy": accuracy, "balanced accuracy": balanced_accuracy, "AUC": auc, "Brier": brier}
    return pd.DataFrame(
        [
            {"learning": name} | {word: estimate(metric, part, draws=draws) for word, metric in metrics.items()}
            for name, part in scored.items()
        ]
    )


def by_hospital(scored: Mapping[str, Scored], table: Tabular, *, draws: int = DRAWS) -> pd.DataFrame:
    """Return a row for each hospital and way of learning.

    Columns: hospital, learning, patients (tested), majority (accuracy of the better constant answer), then accuracy,
    balanced accuracy and AUC, each an `Estimate`.
    """
    rows = []
    for k, hospital in enumerate(table.hospitals):
        for name, part in scored.items():
            kept = part.hospital == k
            if not kept.any():
                continue
            own = part.only(kept)
            share = float(own.y.mean())
            rows.append(
                {
                    "hospital": hospital,
                    "learning": name,
                    "patients": len(own.y),
                    "majority": max(share, 1 - share),
                    "accuracy": estimate(accuracy, own, draws=draws),
                    "balanced accuracy": estimate(balanced_accuracy, own, draws=draws),
                    "AUC": estimate(auc, own, draws=draws),
                }
            )
    return pd.DataFrame(rows)


def fairness(scored: Scored, table: Tabular, *, draws: int = DRAWS) -> pd.DataFrame:
    """Return a row for each group of the table's patients: AUC, sensitivity and excess of predicted risk.

    A group that is ranked worse (AUC), found less often (sensitivity at a risk equal to the share of the ill among
    all patients) or told a risk that is not its own (excess) is served worse. Columns: attribute, group, patients, ill
    (share), then the three, each an `Estimate`.
    """
    rows, usual = [], float(scored.y.mean())
    for attribute, of in table.groups.items():
        groups = of[scored.rows]
        for group in sorted(set(groups.tolist()) - {""}, key=lambda name: (not name.startswith("under"), name)):
            own = scored.only(groups == group)
            rows.append(
                {
                    "attribute": attribute,
                    "group": group,
                    "patients": len(own.y),
                    "ill": float(own.y.mean()),
                    "AUC": estimate(auc, own, draws=draws),
                    "sensitivity": estimate(sensitivity(usual), own, draws=draws),
                    "excess risk": estimate(excess_risk, own, draws=draws),
                }
            )
    return pd.DataFrame(rows)


def decision_curve(scored: Scored, thresholds: Sequence[float], *, draws: int = DRAWS) -> dict[str, list[float]]:
    """Return the net benefit of treating by prediction at each threshold: `value`, `low`, `high`, `all` and `sure`.

    `all` treats everybody; treating nobody is 0 (Vickers and Elkin 2006). `sure` is 1 where the intervals of the
    benefit, and of its difference from treating everybody, lie above 0, else 0.
    """
    points = [estimate(net_benefit(t), scored, draws=draws) for t in thresholds]
    everybody = Scored(np.ones((1, len(scored.y))), scored.y, scored.hospital, scored.rows)
    ahead = [difference(net_benefit(t), scored, everybody, draws=draws).low > 0 for t in thresholds]
    return {
        "sure": [float(point.low > 0 and better) for point, better in zip(points, ahead)],
        "value": [point.value for point in points],
        "low": [point.low for point in points],
        "high": [point.high for point in points],
        "all": [estimate(net_benefit(t), everybody, draws=1).value for t in thresholds],
    }


def readable(frame: pd.DataFrame) -> pd.DataFrame:
    """Return `frame` with every `Estimate` as text: value and interval."""
    return frame.map(lambda value: str(value) if isinstance(value, Estimate) else value)
