"""The record vault: FHIR records encrypted one by one, each key wrapped for each reader, on one SQLite file.

A record is AES-256-GCM under a key of its own; that key is wrapped for a reader with an ephemeral X25519 agreement,
HKDF-SHA256 and AES-256-GCM (the construction of RFC 9180's base mode, without its framing). On chain there is only
SHA-256 over a random salt and the ciphertext: without the salt it is noise.
"""

import hashlib
import secrets
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from bfl_stpc.errors import ConfigError, ReaderUnknown, RecordMissing, RecordTampered, VaultError
from bfl_stpc.ledger import fhir

SCHEMA = """
PRAGMA secure_delete = ON;
PRAGMA foreign_keys = ON;
CREATE TABLE IF NOT EXISTS record (
    id BLOB PRIMARY KEY, version INTEGER NOT NULL, salt BLOB NOT NULL, ciphertext BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS reader (
    record BLOB NOT NULL REFERENCES record (id) ON DELETE CASCADE,
    reader TEXT NOT NULL, wrapped BLOB NOT NULL, PRIMARY KEY (record, reader));
"""


class ReaderKey:
    """A reader's X25519 key pair, drawn from the operating system. The private half is not shown by `repr`."""

    def __init__(self, reader: str) -> None:
        """Draw a key pair for `reader`."""
        self.reader = reader
        self._private = X25519PrivateKey.generate()
        self.public = self._private.public_key().public_bytes_raw()

    def __repr__(self) -> str:
        return f"ReaderKey({self.reader!r}, {self.public.hex()})"

    def unwrap(self, wrapped: bytes, context: bytes) -> bytes:
        """Return the record key that was wrapped for this reader and `context`.

        Raises:
            ReaderUnknown: it was wrapped for another key or context, or altered.
        """
        ephemeral, sealed = wrapped[:32], wrapped[32:]
        try:
            shared = self._private.exchange(X25519PublicKey.from_public_bytes(ephemeral))
            return AESGCM(_wrapping_key(shared, ephemeral, self.public, context)).decrypt(bytes(12), sealed, context)
        except (InvalidTag, ValueError) as error:
            raise ReaderUnknown(f"no key of this record is wrapped for this key of {self.reader}") from error


@dataclass(frozen=True)
class Stored:
    """What the vault tells of a record that it stored: `commitment` (32 bytes) goes on chain."""

    record: bytes
    version: int
    commitment: bytes


def wrap(key: bytes, public: bytes, context: bytes) -> bytes:
    """Return `key` wrapped for the X25519 public key `public` and bound to `context`: 80 bytes.

    The nonce is zero because each wrapping key is used once: the ephemeral key is fresh.

    Raises:
        ConfigError: `public` is no X25519 public key.
    """
    ephemeral = X25519PrivateKey.generate()
    sent = ephemeral.public_key().public_bytes_raw()
    try:
        shared = ephemeral.exchange(X25519PublicKey.from_public_bytes(public))
    except ValueError as error:  # another length, or a point of small order
        raise ConfigError(f"{public.hex() or 'nothing'} is no X25519 public key") from error
    return sent + AESGCM(_wrapping_key(shared, sent, public, context)).encrypt(bytes(12), key, context)


def _wrapping_key(shared: bytes, sent: bytes, public: bytes, context: bytes) -> bytes:
    return HKDF(SHA256(), 32, salt=None, info=b"BFL-STPC record key" + sent + public + context).derive(shared)


