"""The OpenID Foundation's conformance plans, written again by the names of their modules.

A test is named after the module of the suite (5.2) whose requirements it checks over HTTP against
a running platform. So the official suite finds nothing new. Some modules leave a page to a human
reviewer: the tests check as much of it as a program can.
"""

from __future__ import annotations

import base64
import hashlib
import re
import secrets
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import httpx
import jwt
import pytest
import pytest_asyncio
from tests.kit.deployments import Shape
from tests.kit.system import PASSWORD, Browser, Page, System

VSCHAR = "".join(map(chr, range(0x20, 0x7F)))
"""RFC 6749 appendix A: of these the suite makes state, and expects them back unharmed."""
ID_TOKEN = {
    *("iss", "sub", "aud", "exp", "iat", "auth_time", "nonce", "acr", "amr", "azp", "at_hash"),
    *("nbf", "jti", "sid"),
}
"""Claims that an ID token may hold although nobody asked for them."""
ADDRESS = {"formatted", "street_address", "locality", "region", "postal_code", "country"}
BOOLEANS = ("email_verified", "phone_number_verified")
ALIAS = "https://localhost:8443/test/a/aero2"
CALLBACK = f"{ALIAS}/callback"
POST_LOGOUT = f"{ALIAS}/post_logout_redirect"

SCOPES = ["openid", "profile", "email", "address", "phone", "offline_access"]
PROFILE = {
    "name": "Ada King Lovelace",
    "given_name": "Ada",
    "family_name": "Lovelace",
    "middle_name": "King",
    "nickname": "Enchantress",
    "preferred_username": "ada",
    "profile": "https://people.example.com/ada",
    "picture": "https://people.example.com/ada.png",
    "website": "https://ada.example.com",
    "gender": "female",
    "birthdate": "1815-12-10",
    "zoneinfo": "Europe/London",
    "locale": "en",
    "phone_number": "+44 20 7946 0000",
    "address": {
        "street_address": "12 St James's Square",
        "locality": "London",
        "postal_code": "SW1Y 4JH",
        "country": "GB",
    },
}


@dataclass
class Client:
    client_id: str
    client_secret: str
    method: str


@dataclass
class Result:
    """The parameters at the redirect URI, or the page that was shown instead."""

    fields: dict[str, str]
    page: Page
    location: str = ""
    signed_in: int = 0
    """How often a password was asked for."""

    @property
    def code(self) -> str:
        assert "code" in self.fields, (self.fields, self.page.text[:2000])
        return self.fields["code"]


