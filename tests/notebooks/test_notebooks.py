"""Every notebook: stripped, in order, short cells, prose first, declared needs, no number or path typed by hand."""

import ast
import json
import re
from pathlib import Path

import pytest
from notebooks import solving

from bfl_stpc.study import claims, notebooks, stripped

ROOT = Path(__file__).parents[2]
PATHS = sorted((ROOT / "notebooks").glob("*.ipynb"))
LONGEST_CELL = 25


def cells(path, kind):
    return ["".join(cell["source"]) for cell in json.loads(path.read_text())["cells"] if cell["cell_type"] == kind]


@pytest.fixture(params=PATHS, ids=lambda path: path.stem)
def path(request):
    return request.param


def test_every_notebook_is_numbered_and_found():
    assert {path.stem for path in PATHS} == set(notebooks.discover())
    numbers = [path.stem.split("_")[0] for path in PATHS]
    assert len(set(numbers)) == len(numbers)


def test_committed_without_outputs(path):
    assert path.read_bytes() == stripped.stripped(path), "run `make strip`"


def test_cells_are_short(path):
    assert max(len(code.splitlines()) for code in cells(path, "code")) <= LONGEST_CELL


def test_prose_first(path):
    words = sum(len(text.split()) for text in cells(path, "markdown"))
    lines = sum(len(code.splitlines()) for code in cells(path, "code"))
    assert words >= 3 * lines, f"{words} words of prose for {lines} lines of code"


def calls(tree, name):
    """The calls of `name`, a function or a method, anywhere in `tree`."""
    found = [node for node in ast.walk(tree) if isinstance(node, ast.Call)]
    return [node for node in found if getattr(node.func, "attr", getattr(node.func, "id", None)) == name]


def hidden_figures(code):
    """The lines of figures that nobody sees: neither the cell's last expression nor given to `display`."""
    tree = ast.parse(code)
    shown = [*calls(tree, "display"), *(last for last in tree.body[-1:] if isinstance(last, ast.Expr))]
    seen = {node for part in shown for node in ast.walk(part)}
    names = {node.id for node in seen if isinstance(node, ast.Name)}
    kept = {
        n.value
        for n in ast.walk(tree)
        if isinstance(n, ast.Assign) and names & {getattr(t, "id", None) for t in n.targets}
    }
    return [call.lineno for call in calls(tree, "figure") if call not in seen | kept]


def test_every_figure_is_shown(path):
    assert not [code for code in cells(path, "code") if ".figure(" in code and hidden_figures(code)]


def test_a_figure_before_an_assertion_or_inside_a_branch_would_be_hidden():
    assert hidden_figures("run.figure(1)\nassert True")
    assert hidden_figures("if ready:\n    run.figure(1)")
    assert not hidden_figures("assert True\nrun.figure(1)")
    assert not hidden_figures("if ready:\n    picture = run.figure(1)\n    display(picture)")


def test_begins_with_title_and_question_and_ends_with_finish(path):
    first = cells(path, "markdown")[0]
    assert first.startswith(f"# {path.stem[:2]} · ")
    for part in ("**Question.**", "**You will**", "**You need**", "\n> "):
        assert part in first, part
    assert "study.opening(run)" in "\n".join(cells(path, "code")), "claims and measured times are generated"
    assert re.search(r"^run\.finish\(.*\)$", cells(path, "code")[-1].strip().splitlines()[-1])


def test_has_three_exercises_with_self_checks(path):
    code = "\n".join(cells(path, "code"))
    prose = "\n".join(cells(path, "markdown"))
    assert re.search(r"^## .*Exercises", prose, flags=re.MULTILINE)
    assert len(re.findall(r"\*\*(?:Exercise )?\d[.\d]*\.?\*\*|### Exercise", prose)) >= 3
    assert "assert" in code


def test_asks_for_a_prediction_and_says_what_to_take_along(path):
    prose = "\n".join(cells(path, "markdown"))
    assert re.search(r"\*Predict\b", prose)
    assert re.search(r"^## .*(Takeaways|What to take along|What we have learned)", prose, flags=re.MULTILINE)


def test_every_exercise_has_a_hint_and_a_solution_that_can_be_run(path):
    found = json.loads(path.read_text())["cells"]
    solved = solving.exercises(found)
    assert len(solved) >= 3
    for name, (place, solution) in solved.items():
        asked = "".join(found[place]["source"])
        assert re.search(rf"\bcheck\(\s*{name}\b", asked), name
        assert "otherwise=" in asked or asked.count('"') >= 2, f"{name}: a wrong answer gets no hint"
        assert re.search(rf"^\s*{name} = ", solution, flags=re.MULTILINE), name


def test_reads_only_what_it_declares(path):
    code = "\n".join(cells(path, "code"))
    read = set(re.findall(r'run\.result\("(\d\d_\w+)"', code))
    assert read <= set(notebooks.load(path).needs)


def test_no_absolute_path_in_any_cell(path):
    for text in cells(path, "code") + cells(path, "markdown"):
        assert not re.search(r"(?<![\w:/.])/(home|root|tmp|usr|work|mnt)/", text), text


def test_what_reports_times_measures_them_alone(path):
    raw = json.loads(path.read_text())
    tagged = any("timed" in cell["metadata"].get("tags", []) for cell in raw["cells"])
    if re.search(r'unit="(ns|ms|s|h|kbps)"|_ms"', "\n".join(cells(path, "code"))):
        assert raw["metadata"]["bfl"].get("timed") or tagged, "set metadata.bfl.timed, or tag the cell that measures"


def test_figures_have_captions_and_alternative_text(path):
    code = "\n".join(cells(path, "code"))
    figures = len(re.findall(r"run\.figure\(", code))
    assert figures == len(re.findall(r"\bcaption=", code)) - len(re.findall(r"run\.table\(", code))
    assert figures == len(re.findall(r"\balt=", code))


def test_claims_are_examined_by_notebooks_that_the_last_one_needs():
    examined = {claim.notebook for claim in claims.load_claims().values() if claim.status != claims.PENDING}
    ceilings = {claim.ceiling.split("/")[0] for claim in claims.load_claims().values() if claim.ceiling}
    assert examined | ceilings <= set(notebooks.discover()["12_claims"].needs)


def test_every_claimed_result_is_recorded_by_its_notebook():
    found = notebooks.discover()
    for claim in claims.load_claims().values():
        if claim.status != claims.PENDING:
            assert claim.notebook in found, claim.id


def test_every_need_is_of_an_earlier_notebook():
    for name, notebook in notebooks.discover().items():
        assert all(need < name for need in notebook.needs), name


def test_the_readme_lists_every_notebook():
    readme = (ROOT / "README.md").read_text()
    for path in PATHS:
        number, _, words = path.stem.partition("_")
        assert f"| {number} {words.replace('_', ' ')} |" in readme
