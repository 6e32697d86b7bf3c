"""The workloads, on the demo application of a deployment.

W1: check a token or session. W2: client credentials. W3: refresh a token. W4: sign in with a
password. W5: public documents. W6: whole authorization code flows. W7 and W8 are in `bench.ways_in`.
W10: flows whose requests are pushed.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
import re
import secrets
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from functools import partial
from urllib.parse import parse_qsl, urlencode, urlsplit

from bench.deployment import Deployment
from bench.http import Connection
from bench.load import CONNECTIONS, LoadRequest, Result, run_flows, wrk

USERS = 50
CALLBACK = "https://rp.example/callback"
FLOW_CLIENTS = 8


Run = Callable[[float], Result]


@dataclass(frozen=True)
class Workload:
    """A named load. `ready` creates the tokens and sessions that a run consumes, and returns the run.
    Only the run is measured."""

    name: str
    ready: Callable[[], Run]


def fixed(name: str, request: LoadRequest) -> Workload:
    """Returns a workload that consumes nothing."""
    return Workload(name, lambda: partial(wrk, request))


def with_pool(name: str, request: LoadRequest, mint: Callable[[], list[str]]) -> Workload:
    """Returns a workload whose requests carry tokens or cookies. Each run gets new ones: in a long
    measurement, the first ones would expire."""
    return Workload(name, lambda: partial(wrk, replace(request, pool=mint())))


@dataclass
class DemoApplication:
    """The demo application. Creates its users and clients when they are first needed."""

    deployment: Deployment
    users: list[tuple[str, str]] = field(default_factory=list)
    clients: dict[str, tuple[str, str]] = field(default_factory=dict)

    def user(self, number: int) -> tuple[str, str]:
        """Returns the address and password of a user."""
        while len(self.users) <= number:
            email = f"bench{len(self.users)}-{secrets.token_hex(4)}@example.com"
            password = f"correct horse {secrets.token_hex(8)}"
            with self.deployment.api() as api:
                body = {
                    "email": email,
                    "password": password,
                    "profile": {"name": "Bench"},
                    "email_verified": True,
                }
                api.post("/api/users", json=body).raise_for_status()
            self.users.append((email, password))
        return self.users[number]

    def client(self, kind: str, **settings: object) -> tuple[str, str]:
        """Returns the id and secret of a client."""
        if kind not in self.clients:
            with self.deployment.api() as api:
                answer = api.post("/api/clients", json={"name": f"bench {kind}", **settings})
                answer.raise_for_status()
                created = answer.json()
            self.clients[kind] = (created["client_id"], created["client_secret"])
        return self.clients[kind]

    def web(self) -> tuple[str, str]:
        """Returns the client of the code flows."""
        return self.client(
            "web",
            redirect_uris=[CALLBACK],
            grant_types=["authorization_code", "refresh_token"],
            scopes=["openid", "email", "offline_access"],
            first_party=True,
            id_token_alg="ES256",
        )

    def machine(self, alg: str) -> tuple[str, str]:
        """Returns a client for client credentials, whose access tokens are signed with `alg`."""
        return self.client(
            f"machine-{alg}",
            type="service",
            grant_types=["client_credentials"],
            scopes=["users:read"],
            access_token_alg=alg,
        )

    def connection(self) -> Connection:
        """Returns a connection without cookies."""
        return Connection(self.deployment.port, self.deployment.host)

    def load_request(self, path: str, **more: object) -> LoadRequest:
        """Returns a request to the application."""
        headers = {"Host": self.deployment.host, **more.pop("headers", {})}  # type: ignore[dict-item]
        url = f"http://127.0.0.1:{self.deployment.port}"
        return LoadRequest(url=url, path=path, headers=headers, **more)  # type: ignore[arg-type]


FORM = {"Content-Type": "application/x-www-form-urlencoded"}


def basic(client: tuple[str, str]) -> dict[str, str]:
    """Returns the header of HTTP Basic authentication for a client."""
    return {"Authorization": "Basic " + base64.b64encode(":".join(client).encode()).decode()}


async def sign_in(
    demo: DemoApplication, http: Connection, number: int, start: str = "/login"
) -> str:
    """Signs in through the hosted pages, as a browser without scripts does. Returns the last address."""
    email, password = demo.user(number)
    page, location = await http.get(start), start
    for _ in range(8):
        if page.status in (302, 303):
            location = page.headers["location"]
            if location.startswith(CALLBACK):
                return location
            page = await http.get(location)
            continue
        form = _form(page.body.decode())
        if form is None:
            return location
        action, fields = form
        fields["email"] = email
        if "password" in fields:
            fields["password"] = password
        page = await http.post(action or location, fields, Origin=f"http://{http.host}")
        if page.status >= 400:
            raise RuntimeError(f"sign-in page answered {page.status}: {page.body[:300]!r}")
    raise RuntimeError(f"sign-in did not end: {location}")


def _form(html: str) -> tuple[str, dict[str, str]] | None:
    """Returns the action and fields of the first form with an address or a password, or None."""
    for match in re.finditer(r"<form\b([^>]*)>(.*?)</form>", html, re.S):
        fields = {
            name: _attribute(tag, "value")
            for tag in re.findall(r"<input\b[^>]*>", match[2])
            if (name := _attribute(tag, "name"))
        }
        if "email" in fields or "password" in fields:
            return _attribute(match[1], "action"), fields
    return None


def _attribute(tag: str, name: str) -> str:
    match = re.search(rf'\b{name}="([^"]*)"', tag)
    return match[1].replace("&amp;", "&") if match else ""


async def code_flow(
    demo: DemoApplication, http: Connection, number: int, *, pushed: bool = False
) -> dict[str, str]:
    """Runs one authorization code flow with PKCE. Signs in first if the browser has no session. With
    `pushed`, the client pushes the request first. Returns the token response."""
    client, verifier = demo.web(), secrets.token_urlsafe(32)
    challenge = hashlib.sha256(verifier.encode()).digest()
    query = {
        "client_id": client[0],
        "response_type": "code",
        "redirect_uri": CALLBACK,
        "scope": "openid email offline_access",
        "state": "s",
        "nonce": "n",
        "code_challenge": base64.urlsafe_b64encode(challenge).rstrip(b"=").decode(),
        "code_challenge_method": "S256",
    }
    if pushed:
        answer = await _as_client(http, client, "/oauth2/par", query, status=201)
        query = {"client_id": client[0], "request_uri": answer["request_uri"]}
    page = await http.get(f"/oauth2/authorize?{urlencode(query)}")
    location = page.headers.get("location", "")
    if not location.startswith(CALLBACK):
        location = await sign_in(demo, http, number, location)
    answer = dict(parse_qsl(urlsplit(location).query))
    if "code" not in answer:
        raise RuntimeError(f"no code: {location[:300]}")
    form = {
        "grant_type": "authorization_code",
        "code": answer["code"],
        "redirect_uri": CALLBACK,
        "code_verifier": verifier,
    }
    return await _as_client(http, client, "/oauth2/token", form, status=200)


async def _as_client(
    http: Connection, client: tuple[str, str], path: str, form: dict[str, str], *, status: int
) -> dict[str, str]:
    """Sends a form with the client's secret and without the browser's cookies. Returns the answer."""
    cookies, http.cookies = http.cookies, {}
    answer = await http.post(path, form, **basic(client))
    http.cookies = cookies
    if answer.status != status:
        raise RuntimeError(f"{path}: {answer.status} {answer.body[:300]!r}")
    return dict(json.loads(answer.body))


def mint_tokens(demo: DemoApplication, count: int) -> list[dict[str, str]]:
    """Returns at least `count` token responses, of FLOW_CLIENTS users at most."""

    async def mint() -> list[dict[str, str]]:
        responses: list[dict[str, str]] = []
        users = min(count, FLOW_CLIENTS)
        for number in range(users):
            http = demo.connection()
            responses += [await code_flow(demo, http, number) for _ in range(-(-count // users))]
            http.close()
        return responses

    return asyncio.run(mint())


def _access_tokens(demo: DemoApplication) -> list[str]:
    return [tokens["access_token"] for tokens in mint_tokens(demo, 64)]


def userinfo(demo: DemoApplication) -> Workload:
    """GET /oauth2/userinfo."""
    request = demo.load_request("/oauth2/userinfo", headers={"Authorization": "Bearer {t}"})
    return with_pool("W1-userinfo", request, partial(_access_tokens, demo))


def _cookies(demo: DemoApplication) -> list[str]:
    """Returns the Cookie header of sixteen browsers that are signed in."""

    async def sign_in_all() -> list[str]:
        headers = []
        for number in range(16):
            http = demo.connection()
            await sign_in(demo, http, number)
            headers.append("; ".join(f"{name}={value}" for name, value in http.cookies.items()))
            http.close()
        return headers

    return asyncio.run(sign_in_all())


def session(demo: DemoApplication) -> Workload:
    """GET /api/auth/session with a session cookie."""
    request = demo.load_request("/api/auth/session", headers={"Cookie": "{t}"})
    return with_pool("W1-session", request, partial(_cookies, demo))


def account_page(demo: DemoApplication) -> Workload:
    """GET the page of a user's own account."""
    request = demo.load_request("/account", headers={"Cookie": "{t}"})
    return with_pool("page-account", request, partial(_cookies, demo))


