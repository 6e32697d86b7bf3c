"""Lists as files, piece by piece: however long they are, one piece is in memory."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from typing import Any, Final, Literal, Protocol, TypeVar

from fastapi.responses import StreamingResponse

from common.bus import Bus
from common.context import Context
from common.contracts.base import Contract, Request
from gateway.state import Gateway

Format = Literal["csv", "ndjson"]
NDJSON: Final = "application/x-ndjson"
KINDS: Final = {"csv": "text/csv; charset=utf-8", "ndjson": NDJSON}


class Piece(Protocol):
    """A reply with a part of a list, and where the next part begins."""

    @property
    def next(self) -> Any: ...


P = TypeVar("P", bound=Piece)
R = TypeVar("R", bound=Contract)


async def file_response(
    gateway: Gateway,
    ctx: Context,
    call: Request[Any],
    *,
    name: str,
    format: Format,
    lines: Callable[[AsyncIterator[Any]], AsyncIterator[bytes]],
) -> StreamingResponse:
    """Returns the list as a file. `lines` writes the replies of the call. Raises ExportRunning, and what
    the first call raises."""
    running = gateway.exports.begin(ctx)
    try:
        first = await _ask(gateway.bus, ctx, call)
    except BaseException:
        gateway.exports.end(running)
        raise
    replies = gateway.exports.until_sent(running, pieces(gateway.bus, ctx, call, first))
    return attachment(f"{name}.{format}", KINDS[format], lines(replies))


async def pieces(
    bus: Bus, ctx: Context, call: Request[Any], first: P, *, begins: str = "cursor"
) -> AsyncIterator[P]:
    """Yields the replies from `first` on, each asked for with a time limit of its own. `begins` is the
    field of the call that says where a piece begins."""
    piece = first
    while True:
        yield piece
        if piece.next is None:
            return
        piece = await _ask(bus, ctx, call.model_copy(update={begins: piece.next}))


async def _ask(bus: Bus, ctx: Context, call: Request[R]) -> R:
    return await bus.call(replace(ctx, deadline=time.monotonic() + call.within), call)


def attachment(name: str, kind: str, lines: AsyncIterator[bytes]) -> StreamingResponse:
    """Returns the lines as a file of this name."""
    headers = {
        "cache-control": "no-store",
        "content-disposition": f'attachment; filename="{name}"',
    }
    return StreamingResponse(lines, media_type=kind, headers=headers)
