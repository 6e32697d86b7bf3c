"""Roles and organizations over HTTP: the gateway in this process, with tenancy and rbac."""

from __future__ import annotations

import base64
import os
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from tests.kit.world import World

from common.context import Caller, Context
from common.contracts.base import Done
from common.contracts.sessions import (
    ActivateOrganization,
    CheckSession,
    NoSession,
    Session,
    SignedInSession,
    SignOut,
)
from common.contracts.tokens import AccessToken, CheckAccessToken
from common.ids import DASHBOARD, new_id
from common.testing import MemoryInvalidation
from gateway.build import build
from gateway.settings import GatewaySettings
from gateway.state import Gateway

COOKIE = "__Host-aero2_session"


@dataclass
class Sessions:
    """The sessions that the gateway asks identity for, by application and token."""

    live: dict[tuple[str, str], Session]
    invalidation: MemoryInvalidation

    async def check(self, _: Any, ctx: Context, request: CheckSession) -> Session:
        if (ctx.app_id, request.token) not in self.live:
            raise NoSession
        return self.live[ctx.app_id, request.token]

    async def sign_out(self, _: Any, ctx: Context, request: SignOut) -> Done:
        self.live.pop((ctx.app_id, request.token), None)
        return Done()

    async def activate(
        self, _: Any, ctx: Context, request: ActivateOrganization
    ) -> SignedInSession:
        [(key, old)] = [(k, s) for k, s in self.live.items() if s.id == request.session_id]
        del self.live[key]
        session = old.model_copy(update={"id": new_id(), "active_org_id": request.org_id})
        token = new_id()
        self.live[ctx.app_id, token] = session
        await self.invalidation.publish(ctx, "session", old.id)
        return SignedInSession(token=token, session=session)


@dataclass
class Site:
    world: World
    http: httpx.AsyncClient
    sessions: Sessions

    def sign_in(self, who: Caller, app_id: str | None = None) -> dict[str, str]:
        """Returns the headers of a browser in which this user is signed in."""
        now = datetime.now(UTC)
        session = Session(
            id=who.session_id or new_id(),
            user_id=who.id or "",
            auth_time=now,
            created_at=now,
            expires_at=now + timedelta(hours=1),
        )
        token = new_id()
        self.sessions.live[app_id or self.world.app_id, token] = session
        return {"cookie": f"{COOKIE}={token}", "sec-fetch-site": "same-origin"}

    def url(self, path: str, app_id: str | None = None) -> str:
        app_id = app_id or self.world.app_id
        slug = "dashboard" if app_id == DASHBOARD else f"app-{app_id}"
        return f"https://{slug}.id.example.com/api{path}"

    async def call(
        self, method: str, path: str, who: dict[str, str], body: object = None, **more: Any
    ) -> httpx.Response:
        extra: dict[str, Any] = {} if body is None else {"json": body}
        self.http.cookies.clear()
        return await self.http.request(method, self.url(path, **more), headers=who, **extra)


@pytest.fixture
async def site(world: World, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Site]:
    key = "k1:" + base64.b64encode(os.urandom(32)).decode()
    settings = GatewaySettings(master_key=key, public_url="https://id.example.com")
    gateway = Gateway(settings, world.bus)
    sessions = Sessions({}, world.invalidation)
    world.bus.serve(
        None,
        {
            CheckSession: sessions.check,
            SignOut: sessions.sign_out,
            ActivateOrganization: sessions.activate,
        },
    )

    async def publish(ctx: Context, noun: str, id: str = "*") -> None:
        await MemoryInvalidation.publish(world.invalidation, ctx, noun, id)
        gateway.invalidate(ctx.app_id, noun, id)

    monkeypatch.setattr(world.invalidation, "publish", publish)
    transport = httpx.ASGITransport(app=build(gateway))  # type: ignore[arg-type]
    async with httpx.AsyncClient(transport=transport) as client:
        yield Site(world, client, sessions)
    world.bus.serve(None, world.stand_ins.identity.handlers())


