"""The search for settings can be redone, from its record, on patients that the study never sees."""

import importlib.util
import inspect
import sys
from pathlib import Path

import pandas as pd
import pytest

from bfl_stpc import ehr, federated

TOOL = Path(__file__).parents[2] / "tools" / "search.py"
spec = importlib.util.spec_from_file_location("search", TOOL)
search = sys.modules["search"] = importlib.util.module_from_spec(spec)
spec.loader.exec_module(search)

TINY = '{"patients": 1000, "splits": 1, "rounds": 12, "epochs": 5, "rate": 3.0, "margins": []}'
PRIVATE = '{"patients": 1000, "splits": 1, "rounds": 12, "epochs": 5, "rate": 3.0, "epsilon": 50.0, "margins": []}'


@pytest.mark.parametrize("text", [TINY, PRIVATE])
def test_a_trial_repeats_and_learns(text):
    trial = search.Trial.from_json(text)
    found, width = search.gap(trial)
    assert (found, width) == search.gap(search.Trial.from_json(trial.to_json()))
    still = text.replace('"rate": 3.0', '"rate": 1e-9').replace('"rounds": 12', '"rounds": 1')
    idle = search.gap(search.Trial.from_json(still))[0]
    assert found < idle - 2


def test_the_record_can_be_redone(tmp_path, monkeypatch):
    record = tmp_path / "search.csv"
    monkeypatch.setattr(federated, "SEARCH", record)
    record.write_text("notebook,model,setting,gap\n02_federated_learning,by hand,some words,1.00\n")
    search.main([TINY])
    first = record.read_bytes()
    search.main([])
    assert record.read_bytes() == first
    table = pd.read_csv(record)
    assert table.setting[0] == "some words"
    assert search.Trial.from_json(table.setting[1]) == search.Trial.from_json(TINY)


def test_every_configuration_of_the_record_is_one():
    table = pd.read_csv(federated.SEARCH, keep_default_na=False)
    assert set(table.notebook) == {"02_federated_learning", "03_differential_privacy"}
    redone = table[table.setting.str.startswith("{")]
    assert len(redone) > 20
    for row in redone.itertuples():
        assert search.Trial.from_json(row.setting).notebook == row.notebook


def test_no_cohort_of_the_search_is_that_of_the_study():
    study = inspect.signature(ehr.CohortConfig).parameters["seed"].default
    assert len({study, search.PUBLIC, search.SEARCHED}) == 3
