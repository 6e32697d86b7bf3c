"""Users and failed rows of a batch as files, piece by piece: however long they are, one piece is in
memory."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Final

import orjson

from common.bus import Bus
from common.context import Context
from common.contracts.user_batches import BatchResults, ListUserBatchResults
from common.contracts.user_import import ExportUsers, TransferredUser, TransferredUsers
from common.csv_cells import cell, lines

FIRST: Final = ("id", "email", "email_verified")
HIDDEN: Final = ("password", "password_hash")
COLUMNS: Final = FIRST + tuple(
    name for name in TransferredUser.model_fields if name not in FIRST + HIDDEN
)


async def pages_of_users(
    bus: Bus,
    ctx: Context,
    first: TransferredUsers,
) -> AsyncIterator[list[TransferredUser]]:
    """Yields the pages from `first` on, each with a time limit of its own."""
    page = first
    while True:
        yield page.users
        if page.next is None:
            return
        call = ExportUsers(limit=100, cursor=page.next)
        page = await bus.call(replace(ctx, deadline=time.time() + call.within), call)


async def ndjson(pages: AsyncIterator[list[TransferredUser]]) -> AsyncIterator[bytes]:
    async for users in pages:
        yield b"".join(
            user.model_dump_json(exclude_none=True, include=set(COLUMNS)).encode() + b"\n"
            for user in users
        )


async def as_csv(pages: AsyncIterator[list[TransferredUser]]) -> AsyncIterator[bytes]:
    """RFC 4180, with the columns that an import takes."""
    yield lines([list(COLUMNS)])
    async for users in pages:
        yield lines(_row(user) for user in users)


def _row(user: TransferredUser) -> list[str]:
    values = user.model_dump(mode="json", include=set(COLUMNS))
    return [cell(_text(values[name])) for name in COLUMNS]


def _text(value: object) -> object:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, dict):
        return orjson.dumps(value).decode() if value else ""
    return value


async def failed_rows(
    bus: Bus, ctx: Context, batch_id: str, first: BatchResults
) -> AsyncIterator[bytes]:
    """Yields a line for each failed row: its number, the errors, and the row without secrets."""
    piece = first
    while True:
        yield b"".join(
            orjson.dumps(one.model_dump(mode="json", exclude_none=True)) + b"\n"
            for one in piece.results
        )
        if piece.next is None:
            return
        call = ListUserBatchResults(batch_id=batch_id, failed=True, after=piece.next)
        piece = await bus.call(replace(ctx, deadline=time.time() + call.within), call)
