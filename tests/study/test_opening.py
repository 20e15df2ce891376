"""The head of a notebook: generated, never typed."""

import json

import pandas as pd

from bfl_stpc import study
from bfl_stpc.study import paths
from bfl_stpc.study.opening import measured


def test_the_head_names_profile_times_and_claims():
    text = study.opening(study.start("02_federated_learning", profile="quick")).data
    durations = json.loads((paths.DATA / "reference" / "durations.json").read_text())
    seconds = int(durations["quick"]["02_federated_learning"])
    assert f"quick {seconds // 60}:{seconds % 60:02d}" in text
    assert "profile quick: 40,000 patients, 10 hospitals, seeds 1, 2, 3" in text
    assert study.load_claims()["accuracy"].says in text


def test_from_the_head_on_a_table_shows_all_that_a_cell_holds():
    with pd.option_context("display.max_colwidth", 50):
        study.opening(study.start("02_federated_learning", profile="quick"))
        assert "x" * 200 in pd.DataFrame({"a": ["x" * 200]}).to_html()


def test_a_notebook_without_measured_times_says_so(tmp_path, monkeypatch):
    monkeypatch.setattr(paths, "DATA", tmp_path)
    assert measured("02_federated_learning") == "none is committed yet"
