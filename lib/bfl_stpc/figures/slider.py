"""A slider over computed results, as HTML that needs neither a server nor another host.

Notebook and static page show the same. Without scripts the chart and the table of all positions are still there.
"""

from __future__ import annotations

import html
import math
from collections.abc import Callable, Mapping, Sequence

from IPython.display import HTML

from bfl_stpc.errors import ConfigError
from bfl_stpc.figures.style import COLORS

WIDTH, HEIGHT = 560, 240  # of the chart, in CSS pixels at full size
LEFT, RIGHT, TOP, BOTTOM = 58, 165, 14, 40  # margins: the lines are named on the right
DASHES = ("", "7 4", "2 4", "9 3 2 3")

SCRIPT = """
(() => {
  const figure = document.currentScript?.closest("figure.slider") ?? document.getElementById("%s");
  const input = figure.querySelector("input"), output = figure.querySelector("output");
  const rows = [...figure.querySelectorAll("tbody tr")];
  const show = () => {
    const at = Number(input.value), row = rows[at];
    rows.forEach((other, i) => other.classList.toggle("slider-here", i === at));
    figure.querySelectorAll("[data-at]").forEach((mark) => {
      mark.style.display = Number(mark.dataset.at) === at ? "" : "none";
    });
    input.setAttribute("aria-valuetext", row.cells[0].textContent);
    output.textContent = row.dataset.says;
  };
  input.addEventListener("input", show);
  figure.querySelector(".slider-control").hidden = false;
  figure.querySelector("details").open = false;
  show();
})();
"""


def slider(
    name: str,
    label: str,
    positions: Sequence[str],
    lines: Mapping[str, Sequence[float | None]],
    says: Sequence[str],
    *,
    axis: str,
    start: int = 0,
) -> HTML:
    """Return a slider over computed results: a chart, a range input, a sentence for each position, and their table.

    Args:
        name: identifier on the page, for example `slider03_epsilon`.
        label: what is moved, for example `ε at every hospital`.
        positions: text of each position, in order; they stand at equal distances.
        lines: by name, the value at each position; none where there is none.
        says: a sentence for each position: what the reader is to see there.
        axis: what the values are, with their unit.
        start: position that is shown first.

    Raises:
        ConfigError: there are fewer than two positions, a line or `says` has another length, or no value is finite.
    """
    for what, given in {"says": says, **lines}.items():
        if len(given) != len(positions):
            raise ConfigError(f"slider {name}: {what!r} has {len(given)} entries for {len(positions)} positions")
    if len(positions) < 2 or not 0 <= start < len(positions):
        raise ConfigError(f"slider {name}: {len(positions)} positions with start {start}: give two or more")
    chart = _chart(positions, lines, label, axis)
    control = (
        f'<div class="slider-control" hidden><label for="{name}-input">{html.escape(label)}</label> '
        f'<input id="{name}-input" type="range" min="0" max="{len(positions) - 1}" step="1" value="{start}" '
        'style="width:100%;max-width:32rem;display:block">'
        f'<output for="{name}-input" aria-live="polite" style="display:block;min-height:3em"></output></div>'
    )
    return HTML(
        f'<figure class="slider" id="{name}">{chart}{control}{_table(label, positions, lines, says)}'
        f"<script>{SCRIPT % name}</script></figure>"
    )


def _table(
    label: str, positions: Sequence[str], lines: Mapping[str, Sequence[float | None]], says: Sequence[str]
) -> str:
    """Return the table of all positions, which is what stays without scripts."""
    head = "".join(f'<th scope="col">{html.escape(word)}</th>' for word in (label, *lines))
    rows = []
    for at, position in enumerate(positions):
        cells = "".join(f"<td>{_short(values[at])}</td>" for values in lines.values())
        sentence = html.escape(says[at], quote=True)
        rows.append(f'<tr data-says="{sentence}"><th scope="row">{html.escape(position)}</th>{cells}</tr>')
    return (
        "<details open><summary>all positions</summary>"
        '<div style="overflow-x:auto" tabindex="0" role="region" aria-label="all positions of the slider">'
        f"<table><thead><tr>{head}</tr></thead><tbody>{''.join(rows)}</tbody></table></div></details>"
    )


