"""Each application has a fair share of the slots. Only a flooded application waits."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.kit.fake_services import FakeServices, settings
from tests.kit.nats_server import PATIENCE

from common.context import Context
from common.contracts.passwords import SignInWithPassword
from common.contracts.sessions import SignedInSession
from common.contracts.tokens import ExchangeToken, Tokens
from common.problems import Busy
from gateway.admission.fair_queue import LONGEST_WAIT, FairQueue
from gateway.app import GatewayApp
from gateway.build import build
from gateway.state import Gateway

AT_ONCE = 8
NEVER = 3600.0
"""Seconds. Longer than any test."""
FORM = {"grant_type": "client_credentials", "client_id": "c", "client_secret": "right"}


class Work:
    """oidc and identity, whose calls end when a test says so."""

    def __init__(self) -> None:
        self.started: list[tuple[str, asyncio.Future[None]]] = []
        self.hold = True

    async def _do(self, ctx: Context) -> None:
        if self.hold:
            mine: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self.started.append((ctx.app_id, mine))
            await mine

    async def exchange(self, _: Any, ctx: Context, request: ExchangeToken) -> Tokens:
        await self._do(ctx)
        return Tokens(access_token="t", token_type="Bearer", expires_in=900, scope="")

    async def sign_in(self, _: Any, ctx: Context, request: SignInWithPassword) -> SignedInSession:
        await self._do(ctx)
        raise Busy

    def finish(self, count: int) -> None:
        """Ends the oldest calls, `count` of them."""
        for _, mine in [found for found in self.started if not found[1].done()][:count]:
            mine.set_result(None)

    def running(self, app_id: str) -> int:
        return sum(app == app_id and not mine.done() for app, mine in self.started)


async def settled() -> None:
    for _ in range(60):
        await asyncio.sleep(0)


@pytest.fixture
def work(world: FakeServices, monkeypatch: pytest.MonkeyPatch) -> Work:
    """A machine under load takes seconds for hundreds of requests. The tests count slots and turns, so no
    time limit may end a request before the test does."""
    for limit in ("gateway.http.request.TIME_LIMIT", "gateway.admission.fair_queue.LONGEST_WAIT"):
        monkeypatch.setattr(limit, NEVER)
    for contract in (ExchangeToken, SignInWithPassword):
        monkeypatch.setattr(contract, "within", NEVER)
    work = Work()
    world.bus.serve(None, {ExchangeToken: work.exchange, SignInWithPassword: work.sign_in})
    return work


@pytest.fixture
async def gateway_app(world: FakeServices, work: Work) -> AsyncIterator[GatewayApp]:
    for slug in ("noisy", "quiet", "third"):
        world.add(slug)
    yield build(Gateway(settings(at_once=AT_ONCE), world.bus))
    work.hold = False
    work.finish(10_000)
    await settled()


def app_id(world: FakeServices, slug: str) -> str:
    return world.tenants[f"{slug}.localhost:8080"].app_id


class Visitors:
    """Open requests of one application."""

    def __init__(self, gateway_app: GatewayApp, slug: str) -> None:
        transport = httpx.ASGITransport(app=gateway_app)  # type: ignore[arg-type]
        self.http = httpx.AsyncClient(transport=transport, base_url=f"http://{slug}.localhost:8080")
        self.tasks: list[asyncio.Task[httpx.Response]] = []

    async def ask(self, count: int) -> list[asyncio.Task[httpx.Response]]:
        made = [
            asyncio.create_task(self.http.post("/oauth2/token", data=FORM)) for _ in range(count)
        ]
        self.tasks += made
        await settled()
        return made

    def statuses(self) -> list[int]:
        return [task.result().status_code for task in self.tasks if task.done()]


@pytest.mark.fault("F34")
async def test_a_noisy_application_does_not_shut_out_a_quiet_one(
    gateway_app: GatewayApp, world: FakeServices, work: Work
) -> None:
    """One application has 500 open requests. Each request of another one starts at once, up to its
    share. Requests that find no place in the queue are refused."""
    noisy, quiet = Visitors(gateway_app, "noisy"), Visitors(gateway_app, "quiet")
    await noisy.ask(500)
    per_app = gateway_app.gateway.queues.work.per_app
    assert work.running(app_id(world, "noisy")) == AT_ONCE
    assert noisy.statuses() == [503] * (500 - AT_ONCE - per_app)

    await quiet.ask(AT_ONCE // 2)
    assert work.running(app_id(world, "quiet")) == AT_ONCE // 2
    answer = next(task.result() for task in noisy.tasks if task.done())
    assert answer.json() == {
        "error": "temporarily_unavailable",
        "error_description": "too many requests of this application at once",
    }
    assert answer.headers["retry-after"] == "1"


async def test_while_there_is_room_nobody_waits(
    gateway_app: GatewayApp, world: FakeServices, work: Work
) -> None:
    """An application may use every slot if no other one needs any, and no request is refused."""
    noisy = Visitors(gateway_app, "noisy")
    await noisy.ask(AT_ONCE)
    assert work.running(app_id(world, "noisy")) == AT_ONCE
    await noisy.ask(20)
    assert work.running(app_id(world, "noisy")) == AT_ONCE
    for _ in range(20 + AT_ONCE):
        work.finish(1)
        await settled()

    assert noisy.statuses() == [200] * (20 + AT_ONCE)


async def test_queues_are_served_in_turn(
    gateway_app: GatewayApp, world: FakeServices, work: Work
) -> None:
    """Of three applications with too many requests each gets a third of the slots."""
    slugs = ("noisy", "quiet", "third")
    visitors = [Visitors(gateway_app, slug) for slug in slugs]
    for one, count in zip(visitors, (200, 40, 40), strict=True):
        await one.ask(count)
    for _ in range(90):
        work.finish(1)
        await settled()

    done = {slug: len(one.statuses()) for slug, one in zip(slugs, visitors, strict=True)}
    assert done["quiet"] == 40 or done["quiet"] >= 90 // 3 - AT_ONCE
    assert done["third"] == 40 or done["third"] >= 90 // 3 - AT_ONCE
    assert sum(done.values()) == 90


async def test_documents_and_health_wait_for_nobody(
    gateway_app: GatewayApp, world: FakeServices, work: Work
) -> None:
    """Responses from memory need no slot."""
    noisy = Visitors(gateway_app, "noisy")
    await noisy.ask(500)

    for path in ("/.well-known/openid-configuration", "/health/live", "/static/nothing.css"):
        assert (await noisy.http.get(path)).json().get("code") != "busy"
    refused = await noisy.http.get("/login")
    assert (refused.status_code, refused.json()["code"]) == (503, "busy")


async def test_signing_in_does_not_hold_up_who_is_signed_in(
    gateway_app: GatewayApp, world: FakeServices, work: Work
) -> None:
    """Sign-ins that wait for the hash pool have slots of their own."""
    noisy, noisy_id = Visitors(gateway_app, "noisy"), app_id(world, "noisy")
    body = {"email": "ada@example.com", "password": "six unusual otters"}
    herd = [asyncio.create_task(noisy.http.post("/api/auth/signin", json=body)) for _ in range(100)]
    hashing = gateway_app.gateway.queues.hashing
    async with asyncio.timeout(PATIENCE):  # hashing runs in threads
        while len(work.started) < AT_ONCE or len(hashing._queues.get(noisy_id, ())) < 92:
            await asyncio.sleep(0.01)
    assert len(work.started) == AT_ONCE
    await noisy.ask(AT_ONCE)
    assert len(work.started) == 2 * AT_ONCE
    work.hold = False
    work.finish(10_000)
    assert {(await task).status_code for task in herd} == {503}


async def test_a_full_queue_is_told_on_the_api_too(
    gateway_app: GatewayApp, world: FakeServices, work: Work
) -> None:
    """The API answers 503 too, although FastAPI reads the body there and could make a 400 of it."""
    noisy = Visitors(gateway_app, "noisy")
    gateway_app.gateway.queues.hashing.per_app = 2
    body = {"email": "ada@example.com", "password": "six unusual otters"}
    herd = [asyncio.create_task(noisy.http.post("/api/auth/signin", json=body)) for _ in range(20)]
    async with asyncio.timeout(PATIENCE):
        while sum(task.done() for task in herd) < 20 - AT_ONCE - 2:
            await asyncio.sleep(0.01)
    told = [task.result() for task in herd if task.done()]

    assert {(answer.status_code, answer.json()["code"]) for answer in told} == {(503, "busy")}
    assert {answer.headers["retry-after"] for answer in told} == {"1"}


async def test_a_slow_body_takes_no_slot(
    gateway_app: GatewayApp, world: FakeServices, work: Work
) -> None:
    """A request whose body never ends takes no slot."""
    slow = Visitors(gateway_app, "noisy")
    never = asyncio.Event()

    async def body() -> AsyncIterator[bytes]:
        yield b"grant_type=client_credentials"
        await never.wait()

    tasks = [asyncio.create_task(Streaming(gateway_app).post(body())) for _ in range(AT_ONCE * 4)]
    await settled()
    assert gateway_app.gateway.queues.work._total == 0
    await slow.ask(AT_ONCE)
    assert work.running(app_id(world, "noisy")) == AT_ONCE
    for task in tasks:
        task.cancel()


class Streaming:
    """A client that sends the body while the gateway runs. httpx's own transport reads it first."""

    def __init__(self, gateway_app: GatewayApp) -> None:
        self.gateway_app = gateway_app

    async def post(self, body: AsyncIterator[bytes]) -> None:
        async def receive() -> dict[str, Any]:
            return {"type": "http.request", "body": await anext(body), "more_body": True}

        async def send(message: dict[str, Any]) -> None:
            pass

        scope = {
            "type": "http",
            "method": "POST",
            "path": "/oauth2/token",
            "query_string": b"",
            "client": ("127.0.0.1", 1),
            "headers": [
                (b"host", b"noisy.localhost:8080"),
                (b"content-type", b"application/x-www-form-urlencoded"),
                (b"transfer-encoding", b"chunked"),
            ],
        }
        await self.gateway_app(scope, receive, send)