async def test_rights_change_with_the_answer(site: Site) -> None:
    """A permission that is given or removed counts for the next request, though sessions are
    cached."""
    chief, user = await site.world.user_caller(), await site.world.user_caller()
    await site.world.owner.execute(
        "INSERT INTO user_roles (app_id, user_id, role_id) VALUES ($1, $2, 'admin')",
        site.world.app_id,
        chief.id,
    )
    admin, plain = site.sign_in(chief), site.sign_in(user)
    assert (await site.call("GET", "/roles", plain)).status_code == 403

    made = await site.call("POST", "/roles", admin, {"name": "Viewer"})
    assert (made.status_code, made.json()["id"]) == (201, "viewer")
    given = await site.call("POST", f"/users/{user.id}/roles", admin, {"role_id": "viewer"})
    assert given.status_code == 200, given.text
    assert (await site.call("GET", "/roles", plain)).status_code == 403
    added = await site.call(
        "POST", "/roles/viewer/permissions", admin, {"permission_id": "roles:read"}
    )
    assert added.json()["permissions"] == ["roles:read"]

    listed = await site.call("GET", "/roles?limit=2", plain)
    assert [role["id"] for role in listed.json()["roles"]] == ["admin", "user"]
    more = await site.call("GET", f"/roles?cursor={listed.json()['next']}", plain)
    assert [role["id"] for role in more.json()["roles"]] == ["viewer"]
    mine = await site.call("GET", "/users/me/permissions", plain)
    assert mine.json()["permissions"] == ["roles:read"]
    holders = await site.call("GET", "/roles/viewer/users", admin)
    assert [holder["user_id"] for holder in holders.json()["users"]] == [user.id]

    taken = await site.call("DELETE", f"/users/{user.id}/roles/viewer", admin)
    assert taken.status_code == 200
    assert (await site.call("GET", "/roles", plain)).status_code == 403


async def test_problems_are_told(site: Site) -> None:
    """A system role is 409, an unknown one 404, one with more rights 403, and a malformed one 422."""
    chief = await site.world.user_caller()
    await site.world.owner.execute(
        "INSERT INTO user_roles (app_id, user_id, role_id) VALUES ($1, $2, 'admin')",
        site.world.app_id,
        chief.id,
    )
    admin = site.sign_in(chief)
    answers = [
        await site.call("PATCH", "/roles/admin", admin, {"name": "x"}),
        await site.call("DELETE", "/roles/nope", admin),
        await site.call("POST", "/permissions", admin, {"name": "nonsense"}),
        await site.call("DELETE", "/permissions/users:read", admin),
        await site.call("GET", "/roles/Bad%20Id", admin),
    ]

    assert [(a.status_code, a.json()["code"]) for a in answers] == [
        (409, "system_role"),
        (404, "role_not_found"),
        (422, "invalid"),
        (409, "system_role"),
        (422, "invalid"),
    ]


async def test_permissions_and_checks(site: Site) -> None:
    """An application's own permission is created, put into a role, checked and deleted."""
    chief, user = await site.world.user_caller(), await site.world.user_caller()
    await site.world.owner.execute(
        "INSERT INTO user_roles (app_id, user_id, role_id) VALUES ($1, $2, 'admin')",
        site.world.app_id,
        chief.id,
    )
    admin = site.sign_in(chief)
    made = await site.call("POST", "/permissions", admin, {"name": "invoice:read"})
    assert made.status_code == 201
    role = {"name": "Clerk", "permissions": ["invoice:read"]}
    assert (await site.call("POST", "/roles", admin, role)).status_code == 201
    await site.call("POST", f"/users/{user.id}/roles", admin, {"role_id": "clerk"})
    asked = {
        "checks": [
            {"user_id": user.id, "permission": "invoice:read"},
            {"user_id": user.id, "permission": "users:read"},
        ]
    }
    yes, no = (await site.call("POST", "/authorize/check", admin, asked)).json()["results"]

    assert (yes["allowed"], yes["reasons"][0]["role_id"]) == (True, "clerk")
    assert (no["allowed"], no["why_not"]) == (False, "not_granted")
    assert (await site.call("DELETE", "/permissions/invoice:read", admin)).status_code == 200
    [yes, _] = (await site.call("POST", "/authorize/check", admin, asked)).json()["results"]
    assert yes["why_not"] == "unknown_permission"


