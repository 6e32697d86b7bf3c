"""The Dashboard's pages of OAuth clients: creating by kind, editing, secrets, grants, the checker."""

from __future__ import annotations

import html
import re
from typing import get_args

import httpx
import pytest
from tests.kit.dashboard_clients import CLIENT_SECRET, FakeClients, fake_clients
from tests.kit.developers import NOW, ORIGIN, TOKEN, developers, post, sign_in
from tests.kit.fake_services import FakeServices
from tests.kit.markup import is_inert

from common.contracts.authorization_check import AuthorizationRule, CheckAuthorizationUrl
from common.contracts.client_secrets import ClientSecret, DeleteClientSecret, RotateClientSecret
from common.contracts.clients import CreateClient, DeleteClient, UpdateClient
from common.contracts.consents import Grant, RevokeClientGrants
from common.field_errors import field_error
from common.ids import new_id
from common.problems import Conflict, Invalid
from gateway.dashboard.authorization_check import REFUSALS, RULES

HOME = "/dashboard/applications/shop/clients"
AT_CLIENT = f"{HOME}/client_a"
READS = ["clients:read"]
HOSTILE = "<b>\"'> hx-get=/x \u202e"


@pytest.fixture
def fake(http: httpx.AsyncClient, world: FakeServices) -> FakeClients:
    people = developers(world)
    people.managed["shop"] = world.add("shop")
    people.permissions = ["*"]
    sign_in(http)
    return fake_clients(people)


def form_of(page: str) -> dict[str, str]:
    """Returns the hidden fields of the first form that has the token."""
    form = page[page.index("<form") :]
    fields = re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)">', form)
    return {name: html.unescape(value) for name, value in dict(reversed(fields)).items()}


async def edited(http: httpx.AsyncClient, **fields: str) -> httpx.Response:
    """Sends the form of the client as a browser does that changed these fields."""
    hidden = form_of((await http.get(f"{ORIGIN}{AT_CLIENT}")).text)
    return await http.post(f"{ORIGIN}{AT_CLIENT}", data=hidden | fields)


@pytest.mark.parametrize(
    ("kind", "origins"),
    [("web", []), ("spa", ["https://rp.example"]), ("native", [])],
)
async def test_a_client_is_created_by_kind(
    http: httpx.AsyncClient, fake: FakeClients, kind: str, origins: list[str]
) -> None:
    """The service fills in what follows from the kind. A single-page application may call us from its
    origin. Only a client with a secret has a page that shows it."""
    new = await post(
        http,
        f"{HOME}/new",
        f"{HOME}/new?kind={kind}",
        kind=kind,
        name="Tide",
        redirect_uris=" https://rp.example/cb \r\n\r\n",
    )
    call = fake.calls[-1]

    assert isinstance(call, CreateClient)
    assert call.model_fields_set == {"id", "name", "type", "redirect_uris"} | (
        {"allowed_origins"} if kind == "spa" else set()
    )
    assert (call.type, call.redirect_uris) == (kind, ["https://rp.example/cb"])
    assert call.allowed_origins == origins
    if kind == "web":
        assert CLIENT_SECRET in new.text
    else:
        assert (new.status_code, new.headers["location"]) == (303, f"{HOME}/client_0?done=created")


async def test_a_service_has_no_redirect_uri(http: httpx.AsyncClient, fake: FakeClients) -> None:
    """A client without users is asked for a name alone."""
    page = await http.get(f"{ORIGIN}{HOME}/new?kind=service")
    await post(http, f"{HOME}/new", f"{HOME}/new?kind=service", kind="service", name="Job")

    assert "redirect_uris" not in page.text.split("</nav>", 1)[1].split("The same", 1)[0]
    assert isinstance(fake.calls[-1], CreateClient)
    assert "redirect_uris" not in fake.calls[-1].model_fields_set


async def test_a_secret_is_shown_once(http: httpx.AsyncClient, fake: FakeClients) -> None:
    """The secret stands in the answer to the form, never in an address. The same form sent again
    creates no second client, and shows no secret."""
    fields = form_of((await http.get(f"{ORIGIN}{HOME}/new")).text)
    fields |= {"name": "Tide", "redirect_uris": "https://rp.example/cb"}
    first = await http.post(f"{ORIGIN}{HOME}/new", data=fields)
    again = await http.post(f"{ORIGIN}{HOME}/new", data=fields)
    page = await http.get(f"{ORIGIN}{HOME}/client_0")

    assert CLIENT_SECRET in first.text
    assert "location" not in first.headers
    assert first.headers["cache-control"] == "no-store"
    assert again.headers["location"] == f"{HOME}?done=exists"
    assert CLIENT_SECRET not in again.text + page.text
    assert len(fake.clients) == 1


