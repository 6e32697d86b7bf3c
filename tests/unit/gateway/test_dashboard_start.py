"""Getting started: snippets with the application's values, their clients, and steps that tick themselves."""

from __future__ import annotations

import re

import httpx
import pytest
from tests.kit.dashboard_audit import CLIENT_SECRET, FakeLog, fake_log
from tests.kit.developers import NOW, ORIGIN, developers, post, sign_in
from tests.kit.fake_services import FakeServices
from tests.kit.filled_contracts import filled
from tests.kit.markup import hidden

from common.contracts.clients import CreateClient
from common.contracts.mail_sender import MailSender
from common.contracts.profiles import User
from common.ids import new_id
from gateway.dashboard.snippets import SNIPPETS

START = "/dashboard/applications/shop/start"
ALL = [
    *("audit:read", "users:read", "clients:read", "clients:write", "idps:read", "domains:read"),
    "settings:read",
]
PARTIAL = {"hx-request": "true", "hx-request-type": "partial"}


@pytest.fixture
def log(http: httpx.AsyncClient, world: FakeServices) -> FakeLog:
    people = developers(world)
    people.permissions = list(ALL)
    people.managed["shop"] = world.add("shop")
    sign_in(http)
    return fake_log(people)


async def test_a_tab_for_each_snippet(http: httpx.AsyncClient, log: FakeLog) -> None:
    """Each snippet is filled in with the issuer. No placeholder is left."""
    page = await http.get(ORIGIN + START)

    for snippet in SNIPPETS:
        assert f"<summary>{snippet.title}</summary>" in page.text
        text = snippet.text("http://shop.localhost:8080", "client_x")
        assert "http://shop.localhost:8080" in text
        assert not re.search(r"\{(issuer|client_id|origin|port)\}", text)
    assert page.text.count("<details name=") == len(SNIPPETS)


async def test_one_button_creates_the_client(http: httpx.AsyncClient, log: FakeLog) -> None:
    """The client has the right defaults, its secret is shown once, and its id is in the snippet."""
    answer = await post(http, f"{START}/client", START, snippet="fastapi")
    again = await http.get(ORIGIN + START)
    (call,) = log.calls(CreateClient)

    assert (call.type, call.redirect_uris) == ("web", ["http://localhost:8000/callback"])
    assert CLIENT_SECRET in answer.text
    assert answer.headers["cache-control"] == "no-store"
    assert re.search(r'<details name="code" id="code-fastapi" open>', answer.text)
    assert "client_id=&#34;client_0&#34;" in again.text
    assert CLIENT_SECRET not in again.text


async def test_a_second_click_creates_no_second_client(
    http: httpx.AsyncClient, log: FakeLog
) -> None:
    """A repeated form leads to the page, and the first client stays the only one."""
    await post(http, f"{START}/client", START, snippet="flask")
    again = await post(http, f"{START}/client", START, snippet="flask")

    assert again.status_code == 303
    assert len(log.calls(CreateClient)) == 1


async def test_two_clicks_at_once_create_one_client(http: httpx.AsyncClient, log: FakeLog) -> None:
    """Both requests have looked for the client before it was there. The id of the form decides."""
    id = hidden((await http.get(ORIGIN + START)).text, "id")
    first = await post(http, f"{START}/client", START, snippet="flask", id=id)
    log.clients.clear()
    second = await post(http, f"{START}/client", START, snippet="flask", id=id)

    assert CLIENT_SECRET in first.text
    assert second.status_code == 303
    assert len(log.calls(CreateClient)) == 1


async def test_a_browser_program_has_no_secret(http: httpx.AsyncClient, log: FakeLog) -> None:
    """The client of a page is public, and its origin may call the token endpoint."""
    answer = await post(http, f"{START}/client", START, snippet="html")
    (call,) = log.calls(CreateClient)

    assert (call.type, call.token_endpoint_auth_method) == ("spa", "none")
    assert call.allowed_origins == ["http://localhost:8000"]
    assert "CLIENT_SECRET</span>" not in answer.text


@pytest.mark.parametrize("key", ["curl", "perl", ""])
async def test_no_client_for_what_needs_none(
    http: httpx.AsyncClient, log: FakeLog, key: str
) -> None:
    """A form for a snippet without a client finds nothing."""
    assert (await post(http, f"{START}/client", START, snippet=key)).status_code == 404
    assert log.calls(CreateClient) == []


async def test_without_the_permission_to_write_clients(
    http: httpx.AsyncClient, log: FakeLog
) -> None:
    """There is no button, and a forged form finds nothing."""
    form = await http.get(ORIGIN + START)
    token = form.text.split('name="csrf" value="')[1].split('"')[0]
    log.developers.permissions.remove("clients:write")
    page = await http.get(ORIGIN + START)
    forged = await http.post(f"{ORIGIN}{START}/client", data={"csrf": token, "snippet": "fastapi"})

    assert "/start/client" not in page.text
    assert forged.status_code == 404
    assert log.calls(CreateClient) == []


async def test_steps_tick_themselves(http: httpx.AsyncClient, log: FakeLog) -> None:
    """A step is done when its fact is there, and the first open one is marked."""
    before = await http.get(ORIGIN + START)
    log.users.append(User(id=new_id(), email="a@example.com", created_at=NOW, updated_at=NOW))
    after = await http.get(ORIGIN + START, headers=PARTIAL)

    assert "0 of 5" in before.text
    assert "1 of 5" in after.text
    assert "<html" not in after.text
    assert after.text.count('<li class="good">') == 1
    assert after.text.count('<li class="next">') == 1


async def test_a_mail_server_of_ones_own_is_a_step(http: httpx.AsyncClient, log: FakeLog) -> None:
    """The step leads to the page of the mail server until there is one."""
    before = await http.get(ORIGIN + START)
    log.mail_sender = filled(MailSender)
    after = await http.get(ORIGIN + START)

    assert re.search(r'href="[^"]*/mail-sender"[^>]*>Your own mail server<', before.text)
    assert not re.search(r'href="[^"]*/mail-sender"[^>]*>Your own mail server<', after.text)
    assert "1 of 5" in after.text


async def test_facts_that_may_not_be_seen_are_no_steps(
    http: httpx.AsyncClient, log: FakeLog
) -> None:
    """The list has only steps whose facts the developer may read, and asks for no others."""
    log.developers.permissions = []
    page = await http.get(ORIGIN + START)

    assert page.status_code == 200
    assert log.developers.calls == []
    assert "hx-sse:connect" not in page.text


async def test_what_happens_is_live(http: httpx.AsyncClient, log: FakeLog) -> None:
    """The sign-in page opens in a new tab, and its events appear here."""
    page = await http.get(ORIGIN + START)

    assert 'href="http://shop.localhost:8080/login" target="_blank"' in page.text
    assert 'hx-sse:connect="/dashboard/applications/shop/live?as=item"' in page.text
