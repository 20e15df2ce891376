"""The environment: locks, overrides, the conda door, and the installer's refusals."""

import importlib.util
import os
import re
import subprocess
import sys
import sysconfig
import tomllib
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[1]
LOCKS = sorted((ROOT / "locks").glob("*.txt"))
spec = importlib.util.spec_from_file_location("setup_env", ROOT / "tools" / "setup_env.py")
setup_env = importlib.util.module_from_spec(spec)
spec.loader.exec_module(setup_env)


def pins(lock):
    return dict(re.findall(r"^([a-z0-9._-]+)(?:\[[^]]*\])?==(\S+)", lock.read_text(), flags=re.MULTILINE))


def plain(name):
    """Normalised as PEP 503 has it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def test_locks_hold_hashes_and_no_address():
    assert {lock.stem for lock in LOCKS} == {"base", "book", "dev", "distributed", "peers", "real", "uv"}
    for lock in LOCKS:
        text = lock.read_text()
        assert not re.search(r"https?:|--(extra-)?index|--find-links| @ ", text), lock
        blocks = re.findall(r"^[a-z0-9].*(?:\n {4}.*)*", text, flags=re.MULTILINE)
        assert blocks, lock
        assert all("==" in block and "--hash=sha256:" in block for block in blocks), lock


def test_base_lock_holds_the_design_card():
    base = pins(ROOT / "locks" / "base.txt")
    card = (
        "jupyterlab papermill matplotlib seaborn tensorflow tensorflow-federated tensorflow-privacy tenseal web3 py-evm"
    )
    assert {*card.split(), "eth-tester", "coincurve"} <= set(base)
    assert base["tensorflow-federated"] == "0.87.0"


def test_groups_add_to_the_base_without_changing_it():
    base = pins(ROOT / "locks" / "base.txt")
    for group in ("dev", "distributed", "real", "book"):
        lock = pins(ROOT / "locks" / f"{group}.txt")
        assert {name: lock.get(name) for name in base} == base, group


def test_every_override_is_explained_where_it_stands():
    lines = (ROOT / "pyproject.toml").read_text().splitlines()
    overrides = tomllib.loads("\n".join(lines))["tool"]["uv"]["override-dependencies"]
    assert {re.split(r"[=><]", override)[0] for override in overrides} == {
        "jax",
        "jaxlib",
        "packaging",
        "typing-extensions",
    }
    start = lines.index("override-dependencies = [")
    block = lines[start : lines.index("]", start)]
    assert sum(line.lstrip().startswith("#") for line in block) >= 2


def test_what_the_overrides_could_break():
    import jupyterlab.labapp
    import tensorflow_federated as tff
    import tensorflow_privacy
    import typing_extensions
    from IPython.core import interactiveshell
    from pydantic import BaseModel

    assert jupyterlab.labapp.LabApp.version
    assert tensorflow_privacy.__version__ == "0.9.0"
    assert hasattr(tff, "federated_computation")
    assert hasattr(typing_extensions, "TypeIs")
    assert interactiveshell
    assert BaseModel


def test_the_installed_versions_are_the_locked_ones():
    from importlib.metadata import distributions

    # Not by sys.path: Ray, once imported, puts packages of its own before the environment's.
    found = {plain(d.name): d.version for d in distributions(path=[sysconfig.get_path("purelib")])}
    locked = pins(ROOT / "locks" / "base.txt")
    assert {name: found.get(plain(name)) for name in locked} == locked


def test_conda_door_leads_to_the_same_locks():
    conda = yaml.safe_load((ROOT / "environment.yml").read_text())
    uv = pins(ROOT / "locks" / "uv.txt")["uv"]
    assert conda["dependencies"] == ["python=3.11", f"uv={uv}", "make", "git"]


GOOD = {"version": (3, 11), "system": "Linux", "machine": "x86_64", "glibc": "2.36", "free_gib": 20.0}


def test_a_fitting_machine_passes():
    setup_env.check_machine(**GOOD)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"version": (3, 12)}, r"Python 3\.12 is not supported.*Install Python 3\.11"),
        ({"system": "Darwin", "machine": "arm64"}, "Darwin on arm64 is not supported"),
        ({"glibc": "2.28"}, "glibc 2.31"),
        ({"glibc": ""}, "other than glibc"),
        ({"free_gib": 1.5}, r"only 1\.5 GiB are free"),
    ],
)
def test_an_unfit_machine_is_refused_with_the_mend(change, says):
    with pytest.raises(setup_env.SetupError, match=says):
        setup_env.check_machine(**GOOD | change)


def test_unknown_group_is_named():
    with pytest.raises(setup_env.SetupError, match="unknown group 'boook'"):
        setup_env.wanted_groups(Path("/nonexistent"), ["boook"])


def test_setup_again_takes_no_action():
    before = (ROOT / ".venv" / "locks.stamp").stat().st_mtime_ns
    outcome = make("setup")
    assert "is up to date" in outcome.stdout
    assert (ROOT / ".venv" / "locks.stamp").stat().st_mtime_ns == before


def make(*arguments):
    # The tests may themselves run under make, which would pass its own variables on.
    environment = {
        k: v for k, v in os.environ.items() if k not in ("MAKEFLAGS", "MAKEOVERRIDES", "MFLAGS", "MAKELEVEL")
    }
    return subprocess.run(["make", *arguments], cwd=ROOT, env=environment, capture_output=True, text=True, check=False)


def test_make_alone_lists_every_public_target_with_a_time():
    listed = make().stdout
    documented = re.findall(r"^([\w-]+):.*##", (ROOT / "Makefile").read_text(), flags=re.MULTILINE)
    assert {"setup", "reproduce", "test", "verify", "doctor", "lab", "figures", "clean"} <= set(documented)
    assert all(f"  {target} " in listed for target in documented)
    assert re.search(r"reproduce +\d+ ", listed)


def test_the_notebooks_open_for_root_too():
    """As in many containers; Jupyter refuses root unless it is told."""
    assert ("--allow-root" in make("-n", "lab").stdout) == (os.geteuid() == 0)


def test_a_parameter_may_hold_several_words():
    outcome = make("-n", "setup", "GROUPS=dev book", "ONLY=00 01")
    assert outcome.returncode == 0, outcome.stderr
    assert "setup_env.py dev book" in outcome.stdout


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("reproduce", "PROFILE=smok"), "unknown profile smok: choose smoke, quick or paper"),
        (("reproduce", "PROFIL=smoke"), "unknown parameter PROFIL: choose among"),
        (("setup", f"PYTHON={sys.executable}", "GROUPS=boook"), "unknown group 'boook'"),
    ],
)
def test_bad_parameters_end_with_one_clear_error(arguments, says):
    outcome = make(*arguments)
    assert outcome.returncode != 0
    assert says in outcome.stderr


def test_an_import_reads_no_source_beside_the_bytecode():
    package = Path(importlib.util.find_spec("tensorflow").origin).parent
    compiled = list((package / "python" / "ops" / "__pycache__").glob("*.cpython-311.pyc"))
    assert compiled
    # Flags of PEP 552: by the source's time.
    assert {path.read_bytes()[4:8] for path in compiled} == {bytes(4)}, "remove .venv and run `make setup`"