async def test_a_wrong_line_is_named(http: httpx.AsyncClient, fake: FakeClients) -> None:
    """An error of a redirect URI names its line, and what was typed is kept."""
    fake.add("client_a")
    fake.problem = Invalid(errors=[field_error("redirect_uris.1", "uri_with_fragment")])
    answer = await edited(
        http, name="New name", redirect_uris="https://rp.example/cb\n\nhttps://rp.example/#x"
    )

    assert answer.status_code == 422
    assert "Line 2: The URI must not have a fragment." in html.unescape(answer.text)
    assert "https://rp.example/cb\nhttps://rp.example/#x</textarea>" in answer.text
    assert 'value="New name"' in answer.text


async def test_only_what_differs_is_changed(http: httpx.AsyncClient, fake: FakeClients) -> None:
    """A form without changes changes nothing. A switch that is off sends nothing, and counts."""
    fake.add("client_a", redirect_uris=["https://rp.example/cb", "https://rp.example/2"])
    same = await edited(
        http, first_party="on", redirect_uris="https://rp.example/cb\r\nhttps://rp.example/2"
    )
    await edited(http, scopes=" openid  email ", access_token_lifetime="600")
    nothing, changed = fake.calls

    assert (same.status_code, same.headers["location"]) == (303, f"{AT_CLIENT}?done=saved")
    assert isinstance(nothing, UpdateClient)
    assert nothing.changes == {}
    assert isinstance(changed, UpdateClient)
    assert changed.changes == {
        "scopes": ["openid", "email"],
        "access_token_lifetime": 600,
        "first_party": False,
    }


async def test_the_second_person_is_told(http: httpx.AsyncClient, fake: FakeClients) -> None:
    """If the client was changed while the form was open, nothing is saved and the input is kept."""
    client = fake.add("client_a")
    hidden = form_of((await http.get(f"{ORIGIN}{AT_CLIENT}")).text)
    fake.clients["client_a"] = client.model_copy(update={"updated_at": NOW.replace(year=2027)})
    answer = await http.post(f"{ORIGIN}{AT_CLIENT}", data=hidden | {"name": "Mine"})

    assert answer.status_code == 412
    assert 'value="Mine"' in answer.text
    assert fake.calls == []


async def test_a_reader_sees_no_button_and_forges_nothing(
    http: httpx.AsyncClient, fake: FakeClients
) -> None:
    """Without the right to write, pages have no forms of writes, and each forged form is a page that
    does not exist. The secret's hint needs only the right to read."""
    fake.add("client_a")
    fake.secrets = [ClientSecret(id=new_id(), hint="abcd", created_at=NOW) for _ in range(2)]
    fake.people.permissions = READS
    settings = (await http.get(f"{ORIGIN}{AT_CLIENT}")).text
    secrets = (await http.get(f"{ORIGIN}{AT_CLIENT}/secrets")).text
    token = TOKEN.search((await http.get(f"{ORIGIN}{HOME}/check")).text)
    assert token is not None
    forged = {"csrf": token[1], "typed": "Tide", "overlap": "0", "all": "yes", "name": "x"}

    assert "Save changes" not in settings
    assert "Delete client" not in settings
    assert "Create secret" not in secrets
    assert "/revoke" not in secrets
    for path in ("/new", "/client_a/delete", "/client_a/secrets/new", "/client_a/grants/revoke"):
        assert (await http.get(f"{ORIGIN}{HOME}{path}")).status_code == 404, path
        assert (await http.post(f"{ORIGIN}{HOME}{path}", data=forged)).status_code == 404, path
    for path in ("", "/enabled", f"/secrets/{fake.secrets[0].id}/revoke"):
        answer = await http.post(f"{ORIGIN}{AT_CLIENT}{path}", data=forged)
        assert answer.status_code == 404, path
    assert fake.calls == []


async def test_without_the_right_to_read_there_is_nothing(
    http: httpx.AsyncClient, fake: FakeClients
) -> None:
    """Pages of clients do not exist for a caller who may not read them, and no room leads there."""
    fake.add("client_a")
    fake.people.permissions = ["audit:read"]
    for path in ("", "/client_a", "/check"):
        assert (await http.get(f"{ORIGIN}{HOME}{path}")).status_code == 404, path
    overview = await http.get(f"{ORIGIN}/dashboard/applications/shop")
    assert "/clients" not in overview.text


