"""Time limits for connections: slow and idle clients do not shut out the others.

uvicorn waits for a request without a limit, and keeps a connection without requests open forever.
Beyond `limit_concurrency` connections it refuses everybody. So a client that opens connections and
sends nothing would shut out all others.
"""

from __future__ import annotations

import asyncio
import resource
from collections import Counter
from heapq import nsmallest
from typing import TYPE_CHECKING, Final

import httptools

from common import metrics
from common.ip_addresses import client_network
from common.problems import BadRequest
from gateway.http.date_header import DATE
from gateway.http.uvicorn_private import HookedProtocol, RequestResponseCycle

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

FIRST_REQUEST: Final = 30.0
"""Seconds until the first request starts on a new connection."""
WHOLE_REQUEST: Final = 60.0
"""Seconds from the start of a request until its whole body has arrived."""
STALLED_WRITE: Final = 120.0
"""Seconds for which a client may take nothing of a response while the buffers are full."""
LAST_REQUEST: Final = 1.0
"""Seconds for the rest of a request to arrive when the process drains."""
PRECISION: Final = 0.002
"""Seconds. A timer of the loop may fire so much too early."""
MAX_CONNECTIONS: Final = 4_000
"""Beyond this number, waiting connections are closed to make room."""
CLOSED_AT_ONCE: Final = 64
SPARE_FILES: Final = 100
"""File descriptors for everything else."""
MAX_FILES: Final = 8_192
UPGRADE: Final = b"upgrade"


