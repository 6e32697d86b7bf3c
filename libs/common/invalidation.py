"""Invalidation messages: after a commit and before the reply, every process hears what changed."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Protocol

import nats.errors
from nats.aio.msg import Msg

from common import logs
from common.context import Context
from common.nats_client import NatsClient

log = logs.get(__name__)
Listener = Callable[[str, str, str], Awaitable[None] | None]
"""Called with app_id, noun and id (`*` for every one)."""


class Invalidation(Protocol):
    async def publish(self, ctx: Context, noun: str, id: str = "*") -> None:
        """Tells all processes that an object changed; the id `*` means every object of the noun."""
        ...


@dataclass
class NatsInvalidation:
    """`changed.<app_id>.<noun>.<id>` on plain NATS. Messages are lost while disconnected: the
    caches are emptied then, and each entry has a time limit as well."""

    nc: NatsClient
    listeners: list[Listener] = field(default_factory=list)

    async def publish(self, ctx: Context, noun: str, id: str = "*") -> None:
        """Publishes a message and waits until the server has it. A failure is logged and not
        raised."""
        try:
            await self.nc.publish(f"changed.{ctx.app_id}.{noun}.{_token(id)}", id.encode())
            await self.nc.flush(timeout=1)
        except (nats.errors.Error, TimeoutError, OSError) as error:
            log.warning("change not announced", noun=noun, error=type(error).__name__)

    async def listen(self) -> None:
        """Subscribes to the messages of all processes."""
        await self.nc.subscribe("changed.>", cb=self._heard)

    async def _heard(self, msg: Msg) -> None:
        parts = msg.subject.split(".")
        if len(parts) != 4:
            return
        for listener in self.listeners:
            outcome = listener(parts[1], parts[2], msg.data.decode())
            if outcome is not None:
                await outcome


def _token(id: str) -> str:
    """Returns the id as one token of a subject. The exact id is the data of the message."""
    return "all" if id == "*" else re.sub(r"[^A-Za-z0-9_-]", "-", id)
