"""The bytes of a table, read a block at a time: a file larger than memory streams through.

A first pass over a text file checks its encoding and takes its SHA-256; a second yields its rows as text. Parquet
yields its columns in their own types. Row numbers count as a spreadsheet does: the header is row 1.
"""

from __future__ import annotations

import codecs
import csv
import hashlib
import io
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import pyarrow as pa
import pyarrow.csv as pacsv
import pyarrow.parquet as pq

from bfl_stpc.errors import TableUnreadable

BLOCK = 1 << 20  # bytes of a text file in memory at a time
OPEN = 1 << 25  # bytes after which a quote that does not close is an error
ROWS = 1 << 14  # rows of a Parquet file in memory at a time
DELIMITERS = (",", ";", "\t", "|")
MARKS = {codecs.BOM_UTF16_LE: "utf-16", codecs.BOM_UTF16_BE: "utf-16", codecs.BOM_UTF8: "utf-8-sig"}


class Source(Protocol):
    """A table whose rows can be read more than once.

    Attributes:
        names: its columns in order, each once.
        sha256: of its bytes.
    """

    @property
    def names(self) -> tuple[str, ...]:
        """The columns."""

    @property
    def sha256(self) -> str:
        """SHA-256 (hex) of the bytes that are read."""

    def batches(self) -> Iterator[pa.RecordBatch]:
        """Yield the rows in order, as many at a time as fit in bounded memory."""


def open_source(path: Path, *, encoding: str = "utf-8", delimiter: str | None = None) -> Source:
    """Return the table in a CSV (`.csv`, `.tsv`, `.txt`) or Parquet file; nothing is kept open.

    Args:
        path: the file.
        encoding: of a text file.
        delimiter: between its columns; found from the header where None.

    Raises:
        TableUnreadable: the file is not there, empty, of an unknown kind, not in this encoding (byte and line are
            named), has two columns of one name or none, or is a damaged Parquet file.
    """
    path = Path(path)
    try:
        with path.open("rb") as file:
            head = file.read(BLOCK)
    except FileNotFoundError:
        raise TableUnreadable(f"{path} does not exist: check the name given as DATA") from None
    except IsADirectoryError:
        raise TableUnreadable(f"{path} is a folder without patients.csv or *.json: give a file, a Synthea export or "
                              "a folder of FHIR bundles") from None  # fmt: skip
    except OSError as error:
        raise TableUnreadable(f"{path} cannot be read: {error.strerror or error}") from error
    if not head.strip():
        raise TableUnreadable(f"{path} is empty: export the table again")
    kind = path.suffix.lower()
    if kind in (".parquet", ".pq"):
        return _parquet(path)
    if kind not in (".csv", ".tsv", ".txt"):
        raise TableUnreadable(f"{path} is neither .csv, .tsv, .txt nor .parquet: save the table as one of them")
    return _text(path, head, encoding, delimiter)


