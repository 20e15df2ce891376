"""The book's pages, links and docstrings, without rendering anything."""

import dataclasses
import json

import nbformat
import pytest

from bfl_stpc.book import docstrings, links, pages, reference, site
from bfl_stpc.errors import BookError
from bfl_stpc.figures.style import FORMATS
from bfl_stpc.study import paths, redraw
from bfl_stpc.study.experiment import captioned

SIDECAR = {
    "notebook": "01_first", "caption": "A & B", "alt": 'a "b"', "key": "k", "plot": "m:f", "settings": {"n": 1},
    "patients": 10, "hospitals": 2, "seeds": [1, 2], "data_sha256": "d", "drawing": "w", "timing": False,
}  # fmt: skip


@pytest.fixture
def drawn(tmp_path):
    (tmp_path / "fig01_x.png").write_bytes(bytes(16) + (300).to_bytes(4, "big") + (200).to_bytes(4, "big"))
    return pages.Drawn("fig01_x", tmp_path, SIDECAR)


def test_links_that_lead_nowhere_are_named(tmp_path):
    (tmp_path / "sub").mkdir()
    (tmp_path / "a.html").write_text(
        '<h1 id="top"></h1><a href="sub/b.html#there">x</a><a href="#top">x</a><a href="https://elsewhere.example">x</a>'
        '<a href="gone.html">x</a><a href="sub/b.html#gone">x</a><img src="gone.png">'
    )
    (tmp_path / "sub" / "b.html").write_text('<p id="there"></p><a href="../a.html#top">x</a>')
    assert links.broken(tmp_path) == [
        "a.html: gone.html: there is no such file",
        "a.html: gone.png: there is no such file",
        "a.html: sub/b.html#gone: the page has no such anchor",
    ]


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        (["`code` and ``code``"], ["``code`` and ``code``"]),
        (["* an *emphasised* bullet"], ["* an *emphasised* bullet"]),
        (["of *args, all of object_"], ["of \\*args, all of object\\_"]),
        (["|x| is a norm"], ["\\|x\\| is a norm"]),
        (["Tree:", "", "Root", "├── leaf", "", "End"], ["Tree:", "", "", "::", "", "    Root", "    ├── leaf", "", "", "End"]),
        (["| a | b |", "| `c` | d |"], ["", "::", "", "    | a | b |", "    | `c` | d |"]),
    ],
)  # fmt: skip
def test_docstrings_become_restructuredtext(said, shown):
    assert docstrings.as_rst(said) == shown


def test_what_is_printed_stays_between_what_is_shown():
    def printed(text, name="stdout"):
        return {"output_type": "stream", "name": name, "text": text}

    table = {"output_type": "display_data", "data": {"text/html": "<table>"}}
    pieces = [printed("a\n"), printed("b\n"), table, printed("c\n"), printed("careful\n", "stderr"), table]
    together = [printed("a\nb\n"), table, printed("c\n"), printed("careful\n", "stderr"), table]
    assert pages.joined(pieces) == together
    assert pages.joined([]) == []


def test_a_figure_of_a_notebook_becomes_a_file_with_its_links(drawn):
    shown = captioned("fig01_x", b"\x89PNG" + bytes(20), "A & B", 'a "b"').data
    linked = pages.linked(shown, {"fig01_x": drawn})
    assert 'src="../_static/figures/fig01_x.png" width="300" height="200"' in linked
    assert "base64" not in linked
    assert 'href="../_static/figures/fig01_x.json"' in linked
    assert 'href="../provenance/01_first.html#fig01_x-provenance"' in linked
    assert linked.count("<figure") == linked.count("</figure>") == 1
    assert pages.linked("<p>text</p>", {"fig01_x": drawn}) == "<p>text</p>"


def test_an_executed_notebook_shows_the_profile_that_was_used(tmp_path, drawn):
    cells = [
        nbformat.v4.new_code_cell('profile = "smoke"', metadata={"tags": ["parameters"]}),
        nbformat.v4.new_code_cell('profile = "paper"', metadata={"tags": ["injected-parameters"]}),
        nbformat.v4.new_markdown_cell("[round](../lib/bfl_stpc/system/round.py)"),
    ]
    path = tmp_path / "01_first.ipynb"
    nbformat.write(nbformat.v4.new_notebook(cells=cells), path)
    sources = [cell["source"] for cell in nbformat.reads(pages.executed(path, [drawn]), as_version=4).cells]
    assert sources == ['profile = "paper"', "[round](../api/bfl_stpc.system.rst)"]


def test_figures_of_another_run_are_refused(tmp_path, monkeypatch, drawn):
    results = tmp_path / "results"
    results.mkdir()
    (results / "finished.json").write_text(json.dumps({"figures": ["fig01_x"], "key": "k"}))
    monkeypatch.setattr(pages, "results_folder", lambda profile, notebook: results)
    monkeypatch.setattr(redraw, "figure_folder", lambda profile: tmp_path)
    with pytest.raises(BookError, match=r"lacks fig01_x.pdf.*make reproduce PROFILE=smoke"):
        pages.published("smoke", "01_first")
    for kind in FORMATS:
        (tmp_path / f"fig01_x.{kind}").write_bytes(b"")
    (tmp_path / "fig01_x.json").write_text(json.dumps(SIDECAR))
    assert [found.name for found in pages.published("smoke", "01_first")] == ["fig01_x"]
    (tmp_path / "fig01_x.json").write_text(json.dumps(SIDECAR | {"key": "another"}))
    with pytest.raises(BookError, match="fig01_x is of another run"):
        pages.published("smoke", "01_first")


def test_the_gallery_leads_to_data_notebook_and_provenance(drawn):
    text = pages.gallery([drawn])
    assert 'alt="a &quot;b&quot;"' in text
    assert "A &amp; B" in text
    for target in (
        "_static/figures/fig01_x.json",
        "notebooks/01_first.html#fig01_x",
        "provenance/01_first.html#fig01_x-provenance",
    ):
        assert f'href="{target}"' in text


def test_missing_notebooks_are_named_with_the_command_that_makes_them(tmp_path, monkeypatch):
    monkeypatch.setattr(paths, "BUILD", tmp_path)
    with pytest.raises(BookError, match=r"01_first.*make reproduce PROFILE=paper.*make book PROFILE=paper"):
        site.executed_notebooks("paper", {"01_first": dataclasses.replace})


def test_every_module_is_in_the_reference():
    text = "\n".join(reference.pages().values())
    for name in ("bfl_stpc.errors", "bfl_stpc.stpc.hazmat.bfv", "bfl_stpc.system.round", "bfl_stpc.book.site"):
        assert f".. automodule:: {name}\n" in text
    assert "__main__" not in text


def test_claims_of_notebooks_that_did_not_run_say_so(tmp_path, monkeypatch):
    monkeypatch.setattr(paths, "BUILD", tmp_path)
    assert pages.UNMEASURED in pages.claims_table("smoke")
