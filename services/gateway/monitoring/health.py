"""Health and metrics, for load balancers and operators."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any, Final

import prometheus_client
from nats.js.errors import NotFoundError

from common.context import Context, new_trace
from common.contracts.base import SYSTEM, Request
from common.contracts.keys import GetJwks
from common.contracts.queues import GetQueues, Queue, Queues
from common.contracts.rights import GetRights
from common.contracts.sessions import CheckSession
from common.contracts.tenants import ResolveHost
from common.ids import DASHBOARD
from common.ip_addresses import client_network
from common.metrics_server import authorized, offered
from common.problems import Problem
from gateway.admission.admission import admission_of
from gateway.admission.flood_limits import ANONYMOUS_READ
from gateway.audit_followers import AWAY, STREAM
from gateway.http.proxies import within
from gateway.http.request import GatewayRequest
from gateway.http.response import NO_STORE, GatewayResponse, json_response
from gateway.monitoring.joined_metrics import joined, siblings
from gateway.platform_health import MAIL_LATE, RELAY_LATE
from gateway.routing import ErrorStyle, Handler, HostKind, Route, RouteSet
from gateway.state import Gateway

NOBODY = "00000000-0000-7000-8000-000000000000"
"""A user that does not exist."""
LONGEST_WAIT = 2.0
"""Seconds."""
UNKNOWN: Final = "unknown"


@dataclass(frozen=True)
class Report:
    """The state of each part, and the queues: how many entries wait, and since when."""

    services: dict[str, str]
    relay: str
    mail: str
    stream: str
    queues: Queues | None

    @property
    def healthy(self) -> bool:
        """Whether people can sign in, and audit events reach the stream. Late mail does not count: one
        receiver that refuses mail for days must not take the platform out of service."""
        return set(self.services.values()) == {"ok"} and self.relay != "late"

    def parts(self) -> dict[str, Any]:
        states = {"relay": self.relay, "mail": self.mail, "stream": self.stream}
        clusters = self.queues.clusters if self.queues else {}
        queues = self.queues.model_dump(exclude={"clusters"}) if self.queues else None
        states |= {f"cluster {name}": state for name, state in clusters.items()}
        return {"checks": self.services | states, "queues": queues}


async def live(gateway: Gateway, request: GatewayRequest) -> GatewayResponse:
    """GET /health/live: this process answers"""
    return json_response(200, {"status": "ok"}, NO_STORE)


async def ready(gateway: Gateway, request: GatewayRequest) -> GatewayResponse:
    """GET /health/ready: whether to send requests here. 503 from the moment that this process stops.

    It asks no service and no server. While one of them is away, all gateways would fail at once, and their
    load balancer could only answer with less than they do.
    """
    if gateway.stops:
        return json_response(503, {"status": "stopping"}, NO_STORE)
    return json_response(200, {"status": "ready"}, NO_STORE)


async def health(gateway: Gateway, request: GatewayRequest) -> GatewayResponse:
    """GET /health: whether people can sign in. Internal networks see all parts. Other
    peers see only the status, and are limited."""
    inside = within(request.ip or "", tuple(gateway.settings.internal_networks))
    if not inside:
        admission_of(request).charge(ANONYMOUS_READ, client_network(request.ip))
    report = await _report(gateway)
    body: dict[str, object] = {"status": "healthy" if report.healthy else "unhealthy"}
    if inside:
        body |= report.parts() | {"timestamp": datetime.now(UTC).isoformat()}
    return json_response(200 if report.healthy else 503, body, NO_STORE)


async def metrics(gateway: Gateway, request: GatewayRequest) -> GatewayResponse:
    """GET /metrics: for Prometheus, of all processes of the machine that share a folder"""
    settings = gateway.settings
    if not authorized(settings, request.headers.get(b"authorization", b"")):
        return GatewayResponse(401, b"", [(b"www-authenticate", b"Bearer"), NO_STORE])
    body = prometheus_client.generate_latest()
    if settings.metrics_folder is not None:
        own = offered or [("gateway", settings.replica)]
        exports = await siblings(settings.metrics_folder, own=own)
        body = joined(dict.fromkeys(own, body.decode()) | exports).encode()
    kind = (b"content-type", prometheus_client.CONTENT_TYPE_LATEST.encode())
    return GatewayResponse(200, body, [kind, NO_STORE])


async def _report(gateway: Gateway) -> Report:
    """Asks all parts at the same time: that takes as long as the slowest, at most LONGEST_WAIT."""
    dashboard = f"dashboard.{gateway.settings.domain}"
    tenancy, identity, oidc, rbac, queues, stream = await asyncio.gather(
        _state(gateway, ResolveHost(host=dashboard)),
        _state(gateway, CheckSession(token="health")),  # noqa: S106 - nobody's
        _state(gateway, GetJwks()),
        _state(gateway, GetRights(user_id=NOBODY)),
        _queues(gateway),
        _stream(gateway),
    )
    links = gateway.links
    bus = "ok" if links is None or links.nc.is_connected else "unreachable"
    services = {"bus": bus, "tenancy": tenancy, "identity": identity, "oidc": oidc, "rbac": rbac}
    relay = _punctual(list(queues.relay.values()), RELAY_LATE) if queues else UNKNOWN
    mail = _punctual([queues.mail], MAIL_LATE) if queues else UNKNOWN
    return Report(services, relay, mail, stream, queues)


def _punctual(queues: list[Queue], most: float) -> str:
    return "late" if any(queue.age > most for queue in queues) else "ok"


async def _state(gateway: Gateway, call: Request[Any]) -> str:
    """Asks a service for something that needs its database. A refusal counts as an answer."""
    try:
        await gateway.bus.raw(_context(gateway, call), call)
    except Problem as problem:
        return problem.code if problem.status >= HTTPStatus.INTERNAL_SERVER_ERROR else "ok"
    return "ok"


async def _queues(gateway: Gateway) -> Queues | None:
    """Returns the queues, or None if identity does not answer. Its own state then says why."""
    try:
        return await gateway.bus.call(_context(gateway, GetQueues()), GetQueues())
    except Problem:
        return None


def _context(gateway: Gateway, call: Request[Any]) -> Context:
    origin = gateway.settings.public_url
    ctx = Context(
        DASHBOARD, deadline=time.monotonic() + LONGEST_WAIT, trace=new_trace(), origin=origin
    )
    return ctx.as_system() if call.needs == SYSTEM else ctx


async def _stream(gateway: Gateway) -> str:
    links = gateway.links
    if links is None:
        return "ok"
    try:
        async with asyncio.timeout(LONGEST_WAIT):
            await links.js.stream_info(STREAM)
    except NotFoundError:
        return "missing"
    except AWAY:
        return "unreachable"
    return "ok"


def _any_host(path: str, handler: Handler) -> Route:
    return Route(HostKind.ANY, "GET", path, handler, ErrorStyle.PAGE)


routes = RouteSet(
    (
        _any_host("/health", health),
        _any_host("/health/ready", ready),
        _any_host("/health/live", live),
        Route(HostKind.INTERNAL, "GET", "/metrics", metrics, ErrorStyle.PROBLEM),
    )
)
