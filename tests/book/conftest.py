"""The book of the smoke profile, and a browser that talks to nobody but it."""

import importlib.util
import os
import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
import pandas as pd
import pytest

ROOT = Path(__file__).parents[2]
FEW = ("05",)  # run here where the smoke profile has not been run: seconds, and all kinds of pages
FLAGS = (
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
    "--allow-file-access-from-files",  # the search shows where in a page a word stands, which else needs a server
)  # fmt: skip


def command(*arguments: str, root: Path, build: Path, log: Path) -> None:
    """Run one command of the library on the checkout in `root`; its output goes to a file, never through a pipe."""
    environment = os.environ | {"BFL_ROOT": str(root), "BFL_BUILD": str(build), "PYTHONPATH": str(ROOT / "lib")}
    with log.open("w") as file:
        ran = subprocess.run(
            [sys.executable, "-m", "bfl_stpc", *arguments], env=environment, stdout=file, stderr=file, check=False
        )
    assert ran.returncode == 0, log.read_text()


def show_tables(executed: Path) -> None:
    """Add a cell that shows a table of pandas, and one in Markdown as notebook 12 does, which needs all others."""
    notebook = nbformat.read(executed, as_version=4)
    shown = {
        "text/html": pd.DataFrame({"who": ["a", "b"], "how many": [1, 20]}).to_html(),
        "text/markdown": "| claim | verdict |\n|---|---|\n| c | holds |",
    }
    outputs = [nbformat.v4.new_output("display_data", {kind: text}) for kind, text in shown.items()]
    notebook.cells.append(nbformat.v4.new_code_cell("tables", outputs=outputs))
    nbformat.write(notebook, executed)


@pytest.fixture(scope="session")
def site(tmp_path_factory) -> Path:
    """The folder of a freshly built book."""
    if importlib.util.find_spec("jupyter_book") is None:
        pytest.skip("jupyter-book is not installed: make setup GROUPS=book")
    from bfl_stpc.book import mathjax

    mathjax.script()
    scratch = tmp_path_factory.mktemp("book")
    root, build = scratch / "checkout", scratch / "build"
    for name in ("book", "contracts", "data", "locks", "notebooks"):
        shutil.copytree(ROOT / name, root / name, ignore=shutil.ignore_patterns("solc", "@openzeppelin", "@foundry-rs"))
    whole = Path(os.environ.get("BFL_BUILD", ROOT / "build")) / "smoke"
    if len(list((whole / "notebooks").glob("*.ipynb"))) == len(list((ROOT / "notebooks").glob("*.ipynb"))):
        only: tuple[str, ...] = ()
        for part in ("notebooks", "results"):
            shutil.copytree(whole / part, build / "smoke" / part)
        command("figures", "--profile", "smoke", root=root, build=build, log=scratch / "figures.log")
    else:
        only = FEW
        command("reproduce", "--profile", "smoke", *only, root=root, build=build, log=scratch / "reproduce.log")
    show_tables(next((build / "smoke" / "notebooks").glob("05_*.ipynb")))
    command("book", "--profile", "smoke", *only, root=root, build=build, log=scratch / "book.log")
    return build / "book"


@pytest.fixture(scope="session")
def chromium(tmp_path_factory):
    """Debian's Chromium, headless, with a profile of its own."""
    program = shutil.which("chromium")
    if program is None:
        pytest.skip("chromium is not installed: apt-get install chromium")
    playwright = pytest.importorskip("playwright.sync_api", reason="make setup GROUPS=book")
    with playwright.sync_playwright() as driver:
        yield driver.chromium.launch(executable_path=program, args=list(FLAGS), headless=True)


class Visit:
    """A browser window on the book's files, as a reader who has built it opens them; what goes wrong is kept in `wrong`.

    No socket is opened: a browser gives up what it loads when another test changes this machine's network.
    """

    def __init__(self, browser, site: Path, width: int, scripts: bool) -> None:
        self.address, self.wrong = f"{site.as_uri()}/", []
        self.page = browser.new_page(viewport={"width": width, "height": 900}, java_script_enabled=scripts)
        self.page.set_default_timeout(120_000)  # for machines with much else to do
        self.page.on("request", self.asked)
        self.page.on("requestfailed", lambda request: self.wrong.append(f"failed: {request.url}"))
        self.page.on(
            "console",
            lambda said: said.type == "error" and self.wrong.append(f"console: {said.text} {said.location['url']}"),
        )
        self.page.on("pageerror", lambda error: self.wrong.append(f"script: {error}"))

    def asked(self, request):
        """Note a request for anything but a file of the book."""
        if not request.url.startswith((self.address, "data:")):
            self.wrong.append(f"not in the book: {request.url}")

    def go(self, path: str):
        """Open a page of the book and wait until its formulas stand."""
        self.page.goto(f"{self.address}{path}", wait_until="load")
        self.page.evaluate("() => window.MathJax?.startup?.promise")
        return self.page


@pytest.fixture
def visit(chromium, site):
    """Open windows of a given width."""
    windows = []

    def open_window(width: int, *, scripts: bool = True) -> Visit:
        windows.append(Visit(chromium, site, width, scripts))
        return windows[-1]

    yield open_window
    for window in windows:
        window.page.close()
