"""The caller of a request: cookies, access tokens and keys, and no other application's."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest
from fastapi import APIRouter
from tests.kit.fake_services import FakeServices, also

from gateway.api.deps import SignedIn
from gateway.app import GatewayApp

router = APIRouter(prefix="/api")


@router.get("/whoami")
async def whoami(ctx: SignedIn) -> dict[str, object]:
    who = ctx.caller
    return {
        "kind": who.kind,
        "id": who.id,
        "app": ctx.app_id,
        "may": sorted(who.permissions),
        "delegated": who.delegated,
    }


@router.post("/change")
async def change(ctx: SignedIn) -> dict[str, str | None]:
    return {"id": ctx.caller.id}


@pytest.fixture(autouse=True)
def probe(gateway_app: GatewayApp) -> Iterator[None]:
    with also(gateway_app, router):
        yield


def cookie(token: str) -> dict[str, str]:
    return {"cookie": f"aero2_session={token}"}


async def test_a_session_makes_a_user_with_rights(
    http: httpx.AsyncClient, world: FakeServices
) -> None:
    """A live session cookie makes its user the caller, with the rights of their roles."""
    session = world.session(world.add("demo"), "t1", "users:read")

    answer = await http.get("/api/whoami", headers=cookie("t1"))

    body = answer.json()
    assert ("user", session.user_id, ["users:read"]) == (body["kind"], body["id"], body["may"])


async def test_a_session_of_another_application_is_nobody(
    http: httpx.AsyncClient, world: FakeServices
) -> None:
    """A cookie of application A is anonymous on the host of B."""
    world.add("demo")
    world.session(world.add("other"), "t1")

    answer = await http.get("/api/whoami", headers=cookie("t1"))

    assert answer.status_code == 401


@pytest.mark.parametrize(
    "header", ["aero2_session", "aero2_session=", "=x;;=", "aero2_session=" + "x" * 500, "\xff"]
)
async def test_a_malformed_cookie_is_nobody(
    http: httpx.AsyncClient, world: FakeServices, header: str
) -> None:
    """A malformed Cookie header makes the request anonymous, and is no error."""
    world.add("demo")

    answer = await http.get("/api/whoami", headers=[(b"cookie", header.encode("latin-1"))])

    assert answer.status_code == 401


async def test_a_secret_key_is_the_application(
    http: httpx.AsyncClient, world: FakeServices
) -> None:
    """A secret key has every permission of its own application."""
    world.key(world.add("demo"), "sk_live_a")

    answer = await http.get("/api/whoami", headers={"authorization": "Bearer sk_live_a"})

    assert (answer.json()["kind"], answer.json()["may"]) == ("secret_key", ["*"])


async def test_a_secret_key_of_another_application_is_404(
    http: httpx.AsyncClient, world: FakeServices
) -> None:
    """A key of application A gets 404 on the host of B."""
    world.add("demo")
    world.key(world.add("other"), "sk_live_b")

    answer = await http.get("/api/whoami", headers={"authorization": "Bearer sk_live_b"})

    assert answer.status_code == 404


async def test_a_publishable_key_grants_nothing(
    http: httpx.AsyncClient, world: FakeServices
) -> None:
    """A publishable key names the application and gives no permission."""
    world.key(world.add("demo"), "pk_live_a")

    answer = await http.get("/api/whoami", headers={"authorization": "Bearer pk_live_a"})

    assert answer.status_code == 401


async def test_a_token_of_another_application_is_refused(
    http: httpx.AsyncClient, world: FakeServices
) -> None:
    """An access token of application A gets 401 with a challenge on the host of B."""
    world.add("demo")
    world.token(world.add("other"), "jwt")

    answer = await http.get("/api/whoami", headers={"authorization": "Bearer jwt"})

    assert answer.status_code == 401
    assert answer.headers["www-authenticate"].startswith("Bearer")


async def test_a_token_in_the_query_is_nobody(http: httpx.AsyncClient, world: FakeServices) -> None:
    """The query parameter of RFC 6750 is not supported."""
    world.token(world.add("demo"), "jwt")

    answer = await http.get("/api/whoami?access_token=jwt")

    assert answer.status_code == 401


async def test_an_ended_session_is_dropped_at_once(
    http: httpx.AsyncClient, world: FakeServices, gateway_app: GatewayApp
) -> None:
    """After the invalidation message of its session, a cached cookie is checked again."""
    tenant = world.add("demo")
    session = world.session(tenant, "t1")
    assert (await http.get("/api/whoami", headers=cookie("t1"))).status_code == 200
    del world.sessions[tenant.app_id, "t1"]
    assert (await http.get("/api/whoami", headers=cookie("t1"))).status_code == 200  # cached

    gateway_app.gateway.invalidate(tenant.app_id, "session", session.id)

    assert (await http.get("/api/whoami", headers=cookie("t1"))).status_code == 401


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({"origin": "http://demo.localhost:8080"}, 200),
        ({"referer": "http://demo.localhost:8080/account"}, 200),
        ({"sec-fetch-site": "same-origin"}, 200),
        ({"origin": "https://spa.example.com"}, 200),
        ({}, 403),
        ({"origin": "null"}, 403),
        ({"origin": "http://evil.test"}, 403),
        ({"origin": "http://demo.localhost:8080.evil.test"}, 403),
        ({"origin": "https://spa.example.com.evil.test"}, 403),
        ({"origin": "http://spa.example.com"}, 403),
        ({"referer": "http://evil.test/http://demo.localhost:8080"}, 403),
        ({"sec-fetch-site": "cross-site"}, 403),
    ],
)
async def test_a_cookie_needs_its_source(
    http: httpx.AsyncClient, world: FakeServices, headers: dict[str, str], expected: int
) -> None:
    """A change by cookie needs a source: this host or an allowed origin."""
    world.session(world.add("demo", allowed_origins=["https://spa.example.com"]), "t1")

    answer = await http.post("/api/change", headers={**cookie("t1"), **headers})

    assert expected == answer.status_code


async def test_a_key_needs_no_source(http: httpx.AsyncClient, world: FakeServices) -> None:
    """A call with a key needs no source, since a browser adds no Authorization header by itself."""
    world.key(world.add("demo"), "sk_live_a")

    answer = await http.post("/api/change", headers={"authorization": "Bearer sk_live_a"})

    assert answer.status_code == 200


async def test_bodies_are_json_only(http: httpx.AsyncClient, world: FakeServices) -> None:
    """JSON endpoints refuse the body of an HTML form."""
    world.key(world.add("demo"), "sk_live_a")
    headers = {"authorization": "Bearer sk_live_a", "content-type": "text/plain"}

    answer = await http.post("/api/change", headers=headers, content="{}")

    assert (answer.status_code, answer.json()["code"]) == (422, "invalid")


@pytest.mark.parametrize(
    ("scopes", "delegated"), [(["openid"], True), (["openid", "account"], False)]
)
async def test_a_client_reaches_an_account_by_scope_only(
    http: httpx.AsyncClient,
    world: FakeServices,
    gateway_app: GatewayApp,
    scopes: list[str],
    delegated: bool,
) -> None:
    """Without the scope `account`, an access token does not reach its user's account."""
    tenant = world.add("demo")
    token = world.token(tenant, "jwt", world.session(tenant, "t1"))
    world.tokens[tenant.app_id, "jwt"] = token.model_copy(update={"scopes": scopes})

    answer = await http.get("/api/whoami", headers={"authorization": "Bearer jwt"})

    assert answer.json()["kind"] == "user"
    assert answer.json()["delegated"] is delegated
