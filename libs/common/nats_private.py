"""The private members of nats-py that we use, under public names.

pyproject.toml allows one minor version of nats-py, and tests/unit/common/test_private_members.py says
which member a new version has changed.
"""

from __future__ import annotations

import asyncio
from typing import Any

from nats.aio.client import Client
from nats.aio.subscription import Subscription
from nats.micro.service import Service


class BatchedClient(Client):
    """A NATS connection that writes to its socket once in each turn of the event loop.

    nats-py writes after each message, and writing a reply costs more than making it: a quarter of the
    oidc service's CPU time. Here, what is published in one turn of the loop goes out together at the end
    of the turn. A single request waits only for the tasks that are ready to run.
    """

    _write_planned = False

    async def _flush_pending(self, force_flush: bool = False) -> Any:
        if force_flush or not self.is_connected:
            return await super()._flush_pending(force_flush)
        if not self._write_planned:
            self._write_planned = True
            asyncio.get_running_loop().call_soon(self._write_now)
        return None

    def _write_now(self) -> None:
        self._write_planned = False
        if self._flush_queue is not None and self._flush_queue.empty():
            self._flush_queue.put_nowait(asyncio.get_running_loop().create_future())


async def flush_all(nc: Client, *, within: int = 2) -> None:
    """Waits until the server has processed everything that this connection sent before, `within`
    seconds at most. Raises nats.errors.TimeoutError.

    The `flush` of nats-py writes its PING ahead of messages that are still pending, so these are written
    first.
    """
    await write_pending(nc)
    await nc.flush(timeout=within)


async def write_pending(nc: Client) -> None:
    """Writes all pending messages to the socket."""
    await nc._flush_pending(force_flush=True)


async def unsubscribe_requests(nc: Client) -> None:
    """Tells the server to send no more requests. The subscription for replies stays, and so do the
    connection's own records: after a reconnect it subscribes again."""
    inbox = bytes(nc._resp_sub_prefix or b"")
    for sid, subscription in list(nc._subs.items()):
        if not inbox or not subscription.subject.encode().startswith(inbox):
            await nc._send_unsubscribe(sid)


def pending_replies(nc: Client) -> list[asyncio.Future[Any]]:
    """Returns a future for each request of this connection that has no reply yet."""
    return list(nc._resp_map.values())


def service_client(service: Service) -> Client:
    """Returns the connection of a NATS service."""
    return service._client


def service_subscriptions(service: Service) -> list[Subscription]:
    """Returns the subscriptions of all endpoints of a NATS service."""
    return [
        endpoint._subscription
        for endpoint in service._endpoints
        if endpoint._subscription is not None
    ]


async def send_unsubscribe(subscription: Subscription) -> None:
    """Tells the server to end a subscription. Messages that have arrived stay in its queue."""
    await subscription._conn._send_unsubscribe(subscription._id)
