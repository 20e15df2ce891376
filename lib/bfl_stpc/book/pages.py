"""The book's pages that are made of results: notebooks, claims, figure gallery, provenance."""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nbformat

from bfl_stpc.errors import BookError, ClaimError
from bfl_stpc.figures.style import FORMATS
from bfl_stpc.study import claims, explain, paths, redraw
from bfl_stpc.study.experiment import results_folder
from bfl_stpc.study.store import read_json

UNMEASURED = "not run under this profile"


@dataclass(frozen=True)
class Drawn:
    """A published figure.

    Attributes:
        name: its file name without ending.
        folder: where its files lie.
        sidecar: data, caption, alternative text and provenance.
    """

    name: str
    folder: Path
    sidecar: Mapping[str, Any]

    @property
    def page(self) -> str:
        """Name of the notebook that draws it."""
        return str(self.sidecar["notebook"])

    def files(self) -> list[Path]:
        """Return its picture files and its sidecar."""
        return [self.folder / f"{self.name}.{kind}" for kind in (*FORMATS, "json")]


def published(profile: str, notebook: str) -> list[Drawn]:
    """Return the figures of the finished `notebook`, in the order in which it draws them.

    Raises:
        BookError: a figure is missing, or is of another run than the notebook.
    """
    mend = f"run `make reproduce PROFILE={profile}`, then `make figures PROFILE={profile}`"
    finished = read_json(results_folder(profile, notebook) / "finished.json", f"make reproduce PROFILE={profile}")
    found, folder = [], redraw.figure_folder(profile)
    for name in finished["figures"]:
        drawn = Drawn(name, folder, {})
        if missing := [path.name for path in drawn.files() if not path.exists()]:
            raise BookError(f"{paths.relative(folder)} lacks {', '.join(missing)}: {mend}")
        sidecar = read_json(folder / f"{name}.json", mend)
        if sidecar["key"] != finished["key"]:
            raise BookError(f"figure {name} is of another run than the executed {notebook}: {mend}")
        found.append(Drawn(name, folder, sidecar))
    return found


def executed(path: Path, figures: Iterable[Drawn]) -> str:
    """Return the executed notebook in `path` as the book shows it.

    Its figures become files beside the pages, each with links to its data and provenance. A link to a source file
    leads to the API reference. Of the two cells that set the profile (ours, and papermill's with the value that was
    used) the second stays. What a cell prints in several pieces is one block, but stays between what it shows.
    """
    notebook = nbformat.read(path, as_version=4)
    tags = [set(cell.metadata.get("tags", [])) for cell in notebook.cells]
    if any("injected-parameters" in tag for tag in tags):
        notebook.cells = [cell for cell, tag in zip(notebook.cells, tags) if "parameters" not in tag]
    known = {drawn.name: drawn for drawn in figures}
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            cell.source = re.sub(r"\]\(\.\./lib/bfl_stpc/(\w+)/\w+\.py\)", r"](../api/bfl_stpc.\1.rst)", cell.source)
        if cell.cell_type == "code":
            cell.outputs = joined(cell.outputs)
            for output in cell.outputs:
                if "text/html" in output.get("data", {}):
                    output["data"]["text/html"] = linked(output["data"]["text/html"], known)
    return nbformat.writes(notebook)


def joined(outputs: Iterable[Any]) -> list[Any]:
    """Return outputs of which no two that follow each other are printed on the same stream."""
    found: list[Any] = []
    for output in outputs:
        before = found[-1] if found else {}
        if output["output_type"] == before.get("output_type") == "stream" and output["name"] == before["name"]:
            before["text"] += output["text"]
        else:
            found.append(output)
    return found


def linked(text: str, figures: Mapping[str, Drawn]) -> str:
    """Return the HTML of an output in which a figure is a file of the book and says where it comes from."""
    match = re.match(r'<figure id="(\w+)"', text)
    if not match or match[1] not in figures:
        return text
    drawn = figures[match[1]]
    source = f'src="../_static/figures/{drawn.name}.png" {size(drawn)}'
    text = re.sub(r'src="data:image/png;base64,[^"]*"', source, text)
    return text.replace("</figure>", f"{figure_links(drawn, up='../')}</figure>")


