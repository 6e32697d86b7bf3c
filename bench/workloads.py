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
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from urllib.parse import parse_qsl, urlencode, urlsplit

from bench.deployment import Deployment
from bench.http import Connection
from bench.load import CONNECTIONS, Result, Shot, flows, wrk

USERS = 50
CALLBACK = "https://rp.example/callback"
FLOW_CLIENTS = 8


@dataclass(frozen=True)
class Workload:
    name: str
    run: Callable[[float], Result]


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
                    "name": "Bench",
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
            for _ in range(-(-count // users)):
                found.append(await code_flow(stage, http, number))
            http.close()
        return found

    return asyncio.run(mint())


def userinfo(stage: Stage) -> Workload:
    pool = [tokens["access_token"] for tokens in minted(stage, 64)]
    headers = {"Authorization": "Bearer {t}"}
    shot = stage.shot("/oauth2/userinfo", headers=headers, pool=pool)
    return Workload("W1-userinfo", partial(wrk, shot))


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
    return Workload("W1-session", partial(wrk, shot))


def introspection(stage: Stage) -> Workload:
    pool = [tokens["access_token"] for tokens in minted(stage, 64)]
    shot = stage.shot(
        "/oauth2/introspect",
        method="POST",
        headers={**basic(stage.web()), **FORM},
        body="token={t}",
        pool=pool,
    )
    return Workload("W1-introspection", partial(wrk, shot))


def client_credentials(alg: str, stage: Stage) -> Workload:
    shot = stage.shot(
        "/oauth2/token",
        method="POST",
        headers={**basic(stage.machine(alg)), **FORM},
        body="grant_type=client_credentials",
    )
    return Workload(f"W2-{alg.lower()}", partial(wrk, shot))


def refresh(stage: Stage) -> Workload:
    def run(seconds: float) -> Result:
        pool = [tokens["refresh_token"] for tokens in minted(stage, 2 * CONNECTIONS)]
        shot = stage.shot(
            "/oauth2/token",
            method="POST",
            headers={**basic(stage.web()), **FORM},
            body="grant_type=refresh_token&refresh_token={t}",
            pool=pool,
            script="refresh.lua",
        )
        return wrk(shot, seconds)

    return Workload("W3", run)


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

    return Workload("W4", run)


def document(name: str, path: str, stage: Stage) -> Workload:
    return Workload(name, partial(wrk, stage.shot(path)))


def signed_in_flow(stage: Stage) -> Workload:
    for number in range(FLOW_CLIENTS):
        stage.user(number)

    def run(seconds: float) -> Result:
        async def all_clients() -> Result:
            connections = [stage.connection() for _ in range(FLOW_CLIENTS)]
            for number, http in enumerate(connections):
                await code_flow(stage, http, number)

            async def flow(number: int) -> None:
                await code_flow(stage, connections[number], number)

            return await flows(flow, seconds, FLOW_CLIENTS)

        return asyncio.run(all_clients())

    return Workload("W6-code-flow", run)


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

    return Workload("W6-full-login", run)


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
    "W6-code-flow": signed_in_flow,
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
