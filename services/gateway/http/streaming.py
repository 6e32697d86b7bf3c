"""Sends a body whose end is not known, until it ends or the client leaves."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Final

from gateway.http.asgi import Receive, Send

PATIENCE: Final = 0.5
"""Seconds until a task is cancelled again."""


async def send_pieces(receive: Receive, send: Send, pieces: AsyncGenerator[bytes, None]) -> None:
    """Sends each piece when it comes. When the client leaves, the generator is closed, so that it can
    free what it holds."""
    sending = asyncio.create_task(_send_all(send, pieces))
    leaving = asyncio.create_task(_until_left(receive))
    tasks = (sending, leaving)
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        await _end(tasks)
    if not sending.cancelled():
        sending.result()


async def _end(tasks: tuple[asyncio.Task[None], ...]) -> None:
    """Cancels the tasks until they have ended: a library that waits for an answer may miss a
    cancellation that comes together with the answer."""
    pending = set(tasks)
    while pending:
        for task in pending:
            task.cancel()
        _, pending = await asyncio.wait(pending, timeout=PATIENCE)


async def _send_all(send: Send, pieces: AsyncGenerator[bytes, None]) -> None:
    async with aclosing(pieces):
        async for piece in pieces:
            await send({"type": "http.response.body", "body": piece, "more_body": True})
    await send({"type": "http.response.body", "body": b""})


async def _until_left(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