async def test_every_slot_is_freed(
    gateway_app: GatewayApp, world: FakeServices, work: Work
) -> None:
    """The slot is freed after a response, a refusal, an exception or a disconnect."""
    work.hold = False
    noisy = Visitors(gateway_app, "noisy")
    await noisy.ask(50)
    for path in ("/api/users", "/login", "/nowhere", "/api/auth/session"):
        await noisy.http.get(path)
    await noisy.http.post("/oauth2/token", content=b"{}", headers={"content-type": "text/plain"})
    await noisy.http.post("/api/auth/signin", content=b"{")
    work.hold = True
    asked = await noisy.ask(30)
    for task in asked[:20]:
        task.cancel()
    await settled()
    work.hold = False
    work.finish(10_000)
    await settled()

    assert [task.result().status_code for task in asked[20:]] == [200] * 10
    for queue in (gateway_app.gateway.queues.work, gateway_app.gateway.queues.hashing):
        assert (queue._total, queue._working, dict(queue._queues)) == (0, {}, {})


async def test_a_request_that_waited_too_long_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """A request that waited too long is refused, and the next one gets its slot."""
    queue, loop = FairQueue(at_once=1), asyncio.get_running_loop()
    assert queue.enter("a")
    late = asyncio.create_task(queue.wait("a"))
    await settled()
    began = loop.time()
    monkeypatch.setattr(loop, "time", lambda: began + LONGEST_WAIT + 1)
    on_time = asyncio.create_task(queue.wait("a"))
    await settled()
    queue.leave("a")

    with pytest.raises(Busy):
        await late
    await on_time


