"""Live rows of the Dashboard over a real stream: which events come, as which HTML, and when it ends."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any, cast

import pytest
from tests.kit.dashboard_audit import FakeLog, fake_log
from tests.kit.developers import developers
from tests.kit.fake_services import FakeServices, serve, settings
from tests.kit.nats_server import start, until

from common.contracts.audit_log import AuditRecord
from common.ids import DASHBOARD
from common.outbox import ensure_stream
from common.periodic import stop
from gateway import audit_tail
from gateway.app import GatewayApp
from gateway.audit_tail import Places
from gateway.build import build
from gateway.state import Gateway

PATH = "/dashboard/applications/shop/live"
PLATFORM = "/dashboard/platform/live"


@dataclass
class Follower:
    """A browser that follows: what it received, and the id at which it goes on."""

    received: list[str] = field(default_factory=list)

    @property
    def text(self) -> str:
        return "".join(self.received)

    @property
    def last_id(self) -> str:
        ids = [line[4:] for line in self.text.split("\n") if line.startswith("id: ")]
        return ids[-1]


@dataclass
class LivePages:
    """A gateway with fake services and a real stream."""

    app: GatewayApp
    log: FakeLog
    js: Any

    @property
    def app_id(self) -> str:
        return self.log.developers.managed["shop"].app_id

    async def happen(
        self, kind: str = "login", *, activity: bool = False, app_id: str = "", **fields: Any
    ) -> str:
        """Writes an event to the stream, and into the log unless it is activity."""
        id, line = self.line(kind, activity=activity, app_id=app_id, **fields)
        await self.publish(line, app_id=app_id, kind="activity" if activity else "batch")
        return id

    def line(
        self, kind: str = "login", *, activity: bool = False, app_id: str = "", **fields: Any
    ) -> tuple[str, bytes]:
        """Returns the id and the line of an event, which is in the log unless it is activity."""
        event: AuditRecord = self.log.add(kind, **fields)
        if activity:
            self.log.events.remove(event)
        line = event.model_dump(mode="json") | {"app_id": app_id or self.app_id}
        return event.id, json.dumps(line).encode()

    async def publish(self, *lines: bytes, app_id: str = "", kind: str = "batch") -> None:
        """Publishes one message with these events."""
        subject = f"audit.identity.{app_id or self.app_id}.{kind}"
        await self.js.publish(subject, b"\n".join(lines))

    @asynccontextmanager
    async def following(
        self, form: str = "row", last: str = "", path: str = PATH
    ) -> AsyncIterator[Follower]:
        """Follows until the block ends, and then leaves like a browser."""
        follower = Follower()
        gone = asyncio.Event()
        headers = [(b"host", b"dashboard.localhost:8080"), (b"cookie", b"aero2_session=t_dev")]
        if last:
            headers.append((b"last-event-id", last.encode()))

        async def receive() -> dict[str, Any]:
            if not sent_request:
                sent_request.append(True)
                return {"type": "http.request", "body": b"", "more_body": False}
            await gone.wait()
            return {"type": "http.disconnect"}

        async def send(message: dict[str, Any]) -> None:
            follower.received.append(message.get("body", b"").decode())

        sent_request: list[bool] = []
        scope = {
            "type": "http",
            "method": "GET",
            "path": path,
            "raw_path": path.encode(),
            "query_string": f"as={form}".encode(),
            "headers": headers,
            "client": ("127.0.0.1", 1),
            "http_version": "1.1",
            "scheme": "http",
        }
        task = asyncio.create_task(self.app(cast(Any, scope), receive, send))
        try:
            await until(lambda: "live-state" in follower.text)
            yield follower
        finally:
            gone.set()
            await asyncio.wait_for(task, 5)
            await stop([task], timeout=0.1)


@pytest.fixture
async def live(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[LivePages]:
    server = start(tmp_path_factory.mktemp("live"))
    nc = await server.connect()
    js = nc.jetstream(timeout=10)
    await ensure_stream(js)
    world = serve(FakeServices())
    people = developers(world)
    people.managed["shop"] = world.add("shop")
    links = cast(Any, SimpleNamespace(nc=nc, js=js))
    app = build(Gateway(settings(), world.bus, links))
    yield LivePages(app, fake_log(people), js)
    await nc.close()
    server.stop()


async def test_an_event_is_a_row(live: LivePages) -> None:
    """A new event comes as the row that the list has, with the name of its user."""
    async with live.following() as follower:
        id = await live.happen(user_name="Ada <b>", ip_address="192.0.2.7")
        await until(lambda: "</tr>" in follower.text)

    assert f'href="/dashboard/applications/shop/audit/{id}"' in follower.text
    assert "data: <tr" in follower.text
    assert "Signed in" in follower.text
    assert "Ada &lt;b&gt;" in follower.text
    assert "<b>" not in follower.text


async def test_an_event_is_an_item(live: LivePages) -> None:
    """Short lists get items."""
    async with live.following("item") as follower:
        await live.happen()
        await until(lambda: "</li>" in follower.text)

    assert "<tr" not in follower.text


async def test_operators_follow_the_log_of_the_dashboard(live: LivePages) -> None:
    """They get the events of the Dashboard itself, with links to the platform's pages, and none of an
    application. Without the permission the stream ends."""
    people = live.log.developers
    people.world.rights[people.session.user_id] = ["platform:manage", "audit:read"]
    async with live.following(path=PLATFORM) as follower:
        await live.happen("login", user_name="Of the shop")
        id = await live.happen("org_created", app_id=DASHBOARD)
        await until(lambda: "</tr>" in follower.text)
        people.world.rights[people.session.user_id] = ["audit:read"]
        live.app.gateway.followers.changed("rights", people.session.user_id)
        await until(lambda: "event: end" in follower.text)

    assert f'href="/dashboard/platform/audit/{id}"' in follower.text
    assert "Of the shop" not in follower.text


async def test_activity_is_no_row(live: LivePages) -> None:
    """What is not in the log does not appear on top of it."""
    async with live.following() as follower:
        await live.happen("token_refreshed", activity=True)
        await live.happen("logout")
        await until(lambda: "Signed out" in follower.text)

    assert follower.text.count("<tr") == 1


async def test_it_goes_on_after_the_last_id(live: LivePages) -> None:
    """A browser that comes back gets what happened meanwhile, also if it had received no event yet: a
    developer who tries the sign-in page is in another tab."""
    async with live.following() as before:
        pass
    id = await live.happen(user_name="Meanwhile")
    async with live.following(last=before.last_id) as after:
        await until(lambda: "Meanwhile" in after.text)
    async with live.following(last=after.last_id) as later:
        await asyncio.sleep(0.2)

    assert id in after.text
    assert "Meanwhile" not in later.text


async def test_each_row_of_a_message_has_its_own_place(live: LivePages) -> None:
    """A browser that lost the connection within a message goes on with the next row of it: no event is
    missing, and none comes twice."""
    names = [f"Person {n:02}" for n in range(12)]
    async with live.following() as follower:
        await live.publish(*(live.line(user_name=name)[1] for name in names))
        await until(lambda: names[-1] in follower.text)
    parts = [part for part in follower.text.split("\n\n") if "<tr" in part]
    ids = [part.split("\n")[0].removeprefix("id: ") for part in parts]
    for cut in (0, 4, 9, 10, 11):
        async with live.following(last=ids[cut]) as again:
            await until(lambda: again.text.count("<tr") >= 11 - cut)  # noqa: B023 - it runs at once
            await asyncio.sleep(0.1)
        assert [name for name in names if name in again.text] == names[cut + 1 :]
        assert again.text.count("<tr") == 11 - cut

    assert len(set(ids)) == 12


async def test_activity_moves_the_place(live: LivePages) -> None:
    """A browser does not read old activity again when it comes back."""
    async with live.following() as follower:
        lines = [live.line("token_refreshed", activity=True)[1] for _ in range(25)]
        await live.publish(*lines, kind="activity")
        await until(lambda: follower.text.count("id: ") >= 2)
    places = Places(live.app.gateway.settings.keys)
    place = places.read(live.app_id, follower.last_id)

    assert (place.seq, place.lines) in {(1, 10), (1, 20), (2, 0)}
    assert "<tr" not in follower.text


async def test_a_message_with_more_rows_than_the_page_takes(
    live: LivePages, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The stream ends within a message, and the page has exactly as many rows as it may have."""
    monkeypatch.setattr("gateway.dashboard.live_html.MOST_ROWS", 3)
    async with live.following() as follower:
        await live.publish(*(live.line()[1] for _ in range(5)))
        await until(lambda: "event: end" in follower.text)

    assert follower.text.count("<tr") == 3


