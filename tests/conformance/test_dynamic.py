"""oidcc-dynamic-certification-test-plan and oidcc-3rdparty-init-login-certification-test-plan, without the modules about
request objects: clients register themselves, with an initial access token as the suite is given one."""

from __future__ import annotations

import asyncio
import json
import secrets
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

import jwt
import pytest
import pytest_asyncio
from cryptography.hazmat.primitives.asymmetric import rsa
from jwt.algorithms import RSAAlgorithm
from tests.conformance.conftest import ALIAS, CALLBACK, Client, Suite
from tests.kit.system import System

ASSERTION = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def initial(system: System) -> AsyncIterator[str]:
    """Switches registration on for these modules, and returns an initial access token."""
    async with system.backend() as api:
        answer = await api.put("/api/settings", json={"client_registration": "token"})
        assert answer.status_code == 200, answer.text
        answer = await api.post("/api/initial-access-tokens", json={"name": "Conformance suite"})
        assert answer.status_code == 201, answer.text
        yield answer.json()["token"]
        await api.put("/api/settings", json={"client_registration": None})


@pytest_asyncio.fixture
async def dynamic(fresh: Suite, initial: str) -> Suite:
    """The suite's side, with the provider's metadata as they are now."""
    fresh.provider = (await fresh.http.get("/.well-known/openid-configuration")).json()
    fresh.http.headers["x-initial"] = initial
    return fresh


async def registered(suite: Suite, **metadata: Any) -> dict[str, Any]:
    """Registers a client as the suite does: each module has its own."""
    answer = await post(suite, **metadata)
    assert answer.status_code == 201, answer.text
    assert answer.headers["content-type"].startswith("application/json")
    assert answer.headers["cache-control"] == "no-store"
    told: dict[str, Any] = answer.json()
    assert {"client_id", "registration_access_token", "registration_client_uri"} <= told.keys()
    return told


async def post(suite: Suite, **metadata: Any) -> Any:
    sent = {
        "client_name": "Suite dynamic",
        "redirect_uris": [CALLBACK],
        "grant_types": ["authorization_code", "refresh_token"],
        "response_types": ["code"],
        "contacts": ["certification@oidf.org"],
    } | metadata
    return await suite.http.post(
        suite.provider["registration_endpoint"],
        json=sent,
        headers={"authorization": f"Bearer {suite.http.headers['x-initial']}"},
    )


def client_of(told: dict[str, Any]) -> Client:
    return Client(
        told["client_id"], told.get("client_secret", ""), told["token_endpoint_auth_method"]
    )


async def test_oidcc_discovery_endpoint_verification_of_the_dynamic_plan(dynamic: Suite) -> None:
    """The endpoint is named, and what a client can register is listed."""
    told = dynamic.provider

    assert told["registration_endpoint"] == f"{dynamic.issuer}/oauth2/register"
    assert {"client_secret_basic", "private_key_jwt"} <= set(
        told["token_endpoint_auth_methods_supported"]
    )
    assert "RS256" in told["userinfo_signing_alg_values_supported"]


async def test_oidcc_server_of_the_dynamic_plan(dynamic: Suite) -> None:
    """A client that was registered a moment ago signs a user in."""
    client = client_of(await registered(dynamic))
    tokens = await dynamic.tokens(client)

    assert tokens["claims"]["aud"] == client.client_id
    told = await dynamic.claims(tokens["access_token"])
    assert told["sub"] == tokens["claims"]["sub"]


@pytest.mark.long
async def test_oidcc_idtoken_rs256(dynamic: Suite) -> None:
    told = await registered(dynamic, id_token_signed_response_alg="RS256")
    tokens = await dynamic.tokens(client_of(told))

    assert jwt.get_unverified_header(tokens["id_token"])["alg"] == "RS256"


@pytest.mark.long
async def test_oidcc_idtoken_unsigned(dynamic: Suite) -> None:
    """Refused at the registration, so the suite skips the module."""
    answer = await post(dynamic, id_token_signed_response_alg="none")

    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_client_metadata")


