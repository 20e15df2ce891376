"""The API reference: one page a package, written for Sphinx's autodoc from the files that are there."""

from __future__ import annotations

from pathlib import Path

from bfl_stpc.study.sources import PACKAGE


def modules(folder: Path) -> list[str]:
    """Return the dotted names of the modules in `folder` and beneath, packages first."""
    files = sorted(folder.rglob("*.py"), key=lambda file: (file.parent.parts, file.name != "__init__.py", file.name))
    names = [file.relative_to(PACKAGE.parent).with_suffix("").parts for file in files]
    return [".".join(part for part in name if part != "__init__") for name in names if name[-1] != "__main__"]


def pages() -> dict[str, str]:
    """Return the reStructuredText of the reference by page name: an index, the root modules, one page a package."""
    packages = sorted(file.parent for file in PACKAGE.glob("*/__init__.py"))
    root = [f"bfl_stpc.{file.stem}" for file in sorted(PACKAGE.glob("[a-z]*.py"))]
    found = {"bfl_stpc": page("bfl_stpc", ["bfl_stpc", *root])}
    for folder in packages:
        names = modules(folder)
        found[names[0]] = page(names[0], names)
    return found


def page(title: str, names: list[str]) -> str:
    """Return one page with a section for each module in `names`; a package shows what it says, not what it collects."""
    parts = [title, "=" * len(title), ""]
    for name in names:
        package = (PACKAGE.parent / Path(*name.split("."))).is_dir()
        if name != title:
            parts += [name, "-" * len(name), ""]
        parts += [f".. automodule:: {name}", *([] if package else ["   :members:"]), ""]
    return "\n".join(parts)
