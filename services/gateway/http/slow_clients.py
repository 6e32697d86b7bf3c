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
from gateway.http.timed_protocol import TimedProtocol
from gateway.http.uvicorn_private import RequestResponseCycle, StoppingState

if TYPE_CHECKING:
    from collections.abc import Iterable

FIRST_REQUEST: Final = 30.0
"""Seconds until the first request starts on a new connection."""
WHOLE_REQUEST: Final = 60.0
"""Seconds from the start of a request until its whole body has arrived."""
STALLED_WRITE: Final = 120.0
"""Seconds for which a client may take nothing of a response while the buffers are full."""
LAST_REQUEST: Final = 1.0
"""Seconds for the rest of a request to arrive when the process drains."""
MAX_CONNECTIONS: Final = 4_000
"""Beyond this number, waiting connections are closed to make room."""
CLOSED_AT_ONCE: Final = 64
SPARE_FILES: Final = 100
"""File descriptors for everything else."""
MAX_FILES: Final = 8_192
UPGRADE: Final = b"upgrade"
NOT_STOPPING: Final = StoppingState()


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


class Connection(TimedProtocol):
    """uvicorn's connection, with time limits."""

    limit: int = MAX_CONNECTIONS
    """Connections of this process."""
    since: float = 0.0
    """When it started to wait."""
    client_network: str = "-"
    _draining: bool = False
    """Whether the process drains. A request that has started to arrive is still answered."""
    _begun: bool = False
    """Whether a part of a request has arrived, and the rest has not."""
    _has_upgrade_offer: bool = False
    """Whether the request that is being read offers to change the protocol."""
    _method: bytes = b""
    _version: bytes = b""
    _reading: bool = False
    """Whether a request is awaited or arrives: always, except from its last byte to its response, and
    while the connection is idle."""
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
        self.on_deadline = None
        self.stop_timer()
        self._stop_write_timer()
        super().connection_lost(exc)
        cycle = self._current_cycle
        if cycle is not None and not cycle.response_complete:
            cycle.disconnected = True
            cycle.message_event.set()

    def announce_end(self) -> None:
        """Makes the response that is being prepared the last one of the connection."""
        if self.cycle is not None and not self.cycle.response_complete:
            self.cycle.keep_alive = False

    def shutdown(self) -> None:
        """Starts to drain. A client that has just connected, has sent a part of a request, or used the
        connection a moment ago still gets a response. uvicorn would close the connection, and the system
        would reset it if a request was on its way (RFC 9112 section 9.6)."""
        self._draining = True
        if self.cycle is not None and not self.cycle.response_complete:
            self.announce_end()
        elif not (self._begun and self._stopping.patient):  # otherwise it has its own time limit
            least = LAST_REQUEST if self._reading else 0.0
            self.end_within(max(least, self._stopping.idle_time), self.close_idle)

    @property
    def _stopping(self) -> StoppingState:
        state = self.server_state
        return state if isinstance(state, StoppingState) else NOT_STOPPING

    def data_received(self, data: bytes) -> None:
        """Feeds the parser. An offer to change the protocol is declined (RFC 9110 section 7.8).

        The parser skips the body of a request with such an offer and would read it as the next
        request. A fresh parser therefore reads the same head again, without the offer.
        """
        if self.has_ended:
            return
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
        self._begun = True
        self._read_within(WHOLE_REQUEST)

    def on_headers_complete(self) -> None:
        self._has_upgrade_offer = self.parser.should_upgrade()
        if not self._has_upgrade_offer:
            before = self.cycle
            super().on_headers_complete()
            if self._draining or self._stopping.stops:
                self._ends_with_newest(before)
            return
        self._method = self.parser.get_method()
        self._version = self.parser.get_http_version().encode()
        if self._method == b"CONNECT":
            raise BadRequest("this server is not a proxy")

    def _ends_with_newest(self, before: RequestResponseCycle | None) -> None:
        """Ends the connection after the newest request. The one `before` it may still wait for its
        response, and must not end the connection then (RFC 9112 section 9.3.2)."""
        if before is not None and not before.response_started:
            before.keep_alive = True
        self.cycle.keep_alive = False

    def on_message_complete(self) -> None:
        if self._has_upgrade_offer:  # the body is still to come
            return
        self._reading, self._begun, self.on_deadline = False, False, None
        super().on_message_complete()

    def on_response_complete(self) -> None:
        self.since = self.loop.time()
        super().on_response_complete()

    def becomes_idle(self) -> None:
        if not self._reading:  # the next request may have started to arrive
            self.end_within(self.timeout_keep_alive, self.close_idle)

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
        self.on_deadline = None
        if not self.transport.is_closing():
            self.transport.abort()

    def _read_within(self, seconds: float) -> None:
        """Gives up the client if the whole request has not arrived after `seconds`."""
        self._reading = True
        self.end_within(seconds, self.give_up)

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
