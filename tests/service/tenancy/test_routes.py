"""Applications, keys and settings over HTTP, with the real gateway and the real service."""

from __future__ import annotations

import base64
import os
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
import pytest_asyncio
from tests.kit.callers import MEMBER, OPERATOR
from tests.kit.dns_server import Zone
from tests.kit.world import World

from common.context import Context
from common.contracts.applications import NewApplication
from common.contracts.rights import GetRights, Rights
from common.contracts.sessions import CheckSession, NoSession, Session
from common.ids import DASHBOARD, new_id
from gateway.build import build, build_internal
from gateway.settings import GatewaySettings
from gateway.state import Gateway
from tenancy import provisioning
from tenancy.deps import Deps
from tenancy.dns_lookup import Dns
from tenancy.handlers import HANDLERS

DASHBOARD_HOST = "http://dashboard.localhost:8080"


@dataclass
class Dropping:
    """Delivers invalidations to the gateway, like NATS."""

    gateway: Gateway

    async def publish(self, ctx: Context, noun: str, id: str = "*") -> None:
        self.gateway.invalidate(ctx.app_id, noun, id)


@dataclass
class Front:
    """The clients of a browser and of a backend."""

    world: World
    http: httpx.AsyncClient
    deps: Deps
    gateway: Gateway
    people: dict[str, Context] = field(default_factory=dict)

    async def as_(self, ctx: Context, method: str, path: str, **more: Any) -> httpx.Response:
        token = f"session-{ctx.caller.id}"
        self.people[token] = ctx
        headers = {"origin": DASHBOARD_HOST, "cookie": f"aero2_session={token}"}
        headers |= more.pop("headers", {})
        return await self.http.request(method, DASHBOARD_HOST + path, headers=headers, **more)

    async def check(self, _: Any, ctx: Context, request: CheckSession) -> Session:
        who = self.people.get(request.token)
        if who is None or ctx.app_id != DASHBOARD:
            raise NoSession
        now = datetime.now(UTC)
        return Session(
            id=new_id(),
            user_id=str(who.caller.id),
            auth_time=now,
            created_at=now,
            expires_at=now + timedelta(hours=1),
        )

    async def rights(self, _: Any, ctx: Context, request: GetRights) -> Rights:
        who = self.people[f"session-{request.user_id}"].caller
        return Rights(permissions=list(who.permissions), teams=list(who.teams))


@pytest_asyncio.fixture
async def front(world: World) -> AsyncIterator[Front]:
    key = "k1:" + base64.b64encode(os.urandom(32)).decode()
    gateway = Gateway(GatewaySettings(master_key=key, operator_mfa="optional"), world.bus)
    deps = replace(world.tenancy, invalidation=Dropping(gateway))
    world.bus.serve(deps, HANDLERS)
    await provisioning.repair(world.tenancy)
    transport = httpx.ASGITransport(app=build(gateway))  # type: ignore[arg-type]
    async with httpx.AsyncClient(transport=transport) as http:
        made = Front(world, http, deps, gateway)
        world.bus.serve(None, {CheckSession: made.check, GetRights: made.rights})
        yield made


async def _shop(front: Front, team: str | None = None) -> tuple[Context, NewApplication]:
    ctx = await front.world.developer(team or await front.world.team())
    made = await front.as_(ctx, "POST", "/api/applications", json={"name": "Shop"})
    assert made.status_code == 201, made.text
    return ctx, NewApplication.model_validate(made.json())


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE"])
async def test_a_change_of_an_application_on_a_condition(front: Front, method: str) -> None:
    """The tag is that of name, branding and settings. With an old one, nothing is changed or deleted.
    Provisioning and domains change no tag."""
    ctx, shop = await _shop(front)
    path = f"/api/applications/{shop.slug}"
    to = f"{path}?confirm={shop.slug}" if method == "DELETE" else path
    json = None if method == "DELETE" else {"name": "Mine"}
    first = (await front.as_(ctx, "GET", path)).headers["etag"]
    await front.world.owner.execute(
        "UPDATE applications SET updated_at = now() + '1 hour' WHERE id = $1", shop.id
    )
    theirs = await front.as_(ctx, "PATCH", path, json={"settings": {"session_ttl": 7200}})
    late = await front.as_(ctx, method, to, json=json, headers={"if-match": first})
    now = await front.as_(ctx, "GET", path)
    etag = now.headers["etag"]
    done = await front.as_(ctx, method, to, json=json, headers={"if-match": etag})

    assert theirs.headers["etag"] == etag != first
    assert (late.status_code, late.json()["code"]) == (412, "changed_meanwhile")
    assert late.headers["etag"] == etag
    assert now.json() == theirs.json()
    assert done.status_code == 200, done.text