async def test_an_id_of_others_counts_as_none(live: LivePages) -> None:
    """A made-up id does not end the stream."""
    async with live.following(last="x" * 40) as follower:
        await live.happen()
        await until(lambda: "<tr" in follower.text)


async def test_a_first_user_ticks_a_step(live: LivePages) -> None:
    """The page hears that a step may be done."""
    async with live.following("item") as follower:
        await live.happen("login")
        await live.happen("user_created")
        await until(lambda: "event: step" in follower.text)

    assert follower.text.count("event: step") == 1


@pytest.mark.parametrize("ended", ["session", "permission"])
async def test_it_ends_with_session_and_role(
    live: LivePages, monkeypatch: pytest.MonkeyPatch, ended: str
) -> None:
    """The stream ends with the session or the role, and sends no event after that. No check on the way
    is a use of the session."""
    monkeypatch.setattr(audit_tail, "ALIVE", 0.1)
    monkeypatch.setattr(audit_tail, "LOOK", 0.05)
    people = live.log.developers
    async with live.following() as follower:
        await asyncio.sleep(0.3)
        assert "event: end" not in follower.text
        if ended == "session":
            people.world.sessions.clear()
        else:
            people.permissions = []
        await until(lambda: "event: end" in follower.text)
        await live.happen(user_name="Later")
        await asyncio.sleep(0.2)

    assert "Later" not in follower.text
    assert not any(check.is_use for check in people.world.checks)


async def test_an_invalidation_is_heard_at_once(live: LivePages) -> None:
    """A session that was ended elsewhere is checked when the message comes, not seconds later."""
    people = live.log.developers
    async with live.following() as follower:
        people.world.sessions.clear()
        live.app.gateway.followers.changed("session", people.session.id)
        await until(lambda: "event: end" in follower.text)

    assert "you are signed out" in follower.text


async def test_leaving_frees_the_places(live: LivePages) -> None:
    """A browser that leaves frees its places, of the session and of the application."""
    slots = live.app.gateway.followers
    free = slots.free
    async with live.following(), live.following():
        assert slots.of_sessions[live.log.developers.session.id] == 2
        assert slots.free == free - 2

    assert slots.of_sessions == {}
    assert slots.free == free


async def test_the_stream_is_bounded(live: LivePages, monkeypatch: pytest.MonkeyPatch) -> None:
    """After many rows the stream ends, and the page asks to be loaded again."""
    monkeypatch.setattr("gateway.dashboard.live_html.MOST_ROWS", 3)
    async with live.following() as follower:
        for _ in range(5):
            await live.happen()
        await until(lambda: "event: end" in follower.text)

    assert follower.text.count("<tr") == 3
    assert "reload the page" in follower.text
