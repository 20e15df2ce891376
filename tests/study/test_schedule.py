"""The order of notebooks: what is needed first, timed ones alone, the longest way first."""

import math
import random
from pathlib import Path

from bfl_stpc.study.notebooks import Notebook
from bfl_stpc.study.schedule import startable, ways


def study(**needs_and_timed):
    return {
        name: Notebook(name, Path(name), needs, timed, "", 1, b"") for name, (needs, timed) in needs_and_timed.items()
    }


NOTEBOOKS = study(
    a=((), True), b=((), False), c=((), False), d=(("b",), False), e=((), True), f=(("c", "e"), False)
)  # fmt: skip
SECONDS = {"a": 5.0, "b": 10.0, "c": 15.0, "d": 20.0, "e": 1.0, "f": 1.0}


def test_a_way_is_the_longest_chain_to_the_end():
    assert ways(NOTEBOOKS, SECONDS) == {"a": 5, "b": 30, "c": 16, "d": 20, "e": 2, "f": 1}


def test_an_unknown_time_counts_as_endless():
    assert ways(NOTEBOOKS, SECONDS | {"d": None})["b"] == math.inf


def test_first_the_timed_alone_then_the_longest_way():
    way = ways(NOTEBOOKS, SECONDS)
    assert startable(NOTEBOOKS, list("abcdef"), [], way, 2) == ["a"]
    assert startable(NOTEBOOKS, list("bcdef"), ["a"], way, 2) == []
    assert startable(NOTEBOOKS, list("bcdf"), [], way, 2) == ["b", "c"]
    assert startable(NOTEBOOKS, list("bcdf"), [], way, 1) == ["b"]
    assert startable(NOTEBOOKS, list("df"), ["c"], way, 2) == ["d"]
    assert startable(NOTEBOOKS, list("aef"), ["b"], way, 2) == []  # the timed wait until nothing runs


def test_every_run_ends_and_keeps_the_rules():
    for seed in range(200):
        draw = random.Random(seed)
        names = [f"n{i}" for i in range(8)]
        notebooks = study(
            **{
                n: (tuple(draw.sample(names[:i], min(i, draw.randrange(3)))), draw.random() < 0.4)
                for i, n in enumerate(names)
            }
        )
        way = ways(notebooks, {n: draw.random() for n in names})
        waiting, running, done = list(names), [], []
        while waiting or running:
            for name in startable(notebooks, waiting, running, way, 2):
                assert set(notebooks[name].needs) <= set(done)
                waiting.remove(name)
                running.append(name)
            assert running
            assert len(running) <= 2
            assert len(running) == 1 or not any(notebooks[n].timed for n in running)
            done.append(running.pop(draw.randrange(len(running))))
