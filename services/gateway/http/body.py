"""The body of a request, bounded in size."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from common.problems import BadRequest, TooLarge
from gateway.http.asgi import Receive


@dataclass(slots=True)
class LimitedBody:
    """An ASGI `receive` that raises TooLarge after `limit` bytes. `on_end` is awaited once, when the
    last part of the body has arrived."""

    receive: Receive
    limit: int
    on_end: Callable[[], Awaitable[None]] | None = None
    size: int = 0

    async def __call__(self) -> dict[str, Any]:
        message = await self.receive()
        if message["type"] == "http.request":
            self.size += len(message.get("body", b""))
            if self.size > self.limit:
                raise TooLarge(f"the body can have at most {self.limit} bytes")
            if self.on_end is not None and not message.get("more_body"):
                on_end, self.on_end = self.on_end, None
                await on_end()
        return message

    async def read(self) -> bytes:
        """Returns the whole body. Raises BadRequest if the client breaks off: half a form would be a
        different form (RFC 9112 section 8)."""
        chunks: list[bytes] = []
        while True:
            message = await self()
            if message["type"] == "http.disconnect":
                raise BadRequest("the connection ended before the whole body arrived")
            chunks.append(message.get("body", b""))
            if not message.get("more_body"):
                return b"".join(chunks)


def check_length(header: bytes, limit: int) -> None:
    """Raises BadRequest or TooLarge for a Content-Length header that is not accepted."""
    if not header.isdigit():
        raise BadRequest("Content-Length is not a number")
    if int(header) > limit:
        raise TooLarge(f"the body can have at most {limit} bytes")
