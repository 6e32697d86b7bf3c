"""The log as a file, piece by piece: however long it is, one piece is in memory."""

from __future__ import annotations

import csv
import io
import time
from collections.abc import AsyncGenerator, AsyncIterator, Iterable
from dataclasses import replace
from typing import Final

import orjson

from common.bus import Bus
from common.context import Context
from common.contracts.audit_log import AuditExport, ExportAudit, ExportedRecord
from common.problems import RateLimited

RETRY: Final = 10
"""Seconds until a caller whose export runs may try again."""
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
FORMULA: Final = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
"""A cell that begins like this is a formula to a spreadsheet (OWASP CSV injection)."""


async def pieces(
    bus: Bus, ctx: Context, request: ExportAudit, first: AuditExport
) -> AsyncIterator[list[ExportedRecord]]:
    """The pieces after `first`, each asked for with a time limit of its own."""
    piece = first
    while True:
        yield piece.records
        if piece.next is None:
            return
        fresh = replace(ctx, deadline=time.time() + request.within)
        piece = await bus.call(fresh, request.model_copy(update={"cursor": piece.next}))


async def one_at_a_time(
    running: set[tuple[str, str]], key: tuple[str, str], lines: AsyncIterator[bytes]
) -> AsyncGenerator[bytes, None]:
    """Yields the lines of an export. While it runs, its caller cannot start another one: `running` has the
    application and the caller of each export at this gateway."""
    check_free(running, key)
    running.add(key)
    try:
        async for line in lines:
            yield line
    finally:
        running.discard(key)


def check_free(running: set[tuple[str, str]], key: tuple[str, str]) -> None:
    """Raises RateLimited if an export of this caller runs."""
    if key in running:
        raise RateLimited("your last export is not finished", retry_after=RETRY)


async def ndjson(pages: AsyncIterator[list[ExportedRecord]]) -> AsyncIterator[bytes]:
    async for records in pages:
        yield b"".join(record.model_dump_json().encode() + b"\n" for record in records)


async def as_csv(pages: AsyncIterator[list[ExportedRecord]]) -> AsyncIterator[bytes]:
    """RFC 4180. For people and spreadsheets: the chain is in the NDJSON only."""
    yield _lines([[*COLUMNS, "event_data"]])
    async for records in pages:
        yield _lines(_row(record) for record in records)


def _row(record: ExportedRecord) -> list[str]:
    known = record.model_dump(mode="json", include=set(COLUMNS))
    data = orjson.dumps(record.event_data).decode()
    return [_cell(known[name]) for name in COLUMNS] + [_cell(data)]


def _cell(value: object) -> str:
    text = "" if value is None else str(value)
    return f"'{text}" if text.startswith(FORMULA) else text


def _lines(rows: Iterable[list[str]]) -> bytes:
    text = io.StringIO(newline="")
    csv.writer(text).writerows(rows)
    return text.getvalue().encode()
