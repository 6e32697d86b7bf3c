"""Files of users: NDJSON, JSON and CSV, as docs/users.md has them."""

from __future__ import annotations

import csv
import re
from codecs import BOM_UTF8
from collections.abc import Iterator
from typing import IO, Any, Final

import orjson

from common import exact_json
from common.csv_cells import without_prefix

JSON_COLUMNS: Final = {"address", "public_metadata", "private_metadata", "user_metadata"}
FLAGS: Final = {"email_verified", "phone_number_verified", "disabled"}
TRUE: Final = {"true", "1", "yes", "t"}
FALSE: Final = {"false", "0", "no", "f", ""}
NOT_UTF8: Final = "not UTF-8: save the file in that encoding"
MOST_COLUMNS: Final = 100
LONE_BYTE: Final = re.compile("[\udc80-\udcff]")


def records(source: IO[bytes], format: str) -> Iterator[dict[str, Any] | str]:
    """Yields each record, or in words what is wrong with it. Skips empty lines."""
    if format == "csv":
        yield from _csv_records(source)
        return
    for first, line in _first(source):
        text = line.removeprefix(BOM_UTF8) if first else line
        if text.strip():
            yield _from_json(text)


def _from_json(text: bytes) -> dict[str, Any] | str:
    try:
        faults = exact_json.faults(text)
        record = orjson.loads(text)
    except UnicodeDecodeError:
        return NOT_UTF8
    except ValueError:
        return "not JSON"
    if faults:
        return "; ".join(f"{fault['field']} {fault['message']}" for fault in faults)
    return record if isinstance(record, dict) else "not an object"


def _csv_records(source: IO[bytes]) -> Iterator[dict[str, Any] | str]:
    """A byte that is not UTF-8 becomes a lone surrogate, which marks the record that holds it."""
    text = (
        line.decode("utf-8-sig" if first else "utf-8", "surrogateescape")
        for first, line in _first(source)
    )
    rows = csv.reader(text)
    columns = _columns(rows)
    if len(columns) > MOST_COLUMNS:
        yield f"more than {MOST_COLUMNS} columns"
        return
    if any(LONE_BYTE.search(name) for name in columns):
        yield NOT_UTF8
        return
    twice = {name for name in columns if columns.count(name) > 1}
    while True:
        try:
            cells = next(rows, None)
        except csv.Error:
            yield "not CSV"
            continue
        if cells is None:
            return
        if not cells:
            continue
        if any(LONE_BYTE.search(cell) for cell in cells[: MOST_COLUMNS + 1]):
            yield NOT_UTF8
        elif twice:
            yield f"the file has several columns named {min(twice)}"
        elif len(cells) > len(columns):
            yield "more cells than columns"
        else:
            yield _from_csv(dict(zip(columns, cells, strict=False)))


def _columns(rows: Iterator[list[str]]) -> list[str]:
    """Returns the names in the first row; none if that cannot be read."""
    try:
        return [name.strip() for name in next(rows, [])]
    except csv.Error:
        return []


def _first(source: IO[bytes]) -> Iterator[tuple[bool, bytes]]:
    for number, line in enumerate(source):
        yield number == 0, line


def _from_csv(row: dict[str, str]) -> dict[str, Any] | str:
    """Empty cells are absent; flags are words; addresses and metadata are JSON."""
    record: dict[str, Any] = {}
    for name, cell in row.items():
        if cell == "":
            continue
        if name in FLAGS:
            word = cell.strip().lower()
            if word not in TRUE | FALSE:
                return f"{name} is neither true nor false"
            record[name] = word in TRUE
        elif name in JSON_COLUMNS:
            try:
                faults = exact_json.faults(cell.encode())
                record[name] = orjson.loads(cell)
            except ValueError:
                return f"{name} is not JSON"
            if faults:
                return f"{name}: {faults[0]['field']} {faults[0]['message']}"
        else:
            record[name] = without_prefix(cell)
    return record
