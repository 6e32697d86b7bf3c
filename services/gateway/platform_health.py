"""The health of the whole platform, for operators: processes, queues, the stream and the database."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import Any, Final, Literal, TypeVar, cast

import nats.errors
import orjson
from pydantic import Field, ValidationError

from common.context import Context
from common.contracts.base import Contract, Request
from common.contracts.database_state import DatabaseState, GetDatabaseState
from common.contracts.fields import Timestamp
from common.contracts.queues import GetQueues, Queues
from common.ids import DASHBOARD
from common.problems import Problem
from common.version import VERSION
from gateway.audit_followers import STREAM
from gateway.service_discovery import SERVICES, ServiceInstance
from gateway.state import Gateway

R = TypeVar("R", bound=Contract)
WITHIN: Final = 1.0
"""Seconds for all parts. A part that has not answered by then is reported as missing."""
RELAY_LATE: Final = 30.0
"""Seconds that an audit event may wait for the stream: normally it waits for milliseconds."""
MAIL_LATE: Final = 300.0
"""Seconds that a mail may wait, retries of a slow receiver included."""
SLOW_MS: Final = 250.0
"""Milliseconds of a mean answer. Password hashes are the slowest part of one."""
MOST_ERRORS: Final = 0.01
"""The share of answers that may be faults."""
ENOUGH: Final = 100
"""Answers of a process below which a mean or a share says nothing."""
MOST_CONNECTIONS: Final = 0.8
"""The share of the server's connections that may be in use."""
MOST_HASHES: Final = 64
"""Password hashes that may wait in one process. It refuses more than 256."""

WarningCode = Literal[
    "service_silent",
    "instance_silent",
    "instance_slow",
    "instance_errors",
    "version_differs",
    "hashes_wait",
    "queues_unknown",
    "relay_late",
    "mail_late",
    "stream_unknown",
    "database_unknown",
    "connections_scarce",
]


class GatewayState(Contract):
    """The gateway that answers. It is also among the processes, where its `id` finds it."""

    id: str = Field(description="The id that the gateway has on the bus.")
    replica: str
    version: str
    started_at: Timestamp
    gateways: int = Field(description="The gateways that know of each other, with this one.")
    requests: int
    errors: int = Field(description="Answers that were faults (5xx).")
    mean_ms: float | None = Field(description="The mean time of an answer, without streams.")


class StreamState(Contract):
    """The JetStream stream of audit events."""

    messages: int
    size_bytes: int
    first_at: Timestamp | None = Field(default=None, description="The time of the oldest message.")
    last_at: Timestamp | None = Field(default=None, description="The time of the newest message.")
    consumers: int


class HealthWarning(Contract):
    """Something that an operator should look at."""

    code: WarningCode
    about: str = Field(default="", description="The service, process or queue.")


class PlatformHealth(Contract):
    """The health of the platform. A part that gave no answer within a second is `null`, and a warning
    names it."""

    measured_at: Timestamp
    warnings: list[HealthWarning]
    gateway: GatewayState
    instances: list[ServiceInstance]
    queues: Queues | None
    stream: StreamState | None
    database: DatabaseState | None


async def platform_health(gateway: Gateway, ctx: Context) -> PlatformHealth:
    """Returns the health of the platform as it was at most two seconds ago: many who look at it ask the
    services once. Raises Forbidden for a caller who may not see it."""
    ctx.allow(GetDatabaseState.needs)
    report = await gateway.reports.fetch((DASHBOARD, "health"), lambda: _measure(gateway, ctx))
    return cast(PlatformHealth, report)


async def _measure(gateway: Gateway, ctx: Context) -> PlatformHealth:
    """Asks all parts at the same time."""
    ctx = ctx.with_time_limit(WITHIN)
    instances, queues, stream, database = await asyncio.gather(
        _instances(gateway),
        _ask(gateway, ctx.as_system(), GetQueues()),
        _stream(gateway),
        _ask(gateway, ctx, GetDatabaseState()),
    )
    report = PlatformHealth(
        measured_at=datetime.now(UTC),
        warnings=[],
        gateway=_own(gateway),
        instances=instances,
        queues=queues,
        stream=stream,
        database=database,
    )
    return report.model_copy(update={"warnings": warnings_of(report)})