async def test_an_application_from_birth_to_death(front: Front) -> None:
    """An application is created, found, changed, transferred and deleted over HTTP."""
    here, there = await front.world.team(), await front.world.team()
    ctx = await front.world.developer(here, there)

    created = await front.as_(
        ctx, "POST", "/api/applications", json={"name": "Shop", "owner_org_id": here}
    )
    slug = created.json()["slug"]
    changed = await front.as_(
        ctx, "PATCH", f"/api/applications/{slug}", json={"primary_color": "#0AF"}
    )
    listed = await front.as_(ctx, "GET", "/api/applications?limit=10")
    moved = await front.as_(
        ctx, "POST", f"/api/applications/{slug}/transfer", json={"owner_org_id": there}
    )
    unconfirmed = await front.as_(ctx, "DELETE", f"/api/applications/{slug}?confirm=x")
    deleted = await front.as_(ctx, "DELETE", f"/api/applications/{slug}?confirm={slug}")
    gone = await front.as_(ctx, "GET", f"/api/applications/{slug}")

    assert (created.status_code, created.json()["state"]) == (201, "active")
    assert len(created.json()["api_keys"]) == 2
    assert changed.json()["primary_color"] == "#00aaff"
    assert [app["slug"] for app in listed.json()["applications"]] == [slug]
    assert moved.json()["owner_org_id"] == there
    assert (unconfirmed.status_code, unconfirmed.json()["code"]) == (409, "deletion_not_confirmed")
    assert deleted.status_code == 200
    assert (gone.status_code, gone.json()["code"]) == (404, "application_not_found")


async def test_every_flaw_is_named_and_no_value_echoed(front: Front) -> None:
    """A 422 lists all wrong fields as the caller wrote them, and no value."""
    ctx, made = await _shop(front)

    answer = await front.as_(
        ctx,
        "PUT",
        f"/api/applications/{made.slug}",
        json={
            "logo_url": "https://me:hunter2@x.example",
            "primary_color": "hunter2",
            "settings": {"session_ttl": 1, "hunter2": True},
        },
    )

    assert answer.status_code == 422
    fields = {error["field"] for error in answer.json()["errors"]}
    assert fields == {"logo_url", "primary_color", "settings.session_ttl", "settings.hunter2"}
    assert "me:hunter2" not in answer.text


async def test_settings_from_both_sides(front: Front) -> None:
    """A developer and the application's own secret key change the same settings. An allowed origin
    takes effect before the response."""
    ctx, made = await _shop(front)
    secret = {"authorization": f"Bearer {made.api_keys[1].key}"}
    site = {"origin": "https://shop.example"}
    before = await front.http.get(f"{made.url}/api/settings", headers=site)

    own = await front.http.put(
        f"{made.url}/api/settings",
        json={"allowed_origins": ["https://shop.example"]},
        headers=secret,
    )
    under = await front.as_(
        ctx, "PUT", f"/api/applications/{made.slug}/settings", json={"session_ttl": 3600}
    )
    after = await front.http.get(f"{made.url}/api/settings", headers=site)

    assert own.status_code == under.status_code == 200
    assert under.json()["allowed_origins"] == ["https://shop.example"]
    assert under.json()["session_ttl"] == 3600
    assert "access-control-allow-origin" not in before.headers
    assert after.headers["access-control-allow-origin"] == "https://shop.example"
    assert after.status_code == 401


