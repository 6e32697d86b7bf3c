"""Entity tags over HTTP, at each path of the API that shows one object and lets it change."""

from __future__ import annotations

import base64
import os
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any, Final

import httpx
import pytest
from fastapi.routing import APIRoute
from tests.isolation.ground import GUIDE, Ground
from tests.isolation.sides import PASSWORD

from common.contracts.passwords import SignInWithPassword
from gateway.api.fastapi_app import json_api
from gateway.api.openapi_conditions import versioned_paths
from gateway.api.route_sets import ROUTE_SETS
from gateway.build import build
from gateway.routing import API, HostKind
from gateway.settings import GatewaySettings
from gateway.state import Gateway

SHOWN: Final = versioned_paths(json_api(dashboard=False))
CHANGES: Final = [
    (method, API + route.path)
    for routes in ROUTE_SETS
    if routes.router and routes.host is not HostKind.DASHBOARD
    for route in routes.router.routes
    if isinstance(route, APIRoute) and API + route.path in SHOWN
    for method in sorted(route.methods or ())
    if method != "GET"
]
BODIES: Final[dict[str, dict[str, Any]]] = {
    "/api/settings": {"session_ttl": 7200},
    "/api/idps/{id}": {"display_name": "changed"},
    "/api/permissions/{permission_id}": {"description": "changed"},
    "/api/mail-sender": {"host": "new.example.com", "from_address": "new@example.com"},
    "/api/mail-templates/{kind}/{locale}": {
        "subject": "s",
        "text": "{{ code }}",
        "html": "{{ code }}",
    },
}
"""By path: a change, if it has no `name`."""
OLD: Final = '"0123456789abcdef0123456789abcdef"'
STRONG: Final = re.compile(r'"[0-9a-f]{32}"')


@dataclass
class Caller:
    """A backend of the application, and the browser of Bob for the profile."""

    ground: Ground
    http: httpx.AsyncClient
    cookie: str

    def path(self, template: str) -> str:
        things = self.ground.sides.home.things
        names = {"kind": "reset", "locale": "en"}
        nouns = {"clients": "client", "idps": "provider", "users": "user_id"}
        names["id"] = things[nouns.get(template.split("/")[2], "user_id")]
        names["role_id"] = GUIDE if "organization-roles" in template else things["role_id"]
        return template.format_map({**things, **names})

    async def send(self, method: str, template: str, **headers: str) -> httpx.Response:
        origin = self.ground.sides.home.origin
        if "/me" in template:
            known = {"cookie": f"aero2_session={self.cookie}", "origin": origin}
        else:
            known = {"authorization": f"Bearer {self.ground.sides.home.things['key']}"}
        body = BODIES.get(template, {"name": "changed"}) if method in ("PUT", "PATCH") else None
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        return await self.http.request(
            method, origin + self.path(template), headers=known | sent, json=body
        )


@pytest.fixture
async def caller(ground: Ground) -> AsyncIterator[Caller]:
    key = "k1:" + base64.b64encode(os.urandom(32)).decode()
    sides = ground.sides
    gateway = Gateway(GatewaySettings(master_key=key), sides.bus)
    transport = httpx.ASGITransport(app=build(gateway))  # type: ignore[arg-type]
    sign_in = SignInWithPassword(email="bob@example.com", password=PASSWORD)
    signed_in = await sides.ask(sides.home, None, sign_in)
    async with httpx.AsyncClient(transport=transport) as http:
        yield Caller(ground, http, signed_in.token)
    await ground.restore()


