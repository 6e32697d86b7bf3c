"""Healthy means: a person can sign in. Who asks from outside learns no more than that."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
from tests.unit.gateway.conftest import World

from common.context import Context
from common.contracts.base import Request
from common.problems import NotFound, TooLate
from gateway.edge import Edge

SERVICES = ("tenancy", "identity", "oidc", "rbac")


async def seen(
    edge: Edge, world: World, monkeypatch: pytest.MonkeyPatch, away: str, ip: str
) -> tuple[int, dict[str, Any]]:
    """Status and body of /health while one service gives no answer and the others refuse."""

    async def raw(ctx: Context, request: Request[Any]) -> bytes:
        raise TooLate if request.subject.partition(".")[0] == away else NotFound

    monkeypatch.setattr(world.bus, "raw", raw)
    transport = httpx.ASGITransport(app=edge, client=(ip, 1))
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost:8080") as http:
        answer = await http.get("/health")
    return answer.status_code, answer.json()


@pytest.mark.parametrize("away", SERVICES)
async def test_each_service_is_needed(
    edge: Edge, world: World, monkeypatch: pytest.MonkeyPatch, away: str
) -> None:
    """A stopped one turns the whole, and is named to whoever runs it."""
    status, body = await seen(edge, world, monkeypatch, away, "127.0.0.1")

    assert (status, body["status"]) == (503, "unhealthy")
    states = {name: body["checks"][name] for name in SERVICES}
    assert states == dict.fromkeys(SERVICES, "ok") | {away: "deadline_exceeded"}


async def test_a_refusal_is_an_answer(
    edge: Edge, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    status, body = await seen(edge, world, monkeypatch, "nobody", "127.0.0.1")

    assert (status, body["status"]) == (200, "healthy")


async def test_outsiders_see_the_status_only(
    edge: Edge, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, body = await seen(edge, world, monkeypatch, "rbac", "203.0.113.7")

    assert body == {"status": "unhealthy"}
