"""A table of one's own through the command line: proposed, refused until confirmed, studied."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from bfl_stpc.study import own, stripped

ROOT = Path(__file__).parents[2]


def table(n, *, signal):
    rng = np.random.default_rng(1)
    x = rng.normal(size=n)
    return pd.DataFrame(
        {
            "hospital": rng.choice(["Nord", "Süd", "West"], n),
            "age": rng.integers(20, 95, n),
            "sex": rng.choice(["f", "m"], n),
            "platelets": np.where(rng.random(n) < 0.1, np.nan, 250_000 + 50_000 * x).round(-3),
            "dose": rng.integers(0, 4, n),
            "died": (rng.random(n) < 1 / (1 + np.exp(-2 * signal * x))).astype(int),
        }
    )


def bfl(build, *arguments):
    environment = os.environ | {"PYTHONPATH": str(ROOT / "lib"), "BFL_BUILD": str(build)}
    command = [sys.executable, "-m", "bfl_stpc", *map(str, arguments)]
    build.mkdir(exist_ok=True)
    # Into a file: a worker that outlived its parent would hold a pipe open for ever.
    with (build / "out.txt").open("w") as out:
        status = subprocess.run(
            command, cwd=ROOT, env=environment, stdout=out, stderr=subprocess.STDOUT, check=False
        ).returncode
    return status, (build / "out.txt").read_text()


def test_the_notebook_is_committed_clean_and_tells_more_than_it_runs():
    cells = json.loads(own.TEMPLATE.read_text())["cells"]
    assert own.TEMPLATE.read_bytes() == stripped.stripped(own.TEMPLATE), "run `make strip`"
    code = ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]
    words = sum(len("".join(cell["source"]).split()) for cell in cells if cell["cell_type"] == "markdown")
    assert max(len(source.splitlines()) for source in code) <= 25
    assert words >= 3 * sum(len(source.splitlines()) for source in code)
    assert code[-1].endswith("run.finish()")
    assert sum("check(" in source for source in code) == 3


def test_a_proposal_is_written_and_shown_and_nothing_runs_before_it_is_confirmed(tmp_path):
    data = tmp_path / "my.csv"
    table(200, signal=1).to_csv(data, index=False)
    assert bfl(tmp_path / "build", "reproduce", "--data", data)[0] == 1
    status, said = bfl(tmp_path / "build", "table", data)
    assert status == 0
    for part in ("platelets", "hospital: hospital", "200 patients, 3 hospitals", "confirmed: true"):
        assert part in said
    assert "confirmed: false" in (tmp_path / "my.mapping.yaml").read_text()
    status, said = bfl(tmp_path / "build", "reproduce", "--profile", "smoke", "--data", data)
    assert status == 1
    assert "error: the mapping of my.csv is not confirmed" in said
    assert "Traceback" not in said
    assert not list((tmp_path / "build").rglob("*.ipynb"))
    status, said = bfl(tmp_path / "build", "table", data)
    assert status == 1
    assert "may hold your corrections" in said


def test_what_stands_against_training_is_told_with_the_proposal(tmp_path):
    data = tmp_path / "my.csv"
    table(200, signal=1).assign(days_after=lambda t: np.where(t["died"] == 1, t["age"] / 7, np.nan)).to_csv(
        data, index=False
    )
    status, said = bfl(tmp_path / "build", "table", data)
    assert status == 0
    assert "before it can be trained on: column 'days_after': whether it is recorded tells the label" in said


@pytest.mark.slow
@pytest.mark.parametrize("signal", [1, 0])
def test_the_study_runs_on_a_table_and_says_whether_there_is_anything_to_learn(tmp_path, signal):
    data, build = tmp_path / "my.csv", tmp_path / "build"
    table(600, signal=signal).to_csv(data, index=False)
    status, said = bfl(build, "reproduce", "--profile", "smoke", "--data", data, "--accept")
    assert status == 0, said
    folder = build / "own" / "my" / "smoke"
    results = json.loads((folder / "results" / "results.json").read_text())
    low, high = results["auc"]["interval"]
    if signal:
        assert low > 0.7
        assert "There is something to learn" in results["verdict"]["value"]
    else:
        assert low < 0.5 < high
        assert "There is nothing to learn" in results["verdict"]["value"]
    assert abs(results["auc_shuffled"]["value"] - 0.5) < 0.05
    figures = {path.stem for path in (folder / "results" / "figures").glob("*.png")}
    assert figures == {"own_cohort", "own_ways", "own_roc", "own_hospitals", "own_fairness", "own_benefit"}
    assert str(tmp_path) not in (folder / "your_table.ipynb").read_text()
    assert "600 patients" in (folder / "report.md").read_text()
    if signal:
        assert "up to date" in bfl(build, "reproduce", "--profile", "smoke", "--data", data, "--accept")[1]
