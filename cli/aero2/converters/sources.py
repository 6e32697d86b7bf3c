"""Reads the files that other systems export: JSON documents, one JSON object a line, and CSV; plain or compressed
by gzip."""

from __future__ import annotations

import csv
import gzip
import io
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import IO, Any, Final, cast

from aero2.failures import CommandError
from common.user_files import records

GZIP: Final = b"\x1f\x8b"
LONGEST_CELL: Final = 10_000_000
"""Characters of a CSV cell: metadata are one."""
Record = dict[str, Any]


def objects(file: Path, *, members: str | None = None) -> Iterator[Record | None]:
    """Yields the users of a JSON file: the members of an array, those of the array `members` of an object, or one
    object a line. Yields None for what is not an object. Holds one user in memory at a time. Raises
    CommandError."""
    with _opened(file) as source:
        first = _first_character(source)
        if first == b"[":
            yield from _streamed(file, source, "item")
        elif first == b"{" and members is not None:
            yield from _streamed(file, source, f"{members}.item")
        elif first == b"{":
            for record in records(source, "ndjson"):
                yield record if isinstance(record, dict) else None
        elif first:
            raise CommandError(f"{file} is not JSON.")


def rows(file: Path) -> Iterator[Record]:
    """Yields the rows of a CSV file with a header; an empty cell is None. Raises CommandError."""
    csv.field_size_limit(LONGEST_CELL)
    with _opened(file) as source, io.TextIOWrapper(source, "utf-8-sig", newline="") as text:
        try:
            for row in csv.DictReader(text):
                yield {name: cell or None for name, cell in row.items() if isinstance(name, str)}
        except UnicodeDecodeError:
            raise CommandError(f"{file} is not UTF-8: export it in that encoding.") from None
        except csv.Error as error:
            raise CommandError(f"{file} is not CSV: {error}") from None


def is_csv(file: Path) -> bool:
    """Returns whether the file's name says CSV."""
    return ".csv" in [suffix.lower() for suffix in file.suffixes]


def _opened(file: Path) -> io.BufferedReader:
    try:
        source = file.open("rb")
    except OSError as error:
        raise CommandError(f"{file} cannot be read: {error.strerror}") from None
    if source.peek(2)[:2] != GZIP:
        return source
    return io.BufferedReader(cast(io.RawIOBase, gzip.GzipFile(fileobj=source)))


def _first_character(source: io.BufferedReader) -> bytes:
    """Skips what may stand before JSON: blanks, and a byte order mark."""
    while source.peek(1)[:1] in (
        b" ",
        b"\t",
        b"\r",
        b"\n",
        b"\xef",
        b"\xbb",
        b"\xbf",
    ) and source.peek(1):
        source.read(1)
    return source.peek(1)[:1]


def _streamed(file: Path, source: IO[bytes], prefix: str) -> Iterator[Record | None]:
    import ijson  # nothing but a conversion needs it

    try:
        # Commands that page print several documents, one after the other.
        for item in ijson.items(source, prefix, multiple_values=True):
            yield _plain(item) if isinstance(item, dict) else None
    except (ijson.JSONError, UnicodeDecodeError, EOFError, gzip.BadGzipFile) as error:
        raise CommandError(f"{file} is not JSON: {error}") from None


def _plain(value: Any) -> Any:
    """Turns exact decimals into numbers that JSON writes again. The parser's own floats refuse integers beyond 64
    bits, and one of them would end the whole conversion."""
    if isinstance(value, dict):
        return {name: _plain(member) for name, member in value.items()}
    if isinstance(value, list):
        return [_plain(member) for member in value]
    return float(value) if isinstance(value, Decimal) else value