def connection_limit() -> int:
    """Raises the process's limit of open files, and returns how many connections it can hold."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    files = MAX_FILES if hard == resource.RLIM_INFINITY else min(MAX_FILES, hard)
    if soft != resource.RLIM_INFINITY and soft < files:
        resource.setrlimit(resource.RLIMIT_NOFILE, (files, hard))
        soft = files
    if soft == resource.RLIM_INFINITY:
        return MAX_CONNECTIONS
    return max(1, min(MAX_CONNECTIONS, soft - SPARE_FILES))


class Connection(HookedProtocol):
    """uvicorn's connection, with time limits."""

    limit: int = MAX_CONNECTIONS
    """Connections of this process."""
    since: float = 0.0
    """When it started to wait."""
    client_network: str = "-"
    _draining: bool = False
    """Whether the process drains. A request that has started to arrive is still answered."""
    _has_upgrade_offer: bool = False
    """Whether the request that is being read offers to change the protocol."""
    _method: bytes = b""
    _version: bytes = b""
    _reading: bool = False
    """Whether a request is awaited or arrives: always, except from its last byte to its response, and
    while the connection is idle."""
    _deadline: float = 0.0
    """When `_end` is called, as a time of the loop."""
    _end: Callable[[], None] | None = None
    """Called at the deadline, to end the connection. None if nothing is limited now."""
    _timer: asyncio.TimerHandle | None = None
    """It ends nothing by itself, but looks at the deadline. So a new deadline costs no new timer."""
    _write_timer: asyncio.TimerHandle | None = None
    _current_cycle: RequestResponseCycle | None = None
    """The request that is being answered, or was answered last. uvicorn's `cycle` is the newest one,
    which may be a pipelined request that still waits."""

    @property
    def waits(self) -> bool:
        """Whether nothing is worked on: no whole request has arrived."""
        cycle = self._current_cycle
        return cycle is None or cycle.response_complete or cycle.more_body

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)  # type: ignore[arg-type]  # narrowed there
        self.since, self.network = (
            self.loop.time(),
            client_network(self.client[0] if self.client else ""),
        )
        if len(self.connections) > self.limit:
            make_room(self.connections)
        self._read_within(FIRST_REQUEST)

    def connection_lost(self, exc: Exception | None) -> None:
        self._end = None
        self._stop_timer()
        self._stop_write_timer()
        super().connection_lost(exc)
        cycle = self._current_cycle
        if cycle is not None and not cycle.response_complete:
            cycle.disconnected = True
            cycle.message_event.set()

    def shutdown(self) -> None:
        """Starts to drain. A client that has just connected, or has sent half a request, still gets its
        response. uvicorn would close the connection."""
        answering = self.cycle is not None and not self.cycle.response_complete
        if not self._reading or answering:
            super().shutdown()
            return
        self._draining = True
        self._end_within(LAST_REQUEST, self.transport.close)

    def data_received(self, data: bytes) -> None:
        """Feeds the parser. An offer to change the protocol is declined (RFC 9110 section 7.8).

        The parser skips the body of a request with such an offer and would read it as the next
        request. A fresh parser therefore reads the same head again, without the offer.
        """
        self.server_state.default_headers = DATE.headers()
        while data:
            try:
                self.parser.feed_data(data)
            except httptools.HttpParserUpgrade as offer:
                data = self._head_without_offer() + data[offer.args[0] :]
                self.parser = httptools.HttpRequestParser(self)
                self.parser.set_dangerous_leniencies(lenient_data_after_close=True)  # as uvicorn
                continue
            except httptools.HttpParserError:
                self.send_400_response("Invalid HTTP request received.")
            return

    def _head_without_offer(self) -> bytes:
        """The head of the current request as bytes, without the Upgrade header field."""
        lines = [b"%s %s HTTP/%s" % (self._method, self.url, self._version)]
        for name, value in self.headers:
            if name == b"connection":
                options = [option.strip() for option in value.split(b",")]
                value = b", ".join(one for one in options if one.lower() != UPGRADE)
            if name != UPGRADE:
                lines.append(b"%s: %s" % (name, value))
        return b"\r\n".join([*lines, b"", b""])

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._read_within(WHOLE_REQUEST)

    def on_headers_complete(self) -> None:
        self._has_upgrade_offer = self.parser.should_upgrade()
        if not self._has_upgrade_offer:
            super().on_headers_complete()
            if self._draining:
                self.cycle.keep_alive = False
            return
        self._method = self.parser.get_method()
        self._version = self.parser.get_http_version().encode()
        if self._method == b"CONNECT":
            raise BadRequest("this server is not a proxy")

    def on_message_complete(self) -> None:
        if self._has_upgrade_offer:  # the body is still to come
            return
        self._reading, self._end = False, None
        super().on_message_complete()

    def on_response_complete(self) -> None:
        self.since = self.loop.time()
        super().on_response_complete()

    def becomes_idle(self) -> None:
        if not self._reading:  # the next request may have started to arrive
            self._end_within(self.timeout_keep_alive, self.transport.close)

    def pause_writing(self) -> None:
        super().pause_writing()
        self._write_timer = self.loop.call_later(STALLED_WRITE, self.give_up)

    def resume_writing(self) -> None:
        self._stop_write_timer()
        super().resume_writing()

    def cycle_starts(self, cycle: RequestResponseCycle) -> None:
        self._current_cycle = cycle

    def give_up(self) -> None:
        """Closes the connection of a client that is too slow."""
        metrics.LIMITED.labels("slow").inc()
        self._end = None
        if not self.transport.is_closing():
            self.transport.abort()

    def _read_within(self, seconds: float) -> None:
        """Gives up the client if the whole request has not arrived after `seconds`."""
        self._reading = True
        self._end_within(seconds, self.give_up)

    def _end_within(self, seconds: float, end: Callable[[], None]) -> None:
        """Calls `end` after `seconds`, instead of what was to be called. Nothing if `_end` is None then."""
        self._end, self._deadline = end, self.loop.time() + seconds
        if self._timer is None or self._timer.when() > self._deadline:
            self._start_timer()

    def _start_timer(self) -> None:
        self._stop_timer()
        self._timer = self.loop.call_at(self._deadline, self._look_at_deadline)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _look_at_deadline(self) -> None:
        self._timer = None
        if self._end is None:
            return
        if self._deadline - self.loop.time() > PRECISION:  # it was moved
            self._start_timer()
        else:
            self._end()

    def _stop_write_timer(self) -> None:
        if self._write_timer is not None:
            self._write_timer.cancel()
            self._write_timer = None


def make_room(connections: Iterable[asyncio.Protocol]) -> None:
    """Closes the connections that have waited longest, of the network with the most waiting ones. A
    client that sends its request immediately hardly waits, and a proxy keeps few idle connections."""
    waiting = [
        one
        for one in connections
        if isinstance(one, Connection) and one.waits and not one.transport.is_closing()
    ]
    if waiting:
        [(greedy, count)] = Counter(one.network for one in waiting).most_common(1)
        theirs = (one for one in waiting if one.network == greedy)
        for one in nsmallest(
            min(CLOSED_AT_ONCE, (count + 1) // 2), theirs, key=lambda one: one.since
        ):
            one.give_up()