@pytest.mark.parametrize(
    "path", ["", "/secrets", "/secrets/new", "/grants", "/security", "/delete"]
)
async def test_a_foreign_client_does_not_exist(
    http: httpx.AsyncClient, fake: FakeClients, path: str
) -> None:
    """An id that the application does not have is a page that was not found."""
    for client in ("client_foreign", "x" * 300, "%00"):
        assert (await http.get(f"{ORIGIN}{HOME}/{client}{path}")).status_code == 404


async def test_a_second_secret_for_rotation(http: httpx.AsyncClient, fake: FakeClients) -> None:
    """A new secret is shown once, while the old ones go on for the chosen time. Sent again, the form
    creates no other one."""
    fake.add("client_a")
    fields = form_of((await http.get(f"{ORIGIN}{AT_CLIENT}/secrets/new")).text)
    fields |= {"overlap": "86400"}
    first = await http.post(f"{ORIGIN}{AT_CLIENT}/secrets/new", data=fields)
    again = await http.post(f"{ORIGIN}{AT_CLIENT}/secrets/new", data=fields)
    call = fake.calls[0]

    assert isinstance(call, RotateClientSecret)
    assert call.overlap == 86_400
    assert CLIENT_SECRET in first.text
    assert again.headers["location"] == f"{AT_CLIENT}/secrets?done=exists"
    assert len(fake.secrets) == 1


async def test_a_secret_is_revoked(http: httpx.AsyncClient, fake: FakeClients) -> None:
    """A page asks first. A refusal is a sentence above the list, not an error page."""
    fake.add("client_a")
    fake.secrets = [ClientSecret(id=new_id(), hint=hint, created_at=NOW) for hint in ("aa", "bb")]
    path = f"{AT_CLIENT}/secrets/{fake.secrets[0].id}/revoke"
    page = await http.get(f"{ORIGIN}{path}")
    fake.problem = Conflict("a client needs at least one secret")
    refused = await post(http, path, path)
    fake.problem = None
    done = await post(http, path, path)

    assert "…aa" in page.text
    assert refused.status_code == 409
    assert "at least one secret" in refused.text
    assert done.headers["location"] == f"{AT_CLIENT}/secrets?done=revoked"
    assert isinstance(fake.calls[-1], DeleteClientSecret)
    foreign = await http.get(f"{ORIGIN}{AT_CLIENT}/secrets/{new_id()}/revoke")
    assert foreign.status_code == 404


async def test_grants_are_revoked(http: httpx.AsyncClient, fake: FakeClients) -> None:
    """That of one user by its button. Those of all by a page that asks first."""
    fake.add("client_a", first_party=False)
    user = new_id()
    grant = Grant(
        user_id=user,
        client_id="client_a",
        client_name="Tide",
        scopes=["openid"],
        name=HOSTILE,
        created_at=NOW,
        updated_at=NOW,
    )
    fake.grants = [grant]
    page = await http.get(f"{ORIGIN}{AT_CLIENT}/grants")
    await post(http, f"{AT_CLIENT}/grants/revoke", f"{AT_CLIENT}/grants", user_id=user)
    await post(http, f"{AT_CLIENT}/grants/revoke", f"{AT_CLIENT}/grants/revoke", all="yes")
    one, every = fake.calls

    assert is_inert(page.text)
    assert isinstance(one, RevokeClientGrants)
    assert isinstance(every, RevokeClientGrants)
    assert (one.user_id, every.user_id) == (user, None)
    none = await post(http, f"{AT_CLIENT}/grants/revoke", f"{AT_CLIENT}/grants")
    assert none.status_code == 404
    assert len(fake.calls) == 2


async def test_a_client_is_disabled(http: httpx.AsyncClient, fake: FakeClients) -> None:
    """One click, and the notice says what it means."""
    fake.add("client_a")
    done = await post(http, f"{AT_CLIENT}/enabled", AT_CLIENT, enabled="false")
    page = await http.get(f"{ORIGIN}{done.headers['location']}")

    assert not fake.clients["client_a"].enabled
    assert "Nobody can sign in" in page.text
    assert "Enable client" in page.text