@pytest.mark.parametrize(("method", "path"), CHANGES)
async def test_a_change_on_a_condition(method: str, path: str, caller: Caller) -> None:
    """GET shows a strong tag. With an old or a weak one, a change answers 412 with the current tag, and
    changes nothing. With the current one it is made, and its response has the new tag."""
    shown = await caller.send("GET", path)
    etag = shown.headers["etag"]
    before = await caller.ground.rows()
    refused = [await caller.send(method, path, if_match=tag) for tag in (OLD, f"W/{etag}")]

    assert STRONG.fullmatch(etag)
    for answer in refused:
        assert (answer.status_code, answer.json()["code"]) == (412, "changed_meanwhile")
        assert answer.headers["etag"] == etag
        assert "etag" not in answer.json()
    assert await caller.ground.rows() == before
    assert (await caller.send("GET", path)).headers["etag"] == etag

    done = await caller.send(method, path, if_match=f"{OLD}, {etag}")

    assert done.status_code == 200, done.text
    assert await caller.ground.rows() != before
    if method != "DELETE":
        now = await caller.send("GET", path)
        assert done.headers["etag"] == now.headers["etag"] != etag
        assert done.json().items() <= now.json().items()  # GET may show more state


@pytest.mark.parametrize("path", sorted({path for _, path in CHANGES}))
async def test_a_read_on_a_condition(path: str, caller: Caller) -> None:
    """A read of what the client has answers 304, unless it also shows what changes by itself. With an
    If-Match that does not hold, a read answers 412."""
    etag = (await caller.send("GET", path)).headers["etag"]
    again = await caller.send("GET", path, if_none_match=f"{OLD}, W/{etag}")
    other = await caller.send("GET", path, if_none_match=OLD)
    old = await caller.send("GET", path, if_match=OLD)
    head = await caller.send("HEAD", path, if_match=etag)

    assert again.status_code == (200 if SHOWN[path].volatile else 304)
    assert again.headers["etag"] == etag
    assert bool(again.content) == bool(SHOWN[path].volatile)
    assert (other.status_code, old.status_code, head.status_code) == (200, 412, 200)
    assert head.headers["etag"] == old.headers["etag"] == etag


async def test_state_that_changes_by_itself_changes_no_tag(caller: Caller) -> None:
    """The tag stays when mails fail to go out, when a user signs in or is locked out, and when a client is
    not reached."""
    paths = ("/api/mail-sender", "/api/users/{id}", "/api/clients/{id}")
    before = [await caller.send("GET", path) for path in paths]
    owner, home = caller.ground.sides.owner, caller.ground.sides.home
    await owner.execute(
        "UPDATE mail_senders SET failures = 1, failing_since = now(), last_error = 'tls'"
        " WHERE app_id = $1",
        home.app_id,
    )
    await owner.execute(
        "UPDATE users SET last_sign_in_at = now() + '1 hour' WHERE app_id = $1 AND id = $2",
        home.app_id,
        home.things["user_id"],
    )
    await owner.execute(
        "INSERT INTO sign_in_guards (app_id, address_hash, locked_until, expires_at)"
        " VALUES ($1, $2, now() + '1 hour', now() + '1 hour')",
        home.app_id,
        caller.ground.sides.world.identity.keys.hash("lockout", "bob@example.com"),
    )
    await owner.execute(
        "UPDATE oauth_clients SET backchannel_logout_failure = $2 WHERE app_id = $1",
        home.app_id,
        '{"error": "e", "attempt": 1, "max_attempts": 2, "failed_at": "2026-01-02T03:04:05Z"}',
    )
    after = [await caller.send("GET", path) for path in paths]

    assert [one.headers["etag"] for one in after] == [one.headers["etag"] for one in before]
    assert all(one.json() != two.json() for one, two in zip(before, after, strict=True))
    assert after[1].json()["locked_until"] is not None


async def test_a_sender_only_if_there_is_none(caller: Caller) -> None:
    """`If-None-Match: *` lets PUT create what is missing, and replaces nothing."""
    path = "/api/mail-sender"
    taken = await caller.send("PUT", path, if_none_match="*")
    await caller.send("DELETE", path)
    missing = await caller.send("PUT", path, if_match="*")
    created = await caller.send("PUT", path, if_none_match="*")

    assert [one.status_code for one in (taken, missing, created)] == [412, 412, 200]
    assert "etag" in taken.headers
    assert "etag" not in missing.headers
