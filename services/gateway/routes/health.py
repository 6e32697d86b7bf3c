"""Is it alive, can it serve: for load balancers and operators, on any host."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any

import prometheus_client
from nats.js.errors import NotFoundError

from common.context import Context, new_trace
from common.contracts.base import SYSTEM, Request
from common.contracts.oidc import GetJwks
from common.contracts.rights import GetRights
from common.contracts.sessions import CheckSession
from common.contracts.tenancy import ResolveHost
from common.ids import DASHBOARD
from common.problems import Problem
from gateway import answers
from gateway.answers import NO_STORE, Answer
from gateway.audit_tail import AWAY, STREAM
from gateway.edge import Hot
from gateway.limits import SHOWN, network
from gateway.proxies import within
from gateway.visit import Visit

NOBODY = "00000000-0000-7000-8000-000000000000"
"""A user that does not exist."""
PATIENCE = 2.0
"""Seconds."""


async def live(visit: Visit) -> Answer:
    """GET /health/live: touches nothing else"""
    return answers.json(200, {"status": "ok"}, NO_STORE)


async def health(visit: Visit) -> Answer:
    """GET /health and /health/ready: can a person sign in? Outsiders, who are limited, see the status
    only; internal networks see the parts."""
    settings = visit.gateway.settings
    inside = within(visit.ip or "", tuple(settings.internal_networks))
    if not inside:
        visit.gateway.limits.spend(visit, SHOWN, network(visit.ip))
    tenancy, identity, oidc, rbac, stream = await asyncio.gather(
        _state(visit, ResolveHost(host=f"dashboard.{settings.domain}")),
        _state(visit, CheckSession(token="health")),  # noqa: S106 - nobody's
        _state(visit, GetJwks()),
        _state(visit, GetRights(user_id=NOBODY)),
        _stream(visit),
    )
    links = visit.gateway.links
    bus = "ok" if links is None or links.nc.is_connected else "unreachable"
    checks = {"bus": bus, "tenancy": tenancy, "identity": identity, "oidc": oidc, "rbac": rbac}
    healthy = set(checks.values()) == {"ok"}
    body: dict[str, object] = {"status": "healthy" if healthy else "unhealthy"}
    if inside:  # without the stream people sign in all the same: their events wait in the database
        body |= {"checks": checks | {"stream": stream}, "timestamp": datetime.now(UTC).isoformat()}
    return answers.json(200 if healthy else 503, body, NO_STORE)


async def metrics(visit: Visit) -> Answer:
    """GET /metrics: Prometheus"""
    kind = (b"content-type", prometheus_client.CONTENT_TYPE_LATEST.encode())
    return Answer(200, prometheus_client.generate_latest(), [kind, NO_STORE])


async def _state(visit: Visit, question: Request[Any]) -> str:
    """Ask a service something that needs its database. A refusal is an answer, too."""
    origin = visit.gateway.settings.public_url
    ctx = Context(DASHBOARD, deadline=time.time() + PATIENCE, trace=new_trace(), origin=origin)
    if question.needs == SYSTEM:
        ctx = ctx.as_system()
    try:
        await visit.gateway.bus.raw(ctx, question)
    except Problem as problem:
        return problem.code if problem.status >= HTTPStatus.INTERNAL_SERVER_ERROR else "ok"
    return "ok"


async def _stream(visit: Visit) -> str:
    links = visit.gateway.links
    if links is None:
        return "ok"
    try:
        async with asyncio.timeout(PATIENCE):
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
