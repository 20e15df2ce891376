"""Where things lie: every path is absolute and derives from the checkout's root."""

import os
from pathlib import Path

ROOT = Path(os.environ.get("BFL_ROOT", Path(__file__).parents[3])).resolve()
NOTEBOOKS = ROOT / "notebooks"
DATA = ROOT / "data"
FIGURES = ROOT / "figures"
LOCKS = ROOT / "locks"
CONTRACTS = ROOT / "contracts"
BUILD = Path(os.environ.get("BFL_BUILD", ROOT / "build")).resolve()


def relative(path: Path) -> str:
    """Return `path` relative to the checkout where it lies inside it, for messages and provenance."""
    return str(path.relative_to(ROOT)) if path.is_relative_to(ROOT) else str(path)
