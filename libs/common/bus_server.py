"""The serving side of the bus: contracts over NATS services (ADR-32)."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable
from contextvars import Context as ContextVars
from contextvars import copy_context
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

import nats.errors
import nats.micro
import orjson
from nats.aio.msg import Msg
from nats.aio.subscription import Subscription
from nats.micro.request import ERROR_CODE_HEADER, ERROR_HEADER
from nats.micro.request import Request as ServiceRequest
from nats.micro.service import Service

from common import logs, metrics, nats_private, tracing
from common.answering import answer, encode_reply
from common.bus import SYSTEM_SUBJECT, Handler
from common.bus_messages import BusMessage, NatsMessage
from common.context import HEADER, Context
from common.contracts.base import SYSTEM, Request
from common.endpoint_stats import ServiceStats, observe_served, process_stats
from common.nats_client import NatsClient
from common.problems import Busy, Problem, Unavailable

log = logs.get(__name__)


@dataclass(eq=False)
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
    handlers: dict[type[Request[Any]], Handler] = field(default_factory=dict)
    name: str = ""
    """The queue group that the replicas of the service share."""
    _running: set[asyncio.Task[None]] = field(default_factory=set)
    _further: list[Subscription] = field(default_factory=list)
    _draining: bool = False
    _context: ContextVars = field(default_factory=copy_context)
    _limit: asyncio.Semaphore = field(init=False)

    def __post_init__(self) -> None:
        self._limit = asyncio.Semaphore(self.concurrency)
        metrics.maintain(metrics.SERVED, metrics.REFUSED)
        metrics.follow(metrics.RUNNING, self, lambda server: len(server._running))
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
        return cls(nc, service, deps, concurrency, queue, stats, name=name)

    async def add(self, contract: type[Request[Any]], handler: Handler) -> None:
        """Serves a contract on its two subjects: the one of callers and the one of the system."""
        self.handlers[contract] = handler
        await self._listen(contract, contract.subject, contract.needs or "")
        await self._listen(contract, SYSTEM_SUBJECT + contract.subject, SYSTEM)

    async def listen_on(self, client: NatsClient) -> None:
        """Answers requests that arrive over a further connection, too. Returns when the server sends some of
        them there."""
        for contract in self.handlers:
            for subject in (contract.subject, SYSTEM_SUBJECT + contract.subject):
                further = await client.subscribe(subject, queue=self.name)
                client.receive(further, self._receiver(client, contract, subject))
                self._further.append(further)
        await client.flush(timeout=5)

    async def stop_listening_on(self, client: NatsClient) -> None:
        """Takes no more requests over a further connection. Those that were sent there have arrived then."""
        for subscription in self._further:
            await nats_private.send_unsubscribe(subscription)
        self._further.clear()
        await client.flush(timeout=5)

    async def finish_running(self, within: float) -> None:
        """Waits until the requests that have arrived by now are answered, `within` seconds at most."""
        if self._running:
            await asyncio.wait(set(self._running), timeout=within)

    def _receiver(
        self, client: NatsClient, contract: type[Request[Any]], subject: str
    ) -> Callable[[Msg], None]:
        return lambda msg: self.receive(contract, NatsMessage(client, msg), subject)

    async def _listen(self, contract: type[Request[Any]], subject: str, needs: str) -> None:
        await self.service.add_endpoint(
            name=subject.replace(".", "-"),
            subject=subject,
            handler=_not_called,
            metadata={"needs": needs, "reply": contract.reply.__name__},
        )
        receiver = self._receiver(self.client, contract, subject)
        self.client.receive(nats_private.service_subscriptions(self.service)[-1], receiver)

    def receive(self, contract: type[Request[Any]], msg: BusMessage, subject: str) -> None:
        """Begins to answer a request, over NATS or in memory. Refuses it if the queue is full."""
        self.stats.receive(subject)
        if len(self._running) >= self.concurrency + self.queue:
            metrics.REFUSED.inc()
            _refuse_at_once(msg, Busy(retry_after=1))
            return
        # In a context of the service's own: nothing that a caller in the same process has set.
        answering = self._serve(contract, msg, subject, time.monotonic())
        loop = asyncio.get_running_loop()
        task = loop.create_task(answering, context=self._context.copy())
        self._running.add(task)
        task.add_done_callback(self._running.discard)

    @property
    def reachable(self) -> bool:
        """Whether requests over NATS would arrive here."""
        return not self._draining and self.client.is_connected

    async def _serve(
        self, contract: type[Request[Any]], msg: BusMessage, subject: str, arrived: float
    ) -> None:
        started = time.perf_counter()
        outcome, level, trace = "ok", "info", ""
        span = None
        try:
            async with self._limit:
                waited = time.monotonic() - arrived
                ctx = Context.decode((msg.headers or {}).get(HEADER), waited=waited)
                if tracing.recorder is not None:
                    span = tracing.recorder.serve(ctx.trace, contract.subject)
                    ctx = ctx if span is None else ctx.with_trace(span.traceparent)
                trace = ctx.trace
                logs.trace.set(trace)
                logs.contract.set(contract.subject)
                handler = self.handlers[contract]
                reply = await answer(
                    handler, self.deps, contract, ctx, data=msg.data, subject=subject
                )
                await msg.respond(encode_reply(reply))
        except Problem as problem:
            outcome = problem.code
            level = "error" if problem.status >= HTTPStatus.INTERNAL_SERVER_ERROR else "info"
            await _refuse(msg, problem)
        except asyncio.CancelledError:  # by `drain`, in the handler or before it
            outcome, level = "stopping", "error"
            await _refuse(msg, Unavailable("this replica is stopping", retry_after=1))
            raise
        except Exception:
            outcome, level = "internal", "error"
            log.exception("unhandled", subject=contract.subject, trace=trace)
            await _refuse(msg, Problem())
        finally:
            seconds = time.perf_counter() - started
            if span is not None:
                failed = outcome if level == "error" else ""
                span.end({"rpc.response.status_code": outcome}, error=failed)
            self.stats.add(subject, seconds=seconds, failed=level == "error")
            observe_served(contract.subject, outcome, seconds=seconds, trace=trace, level=level)

    async def drain(self, within: float | None = None) -> None:
        """Takes no more requests and answers those that have arrived, `within` seconds at most: by default
        the longest time limit of a contract, since after that nobody waits for the answer."""
        if within is None:
            within = max((contract.within for contract in self.handlers), default=0.0)
        self._draining = True
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


async def _refuse(msg: BusMessage, problem: Problem) -> None:
    """Replies with a problem."""
    try:
        await msg.respond(*_encode_problem(problem))
    except nats.errors.Error as error:
        log.warning("refusal not delivered", error=type(error).__name__)


def _refuse_at_once(msg: BusMessage, problem: Problem) -> None:
    """Replies with a problem, or not at all while the server takes nothing: refusals must not pile up."""
    try:
        msg.respond_at_once(*_encode_problem(problem))
    except nats.errors.Error as error:
        log.warning("refusal not delivered", error=type(error).__name__)


def _encode_problem(problem: Problem) -> tuple[bytes, dict[str, str]]:
    """Returns the payload and the headers of a reply that is a problem."""
    headers = {ERROR_CODE_HEADER: str(problem.status), ERROR_HEADER: problem.code}
    return orjson.dumps(problem.to_wire(), default=str), headers
