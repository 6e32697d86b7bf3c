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
