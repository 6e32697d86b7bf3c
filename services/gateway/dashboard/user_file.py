"""The file of an import, as a developer uploads it: CSV, JSON or NDJSON."""

from __future__ import annotations

from collections.abc import Iterator
from io import BytesIO
from typing import Any, Final

import orjson

from common import exact_json
from common.contracts.user_batches import MOST_USERS
from common.user_files import records

ROWS: Final = 500
"""Rows of one call."""
ROW_BYTES: Final = 400_000
"""Bytes of one call; the bus carries a megabyte at most."""
MOST_FAULTS: Final = 5


class UnreadableFile(Exception):
    """Rows that cannot be read, by number, the first is 1. Without rows, the whole file."""

    def __init__(self, faults: list[tuple[int, str]]) -> None:
        super().__init__("the file cannot be read")
        self.faults = faults


def read_users(text: str) -> list[dict[str, Any]]:
    """Returns the rows of a file. Raises UnreadableFile."""
    rows: list[dict[str, Any]] = []
    faults: list[tuple[int, str]] = []
    for number, record in enumerate(_records(text), 1):
        if number > MOST_USERS:
            raise UnreadableFile([(number, f"more than {MOST_USERS} rows")])
        if isinstance(record, str):
            faults.append((number, record))
            if len(faults) == MOST_FAULTS:
                break
        else:
            rows.append(_row(record))
    if faults or not rows:
        raise UnreadableFile(faults)
    return rows


def _row(record: dict[str, Any]) -> dict[str, Any]:
    """Returns the row. A line of a file of failed rows has it in a member `record`."""
    inner = record.get("record")
    return inner if isinstance(inner, dict) and "row" in record else record


def _records(text: str) -> Iterator[dict[str, Any] | str]:
    start = text.lstrip()[:1]
    raw = text.encode("utf-8", "surrogateescape")
    if start == "[":
        yield from _of_list(raw)
        return
    yield from records(BytesIO(raw), "ndjson" if start == "{" else "csv")


def _of_list(raw: bytes) -> Iterator[dict[str, Any] | str]:
    try:
        faults = exact_json.faults(raw)
        listed = orjson.loads(raw)
    except ValueError:
        raise UnreadableFile([(1, "not JSON")]) from None
    if faults:
        raise UnreadableFile([(1, f"{faults[0]['field']} {faults[0]['message']}")])
    for one in listed:
        yield one if isinstance(one, dict) else "not an object"


def pieces(rows: list[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    """Yields the rows in pieces that one call carries."""
    piece: list[dict[str, Any]] = []
    size = 0
    for row in rows:
        length = len(orjson.dumps(row))
        if piece and (len(piece) == ROWS or size + length > ROW_BYTES):
            yield piece
            piece, size = [], 0
        piece.append(row)
        size += length
    yield piece
