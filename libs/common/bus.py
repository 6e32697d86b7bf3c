"""Typed request and reply over NATS services (ADR-32). Handlers never see nats.py."""

from __future__ import annotations

import asyncio
import contextlib
import re
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, Final, Protocol, TypeVar

import nats.errors
import nats.micro
import orjson
from nats.aio.client import Client
from nats.micro.request import ERROR_CODE_HEADER, ERROR_HEADER
from nats.micro.request import Request as Message
from nats.micro.service import Service
from prometheus_client import Histogram
from pydantic import ValidationError
from pydantic_core import PydanticSerializationError

from common import logs, metrics
from common.circuit_breaker import CircuitBreaker, service_of
from common.context import HEADER, Context
from common.contracts.base import SYSTEM, Contract, Request
from common.db import committed
from common.field_errors import field_errors
from common.lame_duck import LameDuck
from common.problems import (
    Busy,
    Forbidden,
    Invalid,
    Outdated,
    Problem,
    TooLate,
    Unavailable,
)

log = logs.get(__name__)

R = TypeVar("R", bound=Contract)
Handler = Callable[[Any, Context, Any], Awaitable[Contract]]
Handlers = Mapping[type[Request[Any]], Handler]

NUL: Final = re.compile(rb"(?<!\\)(?:\\\\)*\\u0000")
"""The character as JSON writes it; after an odd number of backslashes it is mere text."""
SYSTEM_SUBJECT: Final = "system."
"""What precedes a contract's subject in a call made as the system."""
SLOW_RETRY = 0.1
"""Seconds that must be left for a read to be tried once more."""
LONG_WAIT: Final = 1.0
"""Seconds: a service that gave no answer for so long may hang."""


class Bus(Protocol):
    """What a service may ask of another."""

    async def call(self, ctx: Context, request: Request[R]) -> R:
        """The typed answer. Raises the Problem that the other side raised, Unavailable where
        nobody answers, TooLate where the deadline passed."""
        ...

    async def raw(self, ctx: Context, request: Request[Any]) -> bytes:
        """The answer as it came, JSON of `request.reply`, for routes that only pass it on."""
        ...


async def settled(nc: Client, *, within: int = 2) -> None:
    """Wait until the server has taken everything this connection sent before.

    nats.py's `flush` writes its PING ahead of what is still pending, so what is pending is written
    first.
    """
    await nc._flush_pending(force_flush=True)
    await nc.flush(timeout=within)


def asked(request: Request[Any]) -> bytes:
    """A question as it travels. Raises Invalid for a text that is no Unicode (half a surrogate
    pair, which JSON can spell): only a field of any kind lets one come this far."""
    try:
        return request.model_dump_json(exclude_unset=True).encode()
    except (PydanticSerializationError, UnicodeEncodeError):
        raise Invalid("a text is not Unicode") from None


def subject_of(ctx: Context, contract: type[Request[Any]]) -> str:
    """The subject that the call travels on. A call made as the system has one of its own, so that
    the server's permissions say who may make it (ADR 11)."""
    if ctx.caller.kind == "system":
        return SYSTEM_SUBJECT + contract.subject
    return contract.subject


