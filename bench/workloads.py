"""The workloads by name, prepared on the demo application of a deployment.

W1 checking who asks, W2 tokens for machines, W3 refresh, W4 signing in with a password,
W5 public documents, W6 whole code flows.
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
from bench.load import CONNECTIONS, Result, Shot, flows, wrk

USERS = 50
CALLBACK = "https://rp.example/callback"
FLOW_CLIENTS = 8


Run = Callable[[float], Result]


@dataclass(frozen=True)
class Workload:
    """`ready` makes what a run uses up, uncounted, and returns the run itself."""

    name: str
    ready: Callable[[], Run]


def fixed(name: str, shot: Shot) -> Workload:
    """One that uses nothing up."""
    return Workload(name, lambda: partial(wrk, shot))


@dataclass
class Stage:
    """The demo application with users and clients, and tokens for them as they are needed."""

    deployment: Deployment
    users: list[tuple[str, str]] = field(default_factory=list)
    clients: dict[str, tuple[str, str]] = field(default_factory=dict)

    def user(self, number: int) -> tuple[str, str]:
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

    def client(self, kind: str, **wanted: object) -> tuple[str, str]:
        if kind not in self.clients:
            with self.deployment.api() as api:
                answer = api.post("/api/clients", json={"name": f"bench {kind}", **wanted})
                answer.raise_for_status()
                made = answer.json()
            self.clients[kind] = (made["client_id"], made["client_secret"])
        return self.clients[kind]

    def web(self) -> tuple[str, str]:
        return self.client(
            "web",
            redirect_uris=[CALLBACK],
            grant_types=["authorization_code", "refresh_token"],
            scopes=["openid", "email", "offline_access"],
            first_party=True,
            id_token_alg="ES256",
        )

    def machine(self, alg: str) -> tuple[str, str]:
        return self.client(
            f"machine-{alg}",
            type="service",
            grant_types=["client_credentials"],
            scopes=["users:read"],
            access_token_alg=alg,
        )

    def connection(self) -> Connection:
        return Connection(self.deployment.port, self.deployment.host)

    def shot(self, path: str, **more: object) -> Shot:
        headers = {"Host": self.deployment.host, **more.pop("headers", {})}  # type: ignore[dict-item]
        url = f"http://127.0.0.1:{self.deployment.port}"
        return Shot(url=url, path=path, headers=headers, **more)  # type: ignore[arg-type]


FORM = {"Content-Type": "application/x-www-form-urlencoded"}


def basic(client: tuple[str, str]) -> dict[str, str]:
    return {"Authorization": "Basic " + base64.b64encode(":".join(client).encode()).decode()}


async def sign_in(stage: Stage, http: Connection, number: int, start: str = "/login") -> str:
    """Through the hosted pages, as a browser without scripts does; where it leads at the end."""
    email, password = stage.user(number)
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
    """The first form that asks for an address or a password, with its fields."""
    for found in re.finditer(r"<form\b([^>]*)>(.*?)</form>", html, re.S):
        fields = {
            name: _attribute(tag, "value")
            for tag in re.findall(r"<input\b[^>]*>", found[2])
            if (name := _attribute(tag, "name"))
        }
        if "email" in fields or "password" in fields:
            return _attribute(found[1], "action"), fields
    return None


def _attribute(tag: str, name: str) -> str:
    found = re.search(rf'\b{name}="([^"]*)"', tag)
    return found[1].replace("&amp;", "&") if found else ""


async def code_flow(stage: Stage, http: Connection, number: int) -> dict[str, str]:
    """One authorization-code flow with PKCE; signs in first where the browser is not."""
    client, verifier = stage.web(), secrets.token_urlsafe(32)
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
    start = f"/oauth2/authorize?{urlencode(query)}"
    page = await http.get(start)
    location = page.headers.get("location", "")
    if not location.startswith(CALLBACK):
        location = await sign_in(stage, http, number, location)
    answer = dict(parse_qsl(urlsplit(location).query))
    if "code" not in answer:
        raise RuntimeError(f"no code: {location[:300]}")
    form = {
        "grant_type": "authorization_code",
        "code": answer["code"],
        "redirect_uri": CALLBACK,
        "code_verifier": verifier,
    }
    cookies, http.cookies = http.cookies, {}
    tokens = await http.post("/oauth2/token", form, **basic(client))
    http.cookies = cookies
    if tokens.status != 200:
        raise RuntimeError(f"token: {tokens.status} {tokens.body[:300]!r}")
    return dict(json.loads(tokens.body))


def minted(stage: Stage, count: int) -> list[dict[str, str]]:
    """`count` token answers, each of a session of its own user in turn."""

    async def mint() -> list[dict[str, str]]:
        found: list[dict[str, str]] = []
        users = min(count, FLOW_CLIENTS)
        for number in range(users):
            http = stage.connection()
            found += [await code_flow(stage, http, number) for _ in range(-(-count // users))]
            http.close()
        return found

    return asyncio.run(mint())


def userinfo(stage: Stage) -> Workload:
    pool = [tokens["access_token"] for tokens in minted(stage, 64)]
    headers = {"Authorization": "Bearer {t}"}
    shot = stage.shot("/oauth2/userinfo", headers=headers, pool=pool)
    return fixed("W1-userinfo", shot)


def session(stage: Stage) -> Workload:
    async def cookies() -> list[str]:
        found = []
        for number in range(16):
            http = stage.connection()
            await sign_in(stage, http, number)
            found.append("; ".join(f"{name}={value}" for name, value in http.cookies.items()))
            http.close()
        return found

    pool = asyncio.run(cookies())
    shot = stage.shot("/api/auth/session", headers={"Cookie": "{t}"}, pool=pool)
    return fixed("W1-session", shot)


def introspection(stage: Stage) -> Workload:
    pool = [tokens["access_token"] for tokens in minted(stage, 64)]
    shot = stage.shot(
        "/oauth2/introspect",
        method="POST",
        headers={**basic(stage.web()), **FORM},
        body="token={t}",
        pool=pool,
    )
    return fixed("W1-introspection", shot)


def client_credentials(alg: str, stage: Stage) -> Workload:
    shot = stage.shot(
        "/oauth2/token",
        method="POST",
        headers={**basic(stage.machine(alg)), **FORM},
        body="grant_type=client_credentials",
    )
    return fixed(f"W2-{alg.lower()}", shot)


def rotating(name: str, shot: Shot, mint: Callable[[int], list[dict[str, str]]]) -> Workload:
    """Each request uses a refresh token up and gets the next; `mint` makes the first ones."""

    def ready() -> Run:
        pool = [tokens["refresh_token"] for tokens in mint(2 * CONNECTIONS)]
        return partial(wrk, replace(shot, pool=pool, script="refresh.lua"))

    return Workload(name, ready)


def refresh(stage: Stage) -> Workload:
    shot = stage.shot(
        "/oauth2/token",
        method="POST",
        headers={**basic(stage.web()), **FORM},
        body="grant_type=refresh_token&refresh_token={t}",
    )
    return rotating("W3", shot, partial(minted, stage))


def password(stage: Stage) -> Workload:
    for number in range(USERS):
        stage.user(number)

    async def attempt(http: Connection, number: int) -> None:
        email, secret = stage.user(number % USERS)
        body = json.dumps({"email": email, "password": secret}).encode()
        headers = {"Content-Type": "application/json", "Origin": f"http://{http.host}"}
        http.cookies = {}
        answer = await http.send("POST", "/api/auth/signin", body, **headers)
        if answer.status != 200:
            raise RuntimeError(f"{answer.status} {answer.body[:300]!r}")

    def run(seconds: float) -> Result:
        connections = [stage.connection() for _ in range(4)]
        return asyncio.run(
            flows(lambda number: attempt(connections[number], number), seconds, len(connections))
        )

    return Workload("W4", lambda: run)


def document(name: str, path: str, stage: Stage) -> Workload:
    return fixed(name, stage.shot(path))


Step = Callable[[Connection, int], Awaitable[object]]
"""One whole flow of browser number `n`."""


def signed_in(name: str, connect: Callable[[], Connection], flow: Step) -> Workload:
    """Flows of browsers that have signed in before, uncounted."""

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

            return await flows(once, seconds, FLOW_CLIENTS)

        return lambda seconds: asyncio.run(load(seconds))

    return Workload(name, ready)


def code_flows(stage: Stage) -> Workload:
    return signed_in("W6-code-flow", stage.connection, partial(code_flow, stage))


def full_login(stage: Stage) -> Workload:
    for number in range(USERS):
        stage.user(number)

    def run(seconds: float) -> Result:
        async def flow(number: int) -> None:
            http = stage.connection()
            try:
                await code_flow(stage, http, number)
            finally:
                http.close()

        return asyncio.run(flows(flow, seconds, 4))

    return Workload("W6-full-login", lambda: run)


WORKLOADS: dict[str, Callable[[Stage], Workload]] = {
    "W1-userinfo": userinfo,
    "W1-session": session,
    "W1-introspection": introspection,
    "W2-es256": partial(client_credentials, "ES256"),
    "W2-rs256": partial(client_credentials, "RS256"),
    "W3": refresh,
    "W4": password,
    "W5-discovery": partial(document, "W5-discovery", "/.well-known/openid-configuration"),
    "W5-jwks": partial(document, "W5-jwks", "/oauth2/jwks.json"),
    "W6-code-flow": code_flows,
    "W6-full-login": full_login,
}


def prepare(deployment: Deployment, names: list[str]) -> dict[str, Workload]:
    """Those whose name begins with one of `names`."""
    stage = Stage(deployment)
    return {
        key: make(stage)
        for key, make in WORKLOADS.items()
        if any(key.startswith(name) for name in names)
    }
