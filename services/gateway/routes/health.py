"""Is it alive, can it serve: for load balancers and operators, on any host."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime

import prometheus_client

from common.context import Context, new_trace
from common.contracts.oidc import GetJwks
from common.contracts.tenancy import ResolveHost
from common.ids import DASHBOARD
from common.problems import Problem
from gateway import answers
from gateway.answers import NO_STORE, Answer
from gateway.edge import Hot
from gateway.limits import SHOWN, network
from gateway.proxies import within
from gateway.visit import Visit

PATIENCE = 2.0
"""Seconds."""


async def live(visit: Visit) -> Answer:
    """GET /health/live: touches nothing else"""
    return answers.json(200, {"status": "ok"}, NO_STORE)


async def health(visit: Visit) -> Answer:
    """GET /health and /health/ready: bus, database and keys, each asked now, strangers limited"""
    settings = visit.gateway.settings
    if not within(visit.ip or "", tuple(settings.internal_networks)):
        visit.gateway.limits.spend(visit, SHOWN, network(visit.ip))
    domain = settings.domain
    database, jwks = await asyncio.gather(
        _asked(visit, ResolveHost(host=f"dashboard.{domain}")), _asked(visit, GetJwks())
    )
    links = visit.gateway.links
    bus = "ok" if links is None or links.nc.is_connected else "unreachable"
    checks = {"bus": bus, "database": database, "jwks": jwks}
    healthy = set(checks.values()) == {"ok"}
    body = {
        "status": "healthy" if healthy else "unhealthy",
        "checks": checks,
        "timestamp": datetime.now(UTC).isoformat(),
    }
    return answers.json(200 if healthy else 503, body, NO_STORE)


async def metrics(visit: Visit) -> Answer:
    """GET /metrics: Prometheus"""
    kind = (b"content-type", prometheus_client.CONTENT_TYPE_LATEST.encode())
    return Answer(200, prometheus_client.generate_latest(), [kind, NO_STORE])


async def _asked(visit: Visit, question: ResolveHost | GetJwks) -> str:
    origin = visit.gateway.settings.public_url
    ctx = Context(DASHBOARD, deadline=time.time() + PATIENCE, trace=new_trace(), origin=origin)
    try:
        await visit.gateway.bus.raw(ctx, question)
    except Problem as problem:
        return problem.code
    return "ok"


ANY_HOST: dict[tuple[str, str], Hot] = {
    ("GET", "/health"): health,
    ("GET", "/health/ready"): health,
    ("GET", "/health/live"): live,
}
INTERNAL: dict[tuple[str, str], Hot] = {("GET", "/metrics"): metrics}
