"""The store: all or nothing, on disk before it answers, and full when it is told to be."""

import pytest

from bfl_stpc.errors import DurableError
from bfl_stpc.system.store import Store


@pytest.fixture
def store(tmp_path):
    """Yield a store on disk that holds one value."""
    store = Store(tmp_path / "role.sqlite")
    store.put(1, "a", b"kept")
    yield store
    store.close()


# A page has room left after one short value: a bound on pages would let the short ones in.
@pytest.mark.parametrize("size", [0, 1, 32, 10_000])
@pytest.mark.parametrize("what", ["a", "b"])
def test_a_full_store_refuses_every_value_whatever_its_length(store, what, size):
    store.fill()
    with pytest.raises(DurableError, match="disk is full"):
        store.put(1, what, b"x" * size)
    assert (store.get(1, "a"), store.names(1)) == (b"kept", ["a"])
    store.relieve()
    store.put(1, what, b"x" * size)
    assert store.get(1, what) == b"x" * size


def test_a_full_store_keeps_nothing_of_a_transaction(store):
    def two() -> None:
        with store.transaction():
            store.put(1, "b", b"first")
            store.fill()
            store.put(1, "c", b"second")

    with pytest.raises(DurableError, match="disk is full"):
        two()
    assert store.names(1) == ["a"]


def test_filling_twice_and_relieving_twice_is_the_same_as_once(store):
    store.fill()
    store.fill()
    store.relieve()
    store.relieve()
    store.put(1, "b", b"new")
    assert store.names(1) == ["a", "b"]


def test_another_process_finds_what_was_kept_and_a_disk_with_room(store, tmp_path):
    store.fill()
    store.close()
    reopened = Store(tmp_path / "role.sqlite")
    assert reopened.get(1, "a") == b"kept"
    reopened.put(1, "b", b"new")
    reopened.close()


def test_what_is_no_store_is_named(tmp_path):
    path = tmp_path / "letter.sqlite"
    path.write_text("Dear colleague, this is no database." * 40)
    with pytest.raises(DurableError, match=r"letter\.sqlite cannot be opened"):
        Store(path)
