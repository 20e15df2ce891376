"""What moved since a git revision: changed numbers, and figures before and after, side by side on one page."""

from __future__ import annotations

import html
import json
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console

from bfl_stpc.errors import ConfigError, StudyError
from bfl_stpc.figures.render import draw
from bfl_stpc.study import comparison, paths, redraw, reference
from bfl_stpc.study.comparison import Change
from bfl_stpc.study.experiment import watermark
from bfl_stpc.study.store import read_json, replace_folder, write_atomic

MOVED = {comparison.WITHIN, comparison.BEYOND, comparison.UNREPEATED, comparison.GONE}
STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 75rem; padding: 0 1rem; color: #222 }
table { border-collapse: collapse; display: block; overflow-x: auto } td, th { padding: .2rem .8rem; text-align: left }
td.n { text-align: right; font-variant-numeric: tabular-nums } tr { border-bottom: 1px solid #ddd }
.pair { display: grid; grid-template-columns: repeat(auto-fit, minmax(20rem, 1fr)); gap: 1rem }
img { max-width: 100%; border: 1px solid #ddd } figure { margin: 0 } figcaption { color: #555 }
"""


def git(*arguments: str) -> subprocess.CompletedProcess[bytes]:
    """Run git in this checkout.

    Raises:
        StudyError: git is missing.
    """
    try:
        return subprocess.run(["git", *arguments], cwd=paths.ROOT, capture_output=True, check=False)
    except FileNotFoundError:
        raise StudyError("git is not installed: a comparison with a revision needs it") from None


def commit_of(base: str) -> str:
    """Return the commit that the revision `base` names.

    Raises:
        ConfigError: there is no such revision.
    """
    if not base:
        raise ConfigError("which revision? For example `make diff BASE=HEAD~1`")
    found = git("rev-parse", "--verify", "--quiet", "--end-of-options", f"{base}^{{commit}}")
    if found.returncode != 0:
        raise ConfigError(
            f"unknown revision {base!r}: name a commit, branch or tag that `git log` shows "
            "(a shallow clone holds only the last; `git fetch --unshallow` brings the others)"
        )
    return found.stdout.decode().strip()


def committed(commit: str, path: str) -> bytes | None:
    """Return the content of `path` at `commit`; none where it did not exist."""
    found = git("show", f"{commit}:{path}")
    return found.stdout if found.returncode == 0 else None


def reference_at(commit: str, profile: str) -> dict[str, Any] | None:
    """Return the reference of `profile` that was committed at `commit`; none where there was none."""
    content = committed(commit, f"data/reference/{profile}.json")
    return None if content is None else reference.whole(json.loads(content))


@dataclass(frozen=True)
class Figure:
    """One figure before and after.

    Attributes:
        name: its file name without ending.
        before: its PNG at the revision; none where it was not there.
        after: its PNG now; none where it has gone.
        alt: alternative text, of now where there is one.
        captions: caption before and after; none where there was none.
    """

    name: str
    before: bytes | None
    after: bytes | None
    alt: str
    captions: tuple[str | None, str | None]


def picture_at(commit: str, path: str, sidecar: Mapping[str, Any], profile: str) -> bytes:
    """Return the PNG committed beside the sidecar `path`, or where none is, one drawn from the sidecar's data."""
    kept = committed(commit, path.removesuffix(".json") + ".png")
    return kept or draw(sidecar["plot"], sidecar["data"], watermark=watermark(profile))["png"]


def changed_figures(commit: str, profile: str) -> tuple[list[Figure], int]:
    """Return the figures that differ from those committed at `commit`, and how many were committed there."""
    folder = redraw.figure_folder(profile)
    listed = git("ls-tree", "-r", "--name-only", commit, "--", f"figures/{profile}/").stdout.decode().splitlines()
    before = {Path(path).stem: path for path in listed if path.endswith(".json")}
    now = {path.stem: path for path in sorted(folder.glob("*.json"))}
    if not before:
        return [], 0
    found = []
    for name in sorted({*before, *now}):
        old = json.loads(committed(commit, before[name]) or b"null") if name in before else None
        new = read_json(now[name], "make figures") if name in now else None
        if old and new and old["data"] == new["data"] and old["caption"] == new["caption"]:
            continue
        picture = picture_at(commit, before[name], old, profile) if old else None
        after = now[name].with_suffix(".png").read_bytes() if new else None
        captions = (old["caption"] if old else None, new["caption"] if new else None)
        found.append(Figure(name, picture, after, (new or old or {})["alt"], captions))
    return found, len(before)


def _side(figure: Figure, side: str, caption: str | None) -> str:
    if caption is None:
        return f"<figure><p>{'not there before' if side == 'before' else 'no longer drawn'}</p></figure>"
    alt = html.escape(f"{side}: {figure.alt}", quote=True)
    return (
        f'<figure><img src="{side}/{figure.name}.png" alt="{alt}">'
        f"<figcaption>{side}: {html.escape(caption)}</figcaption></figure>"
    )


def page(title: str, moved: list[Change], figures: list[Figure], remark: str) -> str:
    """Return the page as HTML: the numbers that changed, then the figures."""
    number = comparison.number
    rows = "".join(
        f"<tr><td>{html.escape(c.name)}</td><td class=n>{html.escape(number(c.before))}</td>"
        f"<td class=n>{html.escape(number(c.after))}</td><td class=n>{number(c.tolerance)}</td>"
        f"<td>{html.escape(c.unit)}</td><td>{c.verdict}</td></tr>"
        for c in moved
    )
    head = "<tr><th>result</th><th>before</th><th>now</th><th>tolerance</th><th>unit</th><th>verdict</th></tr>"
    table = f"<table>{head}{rows}</table>" if moved else "<p>No number changed.</p>"
    pairs = "".join(
        f"<h3>{figure.name}</h3><div class=pair>{_side(figure, 'before', figure.captions[0])}"
        f"{_side(figure, 'now', figure.captions[1])}</div>"
        for figure in figures
    )
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8">'
        f'<meta name="viewport" content="width=device-width"><title>{html.escape(title)}</title>'
        f"<style>{STYLE}</style></head><body><h1>{html.escape(title)}</h1>"
        f"<h2>Numbers</h2>{table}<h2>Figures</h2><p>{html.escape(remark)}</p>{pairs}</body></html>\n"
    )


def report(profile: str, base: str, console: Console) -> Path:
    """Print the numbers that changed since `base`, write the page with both pictures of each figure, return its path.

    Raises:
        ConfigError: unknown revision.
        StoreError: a notebook has not finished under this profile.
        StudyError: the revision holds no reference of this profile.
    """
    commit = commit_of(base)
    kept = reference_at(commit, profile)
    if kept is None:
        raise StudyError(
            f"revision {base} holds no data/reference/{profile}.json: there is nothing to compare with. Choose another "
            f"revision or PROFILE, or run `make reference PROFILE={profile}` there and commit it"
        )
    changes, _ = comparison.examine(kept, reference.current(profile))
    moved = [change for change in changes if change.verdict in MOVED]
    title = f"Profile {profile}: now beside {base} ({commit[:9]})"
    if moved:
        console.print(comparison.changes_table(moved, title))
    same = sum(change.verdict == comparison.EQUAL for change in changes)
    new = sum(change.verdict == comparison.NEW for change in changes)
    console.print(f"{len(moved)} numbers changed, {same} are the same, {new} are new; times are not compared")
    figures, known = changed_figures(commit, profile)
    remark = f"{len(figures)} figures differ from the {known} committed at {base}."
    if not known:
        remark = (
            f"No figures of profile {profile} are committed at {base}, so there is none to show beside those of now."
        )
    console.print(remark)
    staged = paths.BUILD / ".diff.staged"
    shutil.rmtree(staged, ignore_errors=True)
    for figure in figures:
        for side, picture in (("before", figure.before), ("now", figure.after)):
            if picture:
                write_atomic(staged / side / f"{figure.name}.png", picture)
    write_atomic(staged / "index.html", page(title, moved, figures, remark).encode())
    replace_folder(staged, paths.BUILD / "diff")
    return paths.BUILD / "diff" / "index.html"
