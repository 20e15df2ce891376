"""What a role must not forget when its process dies: one SQLite file, written before anything is answered."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bfl_stpc.errors import DurableError

_TABLE = """
CREATE TABLE IF NOT EXISTS kept (
    round INTEGER NOT NULL, what TEXT NOT NULL, value BLOB NOT NULL, PRIMARY KEY (round, what)
) WITHOUT ROWID
"""
_FULL = """
CREATE TEMP TRIGGER IF NOT EXISTS full BEFORE INSERT ON main.kept
BEGIN SELECT RAISE(ABORT, 'database or disk is full'); END
"""


class Store:
    """Values by round and name, all or nothing. Round 0 holds what outlives the rounds.

    A value is on disk when `transaction` has ended: SQLite syncs its journal first.
    """

    def __init__(self, path: Path | None = None) -> None:
        """Open the store at `path`, or one in memory that dies with the process.

        Raises:
            DurableError: the file cannot be opened, or is no store.
        """
        self._where = str(path or "memory")
        try:
            self._db = sqlite3.connect(path or ":memory:", isolation_level=None, check_same_thread=False)
            self._db.execute("PRAGMA synchronous=FULL")
            self._db.execute(_TABLE)
        except sqlite3.Error as error:
            raise DurableError(f"the store {self._where} cannot be opened: {error}") from error
        self._open = False

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Keep all that the block puts, or nothing of it if the block raises. A block inside a block joins it.

        Raises:
            DurableError: it could not be written: the disk is full or gone. Nothing is kept.
        """
        if self._open:
            yield
            return
        self._execute("BEGIN IMMEDIATE")
        self._open = True
        try:
            yield
            self._execute("COMMIT")
        finally:
            self._open = False
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")

    def put(self, round: int, what: str, value: bytes) -> None:
        """Keep `value`, in place of what was there.

        Raises:
            DurableError: it could not be written.
        """
        with self.transaction():
            self._execute("INSERT OR REPLACE INTO kept VALUES (?, ?, ?)", round, what, value)

    def get(self, round: int, what: str) -> bytes | None:
        """Return the value, or None if there is none."""
        found = self._execute("SELECT value FROM kept WHERE round = ? AND what = ?", round, what).fetchone()
        return None if found is None else bytes(found[0])

    def names(self, round: int) -> list[str]:
        """Return the names of the values of a round, sorted."""
        found = self._execute("SELECT what FROM kept WHERE round = ? ORDER BY what", round)
        return [row[0] for row in found]

    def forget(self, before: int) -> None:
        """Destroy what belongs to rounds before `before`, but not what outlives the rounds."""
        with self.transaction():
            self._execute("DELETE FROM kept WHERE round > 0 AND round < ?", before)

    def fill(self) -> None:
        """Refuse every further value, as a full disk does; `relieve` ends it.

        A bound on the file's pages would let in what still fits into the last one: whether a value does depends on
        the lengths of fresh keys, and no schedule of faults would happen twice.
        """
        self._execute(_FULL)

    def relieve(self) -> None:
        """Take values again."""
        self._execute("DROP TRIGGER IF EXISTS temp.full")

    def close(self) -> None:
        """Close the file; what was kept stays."""
        self._db.close()

    def _execute(self, statement: str, *values: object) -> sqlite3.Cursor:
        try:
            return self._db.execute(statement, values)
        except sqlite3.Error as error:
            raise DurableError(f"the store {self._where} refuses: {error}") from error
