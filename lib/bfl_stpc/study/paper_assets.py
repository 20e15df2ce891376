"""All that a paper takes from the study, in one folder: figures, tables, numbers, captions and alternative texts."""

from __future__ import annotations

import csv
import shutil
from pathlib import Path
from typing import Any

from bfl_stpc.errors import StoreError
from bfl_stpc.figures.style import FORMATS
from bfl_stpc.study import paths, redraw, tex
from bfl_stpc.study.experiment import results_folder
from bfl_stpc.study.explain import published
from bfl_stpc.study.notebooks import discover
from bfl_stpc.study.store import read_json, replace_folder, write_atomic

README = """# Assets of profile {profile}
Collected by `make paper-assets PROFILE={profile}` from recorded results; nothing here is typed.

- `figures/`: {figures} figures as PDF (fonts embedded), SVG (text as paths) and PNG (300 dots an inch), drawn at the
  width of a column (3.5 in) or of the page (7.2 in).
- `figures.tex`, `captions.md`: captions that state the finding, and alternative texts.
- `tables/`: {tables} tables in LaTeX (`\\usepackage{{booktabs}}`) and Markdown.
- `numbers.tex`: {numbers} recorded numbers as macros, such as `{example}`; `Low` and `High` end the names of the bounds
  of a 95 % interval over seeds. `numbers.md` lists them with their notebooks.
"""


def figures_tex(sidecars: list[dict[str, Any]]) -> str:
    """Return LaTeX that includes every figure, with caption and alternative text."""
    return "\n".join(
        "\\begin{figure}\n\\centering\n"
        f"\\includegraphics[alt={{{tex.escaped(s['alt'])}}}]{{figures/{s['figure']}.pdf}}\n"
        f"\\caption{{{tex.escaped(s['caption'])}}}\n\\label{{fig:{s['figure']}}}\n\\end{{figure}}\n"
        for s in sidecars
    )


def captions_md(sidecars: list[dict[str, Any]]) -> str:
    """Return captions and alternative texts in Markdown, with each figure's command."""
    return "\n".join(
        f"## {s['figure']}\n\n{s['caption']}\n\n*Alternative text:* {s['alt']}\n\n*Command:* `{s['command']}`\n"
        for s in sidecars
    )


def macros(results: dict[str, dict[str, dict[str, Any]]]) -> dict[str, tuple[str, str]]:
    """Return for every recorded scalar, and both bounds of its interval, the macro with its text and its origin.

    Raises:
        StoreError: two results get the same name.
    """
    found: dict[str, tuple[str, str]] = {}

    def add(words: tuple[str, ...], value: Any, decimals: int | None) -> None:
        name, origin = tex.macro(*words), "/".join(words)
        if name in found:
            raise StoreError(f"{origin} and {found[name][1]} both become {name}: rename one of the results")
        found[name] = tex.tex_number(value, decimals), origin

    for notebook, entries in results.items():
        for result, entry in sorted(entries.items()):
            if not isinstance(entry["value"], bool | int | float | str):
                continue
            decimals = tex.places(entry["interval"])
            add((notebook, result), entry["value"], decimals)
            for bound, value in zip(("low", "high"), entry["interval"] or ()):
                add((notebook, result, bound), value, decimals)
    return found


def tables(results: dict[str, dict[str, dict[str, Any]]], profile: str) -> dict[str, dict[str, Any]]:
    """Return all recorded tables by name: `caption`, and `rows` with their columns in the notebook's order."""
    found = {}
    for notebook, entries in results.items():
        for name, entry in entries.items():
            value = entry["value"]
            if isinstance(value, dict) and set(value) == {"caption", "rows"}:
                # Recorded results sort their keys; the table's own file keeps the order of its columns.
                with (results_folder(profile, notebook) / "tables" / f"{name}.csv").open(encoding="utf-8") as file:
                    names = next(csv.reader(file))
                found[name] = value | {"rows": [{key: row.get(key) for key in names} for row in value["rows"]]}
    return found


def collect(profile: str) -> Path:
    """Write build/paper-assets anew; return it.

    Raises:
        ConfigError: there are no figures of this profile.
        StoreError: a notebook has not finished, or a file cannot be written.
    """
    make = f"make reproduce PROFILE={profile}"
    results = {name: read_json(results_folder(profile, name) / "results.json", make) for name in discover()}
    redraw.redraw_stale(profile)
    staged = paths.BUILD / ".paper-assets.staged"
    shutil.rmtree(staged, ignore_errors=True)
    sidecars = []
    for name, path in published(profile).items():
        sidecars.append(read_json(path, "make figures"))
        for kind in FORMATS:
            picture = path.with_suffix(f".{kind}")
            write_atomic(staged / "figures" / picture.name, picture.read_bytes())
        write_atomic(staged / "figures" / f"{name}.json", path.read_bytes())
    write_atomic(staged / "figures.tex", figures_tex(sidecars).encode())
    write_atomic(staged / "captions.md", captions_md(sidecars).encode())
    found = tables(results, profile)
    for name, table in found.items():
        write_atomic(staged / "tables" / f"{name}.tex", tex.booktabs(table["rows"], table["caption"], name).encode())
        write_atomic(staged / "tables" / f"{name}.md", tex.markdown(table["rows"], table["caption"]).encode())
    numbers = macros(results)
    lines = [f"\\newcommand{{{name}}}{{{text}}} % {origin}" for name, (text, origin) in numbers.items()]
    write_atomic(staged / "numbers.tex", ("\n".join(lines) + "\n").encode())
    listed = [{"macro": f"`{name}`", "text": text, "result": origin} for name, (text, origin) in numbers.items()]
    write_atomic(staged / "numbers.md", tex.markdown(listed, f"Numbers of profile {profile}").encode())
    about = {
        "figures": len(sidecars),
        "tables": len(found),
        "numbers": len(numbers),
        "example": next(iter(numbers), ""),
    }
    write_atomic(staged / "README.md", README.format(profile=profile, **about).encode())
    replace_folder(staged, paths.BUILD / "paper-assets")
    return paths.BUILD / "paper-assets"