def introspection(demo: DemoApplication) -> Workload:
    """POST /oauth2/introspect (RFC 7662)."""
    headers = {**basic(demo.web()), **FORM}
    request = demo.load_request(
        "/oauth2/introspect", method="POST", headers=headers, body="token={t}"
    )
    return with_pool("W1-introspection", request, partial(_access_tokens, demo))


def client_credentials(alg: str, demo: DemoApplication) -> Workload:
    """POST /oauth2/token with client credentials."""
    request = demo.load_request(
        "/oauth2/token",
        method="POST",
        headers={**basic(demo.machine(alg)), **FORM},
        body="grant_type=client_credentials",
    )
    return fixed(f"W2-{alg.lower()}", request)


def rotating(
    name: str, request: LoadRequest, mint: Callable[[int], list[dict[str, str]]]
) -> Workload:
    """Returns a workload in which each request consumes a refresh token and receives the next. `mint`
    creates the first tokens."""

    def ready() -> Run:
        pool = [tokens["refresh_token"] for tokens in mint(2 * CONNECTIONS)]
        return partial(wrk, replace(request, pool=pool, script="refresh.lua"))

    return Workload(name, ready)


def refresh(demo: DemoApplication) -> Workload:
    """POST /oauth2/token with a refresh token."""
    request = demo.load_request(
        "/oauth2/token",
        method="POST",
        headers={**basic(demo.web()), **FORM},
        body="grant_type=refresh_token&refresh_token={t}",
    )
    return rotating("W3", request, partial(mint_tokens, demo))


