"""Impersonation in the browser: its start, what every page says, and what is left afterwards."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from tests.kit.fake_services import FakeServices
from tests.kit.people import EMAIL, LINK, PASSWORD, People, person
from tests.unit.gateway.test_pages import post

from common.context import Context
from common.contracts.impersonation import (
    Impersonation,
    ImpersonationRefused,
    RedeemImpersonation,
    StartImpersonation,
)
from common.contracts.me import UpdateMe
from common.contracts.passwords import SignInWithPassword
from common.contracts.sessions import Session, SessionActor, SignedInSession, SignOut
from common.contracts.sign_in import LinkSpent
from common.contracts.tenants import ManageApplication, Managed, Tenant
from common.ids import new_id

BANNER = "You act as"
SAME = {"sec-fetch-site": "same-origin"}


@pytest.fixture
def app(world: FakeServices) -> Tenant:
    return world.add("demo", impersonation=True)


@pytest.fixture
def admin(world: FakeServices, app: Tenant, people: People, http: httpx.AsyncClient) -> Session:
    """An administrator who is signed in at this browser."""
    session = person(world, app, "t_admin", "boss@example.com", "Boss")
    world.rights[session.user_id] = ["users:impersonate"]
    http.cookies.set("aero2_session", "t_admin", domain="demo.localhost")
    return session


@pytest.fixture
def ada(world: FakeServices, app: Tenant, admin: Session) -> Session:
    """The session in which the administrator acts as Ada. It begins with a call, or with a link."""
    actor = SessionActor(kind="user", id=admin.user_id, session_id=admin.id)
    session = person(world, app, "t_acting", actor=actor)
    signed = SignedInSession(token="t_acting", session=session)

    async def start(deps: Any, ctx: Context, request: StartImpersonation) -> Impersonation:
        if ctx.caller.kind == "developer":
            soon = datetime.now(UTC) + timedelta(minutes=1)
            return Impersonation(url=f"{app.origin}/impersonation?token={LINK}", expires_at=soon)
        return Impersonation(session=signed, expires_at=session.expires_at)

    async def redeem(deps: Any, ctx: Context, request: RedeemImpersonation) -> SignedInSession:
        if request.token == "upward":
            raise ImpersonationRefused
        if request.token != LINK:
            raise LinkSpent
        return signed

    world.bus.serve(None, {StartImpersonation: start, RedeemImpersonation: redeem})
    return session


async def act(http: httpx.AsyncClient, user_id: str, **headers: str) -> httpx.Response:
    return await http.post(
        f"/api/users/{user_id}/impersonate", json={"reason": "ticket 4711"}, headers=SAME | headers
    )


async def test_every_page_says_so_and_has_a_way_out(
    http: httpx.AsyncClient, world: FakeServices, ada: Session
) -> None:
    """The banner names the user on pages of the account and of the sign-in. The button ends the
    session, and the administrator is back in their own account."""
    started = await act(http, ada.user_id)
    assert started.json()["session"]["session"]["actor"]["id"] == ada.actor.id  # type: ignore[union-attr]
    assert "t_acting" not in started.text
    assert "aero2_session=t_acting" in started.headers["set-cookie"]
    for path in ("/account", "/account/sessions", "/account/data", "/login?again=1", "/signup",
                 "/accounts", "/reset"):  # fmt: skip
        text = (await http.get(path)).text
        assert BANNER in text, path
        assert 'action="/impersonation/end"' in text, path

    ended = await post(http, "/impersonation/end", "/account")
    assert ended.headers["location"] == "/account"
    assert [call.token for call in world.bus.calls if isinstance(call, SignOut)] == ["t_acting"]
    text = (await http.get("/account")).text
    assert BANNER not in text
    assert http.cookies["aero2_session"] == "t_admin"


async def test_other_sessions_have_no_banner(http: httpx.AsyncClient, admin: Session) -> None:
    """A user who acts for themselves sees nothing of it, and the button does nothing for them."""
    assert BANNER not in (await http.get("/account")).text
    await post(http, "/impersonation/end", "/account/sessions")
    assert (await http.get("/account")).status_code == 200


async def test_a_call_says_who_acts(
    http: httpx.AsyncClient, world: FakeServices, people: People, ada: Session
) -> None:
    """Calls of the session go out as the user, and name the actor. What an actor may not do is
    refused, in the API and on the pages."""
    await act(http, ada.user_id)
    callers: list[Any] = []
    handler, deps = world.bus.handlers[UpdateMe]

    async def update(deps_: Any, ctx: Context, request: UpdateMe) -> Any:
        callers.append(ctx.caller)
        return await handler(deps, ctx, request)

    world.bus.serve(None, {UpdateMe: update})
    await http.put("/api/users/me", json={"nickname": "x"}, headers=SAME)
    refused = await http.get("/api/users/me/export")
    page = await post(http, "/account/password", current=PASSWORD, password="another one here")

    assert [(one.id, one.actor_id) for one in callers] == [(ada.user_id, ada.actor.id)]  # type: ignore[union-attr]
    assert (refused.status_code, refused.json()["code"]) == (403, "impersonating")
    assert page.status_code == 422
    assert "End the impersonation first." in page.text


async def test_the_user_signs_in_and_nothing_is_left(
    http: httpx.AsyncClient, world: FakeServices, people: People, app: Tenant, ada: Session
) -> None:
    """The user signs in at the browser in which somebody acted as them: neither that session nor the
    actor's own is left in it, and no client follows to the new session."""
    await act(http, ada.user_id)
    own = person(world, app, "t_own").model_copy(update={"user_id": ada.user_id})
    world.sessions[app.app_id, "t_own"] = own

    async def sign_in(deps: Any, ctx: Context, request: SignInWithPassword) -> SignedInSession:
        return SignedInSession(token="t_own", session=own)

    world.bus.serve(None, {SignInWithPassword: sign_in})
    await post(http, "/login/password", "/login?again=1", email=EMAIL, password=PASSWORD)

    ended = {c.token: c.successor for c in world.bus.calls if isinstance(c, SignOut)}
    assert ended == {"t_acting": None, "t_admin": None}
    assert http.cookies["aero2_session"] == "t_own"
    assert not http.cookies.get("aero2_sessions")


