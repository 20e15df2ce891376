"""Install the locked environment into .venv; needs Python 3.11 alone, and does nothing when nothing changed.

Usage: python3.11 tools/setup_env.py [GROUP ...]   groups dev, distributed, real, book: added to those installed before
       python3.11 tools/setup_env.py peers         the peers' environment of their own, .venv-peers
"""

import hashlib
import os
import platform
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
GROUPS = ("dev", "distributed", "real", "book")
NEEDED_GIB = 6  # 3.5 installed; the rest is what the installer keeps meanwhile
NEEDED_GLIBC = (2, 31)  # TFF's wheel is tagged manylinux_2_31


class SetupError(Exception):
    """The environment cannot be made here; the message says why and what to do."""


def check_machine(version: tuple[int, ...], system: str, machine: str, glibc: str, free_gib: float) -> None:
    """Refuse a machine that cannot work, before anything is downloaded.

    Raises:
        SetupError: naming what does not fit, and the mend.
    """
    if version[:2] != (3, 11):
        raise SetupError(
            f"Python {version[0]}.{version[1]} is not supported: TensorFlow Federated 0.87 has no wheel for it. "
            "Install Python 3.11 (or `conda env create -f environment.yml`) and run `make setup PYTHON=python3.11`"
        )
    if (system, machine) != ("Linux", "x86_64"):
        raise SetupError(
            f"{system} on {machine} is not supported: TensorFlow Federated ships wheels for Linux x86-64 alone. "
            "Use a Linux x86-64 machine or container"
        )
    if tuple(int(part) for part in glibc.split(".")[:2] if part.isdigit()) < NEEDED_GLIBC:
        raise SetupError(
            f"C library {glibc or 'other than glibc'} is not supported: the wheels need glibc 2.31 or later "
            "(Debian 11, Ubuntu 20.04, RHEL 9)"
        )
    if free_gib < NEEDED_GIB:
        raise SetupError(
            f"only {free_gib:.1f} GiB are free where {ROOT.name}/ lies and {NEEDED_GIB} GiB are needed: "
            "free space, or clone to another disk"
        )


def fingerprint(locks: list[Path]) -> str:
    """Return the text that an environment made of `locks` is known by: one line a lock, one for the project."""
    files = [*locks, ROOT / "pyproject.toml"]
    return "".join(f"{file.stem} {hashlib.sha256(file.read_bytes()).hexdigest()}\n" for file in files)


def wanted_groups(stamp: Path, asked: list[str]) -> list[str]:
    """Return the groups to install: those asked for and those installed before.

    Raises:
        SetupError: a group that does not exist.
    """
    for group in asked:
        if group not in GROUPS:
            raise SetupError(f"unknown group {group!r}: choose among {', '.join(GROUPS)} and peers")
    before = stamp.read_text().split()[::2] if stamp.exists() else []
    return [group for group in GROUPS if group in asked or group in before]


def run(*command: str) -> None:
    """Run `command`; its output is shown.

    Raises:
        SetupError: it fails.
    """
    # The compiled bytecode is written by the installer even where the reader's shell forbids Python to write it, and
    # marked by the source's time: uv's choice, its hash, has every import read every source too.
    variables = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    variables["PYC_INVALIDATION_MODE"] = "TIMESTAMP"
    if subprocess.run(command, cwd=ROOT, env=variables, check=False).returncode != 0:
        raise SetupError(
            f"`{' '.join(command)}` failed; its message stands above. Mend the cause and run `make setup` again"
        )


def install(environment: Path, locks: list[Path], *, project: bool) -> bool:
    """Make `environment` hold exactly what `locks` list; return whether anything had to be done.

    Raises:
        SetupError: a step fails; the next run begins again where this one stopped.
    """
    stamp = environment / "locks.stamp"
    mark = fingerprint(locks)
    python = environment / "bin" / "python"
    if stamp.exists() and stamp.read_text() == mark and python.exists():
        return False
    try:
        import ensurepip  # noqa: F401 - Debian ships venv without it
    except ImportError:
        raise SetupError(
            "this Python has no ensurepip: install it (Debian, Ubuntu: the package python3.11-venv)"
        ) from None
    if not python.exists():
        run(sys.executable, "-m", "venv", str(environment))
    stamp.unlink(missing_ok=True)
    pip = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    run(*pip, "--require-hashes", "--no-deps", "-r", "locks/uv.txt")
    uv = str(environment / "bin" / "uv")
    # uv's own lock stands first: a sync removes what no lock lists. Whatever has to be built is built from these.
    listed = [str(lock.relative_to(ROOT)) for lock in [ROOT / "locks" / "uv.txt", *locks]]
    print(f"setup: installing {environment.name}, about 3.5 GB and a minute or two", flush=True)
    hashed = ["--require-hashes", "--no-build-isolation", "--compile-bytecode"]
    run(uv, "pip", "sync", "--quiet", "--python", str(python), *hashed, *listed)
    if project:
        editable = ["--no-deps", "--no-build-isolation", "--offline", "--editable", "."]
        run(uv, "pip", "install", "--python", str(python), "--quiet", *editable)
    temporary = stamp.with_suffix(".new")
    temporary.write_text(mark)
    temporary.replace(stamp)
    return True


def main(arguments: list[str]) -> int:
    """Install what `arguments` ask for; return the exit status."""
    try:
        free_gib = shutil.disk_usage(ROOT).free / 2**30
        peers = arguments == ["peers"]
        environment = ROOT / (".venv-peers" if peers else ".venv")
        if environment.exists():
            free_gib += NEEDED_GIB  # what is installed need not fit a second time
        check_machine(sys.version_info[:2], platform.system(), platform.machine(), platform.libc_ver()[1], free_gib)
        groups = [] if peers else wanted_groups(environment / "locks.stamp", arguments)
        names = ["peers"] if peers else ["base", *groups]
        changed = install(environment, [ROOT / "locks" / f"{name}.txt" for name in names], project=not peers)
    except (SetupError, OSError) as error:
        print(f"setup: {error}", file=sys.stderr)
        return 1
    print(f"setup: {environment.name} {'is ready' if changed else 'is up to date'} ({', '.join(names)})")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