def password(demo: DemoApplication) -> Workload:
    """POST /api/auth/signin with a password."""
    for number in range(USERS):
        demo.user(number)

    async def attempt(http: Connection, number: int) -> None:
        email, secret = demo.user(number % USERS)
        body = json.dumps({"email": email, "password": secret}).encode()
        headers = {"Content-Type": "application/json", "Origin": f"http://{http.host}"}
        http.cookies = {}
        answer = await http.send("POST", "/api/auth/signin", body, **headers)
        if answer.status != 200:
            raise RuntimeError(f"{answer.status} {answer.body[:300]!r}")

    def run(seconds: float) -> Result:
        connections = [demo.connection() for _ in range(4)]
        return asyncio.run(
            run_flows(
                lambda number: attempt(connections[number], number), seconds, len(connections)
            )
        )

    return Workload("W4", lambda: run)


def document(name: str, path: str, demo: DemoApplication) -> Workload:
    """GET a public document."""
    return fixed(name, demo.load_request(path))


BrowserFlow = Callable[[Connection, int], Awaitable[object]]
"""A function that runs one whole flow in the browser with this number."""


def signed_in(name: str, connect: Callable[[], Connection], flow: BrowserFlow) -> Workload:
    """Returns a workload of flows in browsers that are signed in already."""

    def ready() -> Run:
        async def sign_in_all() -> list[dict[str, str]]:
            jars = []
            for number in range(FLOW_CLIENTS):
                http = connect()
                await flow(http, number)
                jars.append(http.cookies)
                http.close()
            return jars

        jars = asyncio.run(sign_in_all())

        async def load(seconds: float) -> Result:
            browsers = [connect() for _ in jars]
            for http, jar in zip(browsers, jars, strict=True):
                http.cookies = dict(jar)

            async def once(number: int) -> None:
                await flow(browsers[number], number)

            return await run_flows(once, seconds, FLOW_CLIENTS)

        return lambda seconds: asyncio.run(load(seconds))

    return Workload(name, ready)


def code_flows(demo: DemoApplication) -> Workload:
    """Code flows of users who are signed in."""
    return signed_in("W6-code-flow", demo.connection, partial(code_flow, demo))


def pushed_flows(demo: DemoApplication) -> Workload:
    """POST /oauth2/par, then a whole authorization code flow of a signed-in user (RFC 9126)."""
    with demo.deployment.api() as api:
        switch = {"pushed_authorization_requests": True}
        api.put("/api/settings", json=switch).raise_for_status()
    return signed_in("W10", demo.connection, partial(code_flow, demo, pushed=True))


def full_login(demo: DemoApplication) -> Workload:
    """Code flows in which the user signs in with a password."""
    for number in range(USERS):
        demo.user(number)

    def run(seconds: float) -> Result:
        async def flow(number: int) -> None:
            http = demo.connection()
            try:
                await code_flow(demo, http, number)
            finally:
                http.close()

        return asyncio.run(run_flows(flow, seconds, 4))

    return Workload("W6-full-login", lambda: run)