@dataclass(frozen=True)
class TextSource:
    """A delimited text file.

    Attributes:
        path: the file.
        names: its columns.
        sha256: of its bytes.
        encoding: of its bytes.
        delimiter: between its columns.
    """

    path: Path
    names: tuple[str, ...]
    sha256: str
    encoding: str
    delimiter: str

    def batches(self) -> Iterator[pa.RecordBatch]:
        """Yield every column as text.

        Raises:
            TableUnreadable: a row has more or fewer cells than the header, or a quote never closes; the row is named.
        """
        row = 2
        for piece in self._pieces():
            table = self._parse(piece, row)
            row += table.num_rows
            yield from table.combine_chunks().to_batches()

    def _parse(self, piece: bytes, row: int) -> pa.Table:
        wrong: list[tuple[int, int, str]] = []

        def ragged(found: pacsv.InvalidRow) -> str:
            wrong.append((row + (found.number or 1) - 1, found.actual_columns, found.text[:60]))
            return "error"

        try:
            return pacsv.read_csv(
                pa.BufferReader(piece),
                # One thread: only then does Arrow know the number of a ragged row.
                read_options=pacsv.ReadOptions(
                    use_threads=False, block_size=len(piece) + 1, column_names=self.names, encoding=self.encoding
                ),
                parse_options=pacsv.ParseOptions(
                    delimiter=self.delimiter, newlines_in_values=True, invalid_row_handler=ragged
                ),
                convert_options=pacsv.ConvertOptions(
                    column_types={name: pa.string() for name in self.names}, strings_can_be_null=False
                ),
            )
        except pa.ArrowInvalid as error:
            if not wrong:
                raise TableUnreadable(f"{self.path}, from row {row}: no table ({error}): mend these rows") from error
            number, cells, text = wrong[0]
            raise TableUnreadable(
                f"{self.path}, row {number}: {cells} cells where the header has {len(self.names)} ({text!r}): put "
                "text that holds the delimiter in double quotes, or mend the row"
            ) from error

    def _pieces(self) -> Iterator[bytes]:
        """Yield the rows after the header, whole rows of about `BLOCK` bytes."""
        rest, skipped, line = b"", False, 2
        with self.path.open("rb") as file:
            while block := file.read(BLOCK):
                rest += block
                if not skipped:
                    if b"\n" not in rest:
                        continue
                    rest, skipped = rest.split(b"\n", 1)[1], True
                cut = rest.rfind(b"\n") + 1
                if rest.count(b'"', 0, cut) % 2:  # the last line ends inside quotes: so many more bytes belong to it
                    if len(rest) > OPEN:
                        raise self._unclosed(line)
                    continue
                if cut:
                    yield rest[:cut]
                    line += rest.count(b"\n", 0, cut)
                    rest = rest[cut:]
        if rest.count(b'"') % 2:
            raise self._unclosed(line)
        if skipped and rest.strip():
            yield rest

    def _unclosed(self, line: int) -> TableUnreadable:
        return TableUnreadable(f"{self.path}: a double quote after line {line} never closes: close it, or double it")


@dataclass(frozen=True)
class ParquetSource:
    """A Parquet file; its columns keep their types, and dictionaries become their values.

    Attributes:
        path: the file.
        names: its columns.
        sha256: of its bytes.
    """

    path: Path
    names: tuple[str, ...]
    sha256: str

    def batches(self) -> Iterator[pa.RecordBatch]:
        """Yield the rows.

        Raises:
            TableUnreadable: a page of the file is damaged.
        """
        try:
            with pq.ParquetFile(self.path) as file:
                for batch in file.iter_batches(batch_size=ROWS, use_threads=False):
                    yield flat(batch, self.path)
        except (OSError, pa.ArrowException) as error:
            raise TableUnreadable(f"{self.path} is damaged ({error}): write the Parquet file again") from error


@dataclass(frozen=True)
class MemorySource:
    """A table made from other files, such as an export of many.

    Attributes:
        table: its rows.
        sha256: of what it was made from.
    """

    table: pa.Table
    sha256: str

    @property
    def names(self) -> tuple[str, ...]:
        """The columns."""
        return tuple(self.table.column_names)

    def batches(self) -> Iterator[pa.RecordBatch]:
        """Yield the rows."""
        yield from self.table.to_batches(max_chunksize=ROWS)


def flat(batch: pa.RecordBatch, path: Path) -> pa.RecordBatch:
    """Return the batch with dictionaries and decimals as plain values.

    Raises:
        TableUnreadable: a column holds lists, structures or bytes.
    """
    columns = []
    for name, column in zip(batch.schema.names, batch.columns):
        kind = column.type
        if pa.types.is_dictionary(kind):
            column = column.dictionary_decode()
        elif pa.types.is_decimal(kind) or pa.types.is_float16(kind):
            column = column.cast(pa.float64())
        elif pa.types.is_nested(kind) or pa.types.is_binary(kind) or pa.types.is_large_binary(kind):
            raise TableUnreadable(
                f"{path}, column {name!r}: it holds {kind}, not one value a patient: leave it out or unfold it"
            )
        if pa.types.is_large_string(column.type):
            column = column.cast(pa.string())
        columns.append(column)
    return pa.RecordBatch.from_arrays(columns, names=batch.schema.names)


def _parquet(path: Path) -> ParquetSource:
    try:
        with pq.ParquetFile(path) as file:
            names, rows = file.schema_arrow.names, file.metadata.num_rows
    except (OSError, pa.ArrowException) as error:
        raise TableUnreadable(f"{path} is no readable Parquet file ({error}): write it again") from error
    if not rows:
        raise TableUnreadable(f"{path} has columns but no row: export the table again")
    with path.open("rb") as raw:
        digest = hashlib.file_digest(raw, "sha256").hexdigest()
    return ParquetSource(path, _unique(names, path), digest)


