"""Is it alive, can it serve: for load balancers and operators, on any host."""

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
from common.metrics_server import authorized
from common.problems import Problem
from gateway.admission.flood_limits import ANONYMOUS_READ
from gateway.api.audit_tail import AWAY, STREAM
from gateway.app import Hot
from gateway.http import response as answers
from gateway.http.proxies import within
from gateway.http.request import GatewayRequest
from gateway.http.response import NO_STORE, Answer
from gateway.monitoring.joined_metrics import joined, siblings

NOBODY = "00000000-0000-7000-8000-000000000000"
"""A user that does not exist."""
LONGEST_WAIT = 2.0
"""Seconds."""
RELAY_LATE: Final = 30.0
"""Seconds that an audit event may wait for the stream: normally it waits for milliseconds."""
MAIL_LATE: Final = 300.0
"""Seconds that a mail may wait, retries of a slow receiver included."""
UNKNOWN: Final = "unknown"


@dataclass(frozen=True)
class Report:
    """The state of each part, and how long the queues are and since when."""

    services: dict[str, str]
    relay: str
    mail: str
    stream: str
    queues: Queues | None

    @property
    def healthy(self) -> bool:
        """A person can sign in, and what happens reaches the stream. Mail that is late is shown
        only: one receiver that refuses for days must not take the platform out of service."""
        return set(self.services.values()) == {"ok"} and self.relay != "late"

    def parts(self) -> dict[str, Any]:
        states = {"relay": self.relay, "mail": self.mail, "stream": self.stream}
        queues = self.queues.model_dump() if self.queues else None
        return {"checks": self.services | states, "queues": queues}


async def live(visit: GatewayRequest) -> Answer:
    """GET /health/live: touches nothing else"""
    return answers.json(200, {"status": "ok"}, NO_STORE)


async def health(visit: GatewayRequest) -> Answer:
    """GET /health and /health/ready: can a person sign in? Outsiders, who are limited, see the status
    only; internal networks see the parts."""
    inside = within(visit.ip or "", tuple(visit.gateway.settings.internal_networks))
    if not inside:
        visit.gateway.limits.spend(visit, ANONYMOUS_READ, client_network(visit.ip))
    report = await _report(visit)
    body: dict[str, object] = {"status": "healthy" if report.healthy else "unhealthy"}
    if inside:
        body |= report.parts() | {"timestamp": datetime.now(UTC).isoformat()}
    return answers.json(200 if report.healthy else 503, body, NO_STORE)


async def metrics(visit: GatewayRequest) -> Answer:
    """GET /metrics: Prometheus; of all processes of the machine where they share a folder"""
    settings = visit.gateway.settings
    if not authorized(settings, visit.headers.get(b"authorization", b"")):
        return Answer(401, b"", [(b"www-authenticate", b"Bearer"), NO_STORE])
    body = prometheus_client.generate_latest()
    if settings.metrics_folder is not None:
        exports = {("gateway", settings.replica): body.decode()}
        body = joined(exports | await siblings(settings.metrics_folder)).encode()
    kind = (b"content-type", prometheus_client.CONTENT_TYPE_LATEST.encode())
    return Answer(200, body, [kind, NO_STORE])


async def _report(visit: GatewayRequest) -> Report:
    """Ask all parts at once: the whole takes no longer than the slowest, PATIENCE at most."""
    dashboard = f"dashboard.{visit.gateway.settings.domain}"
    tenancy, identity, oidc, rbac, queues, stream = await asyncio.gather(
        _state(visit, ResolveHost(host=dashboard)),
        _state(visit, CheckSession(token="health")),  # noqa: S106 - nobody's
        _state(visit, GetJwks()),
        _state(visit, GetRights(user_id=NOBODY)),
        _queues(visit),
        _stream(visit),
    )
    links = visit.gateway.links
    bus = "ok" if links is None or links.nc.is_connected else "unreachable"
    services = {"bus": bus, "tenancy": tenancy, "identity": identity, "oidc": oidc, "rbac": rbac}
    relay = _punctual(list(queues.relay.values()), RELAY_LATE) if queues else UNKNOWN
    mail = _punctual([queues.mail], MAIL_LATE) if queues else UNKNOWN
    return Report(services, relay, mail, stream, queues)


def _punctual(queues: list[Queue], most: float) -> str:
    return "late" if any(queue.age > most for queue in queues) else "ok"


async def _state(visit: GatewayRequest, question: Request[Any]) -> str:
    """Ask a service something that needs its database. A refusal is an answer, too."""
    try:
        await visit.gateway.bus.raw(_context(visit, question), question)
    except Problem as problem:
        return problem.code if problem.status >= HTTPStatus.INTERNAL_SERVER_ERROR else "ok"
    return "ok"


async def _queues(visit: GatewayRequest) -> Queues | None:
    """None where identity gives no answer; its own state then says why."""
    try:
        return await visit.gateway.bus.call(_context(visit, GetQueues()), GetQueues())
    except Problem:
        return None


def _context(visit: GatewayRequest, question: Request[Any]) -> Context:
    origin = visit.gateway.settings.public_url
    ctx = Context(DASHBOARD, deadline=time.time() + LONGEST_WAIT, trace=new_trace(), origin=origin)
    return ctx.as_system() if question.needs == SYSTEM else ctx


async def _stream(visit: GatewayRequest) -> str:
    links = visit.gateway.links
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


ANY_HOST: dict[tuple[str, str], Hot] = {
    ("GET", "/health"): health,
    ("GET", "/health/ready"): health,
    ("GET", "/health/live"): live,
}
INTERNAL: dict[tuple[str, str], Hot] = {("GET", "/metrics"): metrics}
