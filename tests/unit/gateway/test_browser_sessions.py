"""Several accounts in one browser, at authorization and logout."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
from tests.kit.fake_services import FakeServices
from tests.kit.people import People, person
from tests.unit.gateway.test_pages import TOKEN

from common.context import Context
from common.contracts.authorization import Authorization, Authorize, ResumeAuthorization
from common.contracts.logout import LoggedOut, LogOut
from common.contracts.rights import GetRights, Rights
from common.contracts.sessions import Session
from common.contracts.tenants import Tenant
from common.problems import Unavailable
from gateway.admission.flood_limits import digest_of
from gateway.app import GatewayApp

AUTHORIZE = "/oauth2/authorize?client_id=client_x"
RESUME = "/oauth2/authorize/resume?request=r1"


class Oidc:
    """Records the calls and returns the prepared answers."""

    def __init__(self, world: FakeServices) -> None:
        self.asked: list[Any] = []
        self.answer = Authorization(kind="redirect", location="https://rp.example/cb")
        self.ended = LoggedOut(kind="done")
        world.bus.serve(
            self,
            {
                Authorize: authorized,
                ResumeAuthorization: authorized,
                LogOut: ended,
            },
        )


async def authorized(told: Oidc, ctx: Context, request: Any) -> Authorization:
    told.asked.append(request)
    return told.answer


async def ended(told: Oidc, ctx: Context, request: LogOut) -> LoggedOut:
    told.asked.append(request)
    return told.ended


@pytest.fixture
def told(world: FakeServices, people: People) -> Oidc:
    return Oidc(world)


def bring(http: httpx.AsyncClient, **cookies: str) -> None:
    for name, value in cookies.items():
        http.cookies.set(name, value, domain="demo.localhost")


@pytest.fixture
def ann(world: FakeServices, app: Tenant, http: httpx.AsyncClient, people: People) -> Session:
    bring(http, aero2_session="t_ann")
    return person(world, app, "t_ann", email="ann@example.com", name="Ann")


@pytest.fixture
def bob(world: FakeServices, app: Tenant, http: httpx.AsyncClient, people: People) -> Session:
    bring(http, aero2_sessions="t_bob.t_dead")
    return person(world, app, "t_bob", email="bob@example.com", name="Bob")


async def test_authorization_hears_of_every_session(
    http: httpx.AsyncClient, told: Oidc, ann: Session, bob: Session
) -> None:
    """oidc gets the active session and every other live one."""
    await http.get(AUTHORIZE)

    [asked] = told.asked
    assert asked.session.session_id == ann.id
    assert [(one.session_id, one.email) for one in asked.others] == [(bob.id, "bob@example.com")]


async def test_a_choice_is_remembered_for_its_client(
    http: httpx.AsyncClient, told: Oidc, ann: Session, bob: Session
) -> None:
    """The choice of an account is stored when the request has ended, and not while the user still
    chooses."""
    told.answer = Authorization(
        kind="select_account", request="r1", client_id="client_x", session_id=ann.id
    )
    await http.get(RESUME)
    await http.get(AUTHORIZE)
    assert told.asked[-1].choices == {}

    told.answer = Authorization(
        kind="redirect", location="https://rp.example/cb", client_id="client_x", session_id=bob.id
    )
    await http.get(RESUME + "&selected=1")
    await http.get(AUTHORIZE)

    assert told.asked[-1].choices == {"client_x": bob.id}


async def test_consent_is_of_the_session_it_was_shown_to(
    http: httpx.AsyncClient, told: Oidc, ann: Session, bob: Session
) -> None:
    """The consent counts for the session that the page showed, even if another one is active."""
    told.answer = Authorization(
        kind="consent", request="r1", client_name="Notes", client_id="client_x", session_id=bob.id
    )
    token = TOKEN.search((await http.get(RESUME)).text)
    assert token

    answer = await http.post(
        "/oauth2/authorize/resume", data={"csrf": token[1], "request": "r1", "consent": "allow"}
    )

    assert answer.status_code == 200
    assert told.asked[-1].session.session_id == bob.id
    assert [one.session_id for one in told.asked[-1].others] == [ann.id]


async def test_logout_ends_the_session_that_was_meant(
    http: httpx.AsyncClient, told: Oidc, people: People, ann: Session, bob: Session
) -> None:
    """A hint of another account ends that account's session. The active one stays."""
    told.ended = LoggedOut(kind="done", session_id=bob.id)

    await http.get("/oauth2/logout?id_token_hint=x")

    assert people.revoked == ["t_bob"]
    assert [one.session_id for one in told.asked[-1].others] == [bob.id]
    assert (await http.get("/account")).status_code == 200