async def test_keys_over_http(front: Front) -> None:
    """Keys are created, listed, rotated and revoked. A revoked key is invalid before the response."""
    ctx, made = await _shop(front)
    path = f"/api/applications/{made.slug}/api-keys"

    new = await front.as_(ctx, "POST", path, json={"name": "CI"})
    bearer = {"authorization": f"Bearer {new.json()['key']}"}
    works = await front.http.get(f"{made.url}/api/settings", headers=bearer)
    rotated = await front.as_(ctx, "POST", f"{path}/{new.json()['id']}/rotate")
    still = await front.http.get(f"{made.url}/api/settings", headers=bearer)
    revoked = await front.as_(ctx, "DELETE", f"{path}/{new.json()['id']}")
    dead = await front.http.get(f"{made.url}/api/settings", headers=bearer)
    listed = await front.as_(ctx, "GET", path)
    malformed = await front.as_(ctx, "DELETE", f"{path}/not-an-id")

    assert (new.status_code, rotated.status_code) == (201, 201)
    assert (works.status_code, still.status_code, dead.status_code) == (200, 200, 401)
    assert revoked.status_code == 200
    assert rotated.json()["id"] in [key["id"] for key in listed.json()["api_keys"]]
    assert "key" not in listed.json()["api_keys"][0]
    assert malformed.status_code == 422


async def test_domains_over_http(front: Front) -> None:
    """A domain is claimed, listed and removed. Only a proven one becomes primary."""
    ctx, made = await _shop(front)
    path = f"/api/applications/{made.slug}/domains"
    zone = await Zone.start()
    front.world.bus.serve(replace(front.deps, dns=Dns([zone.address])), HANDLERS)

    new = await front.as_(ctx, "POST", path, json={"domain": "Auth.Shop.Example."})
    chosen = {"domain_id": new.json()["id"]}
    early = await front.as_(ctx, "PUT", f"{path}/primary", json=chosen)
    for record in new.json()["records"]:
        zone.records[record["name"], record["type"]] = [
            record["value"].replace("localhost", "localhost.")
        ]
    verified = await front.as_(ctx, "POST", f"{path}/{new.json()['id']}/verify")
    primary = await front.as_(ctx, "PUT", f"{path}/primary", json=chosen)
    there = await front.http.get("http://auth.shop.example:8080/api/settings")
    removed = await front.as_(ctx, "DELETE", f"{path}/{new.json()['id']}")
    gone = await front.http.get("http://auth.shop.example:8080/api/settings")
    listed = await front.as_(ctx, "GET", path)
    malformed = await front.as_(ctx, "POST", path, json={"domain": "*"})
    zone.stop()

    assert (new.status_code, new.json()["domain"]) == (201, "auth.shop.example")
    assert (early.status_code, early.json()["code"]) == (409, "custom_domain_not_verified")
    assert verified.json()["verified"], verified.text
    assert primary.json()["domains"][0]["primary"]
    assert (there.status_code, removed.status_code, gone.status_code) == (401, 200, 404)
    assert listed.json() == {"domains": []}
    assert malformed.status_code == 422


async def test_the_question_of_a_tls_front(front: Front) -> None:
    """The internal listener answers for allowed names. The public port has no such path."""
    _, made = await _shop(front)
    url = "http://127.0.0.1/internal/domains/allowed"
    internal = httpx.ASGITransport(app=build_internal(front.gateway))  # type: ignore[arg-type]
    known = {"domain": f"{made.slug}.localhost"}

    async with httpx.AsyncClient(transport=internal) as neighbour:
        yes = await neighbour.get(url, params=known)
        no = [
            await neighbour.get(url, params=params)
            for params in (
                {"domain": "nobody.localhost"},
                {"domain": ""},
                {},
                {"domain": "x" * 300},
            )
        ]
    public = await front.http.get(url, params=known)

    assert yes.status_code == 200
    assert [answer.status_code for answer in no] == [404] * 4
    assert public.status_code == 404


