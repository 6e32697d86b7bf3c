"""Replacements for NATS in tests: the same checks and the same JSON, without a server."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Any, TypeVar, Unpack

from common.answering import answer, encode_reply
from common.audit import About, ActivityRecorder, Entry, entry
from common.bus import Bus, Handler, encode_request, subject_of
from common.context import Caller, Context, new_trace
from common.contracts.base import Contract, Request
from common.crypto import Keys
from common.cursors import Cursors
from common.db import Database, inside_transaction
from common.events.base import Event
from common.homes import MAIN
from common.ids import DASHBOARD
from common.invalidation import Invalidation
from common.problems import Problem, Unavailable
from common.reply_reading import read_reply
from common.sealing import Sealer
from common.service_deps import ServiceDeps
from common.tenants import Tenants

R = TypeVar("R", bound=Contract)


@dataclass
class LocalBus:
    """Runs the same `answer()` and the same JSON as NATS, so that tests cannot drift from it."""

    handlers: dict[type[Request[Any]], tuple[Handler, Any]] = field(default_factory=dict)
    calls: list[Request[Any]] = field(default_factory=list)

    def serve(self, deps: Any, handlers: dict[type[Request[Any]], Handler]) -> None:
        """Registers handlers with their dependencies."""
        for contract, handler in handlers.items():
            self.handlers[contract] = (handler, deps)

    async def call(self, ctx: Context, request: Request[R]) -> R:
        """Returns the typed reply, as NatsBus does."""
        reply: type[R] = request.reply  # type: ignore[assignment]
        return read_reply(reply, await self.raw(ctx, request))

    async def raw(self, ctx: Context, request: Request[Any]) -> bytes:
        """Returns the reply as JSON. Raises AssertionError for a call inside a transaction."""
        if inside_transaction.get():
            raise AssertionError(f"{request.subject} called inside a transaction: move it outside")
        self.calls.append(request)
        if type(request) not in self.handlers:
            raise Unavailable(f"nobody answers {request.subject}")
        sent = Context.decode(ctx.with_time_limit(request.within).encode())
        return await self.deliver(subject_of(ctx, type(request)), sent, request)

    async def deliver(self, subject: str, ctx: Context, request: Request[Any]) -> bytes:
        """Returns the reply of the serving side to a message on `subject`, for any caller in the
        context."""
        handler, deps = self.handlers[type(request)]
        body = encode_request(request)
        try:
            done = await answer(handler, deps, type(request), ctx, data=body, subject=subject)
            return encode_reply(done)
        except Problem as problem:
            raise Problem.from_wire(problem.to_wire()) from None


@dataclass
class MemoryInvalidation:
    """Remembers drop messages instead of sending them."""

    published: list[tuple[str, str, str]] = field(default_factory=list)

    async def publish(self, ctx: Context, noun: str, id: str = "*") -> None:
        """Remembers a message."""
        self.published.append((ctx.app_id, noun, id))


@dataclass
class MemoryActivity:
    """Remembers activity instead of publishing it."""

    noted: list[Entry] = field(default_factory=list)

    def note(self, ctx: Context, event: Event, **about: Unpack[About]) -> None:
        """Remembers an event."""
        self.noted.append(entry(ctx, event, **about))


def service_deps(
    db: Database,
    bus: Bus,
    keys: Keys,
    *,
    invalidation: Invalidation | None = None,
    activity: ActivityRecorder | None = None,
) -> ServiceDeps:
    """Returns what all services share; without a relay of its own, and with memory for NATS."""
    return ServiceDeps(
        db=db,
        relay_db=db,
        bus=bus,
        invalidation=invalidation or MemoryInvalidation(),
        tenants=Tenants(bus),
        activity=activity or MemoryActivity(),
        keys=keys,
        cursors=Cursors(keys),
        sealer=Sealer(keys),
    )


HOMES: dict[str, str] = {DASHBOARD: MAIN}
"""By application: where a test has made it. Others live in `main`."""


def context(
    app_id: str, caller: Caller | None = None, *, within: float = 10.0, **more: Any
) -> Context:
    """A context for a test: anonymous unless a caller is given."""
    facts: dict[str, Any] = {"home": HOMES.get(app_id, MAIN)} | more
    return Context(app_id, caller or Caller(), time.monotonic() + within, new_trace(), **facts)
