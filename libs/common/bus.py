"""Typed requests between services over NATS (ADR-32): the calling side. Handlers never see nats-py."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final, Protocol, TypeVar

import nats.errors
import orjson
from nats.micro.request import ERROR_CODE_HEADER
from pydantic_core import PydanticSerializationError

from common import logs
from common.call_hold import CallHold
from common.circuit_breaker import CircuitBreaker, service_of
from common.context import HEADER, Context
from common.contracts.base import Contract, Request
from common.lame_duck import LameDuck
from common.nats_client import NatsClient
from common.problems import Invalid, Problem, TooLate, Unavailable
from common.reply_reading import read_reply
from common.responder_gaps import ResponderGaps

log = logs.get(__name__)

R = TypeVar("R", bound=Contract)
Handler = Callable[[Any, Context, Any], Awaitable[Contract]]
"""Answers a contract: `(deps, ctx, request) -> reply`."""
Handlers = Mapping[type[Request[Any]], Handler]

SYSTEM_SUBJECT: Final = "system."
"""The prefix of a contract's subject in a call that is made as the system."""
RETRY_TIME: Final = 0.1
"""Seconds that must be left to send a read a second time."""
HANG_TIME: Final = 1.0
"""A service that gave no answer for so many seconds may hang."""


class Bus(Protocol):
    """How one service calls another."""

    async def call(self, ctx: Context, request: Request[R]) -> R:
        """Returns the typed reply. Raises the Problem that the other side raised, Unavailable if
        nobody answers, and TooLate if the deadline has passed."""
        ...

    async def raw(self, ctx: Context, request: Request[Any]) -> bytes:
        """Returns the reply as JSON of `request.reply`, for routes that only pass it on. Raises what
        `call` raises."""
        ...


def encode_request(request: Request[Any]) -> bytes:
    """Returns the JSON of a request. Raises Invalid for a text that is not Unicode (half a surrogate
    pair, which JSON can spell). Only fields that take any JSON value let such a text come this far."""
    try:
        return request.model_dump_json(exclude_unset=True).encode()
    except (PydanticSerializationError, UnicodeEncodeError):
        raise Invalid("a text is not Unicode") from None


def subject_of(ctx: Context, contract: type[Request[Any]]) -> str:
    """Returns the subject of a call. Calls as the system have subjects of their own, so that the
    permissions of the NATS server say who may make them (ADR 11)."""
    if ctx.caller.kind == "system":
        return SYSTEM_SUBJECT + contract.subject
    return contract.subject


class NatsBus:
    """The bus between processes, over one NATS connection."""

    def __init__(self, nc: NatsClient) -> None:
        self.nc = nc
        self.lame_duck = LameDuck(nc)
        self.breaker = CircuitBreaker()
        self.gaps = ResponderGaps()
        self.hold = CallHold()

    async def call(self, ctx: Context, request: Request[R]) -> R:
        """Returns the typed reply. Raises the Problem that the other side raised, Unavailable if
        nobody answers, and TooLate if the deadline has passed."""
        if self.hold.holds:
            await self.hold.wait()
        ctx = ctx.with_time_limit(request.within)
        reply: type[R] = request.reply  # type: ignore[assignment]
        return read_reply(reply, await self.raw(ctx, request))

    async def raw(self, ctx: Context, request: Request[Any]) -> bytes:
        """Returns the reply as JSON. Raises what `call` raises."""
        if self.hold.holds:
            await self.hold.wait()
        ctx = ctx.with_time_limit(request.within)
        body, subject = encode_request(request), subject_of(ctx, type(request))
        if not self.breaker.admit(service_of(request.subject)):
            log.warning("service does not answer", subject=subject, trace=ctx.trace)
            raise Unavailable(retry_after=1)
        try:
            return await self.send_once(ctx, type(request), subject, body)
        except Unavailable as problem:
            # A replica that is full or stopping has done nothing, so a read may go to another one.
            if not request.safe or ctx.remaining() < RETRY_TIME:
                raise
            log.info("retry", subject=subject, code=problem.code, trace=ctx.trace)
            await asyncio.sleep(0.01)
            return await self.send_once(ctx, type(request), subject, body)

    async def send_once(
        self, ctx: Context, contract: type[Request[Any]], subject: str, body: bytes
    ) -> bytes:
        """Sends a request to one replica and returns the reply. Raises what `call` raises."""
        left = await self.time_left(ctx, subject)
        service = service_of(contract.subject)
        try:
            msg = await self.nc.request(subject, body, timeout=left, headers={HEADER: ctx.encode()})
        except nats.errors.NoRespondersError:
            if await self.gaps.wait(subject, ctx.remaining() - RETRY_TIME):
                return await self.send_once(ctx, contract, subject, body)
            log.warning("nobody answers", subject=subject, trace=ctx.trace)
            raise Unavailable(retry_after=1) from None
        except (nats.errors.TimeoutError, TimeoutError):
            log.warning("no answer in time", subject=subject, trace=ctx.trace)
            if left >= HANG_TIME:
                self.breaker.timed_out(service)
            raise TooLate from None
        except nats.errors.MaxPayloadError:
            raise Invalid("the request is too large") from None
        except (nats.errors.Error, OSError) as error:
            log.warning("bus.lost", subject=subject, error=type(error).__name__, trace=ctx.trace)
            raise Unavailable("the message bus is not reachable", retry_after=1) from None
        self.breaker.answered(service)
        self.gaps.answered(subject)
        if msg.headers and ERROR_CODE_HEADER in msg.headers:
            raise problem_of_reply(msg.data)
        return msg.data

    async def time_left(self, ctx: Context, subject: str) -> float:
        """Returns the seconds that a request has. Waits for the connection if it comes back soon.
        Raises TooLate if the deadline has passed, and Unavailable without a connection."""
        left = ctx.remaining()
        if left > 0 and (self.lame_duck.paused or not self.nc.is_usable):
            # nats-py would keep the request and send it after its deadline.
            if not await self.lame_duck.connected(left - RETRY_TIME):
                raise Unavailable("the message bus is not reachable", retry_after=1)
            if self.hold.holds:  # since this call has begun to wait for the connection
                await self.hold.wait()
            left = ctx.remaining()
        if left <= 0:
            log.info("no time left", subject=subject, trace=ctx.trace)
            raise TooLate
        return left


def problem_of_reply(data: bytes) -> Problem:
    """Returns the Problem that the other side raised, or a bare Problem for any other error."""
    try:
        return Problem.from_wire(orjson.loads(data))
    except (orjson.JSONDecodeError, TypeError, ValueError):
        return Problem()
