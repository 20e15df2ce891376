"""The links of a static site: every one that stays inside must lead somewhere."""

from __future__ import annotations

from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

ATTRIBUTES = {"a": "href", "img": "src", "script": "src", "link": "href", "source": "src", "iframe": "src"}


class _Page(HTMLParser):
    """Collects the anchors of a page, and what it links to."""

    def __init__(self) -> None:
        super().__init__()
        self.anchors: set[str] = set()
        self.targets: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note the id and the link of one element."""
        given = dict(attrs)
        self.anchors |= {value for key in ("id", "name") if (value := given.get(key))}
        target = given.get(ATTRIBUTES.get(tag, ""))
        if target:
            self.targets.add(target)


def read(file: Path) -> _Page:
    """Return the anchors and targets of the HTML in `file`."""
    page = _Page()
    page.feed(file.read_text(encoding="utf-8"))
    return page


def broken(site: Path) -> list[str]:
    """Return a line for each link inside `site` that leads to no file or to no anchor, and for each script or
    picture that another host would have to serve.
    """
    # The theme keeps templates among its static files: they are no pages.
    files = [file for file in sorted(site.rglob("*.html")) if "_static" not in file.relative_to(site).parts]
    pages = {file.resolve(): read(file) for file in files}
    wrong = []
    for file, page in pages.items():
        where = file.relative_to(site.resolve())
        for target in sorted(page.targets):
            parts = urlsplit(target)
            if parts.scheme or parts.netloc:
                continue
            to = (file.parent / unquote(parts.path)).resolve() if parts.path else file
            if not to.exists():
                wrong.append(f"{where}: {target}: there is no such file")
            elif parts.fragment and to in pages and unquote(parts.fragment) not in pages[to].anchors:
                wrong.append(f"{where}: {target}: the page has no such anchor")
    return wrong