async def test_a_stranger_finds_nothing(front: Front) -> None:
    """Every route under the slug answers 404 to another team's developer and another application's
    key. A member who only reads may not write."""
    _, made = await _shop(front)
    stranger = await front.world.developer(await front.world.team())
    member = await front.world.developer(str(made.owner_org_id), permissions=MEMBER)
    _, other = await _shop(front)
    base = f"/api/applications/{made.slug}"
    calls: list[tuple[str, str, Any]] = [
        ("GET", base, None),
        ("PATCH", base, {"name": "X"}),
        ("DELETE", f"{base}?confirm={made.slug}", None),
        ("POST", f"{base}/transfer", {"owner_org_id": next(iter(stranger.caller.teams))}),
        ("GET", f"{base}/settings", None),
        ("PUT", f"{base}/settings", {"session_ttl": 60}),
        ("GET", f"{base}/api-keys", None),
        ("POST", f"{base}/api-keys", {}),
        ("DELETE", f"{base}/api-keys/{made.api_keys[0].id}", None),
        ("POST", f"{base}/api-keys/{made.api_keys[0].id}/rotate", None),
        ("GET", f"{base}/domains", None),
        ("POST", f"{base}/domains", {"domain": "auth.shop.example"}),
        ("PUT", f"{base}/domains/primary", {"domain_id": None}),
        ("POST", f"{base}/domains/{new_id()}/verify", None),
        ("DELETE", f"{base}/domains/{new_id()}", None),
    ]
    foreign = {"authorization": f"Bearer {other.api_keys[1].key}"}

    for method, path, body in calls:
        answer = await front.as_(stranger, method, path, json=body)
        assert answer.status_code == 404, (method, path, answer.text)
        keyed = await front.http.request(method, DASHBOARD_HOST + path, json=body, headers=foreign)
        assert keyed.status_code == 404, (method, path, keyed.text)
        reader = await front.as_(member, method, path, json=body)
        assert reader.status_code == (200 if method == "GET" else 403), (method, path, reader.text)
    crossed = await front.http.get(f"{made.url}/api/settings", headers=foreign)
    assert crossed.status_code == 404


async def test_an_operator_reaches_every_application(front: Front) -> None:
    """An operator needs no team, and may change the Dashboard's settings. A developer may not."""
    ctx, made = await _shop(front)
    operator = await front.world.developer(permissions=OPERATOR)

    for slug in (made.slug, "dashboard"):
        path = f"/api/applications/{slug}/settings"
        changed = await front.as_(operator, "PUT", path, json={"session_ttl": 7200})
        assert changed.status_code == 200, changed.text
        assert changed.json()["session_ttl"] == 7200
    refused = await front.as_(ctx, "GET", "/api/applications/dashboard/settings")
    assert refused.status_code == 404


async def test_other_hosts_have_no_such_routes(front: Front) -> None:
    """Applications and their keys are managed on the Dashboard's host only."""
    _, made = await _shop(front)
    secret = {"authorization": f"Bearer {made.api_keys[1].key}"}

    for path in ("/api/applications", f"/api/applications/{made.slug}/api-keys"):
        assert (await front.http.get(made.url + path, headers=secret)).status_code == 404


async def test_the_api_host_knows_the_application_by_its_key(front: Front) -> None:
    """The API host serves every backend by its key. Without a key it refuses, and a publishable key
    grants nothing."""
    _, made = await _shop(front)
    url = "http://api.localhost:8080/api/settings"
    publishable, secret = (key.key for key in made.api_keys)

    with_key = await front.http.get(url, headers={"authorization": f"Bearer {secret}"})
    without = await front.http.get(url)
    wrong = await front.http.get(url, headers={"authorization": "Bearer sk_live_x"})
    public = await front.http.get(url, headers={"authorization": f"Bearer {publishable}"})

    assert with_key.status_code == 200
    assert [answer.status_code for answer in (without, wrong, public)] == [401, 401, 401]


async def test_the_document_describes_all_of_it(front: Front) -> None:
    """Every route has a summary and a typed response in the Dashboard's OpenAPI document."""
    document = (await front.http.get(f"{DASHBOARD_HOST}/openapi.json")).json()
    ours = {
        path: operations
        for path, operations in document["paths"].items()
        if path.startswith("/api/applications")
    }

    assert "/api/applications/{slug}/api-keys/{id}/rotate" in ours
    for path, operations in ours.items():
        for method, operation in operations.items():
            assert operation["summary"], (path, method)
            ok = next(status for status in operation["responses"] if status.startswith("2"))
            assert operation["responses"][ok]["content"], (path, method)
