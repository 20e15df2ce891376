"""What moved since a revision: numbers, figures before and after, and clear words where there is nothing to show."""

import io
import json
import subprocess

import pytest
from rich.console import Console

from bfl_stpc.errors import ConfigError, StudyError
from bfl_stpc.study import comparison, difference, paths, reference
from bfl_stpc.study.store import to_json

PNG = b"\x89PNG before"


def git(root, *arguments):
    subprocess.run(["git", "-c", "user.name=t", "-c", "user.email=t@example.org", *arguments], cwd=root, check=True)


def results(accuracy):
    entry = {"value": accuracy, "interval": [accuracy - 1, accuracy + 1], "unit": "%", "timing": False}
    return {"processor": {}, "notebooks": {"02_x": {"key": str(accuracy), "results": {"accuracy": entry}}}}


def figure(folder, name, data, png=None):
    folder.mkdir(parents=True, exist_ok=True)
    sidecar = {"figure": name, "plot": "bfl_stpc.figures.claims:measured_over_printed", "data": data}
    (folder / f"{name}.json").write_bytes(
        to_json(sidecar | {"caption": f"<{data['claims'][0]['ratio']}>", "alt": 'a "dot"'})
    )
    if png:
        (folder / f"{name}.png").write_bytes(png)


def claims(ratio):
    return {"claims": [{"claim": "a", "ratio": ratio, "ceiling": None, "verdict": "reproduced"}]}


@pytest.fixture
def study(tmp_path, monkeypatch):
    for name, path in (("ROOT", tmp_path), ("DATA", tmp_path / "data"), ("FIGURES", tmp_path / "figures")):
        monkeypatch.setattr(paths, name, path)
    monkeypatch.setattr(paths, "BUILD", tmp_path / "build")
    monkeypatch.setattr(reference, "current", lambda profile: results(97.0))
    (tmp_path / "data/reference").mkdir(parents=True)
    git(tmp_path, "init", "-q")
    (tmp_path / "README.md").write_text("r")
    git(tmp_path, "add", "README.md")
    git(tmp_path, "commit", "-qm", "Without a reference")
    git(tmp_path, "tag", "bare")
    (tmp_path / "data/reference/paper.json").write_bytes(to_json(results(95.0)))
    figures = tmp_path / "figures/paper"
    figure(figures, "fig01_same", claims(1.0), PNG)
    figure(figures, "fig02_moved", claims(1.0), PNG)
    figure(figures, "fig03_drawn", claims(1.0))
    git(tmp_path, "add", "-A")
    git(tmp_path, "commit", "-qm", "With one")
    figure(figures, "fig02_moved", claims(2.0), b"\x89PNG now")
    figure(figures, "fig03_drawn", claims(2.0), b"\x89PNG now")
    figure(figures, "fig04_new", claims(1.0), b"\x89PNG new")
    return tmp_path


def report(base, profile="paper"):
    console = Console(file=io.StringIO(), width=200)
    page = difference.report(profile, base, console)
    return console.file.getvalue(), page


def test_changed_numbers_and_both_pictures(study):
    said, page = report("HEAD")
    assert "1 numbers changed, 0 are the same" in said
    assert "95" in said
    assert "beyond tolerance" in said
    text = page.read_text()
    assert "02_x/accuracy" in text
    assert "fig01_same" not in text
    assert "&lt;2.0&gt;" in text  # captions are text, not markup
    assert (page.parent / "before/fig02_moved.png").read_bytes() == PNG
    assert (page.parent / "now/fig02_moved.png").read_bytes() == b"\x89PNG now"
    assert (page.parent / "before/fig03_drawn.png").read_bytes().startswith(b"\x89PNG\r\n")  # drawn from its sidecar
    assert not (page.parent / "before/fig04_new.png").exists()
    assert "not there before" in text
    for source in ("before/fig02_moved.png", "now/fig03_drawn.png"):
        assert f'src="{source}"' in text


def test_unchanged_results_are_said_to_be(study, monkeypatch):
    monkeypatch.setattr(reference, "current", lambda profile: results(95.0))
    said, page = report("HEAD")
    assert "0 numbers changed, 1 are the same" in said
    assert "No number changed." in page.read_text()


def test_a_reference_of_the_first_form_can_be_read(study):
    old = results(95.0)["notebooks"]
    (study / "data/reference/paper.json").write_text(json.dumps(old))
    git(study, "commit", "-qam", "Old form")
    assert "1 numbers changed" in report("HEAD")[0]


@pytest.mark.parametrize("base", ["nosuch", "--help", "HEAD~9"])
def test_unknown_revision_is_named(study, base):
    with pytest.raises(ConfigError, match=f"unknown revision '{base}'"):
        report(base)


def test_no_revision_no_reference_and_no_figures_are_said(study):
    with pytest.raises(ConfigError, match="make diff BASE="):
        report("")
    with pytest.raises(StudyError, match=r"revision bare holds no data/reference/paper.json"):
        report("bare")
    git(study, "rm", "-rq", "--cached", "figures")
    git(study, "commit", "-qm", "No figures")
    said, page = report("HEAD")
    assert "No figures of profile paper are committed at HEAD" in said
    assert comparison.BEYOND in page.read_text()
