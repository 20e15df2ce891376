"""Put the folded solutions of a notebook into its exercises, so that a run checks them.

The convention: a code cell holds the line `answer_N = None` and ends in a check; the next cell begins with
`<details><summary>Solution</summary>` and a fenced block of Python that sets `answer_N`. The block may use whatever
stands above that line.
"""

import json
import re
from pathlib import Path

UNANSWERED = re.compile(r"^(answer_\d+) = None$", flags=re.MULTILINE)
SOLUTION = re.compile(r"^<details><summary>Solution</summary>\n\n```python\n(.*?)\n```", flags=re.DOTALL)


def exercises(cells: list[dict]) -> dict[str, tuple[int, str]]:
    """The place of each exercise's cell and its solution's code, by the name of the answer."""
    found = {}
    for place, cell in enumerate(cells):
        text = "".join(cell["source"])
        if cell["cell_type"] != "code" or not (match := UNANSWERED.search(text)):
            continue
        solution = SOLUTION.match("".join(cells[place + 1]["source"]))
        assert solution, f"{match[1]} has no folded solution with a block of Python right after it"
        assert match[1] not in found, f"{match[1]} is asked twice"
        found[match[1]] = (place, solution[1])
    return found


def solve(path: Path) -> None:
    """Rewrite the notebook in `path` with every exercise answered by its solution."""
    notebook = json.loads(path.read_text())
    for place, solution in exercises(notebook["cells"]).values():
        text = "".join(notebook["cells"][place]["source"])
        answered = UNANSWERED.sub(lambda _, code=solution: code, text)
        notebook["cells"][place]["source"] = answered.splitlines(keepends=True)
    path.write_text(json.dumps(notebook))


def verdicts(path: Path, places: list[int]) -> list[str]:
    """What the checks in these cells of the executed notebook in `path` say."""
    cells = json.loads(path.read_text())["cells"]
    # papermill puts the cell with the profile after ours.
    shift = sum("injected-parameters" in cell["metadata"].get("tags", []) for cell in cells)
    return ["".join(cells[place + shift]["outputs"][-1]["data"]["text/plain"]) for place in places]
