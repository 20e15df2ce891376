"""A study of one notebook that has run, written by hand: results, a table and a figure under the paper profile."""

import json

import pytest

from bfl_stpc.study import notebooks, paths, redraw
from bfl_stpc.study.store import sha256, to_json

NAME = "02_first_part"
DATA = {"claims": [{"claim": "a", "ratio": 1.5, "ceiling": None, "verdict": "reproduced"}]}
SIDECAR = {
    "figure": "fig02_ratio",
    "plot": "bfl_stpc.figures.claims:measured_over_printed",
    "data": DATA,
    "caption": "A ratio of 1.5 is 50 % too much & more.",
    "alt": "One dot right of 1.",
    "timing": False,
    "notebook": NAME,
    "profile": "paper",
    "command": f"make reproduce PROFILE=paper ONLY={NAME}",
    "settings": {"rounds": 3},
    "seeds": [1, 2],
    "patients": 400,
    "hospitals": 4,
    "data_sha256": sha256(to_json(DATA)),
}


def entry(value, interval=None):
    return {"value": value, "interval": interval, "unit": "1", "timing": False}


RESULTS = {
    "auc_2": entry(0.99801, [0.9977, 0.9983]),
    "small": entry(-0.0000123),
    "holds": entry(True),
    "word": entry("50 % & more"),
    "curve": entry([1.0, 2.0]),
    "tab02_parts": entry(
        {
            "caption": "Parts, in %",
            "rows": [{"a_b": "x & y", "n": 1, "p": 0.123456}, {"a_b": "z|w", "n": 20, "p": None}],
        }
    ),
}


@pytest.fixture
def recorded(tmp_path, monkeypatch):
    """The root of such a study; its figure is published as PNG and sidecar, as in a fresh clone."""
    for name, path in (("ROOT", ""), ("DATA", "data"), ("FIGURES", "figures"), ("NOTEBOOKS", "notebooks")):
        monkeypatch.setattr(paths, name, tmp_path / path)
    monkeypatch.setattr(paths, "BUILD", tmp_path / "build")
    (tmp_path / "data").mkdir()
    settings = {"profiles": {"paper": {"patients": 400, "hospitals": 4, "seeds": [1, 2], "alone": True}}}
    (tmp_path / "data/profiles.yaml").write_text(json.dumps(settings))
    (tmp_path / "notebooks").mkdir()
    cells = [{"cell_type": "code", "metadata": {}, "source": ["x = 1"]}]
    (tmp_path / f"notebooks/{NAME}.ipynb").write_text(json.dumps({"cells": cells, "metadata": {}}))
    origin = {"key": "0" * 64, "source": "1" * 64, "lock": "2" * 64}
    monkeypatch.setattr(notebooks, "provenance", lambda *_: {NAME: origin})
    folder = tmp_path / "build/paper/results" / NAME
    (folder / "figures").mkdir(parents=True)
    (folder / "results.json").write_bytes(to_json(RESULTS))
    (folder / "tables").mkdir()
    (folder / "tables/tab02_parts.csv").write_text("p,a_b,n\n")  # its columns' order; the rows stand in the results
    finished = {"seconds": 75.2, "peak_mib": 321, "figures": ["fig02_ratio"], "digest": "d", "notebook": NAME}
    (folder / "finished.json").write_bytes(to_json(finished | origin))
    (folder / "figures/fig02_ratio.json").write_bytes(to_json(SIDECAR | origin, sort_keys=False))
    redraw.redraw_stale("paper")
    for kind in ("pdf", "svg"):
        (tmp_path / f"figures/paper/fig02_ratio.{kind}").unlink()
    return tmp_path
