"""The lines of files of users, and of the failed rows of a batch."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Final

import orjson

from common.contracts.user_batches import BatchResults
from common.contracts.user_import import TransferredUser
from common.csv_cells import cell, lines

FIRST: Final = ("id", "email", "email_verified")
HIDDEN: Final = ("password", "password_hash")
COLUMNS: Final = FIRST + tuple(
    name for name in TransferredUser.model_fields if name not in FIRST + HIDDEN
)


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


async def failed_rows(replies: AsyncIterator[BatchResults]) -> AsyncIterator[bytes]:
    """Yields a line for each failed row: its number, the errors, and the row without secrets."""
    async for reply in replies:
        yield b"".join(
            orjson.dumps(one.model_dump(mode="json", exclude_none=True)) + b"\n"
            for one in reply.results
        )
