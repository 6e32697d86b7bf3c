"""oidc-provider from npm, with a Postgres adapter."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from urllib.parse import parse_qsl, urlencode, urlsplit

from bench.deployment import Deployment
from bench.http import Connection
from bench.load import LoadRequest
from bench.peer import hosting
from bench.peer.hosting import CALLBACK, Host, Makers, Peer, code_form, code_request
from bench.workloads import FORM, Workload, basic, fixed, rotating, signed_in, with_pool

HERE = Path(__file__).parent
WEB = ("web", "secret-secret-secret-secret")
MACHINE = ("machine", "secret-secret-secret-secret")


@contextlib.contextmanager
def started(deployment: Deployment, prefixes: list[str]) -> Iterator[Peer]:
    """Starts the peer and stops it at the end."""
    install = hosting.from_npm(HERE)
    with hosting.started("oidc-provider", install, deployment, prefixes, _workloads) as peer:
        yield peer


def _workloads(at: Host) -> Makers:
    port, host = at.port, at.authority
    load_request = partial(LoadRequest, f"http://{host}")
    client = {**basic(WEB), **FORM}

    def tokens(count: int) -> list[dict[str, str]]:
        async def mint() -> list[dict[str, str]]:
            http = Connection(port, host)
            return [await _flow(http) for _ in range(count)]

        return asyncio.run(mint())

    def access_tokens() -> list[str]:
        return [response["access_token"] for response in tokens(64)]

    def machine(alg: str) -> Workload:
        fields = {"grant_type": "client_credentials", "scope": "api"}
        body = urlencode({**fields, "resource": f"https://rs.example/{alg}"})
        headers = {**basic(MACHINE), **FORM}
        return fixed(f"W2-{alg.lower()}", load_request("/token", "POST", headers, body))

    me = load_request("/me", headers={"Authorization": "Bearer {t}"})
    introspection = load_request("/token/introspection", "POST", client, "token={t}")
    refresh = load_request("/token", "POST", client, "grant_type=refresh_token&refresh_token={t}")
    discovery = load_request("/.well-known/openid-configuration")
    return {
        "W1-userinfo": partial(with_pool, "W1-userinfo", me, access_tokens),
        "W1-introspection": partial(with_pool, "W1-introspection", introspection, access_tokens),
        "W2-es256": partial(machine, "ES256"),
        "W2-rs256": partial(machine, "RS256"),
        "W3": partial(rotating, "W3", refresh, tokens),
        "W5-discovery": partial(fixed, "W5-discovery", discovery),
        "W5-jwks": partial(fixed, "W5-jwks", load_request("/jwks")),
        "W6-code-flow": partial(
            signed_in, "W6-code-flow", lambda: Connection(port, host), lambda http, _: _flow(http)
        ),
    }


async def _flow(http: Connection) -> dict[str, str]:
    """Runs one code flow. Signs in at the form of the peer if the browser has no session. Returns the
    token response."""
    verifier, query = code_request(WEB[0])
    answer = await http.get(f"/auth?{urlencode(query)}")
    while not answer.headers.get("location", "").startswith(CALLBACK):
        location = answer.headers["location"]
        if "/interaction/" in location:
            answer = await http.post(
                f"{urlsplit(location).path}/login", {"login": "user0@example.com"}
            )
        else:
            answer = await http.get(location)
    code = dict(parse_qsl(urlsplit(answer.headers["location"]).query))["code"]
    cookies, http.cookies = http.cookies, {}
    tokens = await http.post("/token", code_form(code, verifier), **basic(WEB))
    http.cookies = cookies
    if tokens.status != 200:
        raise RuntimeError(f"peer: {tokens.status} {tokens.body[:300]!r}")
    return dict(json.loads(tokens.body))
