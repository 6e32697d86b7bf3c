"""A form acts only on the session in which it was shown."""

from __future__ import annotations

import inspect
import re
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
from tests.kit.fake_providers import FakeProviders
from tests.kit.fake_services import FakeServices
from tests.kit.people import ORGANIZATION, People, person
from tests.unit.gateway.test_pages import TOKEN

from common.contracts.passkeys import Passkey
from common.contracts.tenants import Tenant
from common.ids import new_id
from gateway.pages.route_sets import ROUTE_SETS

SHOWN = [
    "/account",
    "/account/email",
    "/account/password",
    "/account/sessions",
    "/account/data",
    "/account/apps",
    "/account/connections",
    "/account/devices",
    "/account/passkeys",
    "/account/two-step",
    "/account/two-step/app",
    "/login/step-up",
    "/login/step-up/setup",
    "/account/organizations",
    f"/account/organization?org_id={ORGANIZATION}",
    "/logout",
    "/login/confirm",
]
"""Pages whose forms act on the session."""
PASSKEY = Passkey(
    id=new_id(),
    name="Passkey",
    authenticator="Passkey",
    credential_id="abc",
    rp_id="demo.localhost",
    backed_up=False,
    created_at=datetime.now(UTC),
)
HIDDEN = re.compile(r'name="csrf" value="[^"]+"')


