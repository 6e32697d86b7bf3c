"""The serving side of the bus: contracts over NATS services (ADR-32)."""

from __future__ import annotations

import asyncio
import contextlib
import re
import time
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, Final

import nats.errors
import nats.micro
import orjson
from nats.aio.msg import Msg
from nats.micro.request import ERROR_CODE_HEADER, ERROR_HEADER
from nats.micro.request import Request as ServiceRequest
from nats.micro.service import Service
from pydantic import ValidationError

from common import caller_limits, conditions, freshness, logs, metrics, nats_private
from common.bus import SYSTEM_SUBJECT, Handler, subject_of
from common.context import HEADER, Context
from common.contracts.base import SYSTEM, Contract, Request
from common.db import committed
from common.endpoint_stats import ServiceStats, observe_served, process_stats
from common.field_errors import field_errors
from common.nats_client import NatsClient
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

NUL: Final = re.compile(rb"(?<!\\)(?:\\\\)*\\u0000")
"""A NUL character as JSON writes it. After an odd number of backslashes it is ordinary text."""


async def answer(
    handler: Handler,
    deps: Any,
    contract: type[Request[Any]],
    ctx: Context,
    *,
    data: bytes,
    subject: str,
) -> Contract:
    """Checks a request, runs its handler and returns the reply. Every request takes this path, over
    NATS and in memory.

    Raises Forbidden if the caller may not make the call, or if the request came on a subject of
    another kind of caller; Impersonating or GuestRefused; FreshSignInNeeded, FreshTokenNeeded or
    SecondFactorNeeded; ConditionUnsupported; Invalid for a malformed request; TooLate if the time is
    over; and what the handler raises.
    """
    if subject != subject_of(ctx, contract):
        log.warning("caller on another's subject", subject=subject, kind=ctx.caller.kind)
        raise Forbidden("calls of this caller have another subject")
    ctx.allow(contract.needs, teammates=contract.teammates)
    caller_limits.check(ctx.caller, contract)
    if contract.fresh:
        freshness.check(ctx.caller, contract)
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
            return await _run(handler, deps, ctx, request)
    except TimeoutError:
        raise TooLate from None


async def _run(handler: Handler, deps: Any, ctx: Context, request: Request[Any]) -> Contract:
    """Runs the handler. Runs it a second time if a changed table rolled back all that it did. Each
    run checks the condition of the request itself."""
    committed.set(False)
    if_match, ctx = ctx.if_match, ctx.with_condition(None)
    try:
        with conditions.condition_of(type(request), if_match):
            return await handler(deps, ctx, request)
    except Outdated:
        if committed.get():
            raise
        log.info("once more", subject=request.subject, trace=ctx.trace)
        with conditions.condition_of(type(request), if_match):
            return await handler(deps, ctx, request)


def encode_reply(reply: Contract) -> bytes:
    """Returns the JSON of a reply."""
    return reply.model_dump_json(exclude_none=reply.omits_none).encode()


