"""What a notebook talks to: its profile and settings, and where its results, tables and figures go."""

from __future__ import annotations

import base64
import html
import io
import os
import resource
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bfl_stpc.errors import ConfigError, StoreError
from bfl_stpc.lazy import Lazy
from bfl_stpc.study import notebooks, paths
from bfl_stpc.study.profiles import Profile, load_profile, unknown
from bfl_stpc.study.store import plain, read_json, repeating_digest, sha256, to_json, write_atomic

if TYPE_CHECKING:
    import pandas as pd
    from IPython import display

    from bfl_stpc.figures import render
else:
    display = Lazy("IPython.display")
    render = Lazy("bfl_stpc.figures.render")


def results_folder(profile: str, notebook: str) -> Path:
    """Return the folder of the finished results of `notebook` under `profile`."""
    return paths.BUILD / profile / "results" / notebook


def watermark(profile: str) -> str | None:
    """Return the mark that figures of a lesser profile carry; none for the paper profile."""
    return None if profile == "paper" else f"profile {profile}"


class Run:
    """One execution of one notebook.

    Attributes:
        notebook: the notebook's name.
        profile: how much to run.
        settings: the notebook's own settings under this profile.
        folder: where this execution writes.
        command: what runs it again.
    """

    def __init__(self, notebook: str, profile: Profile, folder: Path, key: str | None, needs: tuple[str, ...]) -> None:
        self.notebook = notebook
        self.profile = profile
        self.settings = profile.of(notebook)
        self.folder = folder
        self.command = f"make reproduce PROFILE={profile.name} ONLY={notebook}"
        self._key = key
        self._again = False
        self._needs = needs
        self._results: dict[str, dict[str, Any]] = {}
        self._figures: list[str] = []
        self._started = time.monotonic()

    def record(
        self,
        name: str,
        value: Any,
        *,
        interval: tuple[float, float] | None = None,
        unit: str = "1",
        timing: bool = False,
    ) -> Any:
        """Keep `value` under `name` and return it.

        Args:
            name: the result's name, unique in the notebook.
            value: numbers, text, lists, dicts or NumPy arrays.
            interval: 95 % interval over the seeds, where there is one.
            unit: SI symbol, or `1` for a pure number.
            timing: whether it depends on the machine's speed or on fresh keys, and so does not repeat.

        Raises:
            StoreError: the name is taken, or the value cannot be kept.
        """
        if name in self._results:
            raise StoreError(f"{self.notebook} records {name!r} twice: give the second result a name of its own")
        self._results[name] = {"value": plain(value), "interval": plain(interval), "unit": unit, "timing": timing}
        return value

    def table(self, name: str, frame: pd.DataFrame, *, caption: str, timing: bool = False) -> pd.DataFrame:
        """Keep `frame` as a table (CSV) and as a result, and return it for display.

        Raises:
            StoreError: the name is taken, or the table cannot be written.
        """
        self.record(name, {"caption": caption, "rows": frame.to_dict(orient="records")}, timing=timing)
        buffer = io.StringIO()
        frame.to_csv(buffer, index=False, lineterminator="\n")
        write_atomic(self.folder / "tables" / f"{name}.csv", buffer.getvalue().encode())
        return frame

    def figure(
        self, name: str, plot: str, data: Mapping[str, Any], *, caption: str, alt: str, timing: bool = False
    ) -> display.HTML:
        """Draw `plot` (`module:function`) of `data`, keep it, and return it for display with its caption.

        Args:
            name: file name without ending, for example `fig01_hospitals`.
            plot: the plot function; it gets an empty figure and `data` as JSON types.
            data: all that is plotted, tidy.
            caption: states the finding.
            alt: what a reader who cannot see the figure needs.
            timing: whether the data depend on the machine's speed.

        Raises:
            ConfigError: there is no such plot function.
            StoreError: the name is taken, or the figure cannot be written.
        """
        if name in self._figures:
            raise StoreError(f"{self.notebook} draws {name!r} twice: give the second figure a name of its own")
        tidy = plain(data)
        sidecar = {
            "figure": name,
            "plot": plot,
            "data": tidy,
            "caption": caption,
            "alt": alt,
            "timing": timing,
            "notebook": self.notebook,
            "profile": self.profile.name,
            "command": self.command,
            "settings": dict(self.settings),
            "seeds": list(self.profile.seeds),
            "patients": self.profile.patients,
            "hospitals": self.profile.hospitals,
            "key": self._key,
            "data_sha256": sha256(to_json(tidy)),
        }
        drawn = render.draw(plot, tidy, watermark=watermark(self.profile.name))
        for kind, content in drawn.items():
            write_atomic(self.folder / "figures" / f"{name}.{kind}", content)
        write_atomic(self.folder / "figures" / f"{name}.json", to_json(sidecar, sort_keys=False))
        self._figures.append(name)
        return captioned(name, drawn["png"], caption, alt)

    def result(self, notebook: str, name: str) -> Any:
        """Return the result `name` of an earlier notebook of the same profile.

        Raises:
            ConfigError: this notebook does not declare that it needs the other one.
            StoreError: the other notebook has not run, or records no such result.
        """
        if notebook not in self._needs:
            raise ConfigError(
                f"{self.notebook} reads a result of {notebook} but does not declare it: "
                f"add {notebook!r} to metadata.bfl.needs, so that a change there reruns this notebook"
            )
        return load_result(self.profile.name, notebook, name)["value"]

    def try_again(self) -> None:
        """Have the next `make reproduce` run this notebook once more: something outside was missing, as data were."""
        self._again = True

    def finish(self) -> dict[str, Any]:
        """Write all results and mark the run as whole; return a short account of it.

        Raises:
            StoreError: the results cannot be written; an earlier finished run stays as it was.
        """
        account = {
            "notebook": self.notebook,
            "profile": self.profile.name,
            "results": len(self._results),
            "figures": list(self._figures),
            "digest": repeating_digest(self._results),
        }
        write_atomic(self.folder / "results.json", to_json(self._results))
        peak_mib = round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
        key, seconds = None if self._again else self._key, time.monotonic() - self._started
        finished = account | {"key": key, "seconds": seconds, "peak_mib": peak_mib}
        write_atomic(self.folder / "finished.json", to_json(finished))
        return account