@dataclass
class Suite:
    """The suite's side: two clients, a third that posts its secret, a user and a browser."""

    system: System
    browser: Browser
    http: httpx.AsyncClient
    provider: dict[str, Any]
    clients: dict[str, Client]
    email: str
    user_id: str
    mode: str | None = None
    asked: set[str] = field(default_factory=set)
    """Claims that ID tokens may hold because the `claims` parameter names them."""

    @property
    def client(self) -> Client:
        return self.clients["client"]

    @property
    def issuer(self) -> str:
        return str(self.provider["issuer"])

    def request(self, client: Client | None = None, **params: Any) -> dict[str, str]:
        given = {
            "client_id": (client or self.client).client_id,
            "redirect_uri": CALLBACK,
            "response_type": "code",
            "scope": "openid",
            "state": secrets.token_urlsafe(24) + VSCHAR,
            "nonce": secrets.token_urlsafe(32),
        }
        if self.mode is not None:
            given["response_mode"] = self.mode
        return {k: v for k, v in (given | params).items() if v is not None}

    async def authorize(
        self, client: Client | None = None, *, post: bool = False, act: bool = True, **params: Any
    ) -> Result:
        """Sends an authorization request through the browser. Signs in if asked, unless `act` is
        off."""
        given = self.request(client, **params)
        endpoint = self.provider["authorization_endpoint"]
        if post:
            page = await self.browser._follow("POST", endpoint, given)
        else:
            page = await self.browser.get(f"{endpoint}?{urlencode(given)}")
        return await self.finished(page, given.get("state"), act=act)

    async def finished(self, page: Page, state: str | None, *, act: bool = True) -> Result:
        """Signs in and allows everything that is asked."""
        passwords = 0
        for _ in range(6):
            if page.away:
                parts = urlsplit(page.url)
                return self.checked(
                    dict(parse_qsl(parts.query or parts.fragment)), page, state, passwords
                )
            forms = {frozenset(form.offered): form for form in page.forms}
            posted = next((f for f in page.forms if f.action.startswith(ALIAS)), None)
            if posted is not None:
                return self.checked(dict(posted.fields), page, state, passwords, posted.action)
            if not act:
                return Result({}, page)
            offered = {name for names in forms for name in names}
            if "password" in offered:
                passwords += 1
                page = await self.browser.submit(page, page.form("password"), password=PASSWORD)
            elif "email" in offered:
                page = await self.browser.submit(page, page.form("email"), email=self.email)
            elif "consent" in offered:
                page = await self.browser.submit(page, page.form("consent"), consent="allow")
            else:
                return Result({}, page)
        raise AssertionError(f"no end: {page.url} {page.text[:1000]}")

    def checked(
        self,
        fields: dict[str, str],
        page: Page,
        state: str | None,
        passwords: int,
        location: str = "",
    ) -> Result:
        """Checks every response of every module: `state`, the issuer (RFC 9207), no unknown
        parameters, and the characters of errors (RFC 6749 4.1.2.1)."""
        assert fields.get("state") == state
        assert fields["iss"] == self.issuer
        if "error" in fields:
            assert fields.keys() <= {"error", "error_description", "state", "iss"}
            described(fields)
        else:
            assert fields.keys() <= {"code", "state", "iss"}
            assert len(set(fields["code"])) * len(fields["code"]) > 400  # no less than 128 bits
        return Result(fields, page, location or page.url, passwords)

    async def token(self, client: Client | None = None, **params: str) -> httpx.Response:
        client = client or self.client
        auth: Any = None
        if client.method == "client_secret_basic":
            auth = (client.client_id, client.client_secret)
        else:
            params |= {"client_id": client.client_id, "client_secret": client.client_secret}
        answer = await self.http.post(self.provider["token_endpoint"], data=params, auth=auth)
        assert answer.headers["cache-control"] == "no-store"
        assert answer.headers["pragma"] == "no-cache"
        assert answer.headers["content-type"].startswith("application/json")
        told = answer.json()
        if answer.status_code == 200:
            assert told["token_type"].lower() == "bearer"
            assert (type(told["expires_in"]), told["expires_in"] > 0) == (int, True)
            for name in ("access_token", "refresh_token"):
                assert set(told.get(name, "")) <= set(VSCHAR)
        else:
            assert told.keys() <= {"error", "error_description", "error_uri"}
            described(told)
        return answer

    async def redeem(
        self, code: str, client: Client | None = None, **params: str
    ) -> httpx.Response:
        given = {"grant_type": "authorization_code", "code": code, "redirect_uri": CALLBACK}
        return await self.token(client, **given | params)

    async def tokens(self, client: Client | None = None, **params: Any) -> dict[str, Any]:
        """Runs a whole flow and verifies its ID token."""
        nonce = params.pop("nonce", secrets.token_urlsafe(32))
        result = await self.authorize(client, nonce=nonce, **params)
        answer = await self.redeem(result.code, client)
        assert answer.status_code == 200, answer.text
        tokens: dict[str, Any] = answer.json()
        tokens["claims"] = await self.verified(tokens["id_token"], client)
        assert tokens["claims"].get("nonce") == nonce
        digest = hashlib.sha256(tokens["access_token"].encode()).digest()[:16]
        expected = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
        assert tokens["claims"].get("at_hash", expected) == expected
        tokens["signed_in"] = result.signed_in
        return tokens

    async def verified(self, id_token: str, client: Client | None = None) -> dict[str, Any]:
        """Verifies an ID token as OpenID Connect Core 3.1.3.7 requires."""
        jwks = (await self.http.get(self.provider["jwks_uri"])).json()
        header = jwt.get_unverified_header(id_token)
        (key,) = [key for key in jwks["keys"] if key["kid"] == header["kid"]]
        claims: dict[str, Any] = jwt.decode(
            id_token,
            jwt.PyJWK(key),
            algorithms=["RS256"],
            audience=(client or self.client).client_id,
            issuer=self.issuer,
            options={"require": ["iss", "sub", "aud", "exp", "iat"]},
        )
        if "events" not in claims:
            assert claims.keys() <= ID_TOKEN | self.asked
        for name in ("exp", "iat", "auth_time"):
            assert type(claims.get(name, 0)) is int
        assert (claims["sub"].isascii(), 0 < len(claims["sub"]) <= 255) == (True, True)
        return claims

    async def userinfo(self, access_token: str, method: str = "GET") -> httpx.Response:
        return await self.http.request(
            method,
            self.provider["userinfo_endpoint"],
            headers={"authorization": f"Bearer {access_token}"},
        )

    async def claims(self, access_token: str) -> dict[str, Any]:
        answer = await self.userinfo(access_token)
        assert answer.status_code == 200, answer.text
        assert answer.headers["content-type"].startswith("application/json")
        found: dict[str, Any] = answer.json()
        standard(found)
        return found