async def _instances(gateway: Gateway) -> list[ServiceInstance]:
    if gateway.links is None:
        return []
    try:
        return await gateway.discovery.instances(gateway.links.nc)
    except (nats.errors.Error, OSError):
        return []


async def _ask(gateway: Gateway, ctx: Context, call: Request[R]) -> R | None:
    """Returns the reply, or None if there is none in time."""
    try:
        return await gateway.bus.call(ctx, call)
    except (Problem, ValidationError):
        return None


async def _stream(gateway: Gateway) -> StreamState | None:
    """Returns the state of the stream as the server reports it. nats-py leaves the times out."""
    if gateway.links is None:
        return None
    subject = f"$JS.API.STREAM.INFO.{STREAM}"
    try:
        reply = await gateway.links.nc.request(subject, b"", timeout=WITHIN)
        return stream_state(orjson.loads(reply.data).get("state") or {})
    except (nats.errors.Error, OSError, TimeoutError, ValueError, AttributeError):
        return None


def stream_state(state: dict[str, Any]) -> StreamState | None:
    """Returns the state of a stream. Returns None for an answer without one. Raises ValidationError."""
    if "messages" not in state:
        return None
    full = state["messages"] > 0
    return StreamState(
        messages=state["messages"],
        size_bytes=state.get("bytes", 0),
        first_at=state.get("first_ts") if full else None,
        last_at=state.get("last_ts") if full else None,
        consumers=state.get("consumer_count", 0),
    )


def _own(gateway: Gateway) -> GatewayState:
    return GatewayState(
        id=gateway.discovery.own_id,
        replica=gateway.settings.replica,
        version=VERSION,
        started_at=gateway.served.started_at,
        gateways=gateway.limits.gateways,
        requests=gateway.served.requests,
        errors=gateway.served.errors,
        mean_ms=gateway.served.mean_ms,
    )


def warnings_of(report: PlatformHealth) -> list[HealthWarning]:
    """Returns what an operator should look at, the gravest first. A service without an answer has one
    warning, and none for each of its processes."""
    warnings: list[tuple[WarningCode, str]] = []
    answering = {each.service for each in report.instances if each.answers}
    warnings += [("service_silent", name) for name in SERVICES if name not in answering]
    warnings += [("database_unknown", "")] if report.database is None else []
    warnings += [("stream_unknown", "")] if report.stream is None else []
    warnings += _of_queues(report.queues)
    database = report.database
    if database and database.connections > MOST_CONNECTIONS * database.max_connections:
        warnings.append(("connections_scarce", ""))
    for instance in (each for each in report.instances if each.service in answering):
        warnings += [(code, instance.label) for code in _of_instance(instance)]
    return [HealthWarning(code=code, about=about) for code, about in warnings]


def _of_queues(queues: Queues | None) -> list[tuple[WarningCode, str]]:
    if queues is None:
        return [("queues_unknown", "")]
    late: list[tuple[WarningCode, str]] = [
        ("relay_late", name) for name, queue in queues.relay.items() if queue.age > RELAY_LATE
    ]
    return [*late, ("mail_late", "")] if queues.mail.age > MAIL_LATE else late


def _of_instance(instance: ServiceInstance) -> list[WarningCode]:
    if not instance.answers:
        return ["instance_silent"]
    codes: list[WarningCode] = []
    if instance.version != VERSION:
        codes.append("version_differs")
    if (instance.hash_queue or 0) > MOST_HASHES:
        codes.append("hashes_wait")
    if (instance.requests or 0) >= ENOUGH:
        if (instance.errors or 0) > MOST_ERRORS * (instance.requests or 0):
            codes.append("instance_errors")
        if (instance.mean_ms or 0) > SLOW_MS:
            codes.append("instance_slow")
    return codes
