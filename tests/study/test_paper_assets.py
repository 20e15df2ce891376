"""What a paper takes: embedded fonts, tables, numbers as macros that TeX accepts, captions."""

import re

import pytest
from study.recorded import recorded  # noqa: F401 - a fixture

from bfl_stpc.errors import StoreError
from bfl_stpc.study import paper_assets, tex


@pytest.fixture
def assets(recorded):  # noqa: F811
    return paper_assets.collect("paper")


def test_figures_are_there_in_every_format_with_their_data(assets):
    assert {path.name for path in (assets / "figures").iterdir()} == {
        f"fig02_ratio.{kind}" for kind in ("pdf", "svg", "png", "json")
    }
    png = (assets / "figures/fig02_ratio.png").read_bytes()
    assert int.from_bytes(png[16:20], "big") == round(7.2 * 300)  # the width of the page at 300 dots an inch


def test_every_font_of_a_pdf_is_embedded(assets):
    pdf = (assets / "figures/fig02_ratio.pdf").read_bytes()
    fonts = re.findall(rb"/Subtype /(Type1|Type3|TrueType|Type0)", pdf)
    assert b"Type0" in fonts  # Type 42, which matplotlib writes as a composite font
    assert set(fonts) <= {b"Type0"}
    descriptors = re.findall(rb"<<[^<>]*/Type /FontDescriptor[^<>]*>>|/FontFile2 \\d+", pdf)
    assert descriptors
    assert pdf.count(b"/FontFile2") == pdf.count(b"/Type /FontDescriptor")


def test_numbers_are_macros_of_letters(assets):
    text = (assets / "numbers.tex").read_text()
    assert r"\newcommand{\bflFirstPartAucTwo}{0.99801} % 02_first_part/auc_2" in text
    assert r"\bflFirstPartAucTwoHigh}{0.99830}" in text
    assert r"\bflFirstPartSmall}{\ensuremath{-1.23\times 10^{-5}}}" in text
    assert r"\bflFirstPartHolds}{yes}" in text
    assert r"\bflFirstPartWord}{50 \% \& more}" in text
    assert "Curve" not in text
    for name in re.findall(r"newcommand{(.*?)}{", text):
        assert re.fullmatch(r"\\[A-Za-z]+", name)


def test_tables_are_booktabs_and_markdown(assets):
    latex = (assets / "tables/tab02_parts.tex").read_text()
    for line in (r"\begin{tabular}{rlr}", r"\toprule", r"p & a\_b & n \\", r"0.1235 & x \& y & 1 \\", r"\bottomrule"):
        assert line in latex
    markdown = (assets / "tables/tab02_parts.md").read_text()
    assert "|---:|---|---:|" in markdown
    assert r"| – | z\|w | 20 |" in markdown


def test_captions_and_alternative_texts_are_escaped(assets):
    latex = (assets / "figures.tex").read_text()
    assert r"\caption{A ratio of 1.5 is 50 \% too much \& more.}" in latex
    assert "alt={One dot right of 1.}" in latex
    assert "50 % too much & more." in (assets / "captions.md").read_text()
    assert "1 figures" in (assets / "README.md").read_text()


def test_a_missing_result_names_the_command(recorded):  # noqa: F811
    (recorded / "build/paper/results/02_first_part/results.json").unlink()
    with pytest.raises(StoreError, match="make reproduce PROFILE=paper"):
        paper_assets.collect("paper")


def test_two_results_of_one_name_are_refused():
    entry = {"value": 1, "interval": None}
    with pytest.raises(StoreError, match="02_x/a_b and 02_x/aB both become"):
        paper_assets.macros({"02_x": {"aB": entry, "a_b": entry}})


@pytest.mark.parametrize(
    ("interval", "decimals"), [((97.42, 97.89), 2), ((0.9977, 0.9983), 5), ((0, 1000), 0), ((1, 1), None), (None, None)]
)
def test_an_interval_decides_the_decimals(interval, decimals):
    assert tex.places(interval) == decimals