async def test_logout_by_post_from_another_site_comes_back_once(
    http: httpx.AsyncClient, told: Oidc, people: People, ann: Session
) -> None:
    """A browser sends no cookies with another site's POST, so the gateway redirects to a GET. A
    request that is too long is posted by a page."""
    http.cookies.clear()
    form = {"id_token_hint": "x", "post_logout_redirect_uri": "https://rp.example/bye"}

    there = await http.post("/oauth2/logout", data=form)
    page = await http.post("/oauth2/logout", data={**form, "id_token_hint": "x" * 7000})
    assert (told.asked, people.revoked) == ([], [])
    bring(http, aero2_session="t_ann")
    told.ended = LoggedOut(kind="redirect", location="https://rp.example/bye", session_id=ann.id)
    back = await http.get(there.headers["location"])

    assert there.status_code == 303
    assert back.headers["location"] == "https://rp.example/bye"
    assert people.revoked == ["t_ann"]
    assert 'action="/oauth2/logout"' in page.text
    assert "x" * 7000 in page.text
    assert 'name="aero2_again"' in page.text


async def test_who_has_no_cookies_is_not_sent_round(http: httpx.AsyncClient, told: Oidc) -> None:
    """A second request without cookies is handled as it is."""
    await http.post("/oauth2/logout", data={"aero2_again": "1", "state": "s"})

    assert told.asked[0].params == [("state", "s")]


async def test_a_refused_logout_offers_to_sign_out(
    http: httpx.AsyncClient, told: Oidc, ann: Session
) -> None:
    """The page says what is wrong and offers to sign out."""
    told.ended = LoggedOut(
        kind="error", error="invalid_request", error_description="it is not registered"
    )

    answer = await http.get("/oauth2/logout?post_logout_redirect_uri=https://x.example")

    assert answer.status_code == 400
    assert "sign-out request" in answer.text
    assert "it is not registered" in answer.text
    assert 'href="/logout"' in answer.text


async def test_a_live_session_is_never_charged_while_rbac_is_down(
    world: FakeServices, gateway_app: GatewayApp, http: httpx.AsyncClient, app: Tenant, ann: Session
) -> None:
    """The session counts as valid although nobody knows its rights; one that has ended does not."""

    async def away(_: Any, ctx: Context, request: GetRights) -> Rights:
        raise Unavailable("nobody answers rbac.rights.get")

    world.bus.serve(None, {GetRights: away})
    valid = gateway_app.gateway.limits.valid
    assert (await http.get("/logout")).status_code == 200
    assert digest_of(app.app_id, "t_ann") in valid

    bring(http, aero2_session="t_ended")
    assert (await http.get("/logout")).status_code == 200
    assert digest_of(app.app_id, "t_ended") not in valid


async def test_signing_out_needs_no_rights(
    world: FakeServices, http: httpx.AsyncClient, told: Oidc, people: People, ann: Session
) -> None:
    """While rbac is down, sign-out by page and by API works, and authorization continues."""

    async def away(_: Any, ctx: Context, request: GetRights) -> Rights:
        raise Unavailable("nobody answers rbac.rights.get")

    world.bus.serve(None, {GetRights: away})
    authorized = await http.get(AUTHORIZE)
    token = TOKEN.search((await http.get("/logout")).text)
    assert token
    page = await http.post("/logout", data={"csrf": token[1]})
    bring(http, aero2_session="t_ann")
    api = await http.post("/api/auth/signout", headers={"origin": "http://demo.localhost:8080"})

    assert told.asked[0].session.session_id == ann.id
    assert authorized.headers["location"] == "https://rp.example/cb"
    assert page.headers["location"] == "/logout/done"
    assert (api.status_code, people.revoked) == (200, ["t_ann", "t_ann"])
    for answer in (page, api):
        cleared = [one for one in answer.headers.get_list("set-cookie") if "aero2_session=" in one]
        assert "Max-Age=0" in cleared[0]
