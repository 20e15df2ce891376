"""UCI Heart Disease: real patients of four hospitals, read as FLamby's Fed-Heart-Disease does.

Janosi, Steinbrunn, Pfisterer and Detrano (1989), UCI Machine Learning Repository, doi 10.24432/C52P4X, CC BY 4.0.
The protocol is that of FLamby (du Terrail et al. 2022, NeurIPS Datasets and Benchmarks): of the 14 columns of each
`processed.*.data`, slope, ca and thal are dropped for their gaps, then the rows that still have one; chest pain and
resting ECG become columns of 0 and 1; the outcome is any narrowing above half of a vessel's diameter (num > 0).

This repository ships none of the files. They are looked for in `BFL_DATA_DIR` (itself or its folder
`heart_disease`), then in `../shared/data/heart_disease` beside the checkout, then in the user's cache, where they are
downloaded once. Wherever they come from, their SHA-256 must be the pinned ones.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from requests import RequestException
from sklearn.model_selection import train_test_split

from bfl_stpc.ehr.tabular import Tabular, age_groups
from bfl_stpc.errors import DataMissing, IntegrityError

with warnings.catch_warnings():  # it looks for progress bars that a notebook here does not have, and says so
    warnings.simplefilter("ignore")
    import pooch

URL = "https://archive.ics.uci.edu/ml/machine-learning-databases/heart-disease/"
HOSPITALS = {"Cleveland": "cleveland", "Hungary": "hungarian", "Switzerland": "switzerland", "VA Long Beach": "va"}
SHA256 = {
    "processed.cleveland.data": "a74b7efa387bc9d108d7d0115d831fe9b414b29ae7124f331b622b4efa0427c8",
    "processed.hungarian.data": "d1ad108f785768cd3d7e82dc522e6f5a61eea93cccfb3a46ee8076f73fc3d796",
    "processed.switzerland.data": "834a405ccf5b66ab4056bb77794adc8df0b7125186454c0a1d002d33c6c3b314",
    "processed.va.data": "e7c93d8d0d2acdadfa4c5e8de768e2191e7f618b952e29623f1f0d5949ff6b8f",
}
BESIDE = Path(__file__).parents[4] / "shared" / "data"  # of the checkout
SOURCE = "UCI Heart Disease, doi 10.24432/C52P4X, CC BY 4.0"
RECORDED = ("age", "sex", "cp", "trestbps", "chol", "fbs", "restecg", "thalach", "exang", "oldpeak")
NEVER_ZERO = ("trestbps", "chol")  # a pressure or cholesterol of 0 is a gap that was written as a number
TRAIN_SHARE, SPLIT_STATE = 0.66, 43  # of FLamby
TIMEOUT_S = 20
# Centre and spread that a clinician would name for adults, so that scaling by them reads no patient.
REFERENCE: Mapping[str, tuple[float, float]] = {
    "age": (55, 10),  # years
    "trestbps": (130, 20),  # mm Hg at rest
    "chol": (200, 50),  # mg/dL
    "thalach": (150, 25),  # beats a minute at peak exercise
    "oldpeak": (1, 1),  # mm of ST depression
}


@dataclass(frozen=True)
class Parts:
    """Disjoint rows of a table, int64, ascending."""

    train: NDArray[np.int64]
    test: NDArray[np.int64]


def fetch() -> dict[str, Path]:
    """Return the four files by name, found or downloaded, each with its pinned SHA-256.

    Raises:
        IntegrityError: a file that was found or downloaded is another one.
        DataMissing: they are nowhere here, and the download failed.
    """
    named = os.environ.get("BFL_DATA_DIR")
    for folder in (*([Path(named)] if named else []), BESIDE):
        for place in (folder / "heart_disease", folder):
            if all((place / name).exists() for name in SHA256):
                return {name: _checked(place / name, digest) for name, digest in SHA256.items()}
    shelf = pooch.create(pooch.os_cache("bfl-stpc") / "heart_disease", URL, registry=dict(SHA256))
    pooch.get_logger().setLevel("ERROR")
    download = pooch.HTTPDownloader(timeout=TIMEOUT_S)
    try:
        return {name: Path(shelf.fetch(name, downloader=download)) for name in SHA256}
    except ValueError as error:
        raise IntegrityError(f"{URL} serves another file than the pinned one: {error}") from error
    except (RequestException, OSError) as error:
        raise DataMissing(
            f"the heart disease files are not here and could not be downloaded ({type(error).__name__}): put the four "
            f"processed.*.data of {SOURCE} into a folder and name it in BFL_DATA_DIR"
        ) from error


def _checked(file: Path, digest: str) -> Path:
    found = pooch.file_hash(str(file))
    if found != digest:
        raise IntegrityError(f"{file.name} has SHA-256 {found}, not the pinned {digest}: take the file from {URL}")
    return file


def load(*, zeros_missing: bool = False) -> Tabular:
    """Return the 740 patients of the protocol, hospital after hospital, in the order of the files.

    X has 13 columns: eight as recorded, three for the kind of chest pain, two for the resting ECG. Age in years,
    pressure in mm Hg, cholesterol in mg/dL, peak heart rate per minute, ST depression in mm.

    Args:
        zeros_missing: whether a pressure or cholesterol of 0 counts as missing, which it is: no Swiss patient's
            cholesterol was measured. FLamby takes the zeros as they are, and so does the default.

    Raises:
        IntegrityError, DataMissing: as `fetch`.
    """
    files = fetch()
    tables = {name: _read(files[f"processed.{stem}.data"]) for name, stem in HOSPITALS.items()}
    frame = pd.concat(tables.values(), ignore_index=True)
    columns = {name: frame[name] for name in RECORDED if name not in ("cp", "restecg")}
    columns |= {f"cp={level}": frame["cp"] == level for level in (2, 3, 4)}
    columns |= {f"restecg={level}": frame["restecg"] == level for level in (1, 2)}
    X = np.column_stack([values.to_numpy(np.float32) for values in columns.values()])
    if zeros_missing:
        places = [list(columns).index(name) for name in NEVER_ZERO]
        X[:, places] = np.where(X[:, places] == 0, np.nan, X[:, places])
    return Tabular(
        name="heart disease",
        X=X,
        y=(frame["num"] > 0).to_numpy(np.int8),
        hospital=np.repeat(np.arange(len(tables), dtype=np.int16), [len(table) for table in tables.values()]),
        hospitals=tuple(tables),
        columns=tuple(columns),
        label="a coronary vessel narrowed by more than half",
        groups={"sex": np.where(frame["sex"] == 1, "men", "women"), "age": age_groups(frame["age"].to_numpy())},
        source=SOURCE,
        reference=REFERENCE,
    )


def flamby_split(table: Tabular) -> Parts:
    """Return FLamby's split: 66 to 34 within each hospital, stratified by outcome, by scikit-learn under state 43."""
    test: list[NDArray[np.int64]] = []
    for k in range(len(table.hospitals)):
        rows = table.at(k)
        enough = min(int((table.y[rows] == label).sum()) for label in (0, 1)) > 2
        _, own = train_test_split(
            rows,
            test_size=1 - TRAIN_SHARE,
            train_size=TRAIN_SHARE,
            random_state=SPLIT_STATE,
            stratify=table.y[rows] if enough else None,
        )
        test.append(np.sort(own))
    held_out = np.concatenate(test)
    return Parts(np.setdiff1d(np.arange(len(table.y)), held_out), held_out)


def _read(file: Path) -> pd.DataFrame:
    """Return the complete rows of one file, without the three columns of gaps."""
    names = [*RECORDED, "slope", "ca", "thal", "num"]
    frame = pd.read_csv(file, header=None, names=names, na_values="?")
    return frame.drop(columns=["slope", "ca", "thal"]).dropna()
