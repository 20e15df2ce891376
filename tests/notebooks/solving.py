"""Put the folded solutions of a notebook behind its exercises, so that a run checks them.

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


def solve(path: Path) -> list[int]:
    """Put behind each exercise of the notebook in `path` a cell that answers it; return the places of these cells.

    Such a cell holds the solution and what the exercise's own cell does from its answer on: what stands above has run.
    So one run takes both, the cell as it is committed, whose answer is None, and what a reader writes.
    """
    notebook = json.loads(path.read_text())
    solved = []
    for place, code in sorted(exercises(notebook["cells"]).values()):
        at = place + len(solved) + 1
        asked = notebook["cells"][at - 1]
        check = UNANSWERED.split("".join(asked["source"]))[-1]
        notebook["cells"].insert(at, asked | {"id": f"{asked['id']}-solved", "source": f"{code}{check}"})
        solved.append(at)
    path.write_text(json.dumps(notebook))
    return solved


def verdicts(path: Path, places: list[int]) -> list[str]:
    """What the checks in these cells of the executed notebook in `path` say; nothing where a cell shows nothing."""
    cells = json.loads(path.read_text())["cells"]
    # papermill puts the cell with the profile after ours.
    shift = sum("injected-parameters" in cell["metadata"].get("tags", []) for cell in cells)
    shown = [cells[place + shift]["outputs"] for place in places]
    return ["".join(outputs[-1]["data"]["text/plain"]) if outputs else "" for outputs in shown]
