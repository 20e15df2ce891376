"""Which source files a notebook's results depend on, read from its imports without running anything."""

from __future__ import annotations

import ast
from collections.abc import Iterable
from functools import cache
from pathlib import Path

from bfl_stpc.study import paths
from bfl_stpc.study.store import sha256

PACKAGE = Path(__file__).parents[1]
# Drawing and bookkeeping: a change here alters no result, so it must not retrain anything.
BOOKKEEPING = (
    "figures", "study/runner", "study/progress", "study/notebooks", "study/claims", "study/sources", "study/exercise",
    "study/opening", "study/prose", "study/generated",
)  # fmt: skip


@cache
def imports(code: str) -> frozenset[str]:
    """Return the dotted names that `code` imports from this package, at any depth of nesting.

    >>> sorted(imports("from bfl_stpc import study\\nimport numpy"))
    ['bfl_stpc', 'bfl_stpc.study']
    """
    names: set[str] = set()
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return frozenset(name for name in names if name.split(".")[0] == "bfl_stpc")


def module_files(name: str) -> list[Path]:
    """Return the files of the module `name` and of the packages above it; none for a name that is no module."""
    found, folder = [], PACKAGE
    if (init := PACKAGE / "__init__.py").exists():
        found.append(init)
    for part in name.split(".")[1:]:
        if (file := folder / f"{part}.py").exists():
            return [*found, file]
        folder = folder / part
        if not (init := folder / "__init__.py").exists():
            return found
        found.append(init)
    return found


def closure(code: str) -> list[Path]:
    """Return the files of this package that `code` imports, directly or through other modules, sorted."""
    seen: set[Path] = set()
    waiting = sorted(imports(code))
    while waiting:
        for file in module_files(waiting.pop()):
            if file not in seen:
                seen.add(file)
                waiting += sorted(imports(file.read_text(encoding="utf-8")))
    return sorted(seen)


def depends_on_results(file: Path) -> bool:
    """Tell whether a change of `file` may change a result."""
    inside = file.relative_to(PACKAGE).as_posix()
    return not inside.startswith(BOOKKEEPING)


def hash_files(files: Iterable[Path]) -> str:
    """Return the SHA-256 over names and contents of `files`, in sorted order; of Python files, over what runs."""
    return sha256(*(part for f in sorted(files) for part in (_name(f).encode(), _content(f))))


def _content(file: Path) -> bytes:
    return what_runs(file.read_text(encoding="utf-8")).encode() if file.suffix == ".py" else file.read_bytes()


@cache
def what_runs(code: str) -> str:
    """Return the syntax tree of `code` without docstrings: comments, layout and documentation retrain nothing.

    >>> what_runs("def two():  # one and one\\n    'Return 2.'\\n    return 2") == what_runs("def two(): return 2")
    True
    """
    tree = ast.parse(code)
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            del node.body[: ast.get_docstring(node, clean=False) is not None]
    return ast.dump(tree)


def _name(file: Path) -> str:
    return file.relative_to(PACKAGE).as_posix() if file.is_relative_to(PACKAGE) else paths.relative(file)


def source_hash(code: str) -> str:
    """Return the SHA-256 over all that the results of `code` depend on: modules, contracts and catalogue."""
    files = [file for file in closure(code) if depends_on_results(file)]
    if any(file.is_relative_to(PACKAGE / "detection") for file in files):
        files.append(paths.DATA / "catalogue.yaml")
    if any(file.is_relative_to(PACKAGE / "ledger") for file in files):
        files += sorted((paths.CONTRACTS / "artifacts").glob("*.json"))
    return hash_files(files)


def lock_hash() -> str:
    """Return the SHA-256 over the locks that notebooks run on; tools for tests and for the book alter no result."""
    return hash_files(paths.LOCKS / f"{name}.txt" for name in ("base", "distributed", "real"))
