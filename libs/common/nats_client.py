"""nats-py's client, whose messages wait for no task and no queue (ADR 16).

It uses private members of nats-py. pyproject.toml allows one minor version, and
tests/unit/common/test_private_members.py says which member a new version has changed.
"""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import Callable
from typing import Any, Final

import nats.errors
from nats.aio.msg import Msg
from nats.aio.subscription import Subscription

from common import nats_wire
from common.nats_protocol import NatsProtocol
from common.nats_sender import PING, PONG, SendingClient

NO_RESPONDERS: Final = "503"


class NatsClient(SendingClient):
    """A NATS connection. nats-py connects, authenticates, reconnects, drains and runs JetStream.

    Messages are handled where they arrive, and written once in a turn of the event loop. At most
    `pending_size` bytes wait while the server takes nothing. Then `publish` waits, and `request` fails. A request also
    fails at once if its connection is lost.
    """

    def __init__(self) -> None:
        super().__init__()
        self._reply_prefix = ""
        self._receivers: dict[int, Callable[[Msg], None]] = {}
        self._request_ids = itertools.count()
        self.lost_at: float | None = None
        """When the connection was lost (time.monotonic)."""
        self.server: str | None = None
        """`host:port` of the server of this connection, or of the one before."""

    @property
    def is_usable(self) -> bool:
        """Whether what is sent now goes to a server at once. nats-py notices a loss a moment later."""
        return self.is_connected and self._protocol is not None and not self._protocol.lost

    def receive(self, subscription: Subscription, receiver: Callable[[Msg], None]) -> None:
        """Calls `receiver` with each message of a subscription as soon as it is parsed, instead of the
        subscription's own callback. It must not wait, and limit by itself how much it keeps."""
        self._receivers[subscription._id] = receiver

    async def request(  # type: ignore[override] # nobody passes `old_style` by position
        self,
        subject: str,
        payload: bytes = b"",
        timeout: float = 0.5,
        *,
        old_style: bool = False,
        headers: dict[str, Any] | None = None,
    ) -> Msg:
        """Returns the first reply. Raises NoRespondersError, TimeoutError, ConnectionReconnectingError if
        the connection is lost before the reply, and what `send` raises. A request that fails before it
        is written is not sent."""
        if old_style:
            return await super().request(subject, payload, timeout, old_style=True, headers=headers)
        if not self.is_closed and (self._protocol is None or self._protocol.lost):
            raise nats.errors.ConnectionReconnectingError
        if not self._resp_sub_prefix:
            await self._init_request_sub()
        loop = asyncio.get_running_loop()
        reply = f"{self._reply_prefix}{next(self._request_ids)}"
        future: asyncio.Future[Msg] = loop.create_future()
        frame = self.send(subject, payload, reply, headers)
        self._resp_map[reply] = future
        timer = loop.call_later(timeout, _time_out, future)
        try:
            msg = await future
        except BaseException:
            self._withdraw(frame)  # nobody waits for it any more
            raise
        finally:
            timer.cancel()
            self._resp_map.pop(reply, None)
        if msg.headers and msg.headers.get(nats_wire.STATUS) == NO_RESPONDERS:
            raise nats.errors.NoRespondersError
        return msg

    def lose(self, protocol: NatsProtocol) -> None:
        """Fails the requests whose replies would have come over a connection that is lost."""
        if protocol is self._protocol:
            self.lost_at = time.monotonic()
            for future in self._resp_map.values():
                if not future.done():
                    future.set_exception(nats.errors.ConnectionReconnectingError())

    def handle(self, frame: nats_wire.Frame) -> bool:
        """Handles a frame at once if nobody has to wait for it. Otherwise returns False."""
        if isinstance(frame, bytes):
            return self._handle_control(frame)
        sid, subject, reply, block, payload = frame
        subscription = self._subs.get(sid)
        if subscription is None:  # it ended while the message was on its way
            return True
        receiver = self._receivers.get(sid)
        if receiver is None and not _has_room(subscription, len(payload)):
            return False
        self.stats["in_msgs"] += 1
        self.stats["in_bytes"] += len(payload)
        subscription._received += 1
        headers = nats_wire.parse_headers(block)
        names = subject.decode("utf-8", "replace"), reply.decode("utf-8", "replace")
        msg = Msg(self, *names, payload, headers, _sid=sid)
        if receiver is None:
            subscription._pending_size += len(payload)
            subscription._pending_queue.put_nowait(msg)
        else:
            try:
                receiver(msg)
            except Exception as error:  # it must not end the connection
                what = {"message": "a receiver of messages failed", "exception": error}
                asyncio.get_running_loop().call_exception_handler(what)
        return True

    def _handle_control(self, line: bytes) -> bool:
        if line == b"PING":
            self._enqueue(PONG)
        elif line == b"PONG":
            self._pongs_received += 1
            self._pings_outstanding = 0
            if self._pongs:
                future = self._pongs.pop(0)
                if not future.done():  # its flush may have timed out
                    future.set_result(True)
        else:
            return line == b"+OK"
        return True

    def _handle_reply(self, msg: Msg) -> None:
        future = self._resp_map.get(msg.subject)
        if future is not None and not future.done():
            future.set_result(msg)

    # From here on: what nats-py calls.

    def _connect_command(self) -> bytes:
        """Returns the message with the password. Raises SecureConnRequiredError if it would go without TLS
        although TLS is set: nats-py leaves that to the process that answers as the server."""
        server = self._current_server
        wanted = "tls" in self.options or (server is not None and server.uri.scheme == "tls")
        if wanted and not self._server_info.get("tls_required"):
            raise nats.errors.SecureConnRequiredError
        return super()._connect_command()

    async def _process_connect_init(self) -> None:
        transport: Any = self._transport
        try:
            await super()._process_connect_init()
        except BaseException:
            # After a failed TLS handshake, nats-py would wait for ever for the end of this connection,
            # and try no other server.
            self._transport = None
            transport._io_writer.transport.abort()
            raise
        self.server = self._current_server.uri.netloc if self._current_server else None
        for frame in (PING, PONG):  # those of the connection before would be taken for new ones
            while frame in self._pending:
                self._withdraw(frame)
        self._protocol = NatsProtocol(self, transport._io_writer.transport)
        transport._io_reader.feed_eof()
        self._protocol.data_received(await transport._io_reader.read())  # never waits

    async def _init_request_sub(self) -> None:
        self._resp_map = {}
        self._reply_prefix = f"{self.new_inbox()}."
        self._resp_sub_prefix = bytearray(self._reply_prefix.encode())
        replies = await self.subscribe(f"{self._reply_prefix}*", cb=self._request_sub_callback)
        self.receive(replies, self._handle_reply)

    async def _read_loop(self) -> None:
        assert self._protocol is not None
        try:
            async for frame in self._protocol.deferred():
                if not self.handle(frame):
                    await self._handle_slowly(frame)
        except Exception as error:
            await self._error_cb(error)
            await self._process_op_err(error)

    async def _process_op_err(self, e: Exception) -> None:
        if (
            self._protocol is not None
        ):  # to close it would wait until a hung server has read everything
            self._protocol.transport.abort()
        await super()._process_op_err(e)

    async def _handle_slowly(self, frame: nats_wire.Frame) -> None:
        """Leaves a frame to nats-py: JetStream's subscriptions, full queues, INFO and -ERR."""
        if isinstance(frame, bytes):
            await self._ps.parse(frame + nats_wire.CRLF)
        else:
            sid, subject, reply, block, payload = frame
            await self._process_msg(sid, subject, reply, payload, block)


def _has_room(subscription: Subscription, size: int) -> bool:
    """Whether a message goes to the queue of its subscription at once. nats-py itself handles those of
    JetStream, those that end with a number of messages, and those whose queue is full."""
    limit = subscription._pending_bytes_limit
    return not (
        subscription._jsi
        or subscription._future
        or subscription._max_msgs
        or subscription._pending_queue.full()
        or 0 < limit <= subscription._pending_size + size
    )


def _time_out(future: asyncio.Future[Any]) -> None:
    if not future.done():
        future.set_exception(nats.errors.TimeoutError())
