"""Cohorts on disk: parquet tables and a manifest of SHA-256; a folder is complete or it is not there."""

from __future__ import annotations

import hashlib
import io
import json
import shutil
import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pandas as pd

from bfl_stpc.ehr import schema
from bfl_stpc.ehr.cohort import TABLES, Cohort, cohort_sha256
from bfl_stpc.ehr.config import CohortConfig
from bfl_stpc.errors import ConfigError, DataError, IntegrityError, SchemaError

MANIFEST = "manifest.json"
FORMAT = 1


def save(cohort: Cohort, folder: Path) -> dict[str, Any]:
    """Write the tables as parquet, and manifest.json beside them; return the manifest.

    Everything is written to a temporary folder that then takes the name `folder`; an earlier
    cohort there stays whole until that moment. Equal cohorts give equal bytes.

    Raises:
        SchemaError: a table breaks its schema; nothing is written.
        DataError: the folder cannot be written or the disk is full, or `folder` holds something that is not a
            cohort; nothing half-written remains.
    """
    schema.validate(cohort.tables())
    folder = Path(folder)
    if folder.exists() and not (folder / MANIFEST).is_file():
        raise DataError(f"{folder} exists and holds no cohort: give a new folder, or remove it")
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        staged = Path(tempfile.mkdtemp(dir=folder.parent, prefix=f".{folder.name}."))
        try:
            manifest = _write(cohort, staged)
            _replace(staged, folder)
        finally:
            shutil.rmtree(staged, ignore_errors=True)
    except OSError as error:
        raise DataError(
            f"cannot write the cohort to {folder}: {error.strerror or error}. Nothing was changed there; "
            "free space or choose a writable folder, then save again"
        ) from error
    return manifest


def load(folder: Path) -> Cohort:
    """Read a cohort and verify every byte and every rule of its schema.

    Raises:
        DataError: there is no cohort in `folder`, or its files cannot be read.
        IntegrityError: bytes differ from the manifest; file, expected and found SHA-256 are named.
        SchemaError: a table breaks its schema; column, row and rule are named.
    """
    folder = Path(folder)
    manifest = _read_manifest(folder)
    tables = {}
    for name in TABLES:
        path = folder / f"{name}.parquet"
        content = _read(path)
        _verify(path, content, manifest["files"][path.name])
        tables[name] = _parse(path, content)
    for name, table in tables.items():
        _restore_categories(name, table, tables, manifest["categories"])
    schema.validate(tables)
    cohort = Cohort(CohortConfig(**manifest["config"]), manifest["steepness"], **tables)
    if (found := cohort_sha256(cohort)) != manifest["cohort_sha256"]:
        raise IntegrityError(_differs(folder, manifest["cohort_sha256"], found))
    return cohort


def _write(cohort: Cohort, folder: Path) -> dict[str, Any]:
    files, categories = {}, {}
    for name, table in cohort.tables().items():
        path = folder / f"{name}.parquet"
        table.to_parquet(path, engine="pyarrow", index=False, compression="zstd")
        files[path.name] = hashlib.sha256(path.read_bytes()).hexdigest()
        categories[name] = {
            label: list(column.cat.categories)
            for label, column in table.items()
            if isinstance(column.dtype, pd.CategoricalDtype) and label not in ("patient_id", "encounter_id")
        }
    manifest = {
        "format": FORMAT,
        "config": asdict(cohort.config),
        "steepness": cohort.steepness,
        "rows": {name: len(table) for name, table in cohort.tables().items()},
        "categories": categories,
        "files": files,
        "cohort_sha256": cohort_sha256(cohort),
    }
    (folder / MANIFEST).write_text(json.dumps(manifest, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    folder.chmod(0o755)
    return manifest


def _replace(staged: Path, folder: Path) -> None:
    """Give `staged` the name `folder`; put an earlier folder back if that fails."""
    if not folder.exists():
        staged.replace(folder)
        return
    retired = Path(tempfile.mkdtemp(dir=folder.parent, prefix=f".{folder.name}.old."))
    folder.replace(retired)
    try:
        staged.replace(folder)
    except OSError:
        retired.replace(folder)
        raise
    shutil.rmtree(retired, ignore_errors=True)


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        raise DataError(f"{path} does not exist: generate the cohort and save it there") from None
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror or error}") from error


def _read_manifest(folder: Path) -> dict[str, Any]:
    path = folder / MANIFEST
    content = _read(path)
    mend = f"delete {folder} and save the cohort again"
    try:
        manifest = json.loads(content)
        if manifest["format"] != FORMAT:
            raise DataError(f"{path} has format {manifest['format']}, this version reads {FORMAT}: {mend}")
        missing = [f"{name}.parquet" for name in TABLES if f"{name}.parquet" not in manifest["files"]]
        CohortConfig(**manifest["config"])
        float(manifest["steepness"]), dict(manifest["categories"]), str(manifest["cohort_sha256"])
    except (ValueError, KeyError, TypeError, ConfigError) as error:
        raise DataError(f"{path} is not a manifest ({error!r}): {mend}") from error
    if missing:
        raise DataError(f"{path} lists no {', '.join(missing)}: {mend}")
    return manifest


def _verify(path: Path, content: bytes, expected: str) -> None:
    found = hashlib.sha256(content).hexdigest()
    if found != expected:
        raise IntegrityError(_differs(path, expected, found))


def _differs(path: Path, expected: str, found: str) -> str:
    return f"{path}: SHA-256 is {found}, the manifest says {expected}; delete the folder and generate the cohort again"


def _parse(path: Path, content: bytes) -> pd.DataFrame:
    """Return the table in `content`, the very bytes that were verified; `path` is for the message."""
    try:
        return pd.read_parquet(io.BytesIO(content), engine="pyarrow")
    except (OSError, ValueError) as error:  # pyarrow's ArrowInvalid is a ValueError
        raise DataError(f"{path} is not a parquet table ({error}); generate the cohort again") from error


def _restore_categories(
    name: str, table: pd.DataFrame, tables: dict[str, pd.DataFrame], categories: dict[str, dict[str, list[str]]]
) -> None:
    """Set categories in their canonical order: a parquet reader lists them in the order of appearance."""
    known: dict[str, list[str]] = dict(categories.get(name, {}))
    for key, owner in (("patient_id", "patients"), ("encounter_id", "encounters")):
        if name != owner:
            if key not in tables[owner]:
                raise SchemaError(f"table {owner}, column {key}: it is missing; generate the cohort again")
            known[key] = list(tables[owner][key])
    for label, values in known.items():
        if label in table and isinstance(table[label].dtype, pd.CategoricalDtype):
            canonical = set(values)
            extra = [value for value in table[label].cat.categories if value not in canonical]
            table[label] = table[label].cat.set_categories([*values, *extra])
