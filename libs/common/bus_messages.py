"""Requests that have arrived at a service, whichever way they came."""

from __future__ import annotations

from typing import Protocol

from nats.aio.msg import Msg

from common.nats_client import NatsClient


class BusMessage(Protocol):
    """A request that has arrived, over NATS or in memory."""

    @property
    def headers(self) -> dict[str, str] | None: ...

    @property
    def data(self) -> bytes: ...

    async def respond(self, data: bytes, headers: dict[str, str] | None = None) -> None:
        """Sends the reply. Waits while too much waits to be written. Raises nats.errors.Error, also if
        nobody waits for a reply."""
        ...

    def respond_at_once(self, data: bytes, headers: dict[str, str]) -> None:
        """Sends the reply without waiting. Raises nats.errors.Error if too much waits to be written, and
        what `respond` raises."""
        ...


class NatsMessage:
    """A request that has come over NATS."""

    __slots__ = ("_client", "_reply", "data", "headers")

    def __init__(self, client: NatsClient, msg: Msg) -> None:
        self._client, self._reply = client, msg.reply
        self.data, self.headers = msg.data, msg.headers

    async def respond(self, data: bytes, headers: dict[str, str] | None = None) -> None:
        """Publishes the reply."""
        await self._client.publish(self._reply, data, headers=headers)

    def respond_at_once(self, data: bytes, headers: dict[str, str]) -> None:
        """Publishes the reply without waiting."""
        self._client.send(self._reply, data, headers=headers)
