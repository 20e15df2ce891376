"""The common type of real tables: its parts agree, and shuffling takes the signal only."""

from dataclasses import replace

import numpy as np
import pytest

from bfl_stpc.ehr.tabular import Tabular, age_groups
from bfl_stpc.errors import DataError
from bfl_stpc.seeds import generator


@pytest.fixture
def table():
    X = np.arange(12, dtype=np.float32).reshape(6, 2)
    y = np.array([0, 1, 1, 0, 0, 1], np.int8)
    return Tabular("toy", X, y, np.array([0, 0, 0, 1, 1, 1], np.int16), ("a", "b"), ("u", "v"), "ill")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"y": np.zeros(5, np.int8)}, "one table"),
        ({"columns": ("u",)}, "one table"),
        ({"y": np.full(6, 2, np.int8)}, "labels"),
        ({"X": np.full((6, 2), np.inf, np.float32)}, "'u' is infinite"),
        ({"hospitals": ("a", "b", "c")}, "needs a patient"),
        ({"groups": {"sex": np.array(["m"])}}, "sex"),
    ],
)
def test_parts_that_do_not_fit_are_refused(table, change, said):
    with pytest.raises(DataError, match=said):
        replace(table, **change)


def test_shuffling_keeps_each_hospitals_share(table):
    dealt = table.shuffled(generator("test", 3), within=True)
    assert [dealt.y[dealt.at(k)].sum() for k in (0, 1)] == [table.y[table.at(k)].sum() for k in (0, 1)]
    assert (dealt.X == table.X).all()
    assert any((table.shuffled(generator("test", s)).y != table.y).any() for s in range(5))


def test_the_digest_sees_every_part(table):
    X = table.X.copy()
    X[0, 0] += 1
    others = [replace(table, X=X), replace(table, y=1 - table.y), replace(table, columns=("u", "w"))]
    assert len({table.sha256, *(other.sha256 for other in others)}) == 4


def test_shuffling_over_all_hospitals_keeps_the_number_only(table):
    dealt = [table.shuffled(generator("test", s)) for s in range(20)]
    assert {int(d.y.sum()) for d in dealt} == {3}
    assert len({int(d.y[d.at(0)].sum()) for d in dealt}) > 1


def test_ages_fall_into_groups():
    assert age_groups(np.array([49.9, 50, 64, 65, np.nan])).tolist() == [
        "under 50",
        "50–64",
        "50–64",
        "65 and over",
        "",
    ]


def test_taking_rows_leaves_out_hospitals_without_any(table):
    part = table.take(np.array([4, 5]))
    assert (part.hospitals, part.hospital.tolist(), part.y.tolist()) == (("b",), [0, 0], [0, 1])
    assert (table.X[4:] == part.X).all()
