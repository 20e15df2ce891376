"""The result store: write to a temporary file, then rename; a finished result is never half-written."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from bfl_stpc.errors import StoreError


@contextmanager
def explained(path: Path) -> Iterator[None]:
    """Map an operating-system error on `path` to a `StoreError` that names the path and the mend."""
    try:
        yield
    except OSError as error:
        reason = error.strerror or str(error)
        raise StoreError(
            f"cannot write {path}: {reason}. Nothing was changed there; "
            "free space or choose a writable folder with BFL_BUILD, then run again"
        ) from error


def write_atomic(path: Path, content: bytes) -> None:
    """Write `content` to `path` so that a reader sees the old bytes or the new ones, never a part.

    Raises:
        StoreError: the folder cannot be written or the disk is full; `path` is as it was.
    """
    with explained(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        temporary = Path(name)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            temporary.chmod(0o644)
            temporary.replace(path)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise


def replace_folder(staged: Path, final: Path) -> None:
    """Put the folder `staged` in the place of `final`; the earlier one goes only after the new one stands."""
    with explained(final):
        final.parent.mkdir(parents=True, exist_ok=True)
        retired = final.with_name(f".{final.name}.retired")
        shutil.rmtree(retired, ignore_errors=True)
        if final.exists():
            final.replace(retired)
        staged.replace(final)
        shutil.rmtree(retired, ignore_errors=True)


def plain(value: Any) -> Any:
    """Return `value` as JSON types: NumPy scalars and arrays become numbers and nested lists.

    Raises:
        StoreError: the value is of a type that JSON cannot hold.
    """
    if isinstance(value, np.generic | np.ndarray):
        return plain(value.tolist())
    if isinstance(value, Mapping):
        return {str(k): plain(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [plain(v) for v in value]
    if isinstance(value, bytes):
        return value.hex()
    if value is None or isinstance(value, bool | int | float | str):
        return value
    raise StoreError(f"cannot record a {type(value).__name__}: record numbers, text, lists, dicts or NumPy arrays")


def to_json(value: Any, *, sort_keys: bool = True) -> bytes:
    """Return the canonical JSON bytes of `value`: indented, one line feed at the end.

    Keys are sorted unless their order carries meaning, as that of the lines of a figure.
    """
    return (json.dumps(plain(value), indent=1, sort_keys=sort_keys, ensure_ascii=False) + "\n").encode()


def read_json(path: Path, make: str) -> Any:
    """Return the JSON value in `path`; `make` names the command that writes it anew.

    Raises:
        StoreError: the file is missing or is not JSON.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise StoreError(f"{path} does not exist: run `{make}` first") from None
    except (OSError, ValueError) as error:
        raise StoreError(f"{path} cannot be read ({error}): delete it and run `{make}`") from error


def sha256(*parts: bytes) -> str:
    """Return the hex SHA-256 over the length-prefixed parts."""
    state = hashlib.sha256()
    for part in parts:
        state.update(len(part).to_bytes(8, "big"))
        state.update(part)
    return state.hexdigest()


def repeating_digest(results: Mapping[str, Mapping[str, Any]]) -> str:
    """Return the SHA-256 of all results that must repeat, that is, of those not marked as timings."""
    return sha256(to_json({name: entry["value"] for name, entry in results.items() if not entry["timing"]}))