class NatsBus:
    """The bus between processes."""

    def __init__(self, nc: Client) -> None:
        self._nc = nc
        self.lame_duck = LameDuck(nc)
        self._breaker = CircuitBreaker()

    async def call(self, ctx: Context, request: Request[R]) -> R:
        ctx = ctx.tightened(request.within)
        reply: type[R] = request.reply  # type: ignore[assignment]
        return reply.model_validate_json(await self.raw(ctx, request))

    async def raw(self, ctx: Context, request: Request[Any]) -> bytes:
        ctx = ctx.tightened(request.within)
        body, subject = asked(request), subject_of(ctx, type(request))
        service = service_of(request.subject)
        if not self._breaker.admit(service):
            log.warning("service does not answer", subject=subject, trace=ctx.trace)
            raise Unavailable(retry_after=1)
        try:
            return await self._ask(ctx, service, subject, body)
        except Unavailable as problem:
            # A replica that was full or just leaving did nothing: a read may ask another one.
            if not request.safe or ctx.remaining() < SLOW_RETRY:
                raise
            log.info("retry", subject=subject, code=problem.code, trace=ctx.trace)
            await asyncio.sleep(0.01)
            return await self._ask(ctx, service, subject, body)

    async def _ask(self, ctx: Context, service: str, subject: str, body: bytes) -> bytes:
        left = ctx.remaining()
        if left <= 0:
            log.info("no time left", subject=subject, trace=ctx.trace)
            raise TooLate
        if self.lame_duck.paused or not self._nc.is_connected:
            # nats.py would keep it for later, past its deadline.
            if not await self.lame_duck.connected(left - SLOW_RETRY):
                raise Unavailable("the message bus is not reachable", retry_after=1)
            left = ctx.remaining()
        try:
            msg = await self._nc.request(
                subject, body, timeout=left, headers={HEADER: ctx.encode()}
            )
        except nats.errors.NoRespondersError:
            log.warning("nobody answers", subject=subject, trace=ctx.trace)
            raise Unavailable(retry_after=1) from None
        except (nats.errors.TimeoutError, TimeoutError):
            log.warning("no answer in time", subject=subject, trace=ctx.trace)
            if left >= LONG_WAIT:
                self._breaker.timed_out(service)
            raise TooLate from None
        except nats.errors.MaxPayloadError:
            raise Invalid("the request is too large") from None
        except (nats.errors.Error, OSError) as error:
            log.warning("bus.lost", subject=subject, error=type(error).__name__, trace=ctx.trace)
            raise Unavailable("the message bus is not reachable", retry_after=1) from None
        self._breaker.answered(service)
        if msg.headers and ERROR_CODE_HEADER in msg.headers:
            raise _problem(msg.data)
        return msg.data


def _problem(wire: bytes) -> Problem:
    """What the other side raised; a bare Problem where the error is not one of ours."""
    try:
        return Problem.from_wire(orjson.loads(wire))
    except (orjson.JSONDecodeError, TypeError, ValueError):
        return Problem()


async def answer(
    handler: Handler,
    deps: Any,
    contract: type[Request[Any]],
    ctx: Context,
    data: bytes,
    *,
    subject: str,
) -> Contract:
    """The one path of every request on the serving side, over NATS or in memory. Raises Forbidden
    where the subject it came on is not that of its caller's kind."""
    if subject != subject_of(ctx, contract):
        log.warning("caller on another's subject", subject=subject, kind=ctx.caller.kind)
        raise Forbidden("calls of this caller have another subject")
    ctx.allow(contract.needs, teammates=contract.teammates)
    if b"\\u0000" in data and NUL.search(data):  # Postgres text cannot hold it
        raise Invalid("a text contains a NUL character")
    try:
        request = contract.model_validate_json(data or b"{}")
    except ValidationError as error:
        listed = error.errors(include_url=False, include_input=False)
        raise Invalid(errors=field_errors(listed)) from None
    ctx = ctx.for_reply()
    try:
        async with asyncio.timeout(ctx.remaining()):
            return await _handled(handler, deps, ctx, request)
    except TimeoutError:
        raise TooLate from None


async def _handled(handler: Handler, deps: Any, ctx: Context, request: Request[Any]) -> Contract:
    """Run the handler, and once more where a changed table rolled back all that it did."""
    committed.set(False)
    try:
        return await handler(deps, ctx, request)
    except Outdated:
        if committed.get():
            raise
        log.info("once more", subject=request.subject, trace=ctx.trace)
        return await handler(deps, ctx, request)


def encoded(reply: Contract) -> bytes:
    """A reply as it travels."""
    return reply.model_dump_json(exclude_none=reply.omits_none).encode()


