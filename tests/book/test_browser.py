"""The book in a real browser: every page at two widths, search, dark mode, a slider, accessibility."""

import pytest

PHONE, DESKTOP = 390, 1280
KINDS = (
    "index.html", "notation.html", "notebooks/05_multiparty_computation.html",
    "provenance/05_multiparty_computation.html", "api/bfl_stpc.book.html", "search.html",
)  # fmt: skip

pytestmark = pytest.mark.slow

IMAGES_WITHOUT_ALT = "() => [...document.images].filter(i => !i.alt.trim()).map(i => i.outerHTML.slice(0, 120))"
BROKEN_IMAGES = "() => [...document.images].filter(i => i.complete && !i.naturalWidth).map(i => i.src)"
TOO_WIDE = """() => {
    const wide = document.documentElement.scrollWidth - document.documentElement.clientWidth;
    return wide > 0 ? [`${wide} px wider than the window`] : [];
}"""


def pages(site):
    return sorted(str(path.relative_to(site)) for path in site.rglob("*.html") if "_static" not in path.parts)


def serious(page):
    """Serious and critical violations that axe-core finds, each with the first place."""
    from axe_playwright_python.sync_playwright import Axe

    # Without preloading: axe would look for what a style sheet imports beside the page.
    found = Axe().run(page, options={"resultTypes": ["violations"], "preload": False}).response["violations"]
    return [
        f"axe {v['id']} ({v['impact']}), {len(v['nodes'])} places, first: {v['nodes'][0]['html'][:160]}"
        for v in found
        if v["impact"] in ("serious", "critical")
    ]


@pytest.mark.parametrize("width", [PHONE, DESKTOP])
def test_every_page_loads_whole_and_is_accessible(site, visit, width):
    window, wrong = visit(width), []
    assert len(pages(site)) > 20
    for path in pages(site):
        page = window.go(path)
        for script in (IMAGES_WITHOUT_ALT, BROKEN_IMAGES, TOO_WIDE):
            wrong += [f"{path}: {line}" for line in page.evaluate(script)]
        if path in KINDS or (width == DESKTOP and not path.startswith("api/")):
            # Pages of one kind come out of one mould, and those of the reference take axe long.
            wrong += [f"{path}: {line}" for line in serious(page)]
        wrong += [f"{path}: {line}" for line in window.wrong]
        window.wrong.clear()
    assert not wrong, "\n".join(wrong)


def test_formulas_are_drawn(visit):
    page = visit(DESKTOP).go("notation.html")
    assert page.locator("mjx-container svg").count() > 20


def test_numbers_of_a_table_stand_under_each_other_and_rows_are_not_counted(visit):
    page = visit(DESKTOP).go("notebooks/05_multiparty_computation.html")
    table = page.locator("table.dataframe", has_text="how many")
    look = "(cells, kind) => cells.map(cell => getComputedStyle(cell)[kind])"
    assert table.locator("td").evaluate_all(look, "textAlign") == ["left", "right"] * 2
    assert table.locator("tr > th:first-child").evaluate_all(look, "display") == ["none"] * 3


def test_a_table_in_markdown_is_a_table(visit):
    page = visit(DESKTOP).go("notebooks/05_multiparty_computation.html")
    assert page.locator("table tr", has_text="holds").locator("td").all_inner_texts() == ["c", "holds"]


def test_search_finds_a_word_and_only_where_it_is(visit):
    window = visit(DESKTOP)
    page = window.go("search.html?q=Shamir")
    page.wait_for_selector("#search-results li a")
    assert any("multiparty" in link.get_attribute("href") for link in page.locator("#search-results li a").all())
    page = window.go("search.html?q=zyzzyva")
    page.wait_for_function("() => document.querySelector('#search-results').innerText.includes('did not match')")
    assert not window.wrong


# Colours are those of the other width, the way to switch is not.
@pytest.mark.parametrize(("width", "kinds"), [(PHONE, KINDS[:2]), (DESKTOP, KINDS[:4])], ids=["phone", "desktop"])
def test_dark_mode_is_dark_stays_and_is_accessible(visit, width, kinds):
    window = visit(width)
    page = window.go("index.html")
    background = "() => getComputedStyle(document.body).backgroundColor.match(/[0-9]+/g).map(Number)[0]"
    page.evaluate("() => { localStorage.clear() }")
    for _ in range(3):  # light, dark, as the system has it
        if page.evaluate("() => document.documentElement.dataset.mode") == "dark":
            break
        page.locator("button.theme-switch-button").locator("visible=true").first.click()
    assert page.evaluate(background) < 60
    page = window.go("notation.html")
    assert page.evaluate(background) < 60
    wrong = []
    for path in kinds:
        wrong += [f"{path}: {line}" for line in serious(window.go(path))]
    assert not wrong + window.wrong, "\n".join(wrong + window.wrong)


def test_a_slider_is_moved_by_keyboard_and_says_what_it_shows(visit):
    page = visit(PHONE).go("notebooks/05_multiparty_computation.html")
    figure = page.locator("figure.slider")
    control, output = figure.locator("input[type=range]"), figure.locator("output")
    before, first = output.inner_text(), control.get_attribute("aria-valuetext")
    control.press("End")
    assert output.inner_text() not in ("", before)
    assert control.get_attribute("aria-valuetext") not in ("", first)
    shown = "marks => marks.filter(mark => mark.style.display !== 'none').length"
    assert figure.locator("path[data-at]").evaluate_all(shown) == 1
    assert figure.locator("tr.slider-here").get_attribute("data-says") == output.inner_text()


def test_a_slider_without_scripts_is_a_chart_and_a_table(visit):
    page = visit(PHONE, scripts=False).go("notebooks/05_multiparty_computation.html")
    figure = page.locator("figure.slider")
    assert figure.locator("table").is_visible()
    assert figure.locator("svg").is_visible()
    assert not figure.locator("input[type=range]").is_visible()
