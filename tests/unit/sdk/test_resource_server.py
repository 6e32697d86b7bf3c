"""The helper for resource servers: which tokens it accepts, and what it answers otherwise."""

from __future__ import annotations

import json
import re
import time
from typing import Any

import httpx
import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from jwt.algorithms import ECAlgorithm

from aero2_client import (
    BearerGuard,
    ProtectedResource,
    Refused,
    SigningKeys,
    WrongResource,
    check_metadata,
    metadata_url,
)

ISSUER = "https://acme.example"
RESOURCE = "https://mcp.example/notes"
KEY = ec.generate_private_key(ec.SECP256R1())
OTHER_KEY = ec.generate_private_key(ec.SECP256R1())


def jwk(kid: str, key: ec.EllipticCurvePrivateKey = KEY) -> dict[str, Any]:
    members: dict[str, Any] = json.loads(ECAlgorithm.to_jwk(key.public_key()))
    return members | {"kid": kid, "alg": "ES256"}


class Issuer:
    """An issuer's keys, and how often they were fetched."""

    def __init__(self) -> None:
        self.now, self.fetches, self.away = 1000.0, 0, False
        self.jwks: dict[str, Any] = {"keys": [jwk("k1")]}
        self.keys = SigningKeys(f"{ISSUER}/oauth2/jwks.json", fetch=self.fetch, clock=self.clock)

    def fetch(self, _: str) -> dict[str, Any]:
        self.fetches += 1
        if self.away:
            raise OSError("away")
        return self.jwks

    def clock(self) -> float:
        return self.now


@pytest.fixture
def issuer() -> Issuer:
    return Issuer()


def resource(issuer: Issuer, identifier: str = RESOURCE) -> ProtectedResource:
    return ProtectedResource(identifier, issuer=ISSUER, scopes=["notes"], keys=issuer.keys)


def token(
    kid: str = "k1", typ: str = "at+jwt", key: ec.EllipticCurvePrivateKey = KEY, **claims: Any
) -> str:
    now = int(time.time())
    content = {
        "iss": ISSUER,
        "sub": "ann",
        "aud": RESOURCE,
        "client_id": "c",
        "iat": now,
        "exp": now + 60,
        "scope": "notes openid",
    } | claims
    content = {name: value for name, value in content.items() if value is not None}
    return jwt.encode(content, key, "ES256", headers={"kid": kid, "typ": typ})


async def test_a_token_for_this_resource_is_accepted(issuer: Issuer) -> None:
    """The claims come back."""
    access_token = await resource(issuer).authorize(f"Bearer {token()}")

    assert (access_token.subject, access_token.client_id) == ("ann", "c")
    assert access_token.scopes == {"notes", "openid"}


@pytest.mark.parametrize(
    "wrong",
    [
        token(aud="https://mcp.example/other"),
        token(aud=[]),
        token(aud=None),
        token(aud={"a": 1}),
        token(iss="https://evil.example"),
        token(iss=f"{ISSUER}/"),
        token(exp=int(time.time()) - 60),
        token(exp=None),
        token(sub=None),
        token(typ="JWT"),
        token(typ="logout+jwt"),
        token(kid="k2"),
        token(key=OTHER_KEY),
        jwt.encode({"sub": "ann"}, "", "none", headers={"kid": "k1", "typ": "at+jwt"}),
        jwt.encode({"sub": "ann"}, "k" * 32, "HS256", headers={"kid": "k1", "typ": "at+jwt"}),
        "nonsense",
        "a.b.c",
        "x" * 20_000,
    ],
    ids=[
        *("audience", "no audiences", "without audience", "audience of another type"),
        *("issuer", "issuer with a slash", "expired", "without expiry", "without subject"),
        *("type", "logout token", "unknown kid", "key", "unsigned", "HS256"),
        *("nonsense", "three parts", "too long"),
    ],  # tokens have the time in them, and workers must collect the same names
)
async def test_any_other_token_is_refused(issuer: Issuer, wrong: str) -> None:
    """401 `invalid_token`, and the challenge leads to the metadata (RFC 9728 section 5.1)."""
    with pytest.raises(Refused) as refused:
        await resource(issuer).authorize(f"Bearer {wrong}")

    assert (refused.value.status, refused.value.error) == (401, "invalid_token")
    challenge = refused.value.headers["WWW-Authenticate"]
    found = re.fullmatch(r'Bearer (?:[a-z_]+="[^"]*"(?:, )?)+', challenge)
    assert found, challenge
    assert f'resource_metadata="{metadata_url(RESOURCE)}"' in challenge
    assert 'scope="notes"' in challenge


