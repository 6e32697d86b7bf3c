"""The lines of the log's files."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Final

import orjson

from common.contracts.audit_log import ExportedRecord
from common.csv_cells import cell, lines

COLUMNS: Final = (
    "id",
    "created_at",
    "event_type",
    "user_id",
    "user_email",
    "user_name",
    "actor_kind",
    "actor_id",
    "session_id",
    "org_id",
    "ip_address",
    "user_agent",
    "trace",
)


async def ndjson(pages: AsyncIterator[list[ExportedRecord]]) -> AsyncIterator[bytes]:
    async for records in pages:
        yield b"".join(record.model_dump_json().encode() + b"\n" for record in records)


async def as_csv(pages: AsyncIterator[list[ExportedRecord]]) -> AsyncIterator[bytes]:
    """RFC 4180. For people and spreadsheets: the chain is in the NDJSON only."""
    yield lines([[*COLUMNS, "event_data"]])
    async for records in pages:
        yield lines(_row(record) for record in records)


def _row(record: ExportedRecord) -> list[str]:
    known = record.model_dump(mode="json", include=set(COLUMNS))
    data = orjson.dumps(record.event_data).decode()
    return [cell(known[name]) for name in COLUMNS] + [cell(data)]
