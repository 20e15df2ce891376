"""Figures: where they come from, what a fresh clone can draw of them, and that none stays which nothing draws."""

import json
import shutil
import subprocess
from pathlib import Path

import pytest
from study.recorded import NAME, SIDECAR, recorded  # noqa: F401 - a fixture

from bfl_stpc.errors import ConfigError
from bfl_stpc.study import explain, notebooks, redraw

ROOT = Path(__file__).parents[2]


def test_a_figure_tells_parameters_seeds_data_hashes_duration_and_command(recorded):  # noqa: F811
    told = explain.explain("fig02", "paper")
    for text in (
        "fig02_ratio\n", "rounds=3", "1, 2", "400 patients in 4 hospitals", "figures/paper/fig02_ratio.json",
        SIDECAR["data_sha256"], "1" * 64, "2" * 64, "1:15 for the whole notebook", f"notebooks/{NAME}.ipynb",
        f"make reproduce PROFILE=paper ONLY={NAME}", "up to date", "claims:measured_over_printed", SIDECAR["caption"],
    ):  # fmt: skip
        assert text in told
    assert "BUT" not in told


def test_edited_data_and_changed_sources_are_told(recorded, monkeypatch):  # noqa: F811
    path = recorded / "figures/paper/fig02_ratio.json"
    path.write_text(path.read_text().replace('"ratio": 1.5', '"ratio": 1.6'))
    later = {"key": "9" * 64, "source": "9" * 64, "lock": "2" * 64}
    monkeypatch.setattr(notebooks, "provenance", lambda *_: {NAME: later})
    told = explain.explain("fig02_ratio", "paper")
    assert "BUT the data in the file have" in told
    assert "out of date: source differ" in told


def test_without_results_the_committed_duration_is_told(recorded):  # noqa: F811
    shutil.rmtree(recorded / "build")
    assert "took      not known" in explain.explain("fig02", "paper")
    (recorded / "data/reference").mkdir()
    (recorded / "data/reference/durations.json").write_text(json.dumps({"paper": {NAME: 61}}))
    assert "1:01 for the whole notebook, in the committed reference" in explain.explain("fig02", "paper")


@pytest.mark.parametrize("name", ["fig02_ration", "fig99", ""])
def test_an_unknown_figure_lists_near_names(recorded, name):  # noqa: F811
    with pytest.raises(ConfigError, match=f"unknown figure '{name}': near are fig02_ratio"):
        explain.explain(name, "paper")


def test_a_profile_without_figures_is_named_with_the_mend(recorded):  # noqa: F811
    shutil.rmtree(recorded / "figures")
    with pytest.raises(ConfigError, match="no figures of profile paper: run `make reproduce PROFILE=paper`"):
        explain.explain("fig02", "paper")


def test_a_fresh_clone_draws_all_formats_from_committed_sidecars(recorded):  # noqa: F811
    folder = recorded / "figures/paper"
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    assert set(before) == {"fig02_ratio.png", "fig02_ratio.json"}
    shutil.rmtree(recorded / "build")
    assert redraw.redraw_stale("paper") == []
    assert redraw.redraw_stale("paper", everything=True) == ["fig02_ratio"]
    assert {path.suffix for path in folder.iterdir()} == {".pdf", ".svg", ".png", ".json"}
    assert {name: (folder / name).read_bytes() for name in before} == before


def test_a_figure_that_its_notebook_no_longer_draws_goes(recorded):  # noqa: F811
    staged = recorded / "staged"
    staged.mkdir()
    redraw.publish(staged, "paper", "01_another")
    assert (recorded / "figures/paper/fig02_ratio.png").exists()
    redraw.publish(staged, "paper", NAME)
    assert list((recorded / "figures/paper").iterdir()) == []


def test_git_keeps_pictures_and_sidecars_of_the_paper_profile_alone():
    def ignored(path):
        return subprocess.run(["git", "check-ignore", "-q", path], cwd=ROOT, check=False).returncode == 0

    assert not ignored("figures/paper/fig01_x.png")
    assert not ignored("figures/paper/fig01_x.json")
    assert ignored("figures/paper/fig01_x.pdf")
    assert ignored("figures/paper/fig01_x.svg")
    assert ignored("figures/quick/fig01_x.png")
    assert ignored("figures/smoke/fig01_x.json")


def test_make_clean_spares_committed_figures(tmp_path):
    for name in ("paper/a.png", "paper/a.json", "paper/a.pdf", "quick/a.png", "smoke/a.png"):
        path = tmp_path / "figures" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("x")
    subprocess.run(["make", "-s", "-C", str(tmp_path), "-f", str(ROOT / "Makefile"), "clean"], check=True)
    left = sorted(path.relative_to(tmp_path / "figures").as_posix() for path in (tmp_path / "figures").rglob("*.*"))
    assert left == ["paper/a.json", "paper/a.png"]
