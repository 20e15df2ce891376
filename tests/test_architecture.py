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


def test_figures_and_results_need_no_tensorflow():
    code = (
        "import sys; from bfl_stpc import study, ledger, stpc; from bfl_stpc.study import runner, redraw;"
        "sys.exit('tensorflow' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_the_picture_is_that_of_todays_imports(tmp_path):
    spec = importlib.util.spec_from_file_location("draw_architecture", ROOT / "tools" / "draw_architecture.py")
    drawing = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(drawing)
    drawing.draw(tmp_path / "architecture.svg")
    assert (tmp_path / "architecture.svg").read_bytes() == (ROOT / "docs" / "architecture.svg").read_bytes(), (
        "run `python tools/draw_architecture.py`"
    )


def test_a_role_that_does_not_train_needs_no_tensorflow():
    code = "import sys; from bfl_stpc import system; sys.exit('tensorflow' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
