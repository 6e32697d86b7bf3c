"""Connections as they come: none is kept for somebody who sends nothing, or never finishes.

uvicorn gives a request as long as it likes to arrive, and keeps a connection over which none has
come for ever; past `limit_concurrency` of them everybody is turned away. So whoever opened
connections and sent nothing shut out all others.
"""

from __future__ import annotations

import asyncio
import resource
from collections import Counter
from heapq import nsmallest
from typing import TYPE_CHECKING, Final

import httptools
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from common import metrics
from common.ip_addresses import client_network
from common.problems import BadRequest

if TYPE_CHECKING:
    from collections.abc import Iterable

    from uvicorn._types import ASGI3Application
    from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

FIRST: Final = 30.0
"""Seconds until a request begins on a new connection."""
WHOLE: Final = 60.0
"""Seconds in which a request, once begun, arrives with its whole body."""
TAKEN: Final = 120.0
"""Seconds in which somebody takes what was sent to him: the system holds no more for him."""
LAST: Final = 1.0
"""Seconds in which a request that is on its way arrives, once the process drains."""
MOST: Final = 4_000
"""Connections; beyond, those that wait make room."""
AT_A_TIME: Final = 64
SPARE: Final = 100
"""File descriptors for all else."""
FILES: Final = 8_192
UPGRADE: Final = b"upgrade"


def room() -> int:
    """How many connections this process can hold, once it has as many files as it may."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = FILES if hard == resource.RLIM_INFINITY else min(FILES, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
        soft = wanted
    return MOST if soft == resource.RLIM_INFINITY else max(1, min(MOST, soft - SPARE))


class Connection(HttpToolsProtocol):
    """uvicorn's, and an end to waiting."""

    most: int = MOST
    since: float = 0.0
    """When it began to wait for what it waits for."""
    client_network: str = "-"
    _last: bool = False
    """Whether the process drains: one more request, if it is on its way."""
    _offered: bool = False
    """Whether the request that is being read offers to change the protocol."""
    _method: bytes = b""
    _version: bytes = b""
    _arrives: asyncio.TimerHandle | None = None
    _takes: asyncio.TimerHandle | None = None
    _answered: RequestResponseCycle | None = None
    """The request that is being answered, or was last. uvicorn's `cycle` is the newest, which
    behind a pipelined one has to wait."""

    @property
    def waits(self) -> bool:
        """Nothing is worked on: no request, or not all of one, is here."""
        asked = self._answered
        return asked is None or asked.response_complete or asked.more_body

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)  # type: ignore[arg-type]  # narrowed there
        self.since, self.network = (
            self.loop.time(),
            client_network(self.client[0] if self.client else ""),
        )
        if len(self.connections) > self.most:
            make_room(self.connections)
        self._within(FIRST)

    def connection_lost(self, exc: Exception | None) -> None:
        self._arrived()
        self._taken()
        super().connection_lost(exc)
        asked = self._answered
        if asked is not None and not asked.response_complete:
            asked.disconnected = True
            asked.message_event.set()

    def shutdown(self) -> None:
        """Begin to drain. Who has just connected, or has sent half a request, is still answered;
        uvicorn would close the connection under the request."""
        answering = self.cycle is not None and not self.cycle.response_complete
        if self._arrives is None or answering:
            super().shutdown()
            return
        self._last = True
        self._arrived()
        self._arrives = self.loop.call_later(LAST, self.transport.close)

    def data_received(self, data: bytes) -> None:
        """Feeds the parser. An offer to change the protocol is declined (RFC 9110 section 7.8).

        The parser skips the body of a request with such an offer and would read it as the next
        request. A fresh parser therefore reads the same head again, without the offer.
        """
        self._unset_keepalive_if_required()
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
        self._within(WHOLE)

    def on_headers_complete(self) -> None:
        self._offered = self.parser.should_upgrade()
        if not self._offered:
            super().on_headers_complete()
            if self._last:
                self.cycle.keep_alive = False
            return
        self._method = self.parser.get_method()
        self._version = self.parser.get_http_version().encode()
        if self._method == b"CONNECT":
            raise BadRequest("this server is not a proxy")

    def on_message_complete(self) -> None:
        if self._offered:  # the body is still to come
            return
        self._arrived()
        super().on_message_complete()

    def on_response_complete(self) -> None:
        self.since = self.loop.time()
        super().on_response_complete()

    def pause_writing(self) -> None:
        super().pause_writing()
        self._takes = self.loop.call_later(TAKEN, self.give_up)

    def resume_writing(self) -> None:
        self._taken()
        super().resume_writing()

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: ASGI3Application) -> None:
        self._answered = cycle
        super()._start_asgi_task(cycle, app)

    def give_up(self) -> None:
        """Who sends or takes so slowly, or nothing, is sent away."""
        metrics.LIMITED.labels("slow").inc()
        self._arrived()
        if not self.transport.is_closing():
            self.transport.abort()

    def _within(self, seconds: float) -> None:
        self._arrived()
        self._arrives = self.loop.call_later(seconds, self.give_up)

    def _arrived(self) -> None:
        if self._arrives is not None:
            self._arrives.cancel()
            self._arrives = None

    def _taken(self) -> None:
        if self._takes is not None:
            self._takes.cancel()
            self._takes = None


def make_room(connections: Iterable[asyncio.Protocol]) -> None:
    """Those that have waited longest are sent away, of the network that has most of them waiting:
    who asks at once and goes hardly waits, and a proxy keeps few."""
    waiting = [
        one
        for one in connections
        if isinstance(one, Connection) and one.waits and not one.transport.is_closing()
    ]
    if waiting:
        [(greedy, count)] = Counter(one.network for one in waiting).most_common(1)
        theirs = (one for one in waiting if one.network == greedy)
        for one in nsmallest(min(AT_A_TIME, (count + 1) // 2), theirs, key=lambda one: one.since):
            one.give_up()