@dataclass
class BusServer:
    """Serves contracts concurrently. nats-py alone runs one callback at a time for each endpoint.

    At most `concurrency` handlers run and `queue` requests wait; more are refused at once as Busy.
    """

    client: NatsClient
    service: Service
    deps: Any
    concurrency: int = 100
    queue: int = 1000
    stats: ServiceStats = field(default_factory=ServiceStats)
    _running: set[asyncio.Task[None]] = field(default_factory=set)
    _limit: asyncio.Semaphore = field(init=False)

    def __post_init__(self) -> None:
        self._limit = asyncio.Semaphore(self.concurrency)
        metrics.maintain(metrics.SERVED, metrics.RUNNING, metrics.REFUSED)
        metrics.RUNNING.set_function(lambda: len(self._running))
        self.stats.of_process = lambda: process_stats(len(self._running))

    @classmethod
    async def start(
        cls,
        nc: NatsClient,
        name: str,
        version: str,
        deps: Any,
        *,
        concurrency: int = 100,
        queue: int = 1000,
        replica: str = "0",
    ) -> BusServer:
        """Registers a NATS service. It serves nothing until `add`."""
        stats = ServiceStats()
        more: dict[str, Any] = {"metadata": {"replica": replica}, "stats_handler": stats.complete}
        service = await nats.micro.add_service(
            nc, name=name, version=version, queue_group=name, **more
        )
        return cls(nc, service, deps, concurrency, queue, stats)

    async def add(self, contract: type[Request[Any]], handler: Handler) -> None:
        """Serves a contract on its two subjects: the one of callers and the one of the system."""
        await self._listen(contract, handler, contract.subject, contract.needs or "")
        await self._listen(contract, handler, SYSTEM_SUBJECT + contract.subject, SYSTEM)

    async def _listen(
        self, contract: type[Request[Any]], handler: Handler, subject: str, needs: str
    ) -> None:
        def receive(msg: Msg) -> None:
            self.stats.receive(subject)
            if len(self._running) >= self.concurrency + self.queue:
                metrics.REFUSED.inc()
                self._refuse_at_once(msg, Busy(retry_after=1))
                return
            task = asyncio.create_task(self._serve(contract, handler, msg, subject))
            self._running.add(task)
            task.add_done_callback(self._running.discard)

        await self.service.add_endpoint(
            name=subject.replace(".", "-"),
            subject=subject,
            handler=_not_called,
            metadata={"needs": needs, "reply": contract.reply.__name__},
        )
        self.client.receive(nats_private.service_subscriptions(self.service)[-1], receive)

    async def _serve(
        self, contract: type[Request[Any]], handler: Handler, msg: Msg, subject: str
    ) -> None:
        started = time.perf_counter()
        outcome, level, trace = "ok", "info", ""
        try:
            async with self._limit:
                ctx = Context.decode((msg.headers or {}).get(HEADER))
                trace = ctx.trace
                logs.trace.set(trace)
                reply = await answer(
                    handler, self.deps, contract, ctx, data=msg.data, subject=subject
                )
                await self.client.publish(msg.reply, encode_reply(reply))
        except Problem as problem:
            outcome = problem.code
            level = "error" if problem.status >= HTTPStatus.INTERNAL_SERVER_ERROR else "info"
            await self._refuse(msg, problem)
        except asyncio.CancelledError:  # by `drain`, in the handler or before it
            outcome, level = "stopping", "error"
            await self._refuse(msg, Unavailable("this replica is stopping", retry_after=1))
            raise
        except Exception:
            outcome, level = "internal", "error"
            log.exception("unhandled", subject=contract.subject, trace=trace)
            await self._refuse(msg, Problem())
        finally:
            seconds = time.perf_counter() - started
            self.stats.add(subject, seconds=seconds, failed=level == "error")
            observe_served(contract.subject, outcome, seconds=seconds, trace=trace, level=level)

    async def _refuse(self, msg: Msg, problem: Problem) -> None:
        """Replies with a problem."""
        wire, headers = _encode_problem(problem)
        try:
            await self.client.publish(msg.reply, wire, headers=headers)
        except nats.errors.Error as error:
            log.warning("refusal not delivered", error=type(error).__name__)

    def _refuse_at_once(self, msg: Msg, problem: Problem) -> None:
        """Replies with a problem, or not at all while the server takes nothing: refusals must not pile
        up."""
        wire, headers = _encode_problem(problem)
        try:
            self.client.send(msg.reply, wire, headers=headers)
        except nats.errors.Error as error:
            log.warning("refusal not delivered", error=type(error).__name__)

    async def drain(self, within: float = 3.0) -> None:
        """Takes no more requests and answers those that have arrived, `within` seconds at most."""
        # nats.micro unsubscribes at once; ADR-32 says drain, so that arrived requests are served.
        nc = self.client
        subscriptions = nats_private.service_subscriptions(self.service)
        if nc.is_connected:  # otherwise nothing more arrives
            with contextlib.suppress(nats.errors.Error, OSError):
                for subscription in subscriptions:
                    await nats_private.send_unsubscribe(subscription)
                # Only after this has everything arrived that the server sent to these
                # subscriptions. `drain` alone would forget one whose last messages are on the way.
                await nc.flush(timeout=2)
            drains = [each.drain() for each in subscriptions]  # type: ignore[no-untyped-call]
            await asyncio.gather(*drains, return_exceptions=True)
        if self._running:
            _, late = await asyncio.wait(set(self._running), timeout=within)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)


async def _not_called(_: ServiceRequest) -> None:
    """Stands where nats.micro wants a handler. Requests go to the receiver of their subscription."""


def _encode_problem(problem: Problem) -> tuple[bytes, dict[str, str]]:
    """Returns the payload and the headers of a reply that is a problem."""
    headers = {ERROR_CODE_HEADER: str(problem.status), ERROR_HEADER: problem.code}
    return orjson.dumps(problem.to_wire(), default=str), headers
