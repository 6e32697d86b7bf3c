"""Invalidation messages: after a commit and before the reply, every process hears what changed."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from contextvars import Context as ContextVars
from contextvars import copy_context
from dataclasses import dataclass, field
from typing import Final, Protocol

import nats.errors
from nats.aio.msg import Msg

from common import logs
from common.context import Context
from common.ids import new_id
from common.nats_client import NatsClient

log = logs.get(__name__)
Listener = Callable[[str, str, str], Awaitable[None] | None]
"""Called with app_id, noun and id (`*` for every one)."""
PROCESS: Final = "Process"
"""The header that names the process of a sender which shares it with other services."""


class Invalidation(Protocol):
    async def publish(self, ctx: Context, noun: str, id: str = "*") -> None:
        """Tells all processes that an object changed; the id `*` means every object of the noun."""
        ...


@dataclass
class SameProcess:
    """The services that share a process. A reply in memory would overtake a message over NATS, so they
    hear of each other's changes directly, before the reply."""

    id: str = field(default_factory=new_id)
    members: list[NatsInvalidation] = field(default_factory=list)


@dataclass
class NatsInvalidation:
    """`changed.<app_id>.<noun>.<id>` on plain NATS. Messages are lost while disconnected: the
    caches are emptied then, and each entry has a time limit as well."""

    nc: NatsClient
    listeners: list[Listener] = field(default_factory=list)
    same_process: SameProcess | None = None
    _context: ContextVars = field(default_factory=copy_context)

    def __post_init__(self) -> None:
        if self.same_process is not None:
            self.same_process.members.append(self)

    async def publish(self, ctx: Context, noun: str, id: str = "*") -> None:
        """Publishes a message and waits until the server has it. Services of the same process have
        heard it before. A failure is logged and not raised."""
        headers = None
        if self.same_process is not None:
            headers = {PROCESS: self.same_process.id}
            for member in self.same_process.members:
                await member.hear_here(ctx.app_id, noun, id)
        try:
            subject = f"changed.{ctx.app_id}.{noun}.{_token(id)}"
            await self.nc.publish(subject, id.encode(), headers=headers)
            await self.nc.flush(timeout=1)
        except (nats.errors.Error, TimeoutError, OSError) as error:
            log.warning("change not announced", noun=noun, error=type(error).__name__)

    async def listen(self) -> None:
        """Subscribes to the messages of all processes."""
        await self.nc.subscribe("changed.>", cb=self._heard)

    async def _heard(self, msg: Msg) -> None:
        parts = msg.subject.split(".")
        if len(parts) != 4 or self._is_ours(msg):
            return
        await self._tell_listeners(parts[1], parts[2], msg.data.decode())

    def _is_ours(self, msg: Msg) -> bool:
        """Whether a service of this process sent the message: its listeners have heard it."""
        sender = (msg.headers or {}).get(PROCESS)
        return self.same_process is not None and sender == self.same_process.id

    async def hear_here(self, app_id: str, noun: str, id: str) -> None:
        """Tells the listeners what another service of the process has changed. An error of theirs is
        logged and not raised: that service has no part in it."""
        try:
            await self._tell_listeners(app_id, noun, id)
        except Exception:
            log.exception("listener failed", noun=noun)

    async def _tell_listeners(self, app_id: str, noun: str, id: str) -> None:
        context = self._context.copy()
        for listener in self.listeners:
            outcome = context.run(listener, app_id, noun, id)
            if outcome is not None:
                await outcome


def _token(id: str) -> str:
    """Returns the id as one token of a subject. The exact id is the data of the message."""
    return "all" if id == "*" else re.sub(r"[^A-Za-z0-9_-]", "-", id)
