"""HTTP rules of every response: caching, HEAD, conditional requests, credentials."""

from __future__ import annotations

import httpx
import pytest
from fastapi.routing import APIRoute, iter_route_contexts
from tests.kit.fake_services import FakeServices
from tests.kit.people import People, person

from common.contracts.authorization import Authorization
from common.ip_addresses import canonical_ip
from gateway.app import GatewayApp
from gateway.audit_followers import Follower, FollowerSlots
from gateway.http.request import linked_trace

HOST = "http://demo.localhost:8080"
TRACE = b"00-" + b"1" * 32 + b"-" + b"2" * 16 + b"-01"


@pytest.fixture
def people(world: FakeServices) -> People:
    world.add("demo", allowed_origins=["https://spa.example.com"])
    return People(world)


def sign_in(http: httpx.AsyncClient, world: FakeServices) -> None:
    person(world, world.tenants["demo.localhost:8080"], "t_ada")
    http.cookies.set("aero2_session", "t_ada", domain="demo.localhost")


async def test_no_answer_of_the_api_is_stored(
    gateway_app: GatewayApp, http: httpx.AsyncClient, world: FakeServices, people: People
) -> None:
    """Every read of the API says no-store, by cookie and by HEAD too."""
    sign_in(http, world)
    paths = {
        (route.path or "").replace("{", "").replace("}", "")
        for route in iter_route_contexts(gateway_app.application.routes)  # type: ignore[attr-defined]
        if isinstance(route.original_route, APIRoute) and "GET" in (route.methods or ())
    }
    assert len(paths) > 30

    for path in sorted(paths - {"/api/audit/stream"}):
        for method in ("GET", "HEAD"):
            answer = await http.request(method, path)
            assert answer.headers.get("cache-control"), path
            assert "public" not in answer.headers["cache-control"], path
            assert answer.status_code != 405, path
            assert method == "GET" or answer.content == b"", path


@pytest.mark.parametrize("method", ["HEAD", "GET"])
@pytest.mark.parametrize(
    "path", ["/oauth2/authorize?client_id=x", "/oauth2/logout?id_token_hint=x"]
)
async def test_nothing_is_done_that_nobody_sees(
    http: httpx.AsyncClient, world: FakeServices, people: People, method: str, path: str
) -> None:
    """HEAD and a prefetch create no code and end no session."""
    people.authorization = Authorization(kind="redirect", location="https://rp.example/?code=c")
    sign_in(http, world)
    headers = {"sec-purpose": "prefetch;prerender"} if method == "GET" else {}

    answer = await http.request(method, path, headers=headers)

    assert "location" not in answer.headers
    assert people.revoked == []
    assert answer.status_code == (503 if method == "GET" else 200)


@pytest.mark.parametrize("header", ["Basic eDp5", "Bearer", "Bearer ", "Digest x"])
async def test_only_a_credential_exempts_from_the_guard(
    http: httpx.AsyncClient, world: FakeServices, people: People, header: str
) -> None:
    """Basic credentials do not replace the check of the source, since browsers add them by
    themselves."""
    sign_in(http, world)

    answer = await http.put(
        "/api/users/me",
        json={"name": "X"},
        headers={"origin": "https://evil.example", "authorization": header},
    )

    assert (answer.status_code, answer.json()["code"]) == (403, "cross_site")


async def test_dpop_without_a_proof_opens_nothing(
    http: httpx.AsyncClient, world: FakeServices, people: People
) -> None:
    """DPoP without a proof is refused (RFC 9449 section 7.1), even with a cookie."""
    key = world.key(world.tenants["demo.localhost:8080"], "sk_live_x")
    assert key
    sign_in(http, world)

    answer = await http.get("/api/users/me", headers={"authorization": "DPoP sk_live_x"})

    assert answer.status_code == 401


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("203.0.113.7:5678", "203.0.113.7"),
        ("203.0.113.7", "203.0.113.7"),
        ("[2001:db8::7]:443", "2001:db8::7"),
        ("[2001:DB8:0::7]", "2001:db8::7"),
        ("2001:db8::7", "2001:db8::7"),
        ("::ffff:203.0.113.7", "203.0.113.7"),
        ("[::ffff:203.0.113.7]:80", "203.0.113.7"),
        ("unknown", None),
        ("203.0.113.7:x", None),
        ("[203.0.113.7", None),
        ("", None),
    ],
)
def test_an_address_has_one_form(text: str, expected: str | None) -> None:
    """An address is the same, whatever a proxy adds to it."""
    assert canonical_ip(text) == expected


@pytest.mark.parametrize(
    ("header", "kept"),
    [
        (TRACE, True),
        (b"ff" + TRACE[2:], False),
        (b"00-" + b"0" * 32 + TRACE[35:], False),
        (TRACE[:36] + b"0" * 16 + b"-01", False),
    ],
)
def test_only_a_valid_trace_is_linked(header: bytes, kept: bool) -> None:
    """An invalid traceparent is ignored (W3C Trace Context)."""
    assert linked_trace(header) == (header.decode() if kept else None)


def test_a_follower_is_checked_when_its_credential_changes() -> None:
    """An invalidation checks the followers with that credential at once, and no others."""
    slots, key, other = (
        FollowerSlots(),
        Follower(frozenset({"key_1"})),
        Follower(frozenset({"user_1"})),
    )
    slots.followers.update({key, other})

    slots.changed("api_key", "key_1")

    assert (key.doubtful, key.woken.is_set()) == (True, True)
    assert (other.doubtful, other.woken.is_set()) == (False, False)
