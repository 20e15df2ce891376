"""The store: atomic writes, canonical JSON, digests of what must repeat."""

import json
import os

import numpy as np
import pytest

from bfl_stpc.errors import StoreError
from bfl_stpc.study import store


def test_write_is_whole_or_not_at_all(tmp_path, monkeypatch):
    target = tmp_path / "result.json"
    store.write_atomic(target, b"old")

    def full(descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StoreError, match=r"result\.json: No space left on device.*free space"):
        store.write_atomic(target, b"new")
    assert target.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [target]


def test_folder_is_replaced_whole(tmp_path):
    old, new = tmp_path / "final", tmp_path / "staged"
    for folder, text in ((old, "1"), (new, "2")):
        folder.mkdir()
        (folder / "value").write_text(text)
    (old / "leftover").write_text("of the earlier run")
    store.replace_folder(new, old)
    assert [path.name for path in old.iterdir()] == ["value"]
    assert (old / "value").read_text() == "2"
    assert [path.name for path in tmp_path.iterdir()] == ["final"]


def test_json_is_canonical_and_holds_numpy():
    value = {"b": np.float32(0.5), "a": np.arange(3), "c": (True, None, b"\x01")}
    assert json.loads(store.to_json(value)) == {"a": [0, 1, 2], "b": 0.5, "c": [True, None, "01"]}
    assert store.to_json({"a": 1, "b": 2}) == store.to_json({"b": 2, "a": 1})


def test_foreign_types_are_refused():
    with pytest.raises(StoreError, match="cannot record a set"):
        store.plain({"x": {1, 2}})


def test_digest_covers_results_and_leaves_out_timings():
    def results(x, ms):
        return {"x": {"value": x, "timing": False}, "ms": {"value": ms, "timing": True}}

    assert store.repeating_digest(results(1, 5.0)) == store.repeating_digest(results(1, 6.0))
    assert store.repeating_digest(results(1, 5.0)) != store.repeating_digest(results(2, 5.0))


@pytest.mark.parametrize("content", [None, b"{ half"])
def test_missing_or_damaged_results_name_the_command(tmp_path, content):
    path = tmp_path / "results.json"
    if content:
        path.write_bytes(content)
    with pytest.raises(StoreError, match=r"results\.json.*`make reproduce`"):
        store.read_json(path, "make reproduce")
