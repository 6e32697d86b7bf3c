"""The health of the platform: what operators see, what it costs, and who sees nothing."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
import pytest
from tests.kit.dashboard_platform import FakePlatform, fake_platform, stats_of
from tests.kit.developers import ORIGIN, sign_in
from tests.kit.fake_services import FakeServices

from common.contracts.database_state import GetDatabaseState
from common.contracts.queues import GetQueues, Queue
from gateway import service_discovery
from gateway.app import GatewayApp

API = f"{ORIGIN}/api/platform/health"
PAGE = f"{ORIGIN}/dashboard/platform/health"
FIGURES = f"{PAGE}/figures"
HTMX = {"hx-request": "true", "hx-request-type": "partial"}
HOSTILE = '<b>"\' hx-get="/x" \u202eevil'


@pytest.fixture
def platform(
    http: httpx.AsyncClient,
    gateway_app: GatewayApp,
    world: FakeServices,
    monkeypatch: pytest.MonkeyPatch,
) -> FakePlatform:
    monkeypatch.setattr(service_discovery, "WITHIN", 0.2)
    sign_in(http)
    return fake_platform(gateway_app, world)


async def report(http: httpx.AsyncClient) -> dict[str, Any]:
    answer = await http.get(API)
    assert answer.status_code == 200, answer.text
    body: dict[str, Any] = answer.json()
    return body


def codes(body: dict[str, Any]) -> list[tuple[str, str]]:
    return [(each["code"], each["about"]) for each in body["warnings"]]


async def test_a_platform_that_is_well(http: httpx.AsyncClient, platform: FakePlatform) -> None:
    """The API has all parts, and no warning."""
    body = await report(http)

    assert body["warnings"] == []
    assert [each["service"] for each in body["instances"]] == [
        "identity",
        "oidc",
        "rbac",
        "tenancy",
    ]
    assert body["queues"]["mail"] == {"waiting": 0, "age": 0.0}
    assert (body["stream"]["messages"], body["stream"]["consumers"]) == (1234, 2)
    assert body["stream"]["first_at"] == "2026-01-01T00:00:00.123456Z"
    assert body["database"]["max_connections"] == 120
    assert (body["gateway"]["version"], body["gateway"]["gateways"]) == ("0.1.0", 1)


async def test_every_gateway_is_listed_once(
    http: httpx.AsyncClient, platform: FakePlatform, gateway_app: GatewayApp
) -> None:
    """The gateway that answers is marked. Without itself among the replies it has a row all the same."""
    alone = await http.get(PAGE)
    gateway_app.gateway.discovery.own_id = "G1"
    gateway_app.gateway.reports.clear()
    platform.nats.processes += [
        stats_of("gateway", id=id, metadata={"replica": id}) for id in ("G1", "G2")
    ]
    page = await http.get(PAGE)

    assert alone.text.count("gateway (this one)") == page.text.count("gateway (this one)") == 1
    assert page.text.count("gateway-G1") == page.text.count("gateway-G2") == 2


async def test_many_who_look_ask_once(http: httpx.AsyncClient, platform: FakePlatform) -> None:
    """Twenty viewers at the same time, and one a moment later, cause one round of questions."""
    await asyncio.gather(*(http.get(API) for _ in range(10)), *(http.get(PAGE) for _ in range(10)))
    await http.get(API)

    assert sorted(platform.nats.questions) == [
        "$JS.API.STREAM.INFO.AUDIT",
        "$SRV.INFO",
        "$SRV.STATS",
    ]
    assert len(platform.of(GetQueues)) == len(platform.of(GetDatabaseState)) == 1


async def test_parts_without_an_answer(http: httpx.AsyncClient, platform: FakePlatform) -> None:
    """Each part that gives no answer is null, with a warning. The others are there."""
    platform.away |= {GetQueues, GetDatabaseState}
    platform.nats.stream = None
    platform.nats.processes = [stats_of("identity")]
    body = await report(http)
    page = await http.get(PAGE)

    assert (body["queues"], body["stream"], body["database"]) == (None, None, None)
    assert codes(body) == [
        ("service_silent", "oidc"),
        ("service_silent", "rbac"),
        ("service_silent", "tenancy"),
        ("database_unknown", ""),
        ("stream_unknown", ""),
        ("queues_unknown", ""),
    ]
    assert page.status_code == 200
    assert "No process of oidc answers." in page.text
    assert page.text.count("No answer") >= 5


async def test_what_is_wrong_has_a_warning(http: httpx.AsyncClient, platform: FakePlatform) -> None:
    """Late queues, few connections, and processes that are slow, fail or are of another version."""
    slow = [{"num_requests": 200, "processing_time": 200 * 300_000_000, "num_errors": 3}]
    crowded = [{"num_requests": 1, "data": {"hash_queue": 100}}]
    platform.nats.processes = [
        stats_of("identity", endpoints=crowded),
        stats_of("oidc", endpoints=slow),
        stats_of("rbac", version="0.0.9"),
        stats_of("tenancy"),
    ]
    platform.queues.relay["oidc"] = Queue(waiting=5, age=31)
    platform.queues = platform.queues.model_copy(update={"mail": Queue(waiting=7, age=301)})
    platform.database = platform.database.model_copy(update={"connections": 100})
    page = await http.get(PAGE)

    assert codes(await report(http)) == [
        ("relay_late", "oidc"),
        ("mail_late", ""),
        ("connections_scarce", ""),
        ("hashes_wait", "identity-0"),
        ("instance_errors", "oidc-0"),
        ("instance_slow", "oidc-0"),
        ("version_differs", "rbac-0"),
    ]
    assert "Mails wait longer than five minutes." in page.text
    assert "oidc-0 is slow" in page.text
    assert "7 waiting, the oldest for 5 min" in page.text


async def test_a_process_that_fell_silent(
    http: httpx.AsyncClient, platform: FakePlatform, gateway_app: GatewayApp
) -> None:
    """The process keeps its row. A service with another process has a warning for this one, and a service
    without any has one warning for all."""
    platform.nats.processes.append(stats_of("rbac", id="B", metadata={"replica": "1"}))
    await http.get(PAGE)
    gateway_app.gateway.reports.clear()
    platform.nats.processes = [stats_of(name) for name in ("identity", "rbac", "tenancy")]
    page = await http.get(PAGE)

    assert codes(await report(http)) == [("service_silent", "oidc"), ("instance_silent", "rbac-1")]
    assert page.text.count("No answer") == 2
    assert "no process" not in page.text


async def test_few_answers_say_nothing(http: httpx.AsyncClient, platform: FakePlatform) -> None:
    """The first slow answers of a process that has just started are no warning."""
    few = [{"num_requests": 5, "processing_time": 5 * 900_000_000, "num_errors": 5}]
    platform.nats.processes[0] = stats_of("identity", endpoints=few)

    assert (await report(http))["warnings"] == []


async def test_names_from_the_bus_are_text(http: httpx.AsyncClient, platform: FakePlatform) -> None:
    """Markup in a name, version or replica does nothing, and no character turns the direction."""
    platform.nats.processes.append(
        stats_of(HOSTILE, id="X", version=HOSTILE, metadata={"replica": HOSTILE})
    )
    page = await http.get(PAGE)

    assert page.status_code == 200
    assert "&lt;b&gt;" in page.text
    assert "<b>" not in page.text
    assert ' hx-get="/x"' not in page.text
    assert "\u202e" not in page.text


async def test_the_figures_alone_for_the_open_page(
    http: httpx.AsyncClient, platform: FakePlatform, world: FakeServices
) -> None:
    """The page refreshes its figures, and that is no use of the session. A person who opens their
    address comes to the page."""
    page = await http.get(PAGE)
    uses = len(world.checks)
    part = await http.get(FIGURES, headers=HTMX)
    opened = await http.get(FIGURES)

    assert 'hx-get="/dashboard/platform/health/figures"' in page.text
    assert "<html" not in part.text
    assert 'id="figures"' in part.text
    assert opened.headers["location"] == "/dashboard/platform/health"
    assert [check.is_use for check in world.checks[uses:]] == [False, False]


async def test_an_open_page_of_somebody_who_is_signed_out(
    http: httpx.AsyncClient, platform: FakePlatform, world: FakeServices
) -> None:
    """The next refresh leads to the sign-in page, as a whole page."""
    world.sessions.clear()
    shown = {"hx-current-url": PAGE}
    part = await http.get(FIGURES, headers=HTMX | shown)

    assert part.status_code == 204
    assert part.headers["hx-redirect"].startswith("/login?return_to=")


async def test_without_a_bus_the_page_is_there(
    http: httpx.AsyncClient, platform: FakePlatform, gateway_app: GatewayApp
) -> None:
    """A connection that is lost is no fault of the page."""

    async def lost(*_: Any, **__: Any) -> None:
        raise OSError

    platform.nats.subscribe = platform.nats.request = lost  # type: ignore[method-assign]
    body = await report(http)

    assert body["instances"] == []
    assert ("service_silent", "identity") in codes(body)
