"""better-auth from npm, with its OAuth provider."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

from bench.deployment import Deployment
from bench.http import Connection
from bench.load import LoadRequest
from bench.peer import hosting
from bench.peer.hosting import Host, Makers, Peer, code_form, code_request
from bench.workloads import FORM, basic, fixed, rotating, signed_in, with_pool

HERE = Path(__file__).parent
API = "/api/auth"


@contextlib.contextmanager
def started(deployment: Deployment, prefixes: list[str]) -> Iterator[Peer]:
    """Starts the peer and stops it at the end."""
    install = hosting.from_npm(HERE)
    with hosting.started("better-auth", install, deployment, prefixes, _workloads) as peer:
        yield peer


@dataclass(frozen=True)
class BetterAuth:
    """Where it listens, and the clients and the user that its host has created."""

    at: Host
    web: tuple[str, str]
    machine: tuple[str, str]
    user: dict[str, str]

    @classmethod
    def of(cls, at: Host) -> BetterAuth:
        clients: dict[str, Any] = json.loads((at.folder / "clients.json").read_text())
        web, machine = (
            (clients[name]["client_id"], clients[name]["client_secret"])
            for name in ("web", "machine")
        )
        return cls(at, web, machine, clients["user"])

    def connection(self) -> Connection:
        return Connection(self.at.port, self.at.authority)

    async def flow(self, http: Connection) -> dict[str, str]:
        """Runs one code flow. Signs in first if the browser has no session. Returns the token
        response."""
        if not http.cookies:
            body = json.dumps(self.user).encode()
            headers = {"Content-Type": "application/json", "Origin": f"http://{self.at.authority}"}
            await http.send("POST", f"{API}/sign-in/email", body, **headers)
        verifier, query = code_request(self.web[0])
        answer = await http.get(f"{API}/oauth2/authorize?{urlencode(query)}")
        location = answer.headers.get("location") or json.loads(answer.body)["url"]
        code = dict(parse_qsl(urlsplit(location).query))["code"]
        cookies, http.cookies = http.cookies, {}
        tokens = await http.post(
            f"{API}/oauth2/token", code_form(code, verifier), **basic(self.web)
        )
        http.cookies = cookies
        if tokens.status != 200:
            raise RuntimeError(f"better-auth: {tokens.status} {tokens.body[:300]!r}")
        return dict(json.loads(tokens.body))

    def tokens(self, count: int) -> list[dict[str, str]]:
        """Returns `count` token responses of one browser."""

        async def mint() -> list[dict[str, str]]:
            http = self.connection()
            return [await self.flow(http) for _ in range(count)]

        return asyncio.run(mint())

    def access_tokens(self) -> list[str]:
        return [tokens["access_token"] for tokens in self.tokens(64)]


def _workloads(at: Host) -> Makers:
    peer = BetterAuth.of(at)
    request = partial(LoadRequest, f"http://{at.authority}")
    token = partial(request, f"{API}/oauth2/token", "POST")
    client = {**basic(peer.web), **FORM}
    grant = {"grant_type": "client_credentials", "scope": "api", "resource": "https://rs.example"}
    machine = token({**basic(peer.machine), **FORM}, urlencode(grant))
    me = request(f"{API}/oauth2/userinfo", headers={"Authorization": "Bearer {t}"})
    introspection = replace(
        token(client, "token={t}&token_type_hint=access_token"), path=f"{API}/oauth2/introspect"
    )
    refresh = token(client, "grant_type=refresh_token&refresh_token={t}")
    discovery = request(f"{API}/.well-known/openid-configuration")
    return {
        "W1-userinfo": partial(with_pool, "W1-userinfo", me, peer.access_tokens),
        "W1-introspection": partial(
            with_pool, "W1-introspection", introspection, peer.access_tokens
        ),
        "W2-es256": partial(fixed, "W2-es256", machine),
        "W3": partial(rotating, "W3", refresh, peer.tokens),
        "W5-discovery": partial(fixed, "W5-discovery", discovery),
        "W5-jwks": partial(fixed, "W5-jwks", request(f"{API}/jwks")),
        "W6-code-flow": partial(
            signed_in, "W6-code-flow", peer.connection, lambda http, _: peer.flow(http)
        ),
    }