async def test_another_account_keeps_that_of_the_actor(
    http: httpx.AsyncClient, world: FakeServices, people: People, app: Tenant, ada: Session
) -> None:
    """Somebody else who signs in ends the impersonation, and the actor stays signed in beside
    them."""
    await act(http, ada.user_id)
    await post(http, "/login/password", "/login?again=1", email=EMAIL, password=PASSWORD)

    ended = [call.token for call in world.bus.calls if isinstance(call, SignOut)]
    assert ended == ["t_acting"]
    assert "t_admin" in (http.cookies.get("aero2_sessions") or "")


async def test_a_developer_gets_a_link_that_takes_a_click(
    http: httpx.AsyncClient, world: FakeServices, app: Tenant, ada: Session
) -> None:
    """Opening the link starts nothing: mail scanners and previews open links, too. The button does,
    in this browser. A used link and a refusal say so."""
    http.cookies.clear()
    shown = await http.get(f"/impersonation?token={LINK}")
    assert shown.status_code == 200
    assert "aero2_session" not in http.cookies
    done = await post(http, "/impersonation", f"/impersonation?token={LINK}", token=LINK)
    assert (done.status_code, done.headers["location"]) == (303, "/account")
    assert BANNER in (await http.get("/account")).text

    spent = await post(http, "/impersonation", f"/impersonation?token={LINK}", token="used")
    upward = await post(http, "/impersonation", f"/impersonation?token={LINK}", token="upward")
    assert (spent.status_code, upward.status_code) == (410, 422)


async def test_the_dashboard_starts_no_session_there(
    http: httpx.AsyncClient, world: FakeServices, app: Tenant, ada: Session
) -> None:
    """A developer's call answers with the link, and sets no cookie on the Dashboard's host."""
    dashboard = world.add("dashboard")
    session = person(world, dashboard, "t_dev", "dev@example.com", "Dev")
    world.rights[session.user_id] = ["apps:read", "apps:write"]

    async def manage(deps: Any, ctx: Context, request: ManageApplication) -> Managed:
        return Managed(tenant=app, permissions=["*"])

    world.bus.serve(None, {ManageApplication: manage})
    answer = await http.post(
        f"http://dashboard.localhost:8080/api/applications/demo/users/{new_id()}/impersonate",
        json={"reason": "ticket 4711"},
        headers=SAME | {"cookie": "aero2_session=t_dev"},
    )
    assert answer.status_code == 200, answer.text
    assert answer.json()["url"].startswith(f"{app.origin}/impersonation?token=")
    assert answer.json()["session"] is None
    assert "set-cookie" not in answer.headers
