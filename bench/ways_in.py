"""Workloads of ways in. W7: sign in through an identity provider. W8: sign in with a passkey."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

from tests.kit.authenticator import Authenticator

from bench import memory_provider
from bench.http import Connection, Response
from bench.load import Result, run_flows
from bench.memory_provider import MemoryProvider
from bench.workloads import DemoApplication, Run, Workload, sign_in

BROWSERS = 8
PROVIDER = "bench"
SETTINGS = {"display_name": "Bench", "trusts_email": True, "options": {"userinfo": "off"}}

Flow = Callable[[Connection, int], Awaitable[None]]


def provider_sign_in(demo: DemoApplication) -> Workload:
    """GET /rp/authorize, then GET /rp/callback with a code. The provider answers from memory. Each
    callback calls its token endpoint; discovery and keys are stored already."""
    provider = memory_provider.start()
    with demo.deployment.api() as api:
        api.delete(f"/api/idps/{PROVIDER}")  # of an earlier run, whose provider is gone
        body = {
            "name": PROVIDER,
            "issuer": provider.issuer,
            "client_id": memory_provider.CLIENT_ID,
            "client_secret": memory_provider.CLIENT_SECRET,
            **SETTINGS,
        }
        api.post("/api/idps", json=body).raise_for_status()

    async def flow(http: Connection, number: int) -> None:
        await _sign_in_through(provider, http, number)

    return _repeated("W7", demo, flow)


async def _sign_in_through(provider: MemoryProvider, http: Connection, number: int) -> None:
    _forget_sessions(http)
    page = await http.get(f"/rp/authorize?{urlencode({'idp': PROVIDER})}")
    request = dict(parse_qsl(urlsplit(page.headers.get("location", "")).query))
    if "nonce" not in request:
        raise RuntimeError(f"no way to the provider: {page.status} {page.body[:300]!r}")
    code = provider.code(request["nonce"], f"bench-provider-{number}")
    query = urlencode({"code": code, "state": request["state"]})
    _check_session(http, await http.get(f"/rp/callback/{PROVIDER}?{query}"))


def passkey_sign_in(demo: DemoApplication) -> Workload:
    """POST for the options, then POST with the assertion. The authenticator is a software one."""
    origin = demo.deployment.url
    authenticators = [Authenticator(origin) for _ in range(BROWSERS)]

    async def register() -> None:
        for number, authenticator in enumerate(authenticators):
            http = demo.connection()
            await sign_in(demo, http, number)
            options = await _post(http, "/api/users/me/passkeys/options", {})
            credential = authenticator.create(options["options"])
            await _post(http, "/api/users/me/passkeys", {"credential": credential})
            http.close()

    asyncio.run(register())

    async def flow(http: Connection, number: int) -> None:
        _forget_sessions(http)
        options = await _post(http, "/api/auth/passkey/options", {})
        credential = authenticators[number].get(options["options"])
        await _post(http, "/api/auth/passkey/verify", {"credential": credential})
        _check_session(http)

    return _repeated("W8", demo, flow)


def _repeated(name: str, demo: DemoApplication, flow: Flow) -> Workload:
    """Returns a workload of browsers that sign in again and again. All runs share them, so that no run
    contains a sign-up, and only the first causes mails about new devices."""
    browsers = [demo.connection() for _ in range(BROWSERS)]

    def ready() -> Run:
        async def run_once() -> None:
            for number, http in enumerate(browsers):
                await flow(http, number)
                http.close()

        asyncio.run(run_once())

        async def load(seconds: float) -> Result:
            try:
                return await run_flows(lambda n: flow(browsers[n], n), seconds, BROWSERS)
            finally:
                for http in browsers:
                    http.close()

        def run(seconds: float) -> Result:
            return asyncio.run(load(seconds))

        return run

    return Workload(name, ready)


async def _post(http: Connection, path: str, body: object) -> dict[str, Any]:
    headers = {"Content-Type": "application/json", "Origin": f"http://{http.host}"}
    answer = await http.send("POST", path, json.dumps(body).encode(), **headers)
    if answer.status not in (200, 201):
        raise RuntimeError(f"{path}: {answer.status} {answer.body[:300]!r}")
    return dict(json.loads(answer.body))


def _forget_sessions(http: Connection) -> None:
    """Keeps the cookie that names the browser: a new browser causes a mail."""
    http.cookies = {name: value for name, value in http.cookies.items() if "session" not in name}


def _check_session(http: Connection, page: Response | None = None) -> None:
    """Raises RuntimeError if nobody is signed in."""
    if not any("session" in name for name in http.cookies):
        raise RuntimeError(
            f"no session: {page.status} {page.body[:300]!r}" if page else "no session"
        )