@given(st.lists(st.tuples(st.sampled_from("abcd"), st.booleans()), max_size=200))
def test_the_number_of_slots_never_changes(steps: list[tuple[str, bool]]) -> None:
    """With free slots no request waits, and an application below its share never waits."""

    async def run() -> None:
        queue = FairQueue(at_once=6, per_app=10)
        working: dict[str, int] = dict.fromkeys("abcd", 0)
        waiting: dict[str, list[asyncio.Task[None]]] = {app: [] for app in "abcd"}

        async def collect() -> None:
            await settled()
            for app, tasks in waiting.items():
                for task in [task for task in tasks if task.done()]:
                    tasks.remove(task)
                    if task.exception() is None:
                        working[app] += 1

        for app, comes in steps:
            if comes:
                if queue.enter(app):
                    working[app] += 1
                else:
                    waiting[app].append(asyncio.create_task(queue.wait(app)))
            elif working[app]:
                working[app] -= 1
                queue.leave(app)
            await collect()
            active = sum(count > 0 for count in working.values())
            assert queue._total == sum(working.values()) <= 2 * 6 + 4
            for name, tasks in waiting.items():
                assert not tasks or queue._total >= 6
                assert not tasks or working[name] >= 1 or active == 0
                assert len(tasks) <= 10
        for tasks in waiting.values():
            for task in tasks:
                task.cancel()
        await settled()

    asyncio.run(run())
