"""A Sphinx extension: docstrings are written to be read in an editor; this makes reStructuredText of them.

Code stands in single backticks there, a bar is a bar, and trees and tables are drawn as they are meant to look.
"""

from __future__ import annotations

import re
from typing import Any

DRAWN = re.compile(r"\s*([├└│─].*|\|.*\|)$")


def as_rst(lines: list[str]) -> list[str]:
    """Return the lines of a docstring as reStructuredText: code as literals, drawings as literal blocks.

    >>> as_rst(["`a` or |a|"])
    ['``a`` or \\\\|a\\\\|']
    """
    found: list[str] = []
    drawing = False
    for at, line in enumerate(lines):
        drawn = bool(DRAWN.match(line))
        # The root of a tree belongs to it.
        root = not drawn and at + 1 < len(lines) and lines[at + 1].lstrip().startswith(("├", "└")) and line.strip()
        if (drawn or root) and not drawing:
            indent = " " * (len(line) - len(line.lstrip()))
            found += ["", f"{indent}::", ""]
            drawing = True
        elif drawing and not drawn:
            found.append("")
            drawing = False
        found.append(f"    {line}" if drawing else _prose(line))
    return found


def _prose(line: str) -> str:
    """Return a line with its code as literals."""
    if line.lstrip().startswith(">>>"):
        return line
    parts = re.split(r"(``.+?``|`[^`]+`)", line)
    return "".join(f"``{part.strip('`')}``" if part.startswith("`") else _escaped(part) for part in parts)


def _escaped(text: str) -> str:
    """Return prose in which bars, lone stars and trailing underscores are themselves; *emphasis* and bullets stay."""
    marked = re.split(r"(^\s*\* |(?<!\w)\*[^*\s](?:[^*]*[^*\s])?\*(?!\w))", text)
    escaped = [part if at % 2 else part.replace("*", "\\*") for at, part in enumerate(marked)]
    return re.sub(r"(?<=\w)_(?!\w)", r"\\_", "".join(escaped).replace("|", "\\|"))


def on_docstring(app: Any, what: str, name: str, obj: Any, options: Any, lines: list[str]) -> None:
    """Rewrite one docstring in place, as Sphinx's event `autodoc-process-docstring` asks."""
    lines[:] = as_rst(lines)


def setup(app: Any) -> dict[str, bool]:
    """Register with Sphinx, before napoleon reads the sections."""
    app.connect("autodoc-process-docstring", on_docstring, priority=400)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