def _chart(positions: Sequence[str], lines: Mapping[str, Sequence[float | None]], label: str, axis: str) -> str:
    """Return the lines as SVG, with a marker at each position that a script shows or hides."""
    finite = [v for values in lines.values() for v in values if v is not None and math.isfinite(v)]
    if not finite:
        raise ConfigError(f"slider over {label}: no value is finite, so nothing can be drawn")
    low, high = min(finite), max(finite)
    pad = 0.08 * (high - low) or abs(high) * 0.1 or 1.0
    low, high = low - pad, high + pad
    step = (WIDTH - LEFT - RIGHT) / (len(positions) - 1)

    def x(at: int) -> float:
        return round(LEFT + at * step, 1)

    def y(value: float) -> float:
        return round(TOP + (high - value) / (high - low) * (HEIGHT - TOP - BOTTOM), 1)

    floor = HEIGHT - BOTTOM
    parts = [f'<path d="M{LEFT} {TOP}V{floor}H{WIDTH - RIGHT}" fill="none" stroke="currentColor"/>']
    for value in (min(finite), max(finite)):
        parts.append(f'<text x="{LEFT - 6}" y="{y(value) + 4}" text-anchor="end">{_short(value)}</text>')
    every = max(1, math.ceil(len(positions) / 7))
    for at in range(0, len(positions), every):
        parts.append(f'<text x="{x(at)}" y="{floor + 16}" text-anchor="middle">{html.escape(positions[at])}</text>')
    parts.append(
        f'<text x="{(LEFT + WIDTH - RIGHT) / 2}" y="{HEIGHT - 5}" text-anchor="middle">{html.escape(label)}</text>'
    )
    middle = (TOP + floor) / 2
    turned = f'transform="rotate(-90 12 {middle})"'
    parts.append(f'<text x="12" y="{middle}" text-anchor="middle" {turned}>{html.escape(axis)}</text>')
    for at in range(len(positions)):
        hidden = f'data-at="{at}" style="display:none"'
        parts.append(f'<path {hidden} d="M{x(at)} {TOP}V{floor}" stroke="currentColor" opacity="0.5"/>')
    parts += _lines(lines, x, y)
    alt = html.escape(f"{axis} by {label}: {', '.join(lines)}; the table below has all values", quote=True)
    return (
        f'<svg role="img" aria-label="{alt}" viewBox="0 0 {WIDTH} {HEIGHT}" font-size="12" fill="currentColor" '
        f'style="width:100%;max-width:{WIDTH}px;height:auto">{"".join(parts)}</svg>'
    )


def _lines(
    lines: Mapping[str, Sequence[float | None]], x: Callable[[int], float], y: Callable[[float], float]
) -> list[str]:
    """Return each line, its points, its marker at every position, and its name beside its last point."""
    parts: list[str] = []
    taken: list[float] = []
    for number, (name, values) in enumerate(lines.items()):
        color = list(COLORS.values())[number]
        there = [(at, v) for at, v in enumerate(values) if v is not None and math.isfinite(v)]
        path = "L".join(f"{x(at)} {y(v)}" for at, v in there)
        dash = DASHES[number % len(DASHES)]
        parts.append(f'<path d="M{path}" fill="none" stroke="{color}" stroke-width="2" stroke-dasharray="{dash}"/>')
        for at, v in there:
            parts.append(f'<circle cx="{x(at)}" cy="{y(v)}" r="2.5" fill="{color}"/>')
            parts.append(f'<circle data-at="{at}" style="display:none" cx="{x(at)}" cy="{y(v)}" r="6" fill="{color}"/>')
        height = y(there[-1][1]) + 4
        while any(abs(height - other) < 14 for other in taken):
            height += 14
        taken.append(height)
        parts.append(
            f'<text x="{x(there[-1][0]) + 10}" y="{height}"><tspan fill="{color}">■</tspan> {html.escape(name)}</text>'
        )
    return parts


def _short(value: float | None) -> str:
    """Return a number with three significant digits."""
    return "–" if value is None or not math.isfinite(value) else f"{value:.4g}"
