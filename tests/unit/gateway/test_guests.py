"""Guest accounts: one call with the publishable key, and the way from there to a full account."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
from tests.kit.fake_services import FakeServices
from tests.kit.people import CODE, EMAIL, People, person
from tests.unit.gateway.test_pages import post

from common.context import Context
from common.contracts.email_codes import SignInWithCode
from common.contracts.guests import CreateGuest
from common.contracts.sessions import Session, SignedInSession
from common.contracts.tenants import Tenant

KEY = "pk_live_demo"


@pytest.fixture
def app(world: FakeServices) -> Tenant:
    return world.add("demo", guests=True)


@pytest.fixture
def created(world: FakeServices, app: Tenant) -> list[CreateGuest]:
    """The guests that were created. The first has the session `t_guest`."""
    calls: list[CreateGuest] = []

    async def create(deps: Any, ctx: Context, request: CreateGuest) -> SignedInSession:
        calls.append(request)
        session = world.session(app, "t_guest").model_copy(update={"guest": True, "acr": "0"})
        world.sessions[app.app_id, "t_guest"] = session
        return SignedInSession(token="t_guest", session=session, new_user=True)

    world.key(app, KEY)
    world.bus.serve(None, {CreateGuest: create})
    return calls


async def guest(http: httpx.AsyncClient, key: str | None = KEY, **more: Any) -> httpx.Response:
    headers = {"authorization": f"Bearer {key}"} if key else {}
    return await http.post("/api/auth/guest", json={}, headers=headers | more)


async def test_the_publishable_key_creates_a_guest(
    http: httpx.AsyncClient, created: list[CreateGuest]
) -> None:
    """The session is in the cookie of this host, and its token is nowhere else. A second call from
    the same browser returns the same session and creates nobody."""
    answer = await guest(http)
    again = await guest(http, **{"sec-fetch-site": "same-origin"})

    assert answer.status_code == 200
    assert answer.json()["session"]["guest"] is True
    assert "t_guest" not in answer.text
    assert "aero2_session=t_guest" in answer.headers["set-cookie"]
    assert again.json()["session"]["id"] == answer.json()["session"]["id"]
    assert len(created) == 1
    assert created[0].browser


@pytest.mark.parametrize("key", [None, "pk_live_unknown", "sk_live_demo", "pk_live_other"])
async def test_it_takes_the_publishable_key_of_this_application(
    http: httpx.AsyncClient, world: FakeServices, app: Tenant, created: list[CreateGuest],
    key: str | None,
) -> None:  # fmt: skip
    """Without a key, with a secret one, and with that of another application nobody is created."""
    world.key(app, "sk_live_demo")
    world.key(world.add("other"), "pk_live_other")
    answer = await guest(http, key)

    assert answer.status_code in (401, 404)
    assert created == []


async def test_another_site_creates_no_guest(
    http: httpx.AsyncClient, created: list[CreateGuest]
) -> None:
    """A page of another site cannot sign its visitors in here, even if it knows the key."""
    answer = await guest(http, origin="https://evil.example")

    assert answer.status_code == 403
    assert created == []


async def test_a_guest_signs_up_as_the_guest(
    http: httpx.AsyncClient, world: FakeServices, app: Tenant
) -> None:
    """The pages offer a sign-up to a guest, and enter the code as the guest. Another user who enters a
    code enters it as nobody."""
    People(world)
    session: Session = person(world, app, "t_guest", guest=True)
    callers: list[Any] = []
    handler, people = world.bus.handlers[SignInWithCode]

    async def sign_in(deps: Any, ctx: Context, request: SignInWithCode) -> Any:
        callers.append(ctx.caller)
        return await handler(people, ctx, request)

    world.bus.serve(None, {SignInWithCode: sign_in})
    http.cookies.set("aero2_session", "t_guest", domain="demo.localhost")
    assert (await http.get("/login")).status_code == 200
    assert 'href="/signup"' in (await http.get("/account")).text

    for guest in (True, False):
        person(world, app, "t_guest", guest=guest)
        await post(http, "/login?again=1", email=EMAIL)
        await post(http, "/login/code/send", "/login/password", email=EMAIL)
        await post(http, "/login/code", code=CODE)
        http.cookies.clear()
    assert [caller.guest for caller in callers] == [True, False]
    assert callers[0].id == session.user_id
    assert callers[1].kind == "anonymous"
