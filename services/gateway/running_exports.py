"""Exports that are being sent: each caller has one at a time in an application."""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator, AsyncIterator
from dataclasses import dataclass, field
from typing import Final, TypeVar

from common.context import Context
from common.problems import Conflict

P = TypeVar("P")
ABANDONED: Final = 60.0
"""Seconds without a new piece after which an export does not count any more."""


class ExportRunning(Conflict):
    """The caller already exports something of this application."""

    code, title = (
        "export_running",
        "Another export of yours is running. Wait until that file is complete.",
    )


@dataclass
class RunningExports:
    """The exports of one process. Each caller has one at a time in an application."""

    _last_piece: dict[tuple[str, str], float] = field(default_factory=dict)

    def begin(self, ctx: Context) -> tuple[str, str]:
        """Returns the name of a new export. Raises ExportRunning."""
        now = time.monotonic()
        for name in [name for name, at in self._last_piece.items() if now - at > ABANDONED]:
            del self._last_piece[name]
        name = (ctx.app_id, f"{ctx.caller.kind}:{ctx.caller.id}")
        if name in self._last_piece:
            raise ExportRunning
        self._last_piece[name] = now
        return name

    async def until_sent(
        self, name: tuple[str, str], pieces: AsyncIterator[P]
    ) -> AsyncGenerator[P, None]:
        """Yields the pieces of the export, which ends with them, or when nobody takes them any more."""
        try:
            async for piece in pieces:
                self._last_piece[name] = time.monotonic()
                yield piece
        finally:
            self.end(name)

    def end(self, name: tuple[str, str]) -> None:
        self._last_piece.pop(name, None)
