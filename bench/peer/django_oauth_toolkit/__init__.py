"""django-oauth-toolkit from PyPI, in gunicorn. It signs ID tokens with RS256, and its access tokens are
opaque and stored."""

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
from bench.workloads import FORM, basic, fixed, rotating, signed_in, with_pool

HERE = Path(__file__).parent
COMMAND = ["gunicorn", "host:application"]
WEB = ("web", "secret-secret-secret-secret")
MACHINE = ("machine", "secret-secret-secret-secret")


@contextlib.contextmanager
def started(deployment: Deployment, prefixes: list[str]) -> Iterator[Peer]:
    """Starts the peer and stops it at the end."""
    install = hosting.from_pypi(HERE, COMMAND)
    with hosting.started("django-oauth-toolkit", install, deployment, prefixes, _workloads) as peer:
        yield peer


def _workloads(at: Host) -> Makers:
    request = partial(LoadRequest, f"http://{at.authority}")
    token = partial(request, "/o/token/", "POST")
    client = {**basic(WEB), **FORM}

    def connection() -> Connection:
        return Connection(at.port, at.authority)

    def tokens(count: int) -> list[dict[str, str]]:
        async def mint() -> list[dict[str, str]]:
            http = connection()
            return [await _flow(http) for _ in range(count)]

        return asyncio.run(mint())

    def access_tokens() -> list[str]:
        return [response["access_token"] for response in tokens(64)]

    me = request("/o/userinfo/", headers={"Authorization": "Bearer {t}"})
    introspection = request("/o/introspect/", "POST", client, "token={t}")
    machine = token({**basic(MACHINE), **FORM}, "grant_type=client_credentials&scope=api")
    refresh = token(client, "grant_type=refresh_token&refresh_token={t}")
    discovery = request("/o/.well-known/openid-configuration")
    keys = request("/o/.well-known/jwks.json")
    return {
        "W1-userinfo": partial(with_pool, "W1-userinfo", me, access_tokens),
        "W1-introspection": partial(with_pool, "W1-introspection", introspection, access_tokens),
        "W2-es256": partial(fixed, "W2-es256", machine),
        "W3": partial(rotating, "W3", refresh, tokens),
        "W5-discovery": partial(fixed, "W5-discovery", discovery),
        "W5-jwks": partial(fixed, "W5-jwks", keys),
        "W6-code-flow": partial(signed_in, "W6-code-flow", connection, lambda http, _: _flow(http)),
    }


async def _flow(http: Connection) -> dict[str, str]:
    """Runs one code flow. Signs in first if the browser has no session. Returns the token response."""
    verifier, query = code_request(WEB[0])
    answer = await http.get(f"/o/authorize/?{urlencode(query)}")
    while not (location := answer.headers.get("location", "")).startswith(CALLBACK):
        if not location:
            raise RuntimeError(f"django-oauth-toolkit: {answer.status} {answer.body[:300]!r}")
        answer = await http.get(location)
    code = dict(parse_qsl(urlsplit(location).query))["code"]
    cookies, http.cookies = http.cookies, {}
    tokens = await http.post("/o/token/", code_form(code, verifier), **basic(WEB))
    http.cookies = cookies
    if tokens.status != 200:
        raise RuntimeError(f"django-oauth-toolkit: {tokens.status} {tokens.body[:300]!r}")
    return dict(json.loads(tokens.body))
