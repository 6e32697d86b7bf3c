"""Files of users: NDJSON and CSV, as docs/users.md has them."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any, Final

import orjson

from common.contracts.transfer import TransferredUser

JSON_COLUMNS: Final = {"address", "public_metadata", "private_metadata", "user_metadata"}
FLAGS: Final = {"email_verified", "phone_number_verified", "disabled"}
TRUE: Final = {"true", "1", "yes", "t"}
FALSE: Final = {"false", "0", "no", "f", ""}


def records(source: IO[bytes], format: str) -> Iterator[dict[str, Any] | str]:
    """Each record, or what is wrong with it in words. Empty lines count for nothing."""
    if format == "csv":
        text = (
            line.decode("utf-8-sig" if first else "utf-8", "replace")
            for first, line in _first(source)
        )
        for row in csv.DictReader(text):
            yield _from_csv(row)
        return
    for line in source:
        if not line.strip():
            continue
        try:
            record = orjson.loads(line)
        except orjson.JSONDecodeError:
            yield "not JSON"
            continue
        yield record if isinstance(record, dict) else "not an object"


def _first(source: IO[bytes]) -> Iterator[tuple[bool, bytes]]:
    for number, line in enumerate(source):
        yield number == 0, line


def _from_csv(row: dict[str | None, Any]) -> dict[str, Any] | str:
    """Empty cells are absent; flags are words; addresses and metadata are JSON."""
    found: dict[str, Any] = {}
    if None in row:
        return "more cells than columns"
    for name, cell in row.items():
        if name is None or cell is None or cell == "":
            continue
        name = name.strip()
        if name in FLAGS:
            word = cell.strip().lower()
            if word not in TRUE | FALSE:
                return f"{name} is neither true nor false"
            found[name] = word in TRUE
        elif name in JSON_COLUMNS:
            try:
                found[name] = orjson.loads(cell)
            except orjson.JSONDecodeError:
                return f"{name} is not JSON"
        else:
            found[name] = cell
    return found


def write_users(sink: IO[str], format: str, users: Iterator[dict[str, Any]]) -> int:
    """How many were written."""
    count = 0
    table = None
    if format == "csv":
        columns = [name for name in TransferredUser.model_fields if name != "password"]
        table = csv.DictWriter(sink, columns)
        table.writeheader()
    for user in users:
        count += 1
        if table is None:
            sink.write(json.dumps(user, ensure_ascii=False) + "\n")
        else:
            table.writerow({name: _cell(value) for name, value in user.items()})
    return count


def _cell(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, dict):
        return json.dumps(value, ensure_ascii=False) if value else ""
    return str(value)


def format_of(file: Path, format: str) -> str:
    if format != "auto":
        return format
    return "csv" if file.suffix.lower() == ".csv" else "ndjson"
