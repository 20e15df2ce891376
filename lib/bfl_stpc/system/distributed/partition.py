"""A hospital's records in its own folder, on its own machine."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from bfl_stpc import federated
from bfl_stpc.errors import ConfigError

RECORDS = "records.npz"


def write_partition(home: Path, records: federated.ClientData, pseudonyms: Sequence[bytes] | None = None) -> None:
    """Write a hospital's scaled records, and their pseudonyms if consent is asked, into its folder on its machine."""
    home.mkdir(parents=True, exist_ok=True)
    own = {} if pseudonyms is None else {"pseudonyms": np.array([np.frombuffer(p, np.uint8) for p in pseudonyms])}
    np.savez(home / RECORDS, X=records.X, y=records.y, **own)


def read_partition(home: Path) -> tuple[federated.ClientData, list[bytes] | None]:
    """Return the records of a hospital's folder, and their pseudonyms if there are any.

    Raises:
        ConfigError: the folder holds none.
    """
    try:
        with np.load(home / RECORDS, allow_pickle=False) as kept:
            pseudonyms = [p.tobytes() for p in kept["pseudonyms"]] if "pseudonyms" in kept else None
            return federated.ClientData(kept["X"], kept["y"]), pseudonyms
    except (OSError, KeyError, ValueError) as error:
        raise ConfigError(f"{home} on this machine holds no records: {error}") from error