@pytest.mark.parametrize(
    ("typed", "deleted"), [("", False), ("tide  app", False), ("Tide app", True)]
)
async def test_a_client_is_deleted_by_its_name(
    http: httpx.AsyncClient, fake: FakeClients, typed: str, deleted: bool
) -> None:
    """The server compares the name. Two spaces in a name can be typed as one."""
    fake.add("client_a", name="Tide  app")
    answer = await post(http, f"{AT_CLIENT}/delete", f"{AT_CLIENT}/delete", typed=typed)

    assert [type(call) for call in fake.calls] == ([DeleteClient] if deleted else [])
    if deleted:
        assert answer.headers["location"] == f"{HOME}?done=deleted"
    else:
        assert answer.status_code == 422
        assert 'id="typed-error"' in answer.text


async def test_the_checker_names_the_rule(http: httpx.AsyncClient, fake: FakeClients) -> None:
    """The URL is in the body of the form, never in an address. The answer names the rule, and keeps
    the URL."""
    url = "http://shop.localhost:8080/oauth2/authorize?client_id=x&state=<b>"
    answer = await post(http, f"{HOME}/check", f"{HOME}/check", url=url)
    empty = await post(http, f"{HOME}/check", f"{HOME}/check", url=" ")
    (call,) = fake.calls

    assert isinstance(call, CheckAuthorizationUrl)
    assert call.url == url
    assert answer.status_code == 200
    assert "the client is unknown" in answer.text
    assert "The client is unknown or disabled" in answer.text
    assert html.escape(url, quote=False).replace("&gt;", "&gt;") in answer.text
    assert is_inert(answer.text)
    assert empty.status_code == 422
    assert 'id="url-error"' in empty.text


async def test_hostile_text_is_inert(http: httpx.AsyncClient, fake: FakeClients) -> None:
    """Whatever a client is called, no page has markup of it."""
    fake.add(
        "client_a",
        name=HOSTILE.strip("\u202e"),
        redirect_uris=["javascript:alert(1)", HOSTILE, "</textarea><script>"],
        post_logout_redirect_uris=[HOSTILE],
        scopes=[],
        backchannel_logout_uri="javascript:alert(1)",
    )
    fake.secrets = [ClientSecret(id=new_id(), hint="<b>x", created_at=NOW) for _ in range(2)]
    for path in (
        "",
        "/client_a",
        "/client_a/secrets",
        "/client_a/grants",
        "/client_a/security",
        "/client_a/delete",
    ):
        page = await http.get(f"{ORIGIN}{HOME}{path}")
        assert page.status_code == 200, path
        assert is_inert(page.text), path


async def test_the_list_is_a_part(http: httpx.AsyncClient, fake: FakeClients) -> None:
    """A partial request gets the list alone. An empty list shows the call that creates a client."""
    empty = await http.get(f"{ORIGIN}{HOME}")
    fake.add("client_a")
    headers = {"hx-request": "true", "hx-request-type": "partial"}
    part = await http.get(f"{ORIGIN}{HOME}", headers=headers)

    assert "No clients yet" in empty.text
    assert "<html" not in part.text
    assert 'id="clients"' in part.text


def test_each_rule_has_its_sentences() -> None:
    """A new rule of the checker needs a sentence for passing and one for refusing."""
    rules = get_args(AuthorizationRule)
    assert tuple(RULES) == rules
    assert tuple(REFUSALS) == rules


async def test_what_cannot_be_undone_needs_a_fresh_sign_in(
    http: httpx.AsyncClient, fake: FakeClients, world: FakeServices
) -> None:
    """A deleted client or secret ends sign-ins at once, so a stolen session is not enough. Developers
    confirm who they are before the form."""
    world.let_sign_ins_age()
    for path in ("/delete", "/secrets/new", f"/secrets/{new_id()}/revoke"):
        page = await http.get(f"{ORIGIN}{AT_CLIENT}{path}")
        assert page.status_code == 303
        assert page.headers["location"].startswith("/login/confirm?return_to=")
    assert DeleteClient.fresh
    assert DeleteClientSecret.fresh


async def test_tokens_are_bound_by_a_switch(http: httpx.AsyncClient, fake: FakeClients) -> None:
    """The switch shows the setting, and changes it for clients of all kinds."""
    fake.add("client_a", first_party=False, dpop_bound_access_tokens=True)
    page = (await http.get(f"{ORIGIN}{AT_CLIENT}")).text
    switch = page[page.index('id="dpop_bound_access_tokens"') :]
    assert " checked" in switch[: switch.index(">")]
    await edited(http)
    await edited(http, dpop_bound_access_tokens="on")
    off, on = fake.calls

    assert isinstance(off, UpdateClient)
    assert off.changes == {"dpop_bound_access_tokens": False}
    assert isinstance(on, UpdateClient)
    assert on.changes == {"dpop_bound_access_tokens": True}