@pytest.mark.parametrize("header", [None, "", "Basic YTpi", "Bearer", "Bearer  "])
async def test_without_a_token_the_challenge_names_no_error(
    issuer: Issuer, header: str | None
) -> None:
    """RFC 6750 section 3.1: a client that sent no token has made no mistake. Nothing is fetched."""
    with pytest.raises(Refused) as refused:
        await resource(issuer).authorize(header)

    assert refused.value.status == 401
    assert "error" not in refused.value.headers["WWW-Authenticate"]
    assert issuer.fetches == 0


async def test_a_missing_scope_is_403(issuer: Issuer) -> None:
    """The challenge names all scopes of the call, so that the client can ask for them."""
    with pytest.raises(Refused) as refused:
        await resource(issuer).authorize(f"Bearer {token()}", ["notes", "notes:write"])

    assert (refused.value.status, refused.value.error) == (403, "insufficient_scope")
    assert 'scope="notes notes:write"' in refused.value.headers["WWW-Authenticate"]


@pytest.mark.parametrize(
    ("registered", "audience", "accepted"),
    [
        ("https://mcp.x", "https://mcp.x/", True),
        ("https://mcp.x/", "https://mcp.x", True),
        ("https://mcp.x/a", "https://mcp.x/a/", False),
        ("https://mcp.x/a", "https://mcp.x", False),
        ("https://mcp.x", "https://mcp.x/a", False),
    ],
)
async def test_only_an_empty_path_equals_a_slash(
    issuer: Issuer, registered: str, audience: str, accepted: bool
) -> None:
    """Trap 61: with a path it is another resource."""
    guarded = resource(issuer, registered)
    if accepted:
        assert (await guarded.verify(token(aud=audience))).subject == "ann"
        return
    with pytest.raises(jwt.InvalidAudienceError):
        await guarded.verify(token(aud=audience))


@pytest.mark.parametrize(
    ("identifier", "address"),
    [
        ("https://mcp.x", "https://mcp.x/.well-known/oauth-protected-resource"),
        ("https://mcp.x/", "https://mcp.x/.well-known/oauth-protected-resource"),
        ("https://mcp.x/a/b", "https://mcp.x/.well-known/oauth-protected-resource/a/b"),
        ("https://mcp.x/a?b=c", "https://mcp.x/.well-known/oauth-protected-resource/a?b=c"),
    ],
)
def test_the_path_follows_the_well_known_one(identifier: str, address: str) -> None:
    """RFC 9728 section 3.1."""
    assert metadata_url(identifier) == address


def test_metadata_of_another_resource_is_refused() -> None:
    """Trap 64: metadata of one resource does not send users of another one to a foreign issuer (RFC 9728 section 3.3)."""
    check_metadata({"resource": "https://mcp.x/"}, "https://mcp.x")
    for document in ({"resource": "https://evil.x"}, {"resource": "https://mcp.x/a"}, {}):
        with pytest.raises(WrongResource):
            check_metadata(document, "https://mcp.x")


@pytest.mark.parametrize("identifier", ["urn:x:y", "https://u@mcp.x", "https://mcp.x/#a", "mcp.x"])
def test_a_resource_is_a_url(identifier: str) -> None:
    """Its metadata could not be found otherwise."""
    with pytest.raises(ValueError, match=r"URL|fragment"):
        ProtectedResource(identifier, issuer=ISSUER)


def test_offline_access_is_not_listed() -> None:
    """It is no scope of a resource, and clients request all that are listed."""
    with pytest.raises(ValueError, match="offline_access"):
        ProtectedResource(RESOURCE, issuer=ISSUER, scopes=["notes", "offline_access"])


async def test_made_up_key_ids_cause_one_fetch(issuer: Issuer) -> None:
    """1 000 tokens with key ids that do not exist: one fetch in 30 s, and good tokens stay good."""
    guarded = resource(issuer)
    await guarded.verify(token())
    issuer.now += 31
    for number in range(1000):
        with pytest.raises(jwt.InvalidTokenError):
            await guarded.verify(token(kid=f"x{number}"))
    await guarded.verify(token())

    assert issuer.fetches == 2
    assert len(issuer.keys._unknown) <= 128