def _text(path: Path, head: bytes, encoding: str, delimiter: str | None) -> TextSource:
    for mark, meant in MARKS.items():
        if head.startswith(mark) and meant == "utf-16":
            raise TableUnreadable(f"{path} begins as UTF-16 text: save it as UTF-8 (in Excel: CSV UTF-8)")
    if head.startswith(codecs.BOM_UTF8) and encoding == "utf-8":
        encoding = "utf-8-sig"
    digest = _scan(path, encoding)
    # The cut may fall inside a character of the last line, which is not the header's.
    first = head.decode(encoding, errors="ignore")
    line = next(csv.reader(io.StringIO(first), delimiter=delimiter or ","), [])
    if delimiter is None:
        raw = first.splitlines()[0]
        delimiter = max(DELIMITERS, key=raw.count)
        line = next(csv.reader(io.StringIO(first), delimiter=delimiter), [])
    names = _unique([name.strip() for name in line], path)
    arrow = "utf8" if encoding in ("utf-8", "utf-8-sig") else encoding
    if not head.partition(b"\n")[2].strip():
        raise TableUnreadable(f"{path} has a header but no row: export the table again")
    return TextSource(path, names, digest, arrow, delimiter)


def _unique(names: Sequence[str], path: Path) -> tuple[str, ...]:
    """Return the names, or refuse those that no mapping could tell apart."""
    twice = [name for name, count in Counter(names).items() if count > 1 and name]
    if twice:
        places = [i + 1 for i, name in enumerate(names) if name == twice[0]]
        raise TableUnreadable(
            f"{path}: {len(places)} columns are named {twice[0]!r} (columns {', '.join(map(str, places))}): "
            "give each a name of its own"
        )
    if "" in names:
        raise TableUnreadable(f"{path}: column {list(names).index('') + 1} has no name: name it in the header")
    if len(names) < 3:
        raise TableUnreadable(
            f"{path} has {len(names)} columns ({', '.join(names)}): hospital, label and one input are the least; "
            "set `delimiter:` where another sign than comma, semicolon, tab or bar parts them"
        )
    return tuple(names)


def _scan(path: Path, encoding: str) -> str:
    """Return the SHA-256 of the file; refuse bytes that are not of `encoding`, by offset and line."""
    try:
        decoder = codecs.getincrementaldecoder(encoding)()
    except LookupError:
        raise TableUnreadable(f"encoding {encoding!r} does not exist: try utf-8, latin-1 or cp1252") from None
    digest, lines, offset, other = hashlib.sha256(), 1, 0, False
    pending = 0  # bytes of an unfinished character that the decoder holds
    with path.open("rb") as file:
        while block := file.read(BLOCK):
            digest.update(block)
            try:
                text = decoder.decode(block)
            except UnicodeDecodeError as error:
                at = offset - pending + error.start
                line = lines + error.object[: error.start].count(b"\n")
                before = other or not error.object[: error.start].isascii()
                raise _misread(path, encoding, at, line, error, before) from error
            other = other or not text.isascii()
            pending = len(decoder.getstate()[0])
            if (null := block.find(b"\0")) >= 0:
                raise TableUnreadable(
                    f"{path}, byte {offset + null}: a zero byte: this is no text file, or it is damaged"
                )
            lines += block.count(b"\n")
            offset += len(block)
    try:
        decoder.decode(b"", final=True)
    except UnicodeDecodeError as error:
        raise _misread(path, encoding, offset - pending, lines, error, other) from error
    return digest.hexdigest()


def _misread(path: Path, encoding: str, at: int, line: int, error: UnicodeDecodeError, other: bool) -> TableUnreadable:
    bad = error.object[error.start]
    end = min(len(error.object), error.start + 12)
    shown = error.object[max(0, error.start - 12) : end].decode("latin-1").strip()
    # Where proper UTF-8 came before, declaring the whole file Latin-1 would garble that.
    mend = (
        "earlier lines are proper UTF-8, so the file mixes encodings: write this line anew as UTF-8"
        if other
        else "if the whole file is Latin-1, set `encoding: latin-1` in the mapping; else write it as UTF-8"
    )
    return TableUnreadable(
        f"{path}, line {line}, byte {at}: 0x{bad:02x} is not {encoding} (near {shown!r}, where Latin-1 has "
        f"{chr(bad)!r}): {mend}"
    )
