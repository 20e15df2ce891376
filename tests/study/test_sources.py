"""Which edits of the library retrain: those of what runs, and no others."""

import pytest

from bfl_stpc.study import sources

CODE = '''"""A module."""

RATE = 0.1  # small


def step(x):
    """Return one step."""
    return x - RATE
'''


@pytest.fixture
def edited(tmp_path):
    """Return the hash of a module whose text was edited."""

    def edit(old="", new=""):
        path = tmp_path / "module.py"
        path.write_text(CODE.replace(old, new) if old else CODE)
        return sources.hash_files([path])

    return edit


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("# small", "# smaller"),
        ("one step", "a step"),
        ("A module.", "Steps."),
        ("\n\n\ndef", "\n\ndef"),
        ("RATE = 0.1", "RATE = .10"),
    ],
)
def test_comments_docstrings_and_layout_retrain_nothing(edited, old, new):
    assert edited(old, new) == edited()


@pytest.mark.parametrize(("old", "new"), [("0.1", "0.2"), ("x - RATE", "x + RATE"), ("def step", "def stride")])
def test_whatever_runs_does(edited, old, new):
    assert edited(old, new) != edited()


def test_data_files_count_byte_by_byte(tmp_path):
    path = tmp_path / "catalogue.yaml"
    path.write_text("a: 1 # one\n")
    before = sources.hash_files([path])
    path.write_text("a: 1\n")
    assert sources.hash_files([path]) != before