async def test_a_new_key_is_found_without_a_restart(issuer: Issuer) -> None:
    """Long before the keys expire."""
    guarded = resource(issuer)
    await guarded.verify(token())
    issuer.jwks = {"keys": [jwk("k1"), jwk("k2", OTHER_KEY)]}
    issuer.now += 31

    assert (await guarded.verify(token(kid="k2", key=OTHER_KEY))).subject == "ann"


async def test_known_keys_stay_while_the_issuer_is_away(issuer: Issuer) -> None:
    """Without any keys the answer is 503, and no challenge: a new token would not help."""
    guarded = resource(issuer)
    issuer.away = True
    with pytest.raises(Refused) as refused:
        await guarded.authorize(f"Bearer {token()}")
    assert (refused.value.status, refused.value.headers) == (503, {})
    issuer.away = False
    issuer.now += 6
    await guarded.verify(token())
    issuer.away = True
    issuer.now += 3600

    for _ in range(10):
        assert (await guarded.verify(token())).subject == "ann"
    assert issuer.fetches == 3


@pytest.mark.parametrize(
    "jwks", [{}, {"keys": 1}, {"keys": [1, {}, {"kty": "oct", "k": "AAAA", "kid": "k1"}]}, []]
)
async def test_an_unusable_key_set_gives_no_keys(issuer: Issuer, jwks: Any) -> None:
    """A symmetric key is not used either: it would be public."""
    issuer.jwks = jwks
    with pytest.raises(Refused) as refused:
        await resource(issuer).authorize(f"Bearer {token()}")

    assert refused.value.status == 503


async def application(scope: Any, receive: Any, send: Any) -> None:
    subject = scope.get("state", {}).get("access_token")
    body = subject.subject.encode() if subject else b"nobody"
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": body})


def client(issuer: Issuer, host: str = "mcp.example") -> httpx.AsyncClient:
    guard = BearerGuard(application, resource(issuer), public=["/healthz"])
    return httpx.AsyncClient(
        transport=httpx.ASGITransport(guard),
        base_url=f"https://{host}",
    )


async def test_the_guard_leads_to_the_metadata(issuer: Issuer) -> None:
    """From the refusal to the metadata, and with a token to the application."""
    async with client(issuer) as http:
        answer = await http.get("/notes")
        assert answer.status_code == 401
        found = re.search(r'resource_metadata="([^"]+)"', answer.headers["www-authenticate"])
        assert found is not None
        answer = await http.get(found[1])
        assert answer.headers["access-control-allow-origin"] == "*"
        assert answer.json() == {
            "resource": RESOURCE,
            "authorization_servers": [ISSUER],
            "scopes_supported": ["notes"],
            "bearer_methods_supported": ["header"],
        }
        answer = await http.get("/notes", headers={"authorization": f"bearer {token()}"})

    assert (answer.status_code, answer.text) == (200, "ann")


async def test_the_guard_serves_metadata_for_its_own_host_only(issuer: Issuer) -> None:
    """Trap 64: another host would be another resource."""
    async with client(issuer, "other.example") as http:
        answer = await http.get("/.well-known/oauth-protected-resource/notes")

    assert answer.status_code == 404


async def test_what_the_guard_lets_through(issuer: Issuer) -> None:
    """Public paths and CORS preflight requests: they have no credentials. A token in the query is
    none (RFC 6750 section 2.3)."""
    preflight = {"access-control-request-method": "POST", "origin": "https://a.example"}
    async with client(issuer) as http:
        assert (await http.get("/healthz")).text == "nobody"
        assert (await http.options("/notes", headers=preflight)).text == "nobody"
        assert (await http.options("/notes")).status_code == 401
        assert (await http.get("/healthz/")).status_code == 401
        assert (await http.get(f"/notes?access_token={token()}")).status_code == 401


async def test_the_guard_closes_web_sockets(issuer: Issuer) -> None:
    """They are not guarded, so they are refused."""
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {"type": "websocket", "path": "/notes", "headers": []}
    await BearerGuard(application, resource(issuer))(scope, None, send)  # type: ignore[arg-type]

    assert sent == [{"type": "websocket.close", "code": 1008}]