async def test_organization_over_http(site: Site) -> None:
    """Two users create, invite, join, activate and leave an organization."""
    ada, bob = (
        await site.world.user_caller("ada@x.test"),
        await site.world.user_caller("bob@x.test"),
    )
    admin, other = site.sign_in(ada), site.sign_in(bob)
    org = (await site.call("POST", "/organizations", admin, {"name": "Acme"})).json()
    path = f"/organizations/{org['id']}"
    assert (await site.call("GET", path, other)).json()["code"] == "organization_not_found"
    sent = await site.call("POST", f"{path}/invitations", admin, {"email": "Bob@x.test"})
    assert (sent.status_code, sent.json()["status"]) == (201, "pending")
    token = (await site.world.mail()).token

    offer = await site.call("POST", "/organizations/invitation", {}, {"token": token})
    assert offer.json()["org_name"] == "Acme"
    joined = await site.call("POST", "/organizations/accept-invitation", other, {"token": token})
    assert (joined.status_code, joined.json()["role"]) == (200, "member")
    active = await site.call("POST", f"{path}/activate", other)
    assert active.json()["active_org_id"] == org["id"]
    assert "token" not in active.json()
    fresh = active.headers["set-cookie"].partition(";")[0]
    assert fresh.startswith(COOKIE)
    assert fresh != other["cookie"]
    assert (await site.call("GET", path, other)).status_code == 401

    again = {**other, "cookie": fresh}
    assert (await site.call("GET", "/users/me/permissions", again)).json()["org_role"] == "member"
    left = await site.call("DELETE", f"{path}/members/{bob.id}", again)
    assert left.status_code == 200
    refused = await site.call("DELETE", f"{path}/members/{ada.id}", admin)
    assert (refused.status_code, refused.json()["code"]) == (409, "last_admin")


async def test_token_gets_no_session(site: Site) -> None:
    """A client with a user's access token never gets a session cookie."""
    ada = await site.world.user_caller()

    async def token(_: object, ctx: Context, request: CheckAccessToken) -> AccessToken:
        return AccessToken(
            jti=new_id(),
            client_id="client_x",
            user_id=ada.id,
            session_id=ada.session_id,
            scopes=["openid", "account"],
            expires_at=datetime.now(UTC) + timedelta(minutes=5),
        )

    site.world.bus.serve(None, {CheckAccessToken: token})
    admin = site.sign_in(ada)
    org = (await site.call("POST", "/organizations", admin, {"name": "Acme"})).json()
    bearer = {"authorization": "Bearer a.b.c"}
    path = f"/organizations/{org['id']}"
    assert (await site.call("GET", path, bearer)).status_code == 200
    for headers in (bearer, {**admin, **bearer}):
        answer = await site.call("POST", f"{path}/activate", headers)

        assert answer.status_code == 401
        assert "set-cookie" not in answer.headers


async def test_a_developer_manages_an_application_of_their_team(site: Site) -> None:
    """A developer manages an application of the team by its slug. Others get 404."""
    world = site.world
    dev, stranger = await world.dashboard_user(), await world.dashboard_user()
    mine = site.sign_in(dev, DASHBOARD)
    team = await site.call("POST", "/organizations", mine, {"name": "Team"}, app_id=DASHBOARD)
    assert team.status_code == 201, team.text
    await world.owner.execute(
        "UPDATE applications SET owner_org_id = $1 WHERE id = $2", team.json()["id"], world.app_id
    )
    slug = f"/applications/app-{world.app_id}"
    made = await site.call(
        "POST", f"{slug}/organizations", mine, {"name": "Customer"}, app_id=DASHBOARD
    )
    listed = await site.call("GET", f"{slug}/organizations", mine, app_id=DASHBOARD)
    roles = await site.call("POST", f"{slug}/roles", mine, {"name": "R"}, app_id=DASHBOARD)

    assert made.status_code == 201, made.text
    assert [each["name"] for each in listed.json()["organizations"]] == ["Customer"]
    assert roles.status_code == 201
    theirs = site.sign_in(stranger, DASHBOARD)
    for path in ("organizations", "roles", "permissions"):
        answer = await site.call("GET", f"{slug}/{path}", theirs, app_id=DASHBOARD)
        assert (answer.status_code, answer.json()["code"]) == (404, "application_not_found")