@pytest.fixture
def calls(world: FakeServices, app: Tenant, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Records the names of called contracts that change something."""
    people = People(world)
    people.has_totp = True
    people.passkeys.entries.append(PASSKEY)
    FakeProviders(world, app)
    person(world, app, "t_ada", second_factors=["totp"])
    person(world, app, "t_ada_without_factor")
    person(world, app, "t_ada_again", second_factors=["totp"])
    person(world, app, "t_bob", email="bob@example.com", name="Bob Burns")
    seen: list[str] = []
    call = world.bus.call

    async def watched(ctx: Any, request: Any) -> Any:
        if not request.safe:
            seen.append(type(request).__name__)
        return await call(ctx, request)

    monkeypatch.setattr(world.bus, "call", watched)
    return seen


def sign_in(http: httpx.AsyncClient, token: str) -> None:
    http.cookies.set("aero2_session", token, domain="demo.localhost")


def forms(page: str) -> list[tuple[str, dict[str, str]]]:
    """Returns each form's address and its fields, with values."""
    found = []
    for form in re.findall(r"<form.*?</form>", page, re.DOTALL):
        action = re.search(r'action="([^"]+)"', form)
        token = TOKEN.search(form)
        if action and token and 'method="post"' in form:
            names = set(re.findall(r'name="([^"]+)"', form)) - {"csrf"}
            typed = {name: f"typed {name}" for name in names}
            found.append((action[1], {"csrf": token[1], **typed}))
    return found


@pytest.mark.parametrize("now", ["t_bob", "t_ada_again"])
@pytest.mark.parametrize("path", SHOWN)
async def test_a_form_shown_in_another_session(
    http: httpx.AsyncClient, calls: list[str], path: str, now: str
) -> None:
    """After a change of user or session, the form gets 409 with the current account, and nothing is
    done."""
    sign_in(http, "t_ada_without_factor" if path.endswith("/setup") else "t_ada")
    shown = forms((await http.get(path)).text)
    assert shown, path
    calls.clear()
    http.cookies.delete("aero2_session")
    sign_in(http, now)

    for action, fields in shown:
        answer = await http.post(action, data=fields)

        assert answer.status_code == 409, (action, answer.text[:2000])
        name = "Bob Burns" if now == "t_bob" else "Ada Lovelace"
        assert f"You&#39;re signed in as {name} now" in answer.text or (
            f"You're now signed in as {name}" in answer.text
        )
    assert calls == []


async def test_what_was_typed_is_kept(http: httpx.AsyncClient, calls: list[str]) -> None:
    """The page shows the input again, but no passwords and tokens."""
    sign_in(http, "t_ada")
    action, fields = next(
        form for form in forms((await http.get("/account")).text) if "name" in form[1]
    )
    http.cookies.delete("aero2_session")
    sign_in(http, "t_bob")

    answer = await http.post(
        action, data={**fields, "name": "A long <story>", "password": "hunter2hunter2"}
    )

    assert answer.status_code == 409
    assert "A long &lt;story&gt;" in answer.text
    assert "hunter2" not in answer.text
    assert fields["csrf"] not in answer.text
    assert calls == []


async def test_a_form_sent_twice_in_its_session(http: httpx.AsyncClient, calls: list[str]) -> None:
    """The form token is valid for as long as the session."""
    sign_in(http, "t_ada")
    action, fields = next(
        form for form in forms((await http.get("/account")).text) if "name" in form[1]
    )
    fields = {"csrf": fields["csrf"], "name": "Ada"}

    answers = [await http.post(action, data=fields) for _ in range(2)]

    assert [answer.status_code for answer in answers] == [303, 303]
    assert calls == ["UpdateMe", "UpdateMe"]


async def test_consent_is_given_by_whom_it_was_shown_to(
    http: httpx.AsyncClient, calls: list[str]
) -> None:
    """A consent page for Ada gives no consent of Bob."""
    sign_in(http, "t_ada")
    token = TOKEN.search((await http.get("/logout")).text)
    assert token
    http.cookies.delete("aero2_session")
    sign_in(http, "t_bob")

    answer = await http.post(
        "/oauth2/authorize/resume",
        data={"csrf": token[1], "request": "r1", "consent": "allow"},
    )

    assert answer.status_code == 409
    assert 'href="/oauth2/authorize/resume?request=r1"' in answer.text
    assert calls == []


async def test_the_token_differs_on_every_page(http: httpx.AsyncClient, calls: list[str]) -> None:
    """The form token differs each time. The size of compressed pages would otherwise reveal it byte
    by byte."""
    found = [
        token.removesuffix('"')
        for _ in range(3)
        for token in HIDDEN.findall((await http.get("/login")).text)
    ]

    assert len(found) == len(set(found)) > 2


async def test_another_origin_of_the_application_sends_no_forms(
    world: FakeServices, http: httpx.AsyncClient
) -> None:
    """`allowed_origins` may call the API, but only this host may send forms. The Dashboard's API
    accepts only its own origin."""
    for slug in ("demo", "dashboard"):
        world.add(slug, allowed_origins=["https://spa.example.com"])
    People(world)
    token = TOKEN.search((await http.get("/login")).text)
    assert token
    there = {"origin": "https://spa.example.com"}
    dashboard = world.tenants["dashboard.localhost:8080"]
    person(world, dashboard, "t_dev")
    http.cookies.set("aero2_session", "t_dev", domain="dashboard.localhost")

    form = await http.post(
        "/login", data={"csrf": token[1], "email": "a@example.com"}, headers=there
    )
    call = await http.put(
        "http://dashboard.localhost:8080/api/users/me", json={"name": "X"}, headers=there
    )

    assert (form.status_code, call.status_code) == (403, 403)


def test_every_form_that_acts_on_a_session_is_tried() -> None:
    """A new page with such a form has to be added here."""
    routes = [route for routes in ROUTE_SETS for route in routes.routes]
    shown = {route.path for route in routes if route.method == "GET"}
    forms = {
        route.path
        for route in routes
        if route.method == "POST" and "user" in inspect.signature(route.handler).parameters
    } - {"/accept-org-invite", "/login/connect"}
    pages = {path if path in shown else path.rpartition("/")[0] for path in forms}
    pages = {page if page in shown else "/account" for page in pages}

    assert len(forms) > 15
    assert pages <= {
        *(page.partition("?")[0] for page in SHOWN),
        "/account/email/code",
        "/login/confirm/code",
    }
