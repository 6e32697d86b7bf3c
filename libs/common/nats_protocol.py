"""The asyncio protocol of a NATS connection: parses bytes at once, and tells when to wait."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from typing import Any, Final, Protocol

import nats.errors

from common.nats_wire import Frame, Parser

READ_AHEAD: Final = 1024 * 1024
"""Bytes that may wait to be handled before no more are read from the socket."""


class FrameHandler(Protocol):
    """The client of a connection."""

    def handle(self, frame: Frame) -> bool:
        """Handles a frame now, or returns False if somebody must wait for that."""
        ...

    def write(self) -> None:
        """Writes what waits to be sent. Called when the transport takes bytes again."""
        ...

    def lose(self, protocol: NatsProtocol) -> None:
        """Gives up what only this connection could have brought."""
        ...


class NatsProtocol(asyncio.Protocol):
    """Hands frames to a client while they are parsed. A frame that the client cannot handle at once is
    deferred, and so is all that follows, until the client has caught up: nothing overtakes."""

    def __init__(self, client: FrameHandler, transport: asyncio.Transport) -> None:
        """Takes the place of the protocol that nats-py's streams have given to the transport."""
        self.transport = transport
        self.paused = False
        """The transport has more to write than it likes."""
        self.lost = False
        self.writable = asyncio.Event()
        self.writable.set()
        self._client = client
        self._parser = Parser()
        self._backlog: deque[Frame | Exception] = deque()
        self._waiting_bytes = 0
        self._behind = asyncio.Event()
        """Somebody must handle the backlog, or does so now."""
        self._reading = True
        self._streams: Any = transport.get_protocol()
        transport.set_protocol(self)

    def data_received(self, data: bytes) -> None:
        """Handles what the server has sent."""
        try:
            for frame in self._parser.feed(data):
                if self._behind.is_set() or not self._client.handle(frame):
                    self._defer(frame)
        except nats.errors.ProtocolError as error:
            self._defer(error)  # nothing behind it is handled

    def _defer(self, item: Frame | Exception) -> None:
        self._backlog.append(item)
        self._behind.set()
        if not isinstance(item, Exception):
            self._waiting_bytes += len(item if isinstance(item, bytes) else item[4])
            if self._reading and self._waiting_bytes > READ_AHEAD:
                self._reading = False
                self.transport.pause_reading()

    async def deferred(self) -> AsyncIterator[Frame]:
        """Yields the frames that the client could not handle at once. Raises ProtocolError for bytes that
        no server sends, and UnexpectedEOF or OSError if the connection is lost."""
        while True:
            await self._behind.wait()
            while self._backlog:
                item = self._backlog.popleft()
                if isinstance(item, Exception):
                    raise item
                yield item
            self._behind.clear()
            self._waiting_bytes = 0
            if not self._reading and not self.transport.is_closing():
                self._reading = True
                self.transport.resume_reading()

    def pause_writing(self) -> None:
        """The server takes less than we send."""
        self.paused = True
        self.writable.clear()
        self._streams.pause_writing()  # nats-py's `drain` waits there

    def resume_writing(self) -> None:
        """The server has taken most of it."""
        self.paused = False
        self._streams.resume_writing()
        self._client.write()
        if not self.paused:
            self.writable.set()

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection is closed, by whichever end."""
        self.lost = True
        self.writable.set()
        self._streams.connection_lost(exc)  # nats-py's `wait_closed` waits there
        self._client.lose(self)
        self._defer(exc or nats.errors.UnexpectedEOF())