def size(drawn: Drawn) -> str:
    """Return the attributes that keep a picture's place while it is loaded: bytes 16 to 24 of a PNG are its size."""
    with (drawn.folder / f"{drawn.name}.png").open("rb") as file:
        head = file.read(24)
    return f'width="{int.from_bytes(head[16:20], "big")}" height="{int.from_bytes(head[20:24], "big")}"'


def figure_links(drawn: Drawn, *, up: str, notebook: bool = False, provenance: bool = True) -> str:
    """Return the links of a figure: its data, its printable files, and as asked its notebook and its provenance."""
    name, said = drawn.name, html.escape(drawn.name)
    links = [
        (f"{up}_static/figures/{name}.json", "data"),
        (f"{up}_static/figures/{name}.pdf", "PDF"),
        (f"{up}_static/figures/{name}.svg", "SVG"),
    ]
    if provenance:
        links.append((f"{up}provenance/{drawn.page}.html#{name}-provenance", "provenance"))
    if notebook:
        links.insert(0, (f"{up}notebooks/{drawn.page}.html#{name}", f"notebook {drawn.page[:2]}"))
    inner = " ".join(f'<a href="{href}" aria-label="{word} of {said}">{word}</a>' for href, word in links)
    return f'<p class="figure-links">{inner}</p>'


def claims_table(profile: str) -> str:
    """Return the table of claims in Markdown; a claim whose notebook has not run says so."""
    findings = []
    for claim in claims.load_claims().values():
        try:
            findings.append(claims.examine_one(claim, profile))
        except ClaimError:
            findings.append(claims.Finding(claim, None, None, None, UNMEASURED))
    return claims.markdown(findings, profile)


def gallery(figures: Iterable[Drawn]) -> str:
    """Return the HTML of the figure gallery."""
    cards = []
    for drawn in figures:
        alt, caption = html.escape(drawn.sidecar["alt"], quote=True), html.escape(drawn.sidecar["caption"])
        picture = f'<img loading="lazy" src="_static/figures/{drawn.name}.png" {size(drawn)} alt="{alt}">'
        cards.append(
            f'<figure><a href="notebooks/{drawn.page}.html#{drawn.name}">{picture}</a>'
            f"<figcaption>{caption}</figcaption>{figure_links(drawn, up='', notebook=True)}</figure>"
        )
    return '<div class="gallery">\n' + "\n".join(cards) + "\n</div>"


def landing(template: str, profile: str, first: str, figures: Iterable[Drawn]) -> str:
    """Return the landing page: `template` with the first notebook, the claims table and the gallery in their places."""
    parts = {"%FIRST%": first, "%CLAIMS%": claims_table(profile), "%GALLERY%": gallery(figures)}
    for mark, text in parts.items():
        template = template.replace(mark, text)
    return template


def provenance(notebook: str, figures: Iterable[Drawn], now: Mapping[str, str]) -> str:
    """Return the page that says of each figure of `notebook` what it was made from.

    Args:
        notebook: its name.
        figures: those that its run drew.
        now: key and hashes that a run would have now, as `study.notebooks.provenance` gives them.
    """
    parts = [f"# Provenance of notebook {notebook[:2]}", "", "`make explain FIG=...` prints the same.", ""]
    for drawn in figures:
        rows = explain.lines(drawn.folder / f"{drawn.name}.json", drawn.sidecar, now)
        told = "".join(f"<dt>{html.escape(word)}</dt><dd>{html.escape(text)}</dd>" for word, text in rows)
        parts += [f'<span id="{drawn.name}-provenance"></span>', "", f"## {drawn.name}", ""]
        parts += [
            figure_links(drawn, up="../", notebook=True, provenance=False),
            "",
            f'<dl class="provenance">{told}</dl>',
            "",
        ]
    return "\n".join(parts)