class Vault:
    """Encrypted records on one SQLite file. Every change is one transaction: it happens whole or not at all."""

    def __init__(self, path: Path | str = ":memory:") -> None:
        """Open or create the vault at `path`.

        Raises:
            VaultError: no file can be made there, or the file is no vault.
        """
        self.path = path
        try:
            self._db = sqlite3.connect(path, isolation_level=None)
            self._db.executescript(SCHEMA)
        except sqlite3.Error as error:
            raise VaultError(f"the vault at {path} cannot be opened: {error}") from error

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Undo every change of the block if it raises: put the chain's transaction inside, as its last step."""
        self._run("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._run("ROLLBACK")
            raise
        self._run("COMMIT")

    def put(self, resource: Mapping[str, Any], readers: Mapping[str, bytes], *, record: bytes | None = None) -> Stored:
        """Store a FHIR R4 resource under a new random pseudonym, or as the next version of `record`.

        Each version has a new key and salt: a reader left out of `readers` cannot open it.

        Args:
            resource: FHIR JSON.
            readers: X25519 public keys (32 bytes) by reader.
            record: pseudonym of a stored record.

        Raises:
            SchemaError: the resource is no valid FHIR; nothing is stored.
            RecordMissing: there is no such record.
        """
        plain = fhir.canonical(resource)
        version = 1 if record is None else self._row(record)[0] + 1
        name = secrets.token_bytes(32) if record is None else record
        key, salt, nonce = AESGCM.generate_key(256), secrets.token_bytes(32), secrets.token_bytes(12)
        context = _context(name, version)
        ciphertext = nonce + AESGCM(key).encrypt(nonce, plain, context)
        wrapped = [(name, reader, wrap(key, public, context)) for reader, public in readers.items()]
        self._run("SAVEPOINT put")
        self._run("DELETE FROM record WHERE id = ?", (name,))
        self._run("INSERT INTO record VALUES (?, ?, ?, ?)", (name, version, salt, ciphertext))
        for row in wrapped:
            self._run("INSERT INTO reader VALUES (?, ?, ?)", row)
        self._run("RELEASE put")
        return Stored(name, version, commitment(name, version, salt, ciphertext))

    def get(self, record: bytes, key: ReaderKey, *, committed: bytes) -> dict[str, Any]:
        """Return the record, checked against the commitment on chain and decrypted for a reader.

        Raises:
            RecordMissing: it is not here.
            RecordTampered: it is not what was committed, whether altered, exchanged or put back to an older version.
            ReaderUnknown: no key is wrapped for the reader.
        """
        version, _, ciphertext = self._row(record)
        self.check(record, committed)
        opened = key.unwrap(self._wrapped(record, key.reader), _context(record, version))
        try:
            plain = AESGCM(opened).decrypt(ciphertext[:12], ciphertext[12:], _context(record, version))
        except InvalidTag as error:
            raise RecordTampered(f"record {record.hex()} does not open under its key") from error
        return fhir.parse(plain)

    def check(self, record: bytes, committed: bytes) -> None:
        """Return if the stored record is the committed one; raise `RecordTampered` or `RecordMissing`."""
        if commitment(record, *self._row(record)) != committed:
            raise RecordTampered(f"record {record.hex()} is not what its commitment recorded; restore it from a backup")

    def share(self, record: bytes, owner: ReaderKey, reader: str, public: bytes) -> None:
        """Wrap the record's key for one more reader; `owner` must be a reader already."""
        context = _context(record, self._row(record)[0])
        key = owner.unwrap(self._wrapped(record, owner.reader), context)
        self._run("INSERT OR REPLACE INTO reader VALUES (?, ?, ?)", (record, reader, wrap(key, public, context)))

    def unshare(self, record: bytes, reader: str) -> None:
        """Drop the reader's wrapped key. What the reader copied stays copied: store a new version to lock it out."""
        self._wrapped(record, reader)
        self._run("DELETE FROM reader WHERE record = ? AND reader = ?", (record, reader))

    def rotate(self, old: ReaderKey, new: ReaderKey) -> int:
        """Wrap every record key of `old` for `new` instead, without touching a ciphertext; return how many."""
        if old.reader != new.reader:
            raise VaultError(f"the keys belong to {old.reader} and {new.reader}; share the records instead")
        query = "SELECT id, version, wrapped FROM record JOIN reader ON record = id WHERE reader = ?"
        rows = self._run(query, (old.reader,)).fetchall()
        fresh = []
        for record, version, wrapped in rows:
            context = _context(record, version)
            fresh.append((wrap(old.unwrap(wrapped, context), new.public, context), record, old.reader))
        with self.transaction():
            for row in fresh:
                self._run("UPDATE reader SET wrapped = ? WHERE record = ? AND reader = ?", row)
        return len(rows)

    def erase(self, record: bytes) -> None:
        """Destroy salt, wrapped keys and ciphertext; freed pages are overwritten with zeros.

        Copies of the ciphertext elsewhere stay sealed, since no key is left; commitments on chain stay noise.
        """
        self._row(record)
        self._run("DELETE FROM record WHERE id = ?", (record,))

    def records(self) -> tuple[bytes, ...]:
        """Return the pseudonyms of all stored records."""
        return tuple(row[0] for row in self._run("SELECT id FROM record ORDER BY id"))

    def readers(self, record: bytes) -> tuple[str, ...]:
        """Return for whom the record's key is wrapped."""
        query = "SELECT reader FROM reader WHERE record = ? ORDER BY reader"
        return tuple(row[0] for row in self._run(query, (record,)))

    def _run(self, statement: str, values: tuple[Any, ...] = ()) -> sqlite3.Cursor:
        try:
            return self._db.execute(statement, values)
        except sqlite3.Error as error:
            raise VaultError(f"the vault at {self.path} cannot be used: {error}") from error

    def _row(self, record: bytes) -> tuple[int, bytes, bytes]:
        row = self._run("SELECT version, salt, ciphertext FROM record WHERE id = ?", (record,)).fetchone()
        if row is None:
            raise RecordMissing(f"record {record.hex()} is not in this vault: never stored, or erased")
        return row

    def _wrapped(self, record: bytes, reader: str) -> bytes:
        query = "SELECT wrapped FROM reader WHERE record = ? AND reader = ?"
        row = self._run(query, (record, reader)).fetchone()
        if row is None:
            raise ReaderUnknown(f"no key of record {record.hex()} is wrapped for {reader}")
        return row[0]


def commitment(record: bytes, version: int, salt: bytes, ciphertext: bytes) -> bytes:
    """Return what goes on chain for a stored record (32 bytes): hides everything while the salt is secret."""
    sealed = hashlib.sha256(ciphertext).digest()
    return hashlib.sha256(b"BFL-STPC record commitment" + record + version.to_bytes(4, "big") + salt + sealed).digest()


def _context(record: bytes, version: int) -> bytes:
    return b"BFL-STPC record" + record + version.to_bytes(4, "big")
