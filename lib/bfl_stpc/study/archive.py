"""An archive of sources, results and figures as an RO-Crate (Research Object Crate 1.1), small enough to deposit."""

from __future__ import annotations

import io
import shutil
import tarfile
import tempfile
import zipfile
from pathlib import Path
from typing import Any

import yaml
from rich.console import Console

from bfl_stpc.errors import ConfigError, StoreError, StudyError
from bfl_stpc.study import paths, redraw
from bfl_stpc.study.difference import git
from bfl_stpc.study.experiment import results_folder
from bfl_stpc.study.explain import published
from bfl_stpc.study.notebooks import discover
from bfl_stpc.study.store import explained, read_json

LARGEST = 50_000_000  # bytes: what deposit services take without asking
LICENSES = {
    "https://spdx.org/licenses/Apache-2.0": "Apache-2.0 (code)",
    "https://spdx.org/licenses/CC-BY-4.0": "CC BY 4.0 (text and figures)",
}
FORMATS = {
    ".ipynb": "application/x-ipynb+json", ".json": "application/json", ".csv": "text/csv", ".md": "text/markdown",
    ".py": "text/x-python", ".pdf": "application/pdf", ".svg": "image/svg+xml", ".png": "image/png",
    ".yaml": "application/yaml", ".sol": "text/plain", ".txt": "text/plain",
}  # fmt: skip


def committed_sources(folder: Path) -> str:
    """Put the files of the last commit into `folder`; return the commit.

    Raises:
        StudyError: this is no git checkout, or it has no commit.
    """
    packed = git("archive", "--format=tar", "HEAD")
    if packed.returncode != 0:
        raise StudyError("an archive holds the committed sources, and this is no git checkout with a commit: clone it")
    with tarfile.open(fileobj=io.BytesIO(packed.stdout)) as tar:
        tar.extractall(folder, filter="data")
    return git("rev-parse", "HEAD").stdout.decode().strip()


def add_results(folder: Path, profile: str) -> None:
    """Put results, tables and figures of `profile` into `folder`.

    Raises:
        ConfigError: there are no figures of this profile.
        StoreError: a notebook has not finished.
    """
    for name in discover():
        source = results_folder(profile, name)
        read_json(source / "finished.json", f"make reproduce PROFILE={profile}")
        shutil.copytree(source, folder / "results" / name, ignore=shutil.ignore_patterns("figures"))
    figures = folder / "figures" / profile
    shutil.rmtree(figures, ignore_errors=True)
    figures.mkdir(parents=True)
    for sidecar in published(profile).values():
        for kind in ("json", "png", "svg", "pdf"):
            shutil.copy(sidecar.with_suffix(f".{kind}"), figures)


def properties(folder: Path, inside: Path, profile: str) -> dict[str, Any]:
    """Return what the metadata say of the file `inside` (relative to `folder`)."""
    found: dict[str, Any] = {}
    if encoding := FORMATS.get(inside.suffix):
        found["encodingFormat"] = encoding
    if inside.parent.name == "notebooks":
        found |= {"@type": ["File", "SoftwareSourceCode"], "name": inside.stem.replace("_", " ")}
    if inside.parent == Path("figures") / profile:
        sidecar = read_json((folder / inside).with_suffix(".json"), "make figures")
        found |= {"name": sidecar["figure"], "description": sidecar["caption"]}
    return found


def described(folder: Path, profile: str, commit: str) -> Any:
    """Return a crate of `folder` whose metadata say what everything is, and which notebook made what from what.

    Raises:
        ConfigError: the package rocrate is missing.
    """
    try:
        from rocrate.model.contextentity import ContextEntity
        from rocrate.model.person import Person
        from rocrate.rocrate import ROCrate
    except ModuleNotFoundError:
        raise ConfigError("the package rocrate is not installed: run `make setup GROUPS=book`") from None
    crate = ROCrate(version="1.1")
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        inside = path.relative_to(folder)
        crate.add_file(path, inside.as_posix(), properties=properties(folder, inside, profile))
    cited = yaml.safe_load((folder / "CITATION.cff").read_text(encoding="utf-8"))
    crate.name = cited["title"]
    crate.description = (
        f"Sources at commit {commit}, recorded results of profile {profile}, and figures with their data. "
        "README.md says what is claimed, what was found and how to run it."
    )
    crate.root_dataset["version"], crate.datePublished = cited["version"], str(cited["date-released"])
    crate.license = [
        crate.add(ContextEntity(crate, url, properties={"@type": "CreativeWork", "name": name}))
        for url, name in LICENSES.items()
    ]
    authors = [author["name"] for author in cited["authors"]]
    crate.creator = [crate.add(Person(crate, f"#{n}", properties={"name": name})) for n, name in enumerate(authors)]
    paper = cited["references"][0]
    article = {"@type": "ScholarlyArticle", "name": paper["title"]}
    crate.isBasedOn = crate.add(ContextEntity(crate, f"https://doi.org/{paper['doi']}", properties=article))
    for name in discover():
        _add_run(crate, folder, profile, name)
    return crate


def _add_run(crate: Any, folder: Path, profile: str, name: str) -> None:
    """Say that the notebook `name` made its results and figures from the profile's settings."""
    finished = read_json(folder / "results" / name / "finished.json", "make reproduce")
    notebook = crate.get(f"notebooks/{name}.ipynb")
    made = [crate.get(f"results/{name}/{file}") for file in ("results.json", "finished.json")]
    made += [crate.get(f"figures/{profile}/{figure}.json") for figure in finished["figures"]]
    crate.add_action(
        notebook,
        identifier=f"#run-{name}",
        object=[crate.get("data/profiles.yaml")],
        result=made,
        properties={
            "name": f"make reproduce PROFILE={profile} ONLY={name}",
            "description": f"took {finished['seconds']:.0f} s; key {finished['key']}",
        },
    )


def write(profile: str, console: Console) -> Path:
    """Write build/archive.zip; return it.

    Raises:
        ConfigError: rocrate is missing, or there are no figures.
        StoreError: a notebook has not finished, or the archive would be larger than `LARGEST`.
        StudyError: this is no git checkout.
    """
    if git("status", "--porcelain").stdout.strip():
        console.print("changes that are not committed are not in the archive's sources")
    redraw.redraw_stale(profile, everything=True)
    target = paths.BUILD / "archive.zip"
    with tempfile.TemporaryDirectory(prefix="bfl-archive-") as scratch, explained(target):
        folder = Path(scratch) / "crate"
        folder.mkdir()
        commit = committed_sources(folder)
        add_results(folder, profile)
        packed = Path(scratch) / "archive.zip"
        described(folder, profile, commit).write_zip(packed)
        size = packed.stat().st_size
        if size > LARGEST:
            raise StoreError(
                f"the archive would hold {size / 1e6:.1f} MB, more than {LARGEST / 1e6:.0f}: {largest(packed)}"
            )
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.move(packed, target)
    console.print(f"{size / 1e6:.1f} MB of at most {LARGEST / 1e6:.0f}, commit {commit[:9]}, profile {profile}")
    return target


def largest(packed: Path, *, count: int = 5) -> str:
    """Return the files that take most of the archive, as text."""
    with zipfile.ZipFile(packed) as archive:
        heavy = sorted(archive.infolist(), key=lambda info: -info.compress_size)[:count]
    return ", ".join(f"{info.filename} {info.compress_size / 1e6:.1f} MB" for info in heavy)