@dataclass
class Server:
    """Serves contracts concurrently: nats.py alone runs one callback at a time per endpoint.

    At most `concurrency` handlers run and `queue` wait; more are refused at once as Busy.
    """

    service: Service
    deps: Any
    concurrency: int = 100
    queue: int = 1000
    _running: set[asyncio.Task[None]] = field(default_factory=set)
    _limit: asyncio.Semaphore = field(init=False)

    def __post_init__(self) -> None:
        self._limit = asyncio.Semaphore(self.concurrency)
        metrics.maintain(metrics.SERVED, metrics.RUNNING, metrics.REFUSED)
        metrics.RUNNING.set_function(lambda: len(self._running))

    @classmethod
    async def start(
        cls,
        nc: Client,
        name: str,
        version: str,
        deps: Any,
        *,
        concurrency: int = 100,
        queue: int = 1000,
    ) -> Server:
        service = await nats.micro.add_service(nc, name=name, version=version, queue_group=name)
        return cls(service, deps, concurrency, queue)

    async def add(self, contract: type[Request[Any]], handler: Handler) -> None:
        """Serve the contract on its two subjects: callers' and the system's."""
        await self._listen(contract, handler, contract.subject, contract.needs or "")
        await self._listen(contract, handler, SYSTEM_SUBJECT + contract.subject, SYSTEM)

    async def _listen(
        self, contract: type[Request[Any]], handler: Handler, subject: str, needs: str
    ) -> None:
        async def on_message(msg: Message) -> None:
            if len(self._running) >= self.concurrency + self.queue:
                metrics.REFUSED.inc()
                await _refuse(msg, Busy(retry_after=1))
                return
            task = asyncio.create_task(self._serve(contract, handler, msg, subject))
            self._running.add(task)
            task.add_done_callback(self._running.discard)

        await self.service.add_endpoint(
            name=subject.replace(".", "-"),
            subject=subject,
            handler=on_message,
            metadata={"needs": needs, "reply": contract.reply.__name__},
        )

    async def _serve(
        self, contract: type[Request[Any]], handler: Handler, msg: Message, subject: str
    ) -> None:
        started = time.perf_counter()
        outcome, level, trace = "ok", "info", ""
        try:
            async with self._limit:
                ctx = Context.decode((msg.headers or {}).get(HEADER))
                trace = ctx.trace
                logs.trace.set(trace)
                reply = await answer(handler, self.deps, contract, ctx, msg.data, subject=subject)
                await msg.respond(encoded(reply))
        except Problem as problem:
            outcome = problem.code
            level = "error" if problem.status >= HTTPStatus.INTERNAL_SERVER_ERROR else "info"
            await _refuse(msg, problem)
        except asyncio.CancelledError:  # drained, in the handler or still waiting for its turn
            outcome, level = "stopping", "error"
            await _refuse(msg, Unavailable("this replica is stopping", retry_after=1))
            raise
        except Exception:
            outcome, level = "internal", "error"
            log.exception("unhandled", subject=contract.subject, trace=trace)
            await _refuse(msg, Problem())
        finally:
            _observe(contract.subject, outcome, time.perf_counter() - started, trace, level)

    async def drain(self, within: float = 3.0) -> None:
        """Take no more, finish what was taken. Pending messages are answered, not dropped."""
        # nats.micro unsubscribes at once; ADR-32 says drain, so that what has arrived is served.
        subscriptions = [
            endpoint._subscription for endpoint in self.service._endpoints if endpoint._subscription
        ]
        if self.service._client.is_connected:  # else nothing comes, and every wait is in vain
            with contextlib.suppress(nats.errors.Error, OSError):
                for sub in subscriptions:
                    await sub._conn._send_unsubscribe(sub._id)
                # Only now has everything arrived that the server ever sent to these subscriptions;
                # `drain` alone would forget one whose last messages are still on the way.
                await settled(self.service._client)
            await asyncio.gather(*(sub.drain() for sub in subscriptions), return_exceptions=True)
        if self._running:
            _, late = await asyncio.wait(set(self._running), timeout=within)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)


_timers: dict[tuple[str, str], Histogram] = {}


def _observe(subject: str, outcome: str, took: float, trace: str, level: str) -> None:
    timer = _timers.get((subject, outcome))
    if timer is None:
        timer = _timers[subject, outcome] = metrics.SERVED.labels(subject, outcome)
    timer.observe(took)
    logs.lines.write(
        {
            "event": "served",
            "subject": subject,
            "outcome": outcome,
            "ms": round(took * 1000, 2),
            "trace": trace,
        },
        level=level,
    )


async def _refuse(msg: Message, problem: Problem) -> None:
    wire = orjson.dumps(problem.to_wire(), default=str)
    headers = {ERROR_CODE_HEADER: str(problem.status), ERROR_HEADER: problem.code}
    try:
        await msg.respond(wire, headers=headers)
    except (nats.errors.Error, ValueError) as error:
        log.warning("refusal not delivered", error=type(error).__name__)
