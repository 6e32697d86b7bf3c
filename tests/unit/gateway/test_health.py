"""/health says whether a user can sign in. Public callers learn nothing more."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
from tests.kit.fake_services import FakeServices

from common.context import Context
from common.contracts.base import Request
from common.contracts.queues import GetQueues, Queue, Queues
from common.problems import NotFound, TooLate
from gateway.app import GatewayApp

SERVICES = ("tenancy", "identity", "oidc", "rbac")
EMPTY = Queues(relay=dict.fromkeys(SERVICES, Queue()), mail=Queue())


async def seen(
    gateway_app: GatewayApp,
    world: FakeServices,
    monkeypatch: pytest.MonkeyPatch,
    away: str,
    ip: str,
    queues: Queues = EMPTY,
) -> tuple[int, dict[str, Any]]:
    """Returns status and body of /health while one service does not answer and the others refuse."""

    async def raw(ctx: Context, request: Request[Any]) -> bytes:
        raise TooLate if request.subject.partition(".")[0] == away else NotFound

    async def call(ctx: Context, request: Request[Any]) -> Queues:
        assert isinstance(request, GetQueues)
        assert ctx.caller.kind == "system"
        if away == "identity":
            raise TooLate
        return queues

    monkeypatch.setattr(world.bus, "raw", raw)
    monkeypatch.setattr(world.bus, "call", call)
    transport = httpx.ASGITransport(app=gateway_app, client=(ip, 1))  # type: ignore[arg-type]
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost:8080") as http:
        answer = await http.get("/health")
    return answer.status_code, answer.json()


@pytest.mark.parametrize("away", SERVICES)
async def test_each_service_is_needed(
    gateway_app: GatewayApp, world: FakeServices, monkeypatch: pytest.MonkeyPatch, away: str
) -> None:
    """If one service is stopped, the whole is unhealthy, and the operator reads which one."""
    status, body = await seen(gateway_app, world, monkeypatch, away, "127.0.0.1")

    assert (status, body["status"]) == (503, "unhealthy")
    states = {name: body["checks"][name] for name in SERVICES}
    assert states == dict.fromkeys(SERVICES, "ok") | {away: "deadline_exceeded"}


async def test_a_refusal_is_an_answer(
    gateway_app: GatewayApp, world: FakeServices, monkeypatch: pytest.MonkeyPatch
) -> None:
    status, body = await seen(gateway_app, world, monkeypatch, "nobody", "127.0.0.1")

    assert (status, body["status"]) == (200, "healthy")


async def test_outsiders_see_the_status_only(
    gateway_app: GatewayApp, world: FakeServices, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, body = await seen(gateway_app, world, monkeypatch, "rbac", "203.0.113.7")

    assert body == {"status": "unhealthy"}


async def test_a_relay_that_is_stuck_is_unhealthy(
    gateway_app: GatewayApp, world: FakeServices, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A relay that cannot publish is unhealthy, even if every service answers."""
    stuck = EMPTY.model_copy(update={"relay": EMPTY.relay | {"oidc": Queue(waiting=128, age=240)}})

    status, body = await seen(gateway_app, world, monkeypatch, "nobody", "127.0.0.1", stuck)

    assert (status, body["status"], body["checks"]["relay"]) == (503, "unhealthy", "late")
    assert body["queues"]["relay"]["oidc"] == {"waiting": 128, "age": 240.0}


async def test_late_mail_is_shown_and_people_sign_in(
    gateway_app: GatewayApp, world: FakeServices, monkeypatch: pytest.MonkeyPatch
) -> None:
    late = EMPTY.model_copy(update={"mail": Queue(waiting=3, age=4000)})

    status, body = await seen(gateway_app, world, monkeypatch, "nobody", "127.0.0.1", late)

    assert (status, body["checks"]["mail"]) == (200, "late")
    assert body["queues"]["mail"] == {"waiting": 3, "age": 4000.0}


async def test_unknown_queues_are_not_called_empty(
    gateway_app: GatewayApp, world: FakeServices, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, body = await seen(gateway_app, world, monkeypatch, "identity", "127.0.0.1")

    assert body["queues"] is None
    assert (body["checks"]["relay"], body["checks"]["mail"]) == ("unknown", "unknown")


async def test_readiness_depends_on_nobody_else(
    gateway_app: GatewayApp, world: FakeServices, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A gateway is ready although nothing behind it answers: all gateways would fail together, and come
    and go with every short outage. From the moment that it stops, it is not ready, and still alive."""

    async def never(ctx: Context, request: Request[Any]) -> Any:
        raise AssertionError("a probe asks no service")

    monkeypatch.setattr(world.bus, "raw", never)
    monkeypatch.setattr(world.bus, "call", never)
    transport = httpx.ASGITransport(app=gateway_app)  # type: ignore[arg-type]
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost:8080") as http:
        before = await http.get("/health/ready")
        monkeypatch.setattr(gateway_app.gateway, "stops", True)
        after, live = await http.get("/health/ready"), await http.get("/health/live")

    assert (before.status_code, before.json()) == (200, {"status": "ready"})
    assert (after.status_code, after.json()) == (503, {"status": "stopping"})
    assert live.status_code == 200