@pytest.mark.long
async def test_oidcc_userinfo_rs256(dynamic: Suite) -> None:
    """UserInfo is a JWT, signed as registered."""
    told = await registered(dynamic, userinfo_signed_response_alg="RS256")
    client = client_of(told)
    tokens = await dynamic.tokens(client)
    answer = await dynamic.userinfo(tokens["access_token"])

    assert answer.headers["content-type"].startswith("application/jwt")
    assert jwt.get_unverified_header(answer.text)["alg"] == "RS256"
    claims = jwt.decode(answer.text, options={"verify_signature": False})
    assert (claims["iss"], claims["aud"]) == (dynamic.issuer, client.client_id)
    assert claims["sub"] == tokens["claims"]["sub"]


async def shown_error(suite: Suite, client: Client, **params: Any) -> None:
    """Sends an authorization request that must end on an error page."""
    result = await suite.authorize(client, act=False, **params)
    assert (result.page.away, result.page.response.status_code) == (False, 400)


@pytest.mark.long
async def test_oidcc_ensure_redirect_uri_in_authorization_request(dynamic: Suite) -> None:
    """With two registered URIs, none is chosen for the client."""
    told = await registered(dynamic, redirect_uris=[CALLBACK, f"{CALLBACK}/2"])

    await shown_error(dynamic, client_of(told), redirect_uri=None)


@pytest.mark.long
async def test_oidcc_redirect_uri_query_ok(dynamic: Suite) -> None:
    """oidcc-redirect-uri-query-OK: a query that is registered stays, and the response is added to it."""
    uri = f"{CALLBACK}?dummy1=lorem&dummy2=ipsum"
    client = client_of(await registered(dynamic, redirect_uris=[uri]))
    params = dynamic.request(client, redirect_uri=uri)
    endpoint = dynamic.provider["authorization_endpoint"]
    page = await dynamic.browser.get(f"{endpoint}?{urlencode(params)}")
    while not page.away:
        forms = {name: form for form in page.forms for name in form.offered}
        name = next(each for each in ("password", "email", "consent") if each in forms)
        values = {"password": _password(), "email": dynamic.email, "consent": "allow"}
        page = await dynamic.browser.submit(page, page.form(name), **{name: values[name]})

    assert page.url.startswith(f"{uri}&")


def _password() -> str:
    from tests.kit.system import PASSWORD

    return PASSWORD


@pytest.mark.long
@pytest.mark.parametrize(
    ("registered_uri", "sent"),
    [
        (f"{CALLBACK}?dummy1=lorem&dummy2=ipsum", f"{CALLBACK}?dummy1=lorem&dummy2=ip"),
        (CALLBACK, f"{CALLBACK}?dummy1=lorem"),
        (f"{CALLBACK}?dummy1=lorem", CALLBACK),
    ],
    ids=["oidcc-redirect-uri-query-mismatch", "oidcc-redirect-uri-query-added", "removed"],
)
async def test_oidcc_redirect_uri_query(dynamic: Suite, registered_uri: str, sent: str) -> None:
    """The query is compared, too."""
    told = await registered(dynamic, redirect_uris=[registered_uri])

    await shown_error(dynamic, client_of(told), redirect_uri=sent)


@pytest.mark.long
async def test_oidcc_redirect_uri_regfrag(dynamic: Suite) -> None:
    """A fragment is refused at the registration."""
    answer = await post(dynamic, redirect_uris=[f"{CALLBACK}#foobar"])

    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_redirect_uri")


