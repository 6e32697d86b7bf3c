"""Files of users that the command line writes."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

from common.contracts.user_import import TransferredUser


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