def standard(told: dict[str, Any]) -> None:
    """Checks that each claim has its JSON type and none is empty (OpenID Connect Core 5.1)."""
    for name, value in told.items():
        if name in BOOLEANS:
            assert type(value) is bool, name
        elif name == "updated_at":
            assert (type(value), 0 < value < 2**33) == (int, True)
        elif name == "address":
            assert (bool(value), value.keys() <= ADDRESS) == (True, True)
            assert all(isinstance(part, str) and part for part in value.values())
        else:
            assert (type(value), bool(value)) == (str, True), name
    if "birthdate" in told:
        assert re.fullmatch(r"[0-9]{4}(-[0-9]{2}-[0-9]{2})?", told["birthdate"])


def described(error: dict[str, str]) -> None:
    """Checks that a description is printable ASCII without quote and backslash (RFC 6749 4.1.2.1
    and 5.2)."""
    for name in ("error", "error_description"):
        assert set(error.get(name, "")) <= set(VSCHAR) - {'"', "\\"}, error


def basic(client: Client) -> dict[str, Any]:
    return {"auth": (client.client_id, client.client_secret)}


async def introspected(suite: Suite, token: str, **more: Any) -> dict[str, Any]:
    answer = await suite.http.post(
        suite.provider["introspection_endpoint"],
        data={"token": token},
        **(basic(suite.client) | more),
    )
    assert answer.status_code == 200, answer.text
    assert answer.headers["cache-control"] == "no-store"
    found: dict[str, Any] = answer.json()
    return found


def challenge(verifier: str) -> str:
    digest = hashlib.sha256(verifier.encode()).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


@pytest.fixture(scope="session")
def system(shape: Shape, tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    running = System.start(shape, tmp_path_factory.mktemp("conformance") / "data")
    yield running
    running.stop()


@pytest_asyncio.fixture(scope="session")
async def registered(system: System) -> dict[str, Any]:
    """Returns the static configuration that the suite is run with."""
    clients: dict[str, Client] = {}
    async with system.backend() as api:
        for name, method in (
            ("client", "client_secret_basic"),
            ("client2", "client_secret_basic"),
            ("client_secret_post", "client_secret_post"),
            ("frontchannel", "client_secret_basic"),
        ):
            frames = f"{ALIAS}/frontchannel_logout" if name == "frontchannel" else None
            answer = await api.post(
                "/api/clients",
                json={
                    "name": f"Suite {name}",
                    "redirect_uris": [CALLBACK],
                    "post_logout_redirect_uris": [POST_LOGOUT],
                    "scopes": SCOPES,
                    "require_pkce": False,
                    "first_party": False,
                    "token_endpoint_auth_method": method,
                    "id_token_claims": "asked",
                    "frontchannel_logout_uri": frames,
                },
            )
            assert answer.status_code == 201, answer.text
            made = answer.json()
            clients[name] = Client(made["client_id"], made["client_secret"], method)
        email = f"ada-{secrets.token_hex(4)}@example.com"
        answer = await api.post(
            "/api/users",
            json={"email": email, "email_verified": True, "password": PASSWORD, "profile": PROFILE},
        )
        assert answer.status_code == 201, answer.text
        user_id = answer.json()["id"]
        answer = await api.patch(f"/api/users/{user_id}", json={"phone_number_verified": True})
        assert answer.status_code == 200, answer.text
    return {"clients": clients, "email": email, "user_id": user_id}


@dataclass
class Early:
    """A code that was redeemed early, the time of that by the monotonic clock, and its tokens."""

    code: str
    access_token: str
    refresh_token: str
    redeemed: float


@pytest_asyncio.fixture(scope="session", autouse=True)
async def early(system: System, registered: dict[str, Any]) -> Early:
    """Redeems a code before the first module, so that no test has to wait for its half minute."""
    async with system.browser() as browser, system.http() as http:
        provider = (await http.get("/.well-known/openid-configuration")).json()
        suite = Suite(system, browser, http, provider, **registered)
        result = await suite.authorize(scope="openid offline_access")
        tokens = (await suite.redeem(result.code)).json()
        return Early(result.code, tokens["access_token"], tokens["refresh_token"], time.monotonic())


@pytest_asyncio.fixture
async def fresh(system: System, registered: dict[str, Any]) -> AsyncIterator[Suite]:
    """Returns a browser without cookies."""
    async with system.browser() as browser, system.http() as http:
        provider = (await http.get("/.well-known/openid-configuration")).json()
        yield Suite(system, browser, http, provider, **registered)


@pytest_asyncio.fixture(params=["basic", "form-post"])
async def suite(fresh: Suite, request: pytest.FixtureRequest) -> Suite:
    """The basic plan and the form post plan: the same modules in another response mode."""
    fresh.mode = "form_post" if request.param == "form-post" else None
    return fresh
