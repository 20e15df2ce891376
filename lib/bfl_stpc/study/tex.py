"""Numbers, tables and text in LaTeX and Markdown: names valid in TeX, special signs escaped."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from typing import Any

DIGITS = ("Zero", "One", "Two", "Three", "Four", "Five", "Six", "Seven", "Eight", "Nine")
SPECIAL = {
    "\\": r"\textbackslash{}", "{": r"\{", "}": r"\}", "%": r"\%", "&": r"\&", "#": r"\#", "$": r"\$", "_": r"\_",
    "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "ε": r"\ensuremath{\varepsilon}",
    "δ": r"\ensuremath{\delta}", "σ": r"\ensuremath{\sigma}", "×": r"\ensuremath{\times}", "−": r"\ensuremath{-}",
    "≤": r"\ensuremath{\le}", "≥": r"\ensuremath{\ge}", "→": r"\ensuremath{\to}", "–": "--", "·": r"\ensuremath{\cdot}",
    "Σ": r"\ensuremath{\Sigma}", "√": r"\ensuremath{\surd}", "²": r"\ensuremath{^2}", "π": r"\ensuremath{\pi}",
    "³": r"\ensuremath{^3}", "≈": r"\ensuremath{\approx}", "µ": r"\ensuremath{\mu}", "μ": r"\ensuremath{\mu}",
    "…": r"\dots{}",
}  # fmt: skip
FIGURES = 4  # significant digits of a number without an interval


def escaped(text: str) -> str:
    """Return `text` so that TeX prints it as it stands.

    >>> escaped("5 % of a_b")
    '5 \\\\% of a\\\\_b'
    """
    return "".join(SPECIAL.get(sign, sign) for sign in text)


def macro(*words: str) -> str:
    r"""Return a TeX control word made of `words`: letters alone, digits spelt out.

    >>> macro("02_federated_learning", "auc_5")
    '\\bflFederatedLearningAucFive'
    """
    spelt = "".join(DIGITS[int(sign)] if sign in "0123456789" else sign for word in words for sign in f"{_bare(word)} ")
    # A digit spelt out begins with a capital and so stays apart from what precedes it.
    parts = [part for part in re.split(r"[^A-Za-z]+", spelt) if part]
    return "\\bfl" + "".join(part[0].upper() + part[1:] for part in parts)


def _bare(word: str) -> str:
    return re.sub(r"^\d\d_", "", word)  # the number of a notebook is order, not name


def places(interval: Sequence[float] | None) -> int | None:
    """Return to how many decimals an interval's width lets a value be read: its two first digits; none without width.

    >>> places((97.42, 97.89))
    2
    """
    width = interval[1] - interval[0] if interval else 0.0
    if not math.isfinite(width) or width <= 0:
        return None
    return max(0, 1 - math.floor(math.log10(width)))


def number(value: Any, decimals: int | None = None) -> str:
    """Return a value as a reader wants it: yes or no, whole numbers whole, else `decimals` or four significant digits.

    >>> number(97.65912, 2), number(0.00001362), number(True)
    ('97.66', '1.362e-05', 'yes')
    """
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float):
        if decimals is not None:
            return f"{value:.{decimals}f}"
        return str(int(value)) if value.is_integer() and abs(value) < 1e15 else f"{value:.{FIGURES}g}"
    return str(value)


def tex_number(value: Any, decimals: int | None = None) -> str:
    r"""Return `number` for TeX; powers of ten as such.

    >>> tex_number(0.00001362)
    '\\ensuremath{1.362\\times 10^{-5}}'
    """
    text = number(value, decimals)
    if isinstance(value, float) and "e" in text:
        mantissa, _, exponent = text.partition("e")
        return rf"\ensuremath{{{mantissa}\times 10^{{{int(exponent)}}}}}"
    if isinstance(value, int | float) and text.startswith("-"):
        return rf"\ensuremath{{{text}}}"
    return escaped(text)


def columns(rows: Sequence[dict[str, Any]]) -> list[str]:
    """Return the names of the columns of `rows`, in order."""
    return list(dict.fromkeys(key for row in rows for key in row))


def is_numeric(rows: Sequence[dict[str, Any]], column: str) -> bool:
    """Tell whether a column holds numbers alone, and so is set flush right."""
    cells = [row.get(column) for row in rows]
    return all(cell is None or (isinstance(cell, int | float) and not isinstance(cell, bool)) for cell in cells)


def booktabs(rows: Sequence[dict[str, Any]], caption: str, label: str) -> str:
    """Return a LaTeX table for the package booktabs."""
    names = columns(rows)
    align = "".join("r" if is_numeric(rows, name) else "l" for name in names)
    body = [" & ".join(tex_number(row.get(name)) for name in names) + r" \\" for row in rows]
    return "\n".join([
        r"\begin{table}", r"\centering", rf"\caption{{{escaped(caption)}}}", rf"\label{{tab:{label}}}",
        rf"\begin{{tabular}}{{{align}}}", r"\toprule", " & ".join(escaped(name) for name in names) + r" \\",
        r"\midrule", *body, r"\bottomrule", r"\end{tabular}", r"\end{table}", "",
    ])  # fmt: skip


def markdown(rows: Sequence[dict[str, Any]], caption: str) -> str:
    """Return a Markdown table below its caption."""
    names = columns(rows)
    rule = "|".join("---:" if is_numeric(rows, name) else "---" for name in names)
    head, *body = [
        " | ".join(text.replace("|", r"\|").replace("\n", " ") for text in texts)
        for texts in (names, *([number(row.get(name)) for name in names] for row in rows))
    ]
    return "\n".join([caption, "", f"| {head} |", f"|{rule}|", *(f"| {line} |" for line in body), ""])
