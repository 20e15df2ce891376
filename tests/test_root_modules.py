"""Seeds, the round ticket, lazy imports and the tree of errors."""

import doctest
import gc
import inspect
import subprocess
import sys

import pytest

from bfl_stpc import errors, lazy, seeds
from bfl_stpc.errors import BflError, ConfigError
from bfl_stpc.ticket import Ticket

GOOD = {
    "round": 1,
    "model": b"m" * 32,
    "chain_id": 7,
    "contract": b"c" * 20,
    "members": ("a", "b", "c"),
    "threshold": 2,
}


def test_seeds_depend_on_every_part_and_on_nothing_else():
    scopes = [("fl", 1), ("fl", 2), ("dp", 1), ("fl", "1", "2"), ("fl", "12"), ("fl",)]
    assert len({seeds.derive_seed(*scope) for scope in scopes}) == len(scopes)
    # A fixed value: the seeds of published results must not change with a release.
    assert seeds.derive_seed("fl", "hospital-03", 7) == 15823927783434988286
    code = "from bfl_stpc.seeds import generator; print(generator('a', 1).integers(2**60))"
    runs = {subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout for _ in range(2)}
    assert runs == {f"{seeds.generator('a', 1).integers(2**60)}\n"}


@pytest.mark.parametrize("module", [lazy, seeds])
def test_docstring_examples(module):
    assert doctest.testmod(module).failed == 0


@pytest.mark.parametrize("collects", [True, False])
def test_a_lazy_import_leaves_the_collector_as_it_was(tmp_path, monkeypatch, collects):
    (tmp_path / "paused.py").write_text("import gc\ncollects = gc.isenabled()\n")
    (tmp_path / "broken.py").write_text("1 / 0\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "paused", raising=False)
    before = gc.isenabled()
    (gc.enable if collects else gc.disable)()
    try:
        assert lazy.Lazy("paused").collects is False
        assert gc.isenabled() == collects
        with pytest.raises(ZeroDivisionError):
            _ = lazy.Lazy("broken").anything
        assert gc.isenabled() == collects
    finally:
        (gc.enable if before else gc.disable)()


def test_a_name_set_on_a_lazy_module_is_set_in_the_module():
    lazy.Lazy("wave").unheard_of = 1
    assert vars(sys.modules["wave"]).pop("unheard_of") == 1


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"round": 0}, "round is 0"),
        ({"model": b"short"}, "5 bytes"),
        ({"contract": b""}, "0 bytes"),
        ({"members": ("a", "a", "b")}, "listed twice"),
        ({"threshold": 1}, "more than half"),
        ({"threshold": 4}, "at most all"),
    ],
)
def test_ticket_refuses_what_no_ledger_would_issue(change, says):
    with pytest.raises(ConfigError, match=says):
        Ticket(**GOOD | change)


def test_ticket_context_covers_every_field():
    changes = [
        {},
        {"round": 2},
        {"model": b"n" * 32},
        {"chain_id": 8},
        {"contract": b"d" * 20},
        {"members": ("a", "bc", "d")},
        {"members": ("a", "b", "cd")},
        {"threshold": 3},
    ]
    assert len({Ticket(**GOOD | change).context() for change in changes}) == len(changes)


def drawn_tree():
    """Parent of each error, as drawn in the module's docstring."""
    parents, stack = {}, []
    for line in errors.__doc__.splitlines():
        name = line.lstrip(" │├└─").split(" ")[0]
        if not (name.isidentifier() and hasattr(errors, name)):
            continue
        depth = (len(line) - len(line.lstrip(" │├└─"))) // 4
        stack = [*stack[:depth], name]
        parents[name] = stack[depth - 1] if depth else None
    return parents


def test_drawn_tree_is_the_tree():
    classes = {n: c for n, c in vars(errors).items() if inspect.isclass(c) and issubclass(c, BflError)}
    real = {name: cls.__mro__[1].__name__ if cls is not BflError else None for name, cls in classes.items()}
    assert drawn_tree() == real
