"""A connection with one deadline, which moves with every request."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from gateway.http.uvicorn_private import HookedProtocol

if TYPE_CHECKING:
    from collections.abc import Callable

LINGER: Final = 1.0
"""Seconds in which a client can take note of the end of its idle connection."""
PRECISION: Final = 0.002
"""Seconds. A timer of the loop may fire so much too early."""


class TimedProtocol(HookedProtocol):
    """uvicorn's protocol, with a deadline. A new deadline costs no new timer."""

    _deadline: float = 0.0
    """When `on_deadline` is called, as a time of the loop."""
    on_deadline: Callable[[], None] | None = None
    """Called at the deadline, to end the connection. None if nothing is limited now."""
    _timer: asyncio.TimerHandle | None = None
    """It ends nothing by itself, but looks at the deadline."""
    has_ended: bool = False
    """Whether we have sent the end of the connection. Nothing is read after that."""

    def end_within(self, seconds: float, end: Callable[[], None]) -> None:
        """Calls `end` after `seconds`, instead of what was to be called. Nothing if `on_deadline` is None then."""
        self.on_deadline, self._deadline = end, self.loop.time() + seconds
        if self._timer is None or self._timer.when() > self._deadline:
            self._start_timer()

    def _start_timer(self) -> None:
        self.stop_timer()
        self._timer = self.loop.call_at(self._deadline, self._look_at_deadline)

    def stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _look_at_deadline(self) -> None:
        self._timer = None
        if self.on_deadline is None:
            return
        if self._deadline - self.loop.time() > PRECISION:  # it was moved
            self._start_timer()
        else:
            self.on_deadline()

    def close_idle(self) -> None:
        """Sends the end of the connection, and closes it when the client has seen that. A request that
        crosses the end is not read, so it has no effect; a close would answer it with a reset."""
        if self.transport.is_closing():
            return
        self.has_ended = True
        self.transport.write_eof()
        self.end_within(LINGER, self.transport.close)