@pytest.mark.long
@pytest.mark.parametrize(
    ("member", "shown"),
    [("logo_uri", False), ("policy_uri", True), ("tos_uri", True)],
    ids=[
        "oidcc-registration-logo-uri",
        "oidcc-registration-policy-uri",
        "oidcc-registration-tos-uri",
    ],
)
async def test_oidcc_registration_uri(dynamic: Suite, member: str, shown: bool) -> None:
    """The links are on the consent page. The logo is registered, and not shown: nobody has verified the client."""
    uri = f"https://openid.net/{member}"
    told = await registered(dynamic, **{member: uri})
    assert told[member] == uri
    client = client_of(told)
    await dynamic.tokens(client_of(await registered(dynamic)))  # signs in
    params = dynamic.request(client)
    endpoint = dynamic.provider["authorization_endpoint"]
    page = await dynamic.browser.get(f"{endpoint}?{urlencode(params)}")

    assert page.form("consent")
    assert (uri in page.text) is shown
    assert "localhost" not in page.text.partition("<main")[0]


@dataclass
class KeyServer:
    """The client's own server, which publishes its keys."""

    uri: str = ""
    keys: list[tuple[str, rsa.RSAPrivateKey]] = field(default_factory=list)
    requests: int = 0

    def rotate(self) -> None:
        """Replaces the keys by a new one."""
        key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        self.keys = [(secrets.token_hex(4), key)]

    def jwks(self) -> dict[str, Any]:
        """Returns what the server publishes."""
        return {
            "keys": [
                json.loads(RSAAlgorithm.to_jwk(key.public_key()))
                | {"kid": kid, "use": "sig", "alg": "RS256"}
                for kid, key in self.keys
            ]
        }

    def assertion(self, suite: Suite, client: Client, audience: str | None = None) -> str:
        """Returns an assertion, signed with the newest key."""
        kid, key = self.keys[-1]
        now = int(time.time())
        claims = {
            "iss": client.client_id,
            "sub": client.client_id,
            "aud": audience or suite.issuer,
            "jti": secrets.token_hex(8),
            "iat": now,
            "exp": now + 60,
        }
        return jwt.encode(claims, key, algorithm="RS256", headers={"kid": kid})

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answers one request with the keys."""
        await reader.readuntil(b"\r\n\r\n")
        self.requests += 1
        body = json.dumps(self.jwks()).encode()
        head = f"HTTP/1.1 200 OK\r\ncontent-length: {len(body)}\r\nconnection: close\r\n\r\n"
        writer.write(head.encode() + body)
        await writer.drain()
        writer.close()


@asynccontextmanager
async def key_server() -> AsyncIterator[KeyServer]:
    made = KeyServer()
    made.rotate()
    async with await asyncio.start_server(made.serve, "127.0.0.1", 0) as listening:
        made.uri = f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}/jwks"
        yield made


async def redeemed(suite: Suite, client: Client, server: KeyServer, **params: str) -> Any:
    """Sends a token request with an assertion."""
    data = {"client_assertion_type": ASSERTION, "client_assertion": server.assertion(suite, client)}
    return await suite.http.post(suite.provider["token_endpoint"], data=data | params)


def code_params(code: str) -> dict[str, str]:
    return {"grant_type": "authorization_code", "code": code, "redirect_uri": CALLBACK}


async def test_oidcc_ensure_client_assertion_with_iss_aud_succeeds(dynamic: Suite) -> None:
    """The issuer is the audience of an assertion, with keys by value."""
    server = KeyServer()
    server.rotate()
    told = await registered(
        dynamic, token_endpoint_auth_method="private_key_jwt", jwks=server.jwks()
    )
    assert "client_secret" not in told
    client = client_of(told)
    result = await dynamic.authorize(client)
    answer = await redeemed(dynamic, client, server, **code_params(result.code))

    assert answer.status_code == 200, answer.text


@pytest.mark.long
async def test_oidcc_registration_jwks_uri(dynamic: Suite, in_reach: None) -> None:
    """Keys by reference are fetched when they are needed, not at the registration."""
    async with key_server() as server:
        told = await registered(
            dynamic, token_endpoint_auth_method="private_key_jwt", jwks_uri=server.uri
        )
        assert server.requests == 0
        client = client_of(told)
        result = await dynamic.authorize(client)
        answer = await redeemed(dynamic, client, server, **code_params(result.code))

        assert answer.status_code == 200, answer.text
        assert server.requests == 1


@pytest.mark.long
async def test_oidcc_refresh_token_rp_key_rotation(dynamic: Suite, in_reach: None) -> None:
    """A key that the client has rotated is known after a while. The suite waits 60 seconds."""
    async with key_server() as server:
        told = await registered(
            dynamic, token_endpoint_auth_method="private_key_jwt", jwks_uri=server.uri
        )
        client = client_of(told)
        result = await dynamic.authorize(client, scope="openid offline_access")
        first = await redeemed(dynamic, client, server, **code_params(result.code))
        assert first.status_code == 200, first.text
        server.rotate()
        params = {"grant_type": "refresh_token", "refresh_token": first.json()["refresh_token"]}
        give_up = time.monotonic() + 60
        while time.monotonic() < give_up:
            answer = await redeemed(dynamic, client, server, **params)
            if answer.status_code == 200:
                return
            await asyncio.sleep(5)
        raise AssertionError(answer.text)


@pytest.fixture
def in_reach(request: pytest.FixtureRequest) -> None:
    """Skips where the services cannot call a server of this machine."""
    if str(request.config.getoption("--shape")) in ("compose", "containers"):
        pytest.skip("the services run elsewhere")


@pytest.mark.long
async def test_oidcc_refresh_token_of_the_dynamic_plan(dynamic: Suite) -> None:
    """offline_access gives a refresh token, bound to the client."""
    client = client_of(await registered(dynamic))
    other = client_of(await registered(dynamic))
    result = await dynamic.authorize(client, scope="openid offline_access")
    tokens = (await dynamic.redeem(result.code, client)).json()
    params = {"grant_type": "refresh_token", "refresh_token": tokens["refresh_token"]}
    refused = await dynamic.token(other, **params)

    assert refused.json()["error"] == "invalid_grant"
    assert (await dynamic.token(client, **params)).status_code == 200


@pytest.mark.long
async def test_oidcc_registration_sector_bad(dynamic: Suite) -> None:
    """A document that does not list the redirect URI, and one that we do not call. The good one is in
    tests/service/oidc: the suite's server has https."""
    for uri in ("http://localhost:9/sector.json", "https://localhost:9/sector.json"):
        answer = await post(dynamic, subject_type="pairwise", sector_identifier_uri=uri)
        assert (answer.status_code, answer.json()["error"]) == (400, "invalid_client_metadata")


