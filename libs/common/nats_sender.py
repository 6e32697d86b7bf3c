"""The sending side of the NATS client: one write in each turn of the event loop (ADR 16).

It uses private members of nats-py, as `nats_client` does.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any, Final

import nats.errors
from nats.aio.client import Client

from common import nats_wire
from common.nats_protocol import NatsProtocol

PING: Final = b"PING\r\n"
PONG: Final = b"PONG\r\n"


class SendingClient(Client):
    """Writes all messages of one turn of the event loop together at its end, in the order of the calls. So
    `flush` is a barrier: after it, the server has all that was sent before."""

    def __init__(self) -> None:
        super().__init__()
        self._protocol: NatsProtocol | None = None
        self._write_planned = False

    async def publish(
        self,
        subject: str,
        payload: bytes = b"",
        reply: str = "",
        headers: Mapping[str, str] | None = None,
    ) -> None:
        """Sends a message. Waits while too much waits to be written, and raises what `send` raises."""
        while True:
            try:
                self.send(subject, payload, reply, headers)
                return
            except nats.errors.OutboundBufferLimitError:
                if self._protocol is None or self._protocol.lost or not self.is_connected:
                    raise
            await self._protocol.writable.wait()

    def send(
        self,
        subject: str,
        payload: bytes,
        reply: str = "",
        headers: Mapping[str, str] | None = None,
    ) -> bytes:
        """Sends a message with all others of this turn of the loop. Returns its bytes.

        Without a connection it is kept for the next one. Raises OutboundBufferLimitError if too much
        is kept, MaxPayloadError, BadSubjectError, BadHeaderError, ConnectionClosedError or
        ConnectionDrainingError.
        """
        if self.is_closed:
            raise nats.errors.ConnectionClosedError
        if self.is_draining_pubs:
            raise nats.errors.ConnectionDrainingError
        block = nats_wire.header_block(headers) if headers else None
        if len(payload) + (len(block) if block else 0) > self._max_payload:
            raise nats.errors.MaxPayloadError  # the server would close the connection
        frame = nats_wire.publish_frame(subject, reply, block, payload)
        if self._exceeds_limit(frame):
            self.write()  # this turn may have sent much
            if self._exceeds_limit(frame) and not self._can_write():
                raise nats.errors.OutboundBufferLimitError
        self.stats["out_msgs"] += 1
        self.stats["out_bytes"] += len(payload)
        self._enqueue(frame)
        return frame

    def write(self) -> None:
        """Writes all that waits to be sent, unless the transport has enough."""
        self._write_planned = False
        if self._pending and self._can_write():
            data = b"".join(self._pending)
            self._pending.clear()
            self._pending_data_size = 0
            assert self._protocol is not None
            self._protocol.transport.write(data)

    def _can_write(self) -> bool:
        protocol = self._protocol
        if protocol is None or protocol.paused or protocol.lost:
            return False
        return self.is_connected

    def _exceeds_limit(self, frame: bytes) -> bool:
        return self._pending_data_size + len(frame) > self._max_pending_size

    def _enqueue(self, frame: bytes) -> None:
        self._pending.append(frame)
        self._pending_data_size += len(frame)
        self._plan_write()

    def _plan_write(self) -> None:
        if not self._write_planned:
            self._write_planned = True
            asyncio.get_running_loop().call_soon(self.write)

    def _withdraw(self, frame: bytes) -> None:
        """Does not send a frame, if it was not written yet."""
        if frame in self._pending:
            self._pending.remove(frame)
            self._pending_data_size -= len(frame)

    # From here on: what nats-py calls.

    async def _send_ping(self, future: asyncio.Future[Any] | None = None) -> None:
        self._pongs.append(future or asyncio.get_running_loop().create_future())
        self._enqueue(PING)

    async def _flush_pending(self, force_flush: bool = False) -> Any:
        self._plan_write()

    async def _flusher(self) -> None:
        await asyncio.Event().wait()  # nats-py's `flush` looks whether this task is alive