def captioned(name: str, png: bytes, caption: str, alt: str) -> display.HTML:
    """Return a display object: the picture at its printed size, its caption below, to be linked to by its name."""
    picture = base64.b64encode(png).decode()
    described = html.escape(alt, quote=True)
    return display.HTML(
        f'<figure id="{name}"><img style="max-width:100%;width:{_width_px(png)}px" alt="{described}" '
        f'src="data:image/png;base64,{picture}"><figcaption>{html.escape(caption)}</figcaption></figure>'
    )


def _width_px(png: bytes) -> int:
    """Return the width at 150 dots per inch of a picture drawn at 300 (bytes 16 to 20 of a PNG hold its width)."""
    return int.from_bytes(png[16:20], "big") // 2


def start(notebook: str, *, profile: str = "smoke") -> Run:
    """Begin the execution of `notebook`; its results go where the runner says, or to a scratch folder.

    Raises:
        ConfigError: the notebook or the profile does not exist.
    """
    known = notebooks.discover()
    if notebook not in known:
        raise unknown("notebook", notebook, list(known))
    staged = os.environ.get("BFL_STAGE")
    folder = Path(staged) if staged else paths.BUILD / "interactive" / profile / notebook
    return Run(notebook, load_profile(profile), folder, os.environ.get("BFL_KEY"), known[notebook].needs)


def load_result(profile: str, notebook: str, name: str) -> dict[str, Any]:
    """Return one recorded result: `value`, `interval`, `unit` and `timing`.

    Raises:
        StoreError: the notebook has not run under this profile, or records no such result.
    """
    make = f"make reproduce PROFILE={profile} ONLY={notebook}"
    results = read_json(results_folder(profile, notebook) / "results.json", make)
    if name not in results:
        raise StoreError(f"{notebook} records no result {name!r} under profile {profile}; it has {sorted(results)}")
    return results[name]
