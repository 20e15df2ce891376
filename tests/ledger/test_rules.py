"""The notebook's table of rules names tests that exist, and none of this package's tests of a safeguard is left out."""

import ast
import json
from pathlib import Path

ROOT = Path(__file__).parents[2]
HERE = Path(__file__).parent


def rules():
    notebook = json.loads((ROOT / "notebooks" / "06_ledger.ipynb").read_text())
    sources = ["".join(c["source"]) for c in notebook["cells"] if c["cell_type"] == "code"]
    (cell,) = [s for s in sources if s.startswith("RULES")]
    return ast.literal_eval(ast.parse(cell).body[0].value)


def test_every_rule_names_a_test_that_exists():
    named = {test for _, _, test in rules()}
    assert named <= {p.stem for p in HERE.glob("test_*.py")}


def test_every_technical_safeguard_that_a_ledger_can_serve_is_in_the_table():
    said = " ".join(rule for rule, _, _ in rules())
    for rule in ("(a)(1)", "(a)(2)(ii)", "(a)(2)(iii)", "(a)(2)(iv)", "(b)", "(c)(1)", "(d)", "Art. 7", "Art. 17"):
        assert rule in said
