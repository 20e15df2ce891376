"""Imports run one way, and TensorFlow stays out of what does not need it."""

import ast
import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
LIB = ROOT / "lib" / "bfl_stpc"
# What each package may import of this library, besides itself and the root modules errors, lazy, seeds and ticket.
ALLOWED = {
    "ehr": set(),
    "federated": set(),
    "privacy": set(),
    "stpc": set(),
    "ledger": set(),
    "figures": set(),
    "study": {"figures", "ehr"},
    "book": {"figures", "study"},
    "attacks": {"ehr", "federated", "privacy", "stpc", "study"},
    "robust": {"attacks", "ehr", "federated", "study"},
    "system": {"ehr", "federated", "privacy", "stpc", "ledger"},
    "baselines": {"ehr", "federated", "privacy", "stpc", "ledger", "attacks", "detection", "system", "study"},
    "ablation": {"ehr", "federated", "privacy", "stpc", "ledger", "attacks", "detection", "baselines", "system"},
    "real": {"ehr", "federated", "privacy", "stpc", "ledger", "system"},
    "detection": {"ehr", "federated", "privacy", "stpc", "ledger", "attacks", "robust", "system", "study"},
}
ROOT_MODULES = {"errors", "lazy", "seeds", "ticket", "__init__", "__main__", "doctor"}


def imported(file):
    for node in ast.walk(ast.parse(file.read_text())):
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        for name in names:
            parts = name.split(".")
            if parts[0] == "bfl_stpc" and len(parts) > 1:
                yield parts[1]


def test_every_package_is_listed():
    assert {path.parent.name for path in LIB.glob("*/__init__.py")} <= set(ALLOWED)
    assert {path.stem for path in LIB.glob("*.py")} <= ROOT_MODULES


@pytest.mark.parametrize("package", sorted(ALLOWED))
def test_imports_run_one_way(package):
    allowed = ALLOWED[package] | {package, "errors", "lazy", "seeds", "ticket"}
    wrong = {
        (str(file.relative_to(LIB)), name)
        for file in (LIB / package).rglob("*.py")
        for name in imported(file)
        if name not in allowed
    }
    assert not wrong


def test_the_picture_is_that_of_todays_imports(tmp_path):
    spec = importlib.util.spec_from_file_location("draw_architecture", ROOT / "tools" / "draw_architecture.py")
    drawing = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(drawing)
    drawing.draw(tmp_path / "architecture.svg")
    assert (tmp_path / "architecture.svg").read_bytes() == (ROOT / "docs" / "architecture.svg").read_bytes(), (
        "run `python tools/draw_architecture.py`"
    )


STUDY = {"pandas", "scipy.stats", "sklearn", "pandera", "matplotlib"}
ROLE = {"tensorflow", "pandas", "scipy.stats", "sklearn", "dp_accounting", "fhir"}
NEEDS_RAY = pytest.mark.skipif(importlib.util.find_spec("ray") is None, reason="make setup GROUPS='dev distributed'")


@pytest.mark.parametrize(
    ("imports", "heavy"),
    [
        # A command must refuse a misspelt profile, or find nothing to do, before any of these is there.
        ("study.claims, bfl_stpc.__main__", STUDY | {"tensorflow"}),
        ("study.runner", STUDY | {"tensorflow", "rfc3987_syntax"}),
        # A role that does not train is a process of its own in a distributed consortium.
        ("system", ROLE),
        pytest.param("system.distributed", ROLE | {"rfc3987_syntax"}, marks=NEEDS_RAY),  # see jsonschema in pyproject
    ],
)
def test_what_is_heavy_is_imported_when_it_is_used(imports, heavy):
    code = f"import sys, bfl_stpc.{imports}; print(*{heavy} & set(sys.modules))"
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert said.stdout.strip() == ""
