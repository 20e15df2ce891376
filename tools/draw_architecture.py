"""Draw docs/architecture.svg from the library's own imports: which package builds on which.

Usage: python tools/draw_architecture.py
"""

import ast
import os
from pathlib import Path

os.environ.setdefault("SOURCE_DATE_EPOCH", "0")  # byte for byte the same, whenever it is drawn

import matplotlib.pyplot as plt

ROOT = Path(__file__).resolve().parents[1]
LIB = ROOT / "lib" / "bfl_stpc"
# In the order in which they stand on a floor, from the left.
SAYS = {
    "figures": "one function a figure",
    "study": "runner, results, claims",
    "book": "the static site",
    "ehr": "patients, hospitals",
    "attacks": "on privacy, by poisoning",
    "federated": "models, averaging",
    "privacy": "DP-SGD, accounting",
    "robust": "groups, rules, tracing",
    "ablation": "each component on and off",
    "detection": "catalogue, injections",
    "baselines": "four systems, controls",
    "real": "real hospitals, intervals",
    "system": "one round; roles, messages",
    "stpc": "masks, ciphertexts",
    "ledger": "chain, contracts",
}


def built_on() -> dict[str, set[str]]:
    """Return for each package those that it imports."""
    packages = {path.parent.name for path in LIB.glob("*/__init__.py")}
    found = {}
    for name in sorted(packages):
        used = set()
        for file in (LIB / name).rglob("*.py"):
            for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
                if isinstance(node, ast.ImportFrom) and node.module == "bfl_stpc":
                    used |= {alias.name for alias in node.names}
                elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith("bfl_stpc."):
                    used.add(str(node.module).split(".")[1])
        found[name] = (used & packages) - {name}
    return found


def floors(graph: dict[str, set[str]]) -> list[list[str]]:
    """Return the packages by floor: each stands one above the highest that it builds on."""
    height: dict[str, int] = {}

    def climb(name: str) -> int:
        if name not in height:
            height[name] = 1 + max((climb(other) for other in graph[name]), default=-1)
        return height[name]

    for name in graph:
        climb(name)
    levels = range(1 + max(height.values()))
    return [[name for name in SAYS if height[name] == level] for level in levels]


def direct(graph: dict[str, set[str]]) -> dict[str, set[str]]:
    """Return the graph without the arrows that a longer way already implies."""

    def below(name: str) -> set[str]:
        return graph[name] | {far for near in graph[name] for far in below(near)}

    return {name: used - {far for near in used for far in below(near)} for name, used in graph.items()}


def draw(path: Path) -> None:
    """Draw the packages floor by floor, with an arrow to each that they build on directly."""
    graph = built_on()
    levels = floors(graph)
    plt.rcParams.update({"svg.hashsalt": "bfl-stpc", "svg.fonttype": "none", "font.family": "sans-serif"})
    figure, ax = plt.subplots(figsize=(11, 1.05 * len(levels)))
    place = {}
    for level, names in enumerate(levels):
        for column, name in enumerate(names):
            place[name] = ((column + 0.5) / len(names), float(level))
    for name, used in direct(graph).items():
        for other in sorted(used):
            (x, y), (to_x, to_y) = place[name], place[other]
            ax.annotate(
                "", (to_x, to_y + 0.27), (x, y - 0.27), arrowprops={"arrowstyle": "->", "color": "0.55", "lw": 0.9}
            )
    for name, (x, y) in place.items():
        box = {"boxstyle": "round,pad=0.45", "fc": "#eef3f8", "ec": "#30475e"}
        ax.text(x, y, f"{name}\n{SAYS[name]}", ha="center", va="center", fontsize=8, bbox=box, zorder=3)
    ax.set(xlim=(0, 1), ylim=(-0.5, len(levels) - 0.5))
    ax.axis("off")
    figure.savefig(path, bbox_inches="tight", metadata={"Date": None})


if __name__ == "__main__":
    draw(ROOT / "docs" / "architecture.svg")