@pytest.mark.long
async def test_oidcc_server_rotate_keys(dynamic: Suite) -> None:
    """After a rotation, old and new keys are published, and an ID token of before still verifies."""
    client = client_of(await registered(dynamic))
    before = await dynamic.tokens(client)
    kids = {
        key["kid"] for key in (await dynamic.http.get(dynamic.provider["jwks_uri"])).json()["keys"]
    }
    async with dynamic.system.backend() as api:
        answer = await api.post("/api/signing-keys/rotate", json={"now": False})
        assert answer.status_code in (200, 201), answer.text
    published = (await dynamic.http.get(dynamic.provider["jwks_uri"])).json()["keys"]

    assert kids < {key["kid"] for key in published}
    assert await dynamic.verified(before["id_token"], client)


@pytest.mark.long
@pytest.mark.parametrize(
    ("uri", "status"),
    [(f"{ALIAS}/initiate", 201), ("http://example.com/initiate", 400)],
    ids=["oidcc-3rd_party-init-login", "oidcc-3rd_party-init-login-nohttps"],
)
async def test_oidcc_3rd_party_init_login(dynamic: Suite, uri: str, status: int) -> None:
    """An address that starts a sign-in is registered if it is https, and read back."""
    answer = await post(dynamic, initiate_login_uri=uri)
    assert answer.status_code == status
    if status == 201:
        told = answer.json()
        read = await dynamic.http.get(
            told["registration_client_uri"],
            headers={"authorization": f"Bearer {told['registration_access_token']}"},
        )
        assert (read.status_code, read.json()["initiate_login_uri"]) == (200, uri)
