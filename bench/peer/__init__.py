"""oidc-provider (npm) beside us, on the same PostgreSQL binaries, in the same run."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import hashlib
import json
import os
import secrets
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from urllib.parse import parse_qsl, urlencode, urlsplit

from bench.deployment import Deployment
from bench.http import Connection
from bench.load import CONNECTIONS, Result, Shot, flows, wrk
from bench.workloads import FLOW_CLIENTS, FORM, Workload, basic

HERE = Path(__file__).parent
CALLBACK = "https://rp.example/callback"
WEB = ("web", "secret-secret-secret-secret")
MACHINE = ("machine", "secret-secret-secret-secret")


@dataclass(frozen=True)
class Peer:
    pids: list[int]
    workloads: dict[str, Workload]


@contextlib.contextmanager
def started(deployment: Deployment, names: list[str]) -> Iterator[Peer]:
    """Raises RuntimeError where node or npm is missing."""
    if shutil.which("node") is None or shutil.which("npm") is None:
        raise RuntimeError("the peer needs node and npm")
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="aero2-peer-")))
        folder.chmod(0o755)
        for name in ("package.json", "host.mjs"):
            shutil.copy(HERE / name, folder)
        subprocess.run(
            ["npm", "install", "--silent", "--no-audit", "--no-fund"], cwd=folder, check=True
        )
        dsn, postgres = stack.enter_context(_postgres())
        port = _free_port()
        environment = {**os.environ, "PORT": str(port), "DATABASE_URL": dsn}
        log = stack.enter_context((folder / "peer.log").open("w"))
        node = subprocess.Popen(
            ["node", "host.mjs"], cwd=folder, env=environment, stdout=log, stderr=log
        )
        stack.callback(node.wait, 10)
        stack.callback(node.terminate)
        _await(port, node, folder / "peer.log")
        made = {
            name: made
            for name, made in _workloads(port).items()
            if any(name.startswith(n) for n in names)
        }
        yield Peer([node.pid, postgres], {name: make() for name, make in made.items()})


@contextlib.contextmanager
def _postgres() -> Iterator[tuple[str, int]]:
    """A server with the settings that ours has in `aero2 up`, and the peer's own database."""
    from tests.postgres import Postgres

    server = Postgres.start(durable=True)
    try:
        name = server.empty()
        yield server.dsn("owner", name), server.pid
    finally:
        server.stop()


def _workloads(port: int):  # type: ignore[no-untyped-def]
    host = f"127.0.0.1:{port}"
    shot = partial(Shot, f"http://{host}")

    def tokens(count: int) -> list[dict[str, str]]:
        async def mint() -> list[dict[str, str]]:
            http = Connection(port, host)
            return [await _flow(http) for _ in range(count)]

        return asyncio.run(mint())

    def bearer(path: str, name: str) -> Workload:
        pool = [found["access_token"] for found in tokens(64)]
        return Workload(
            name, partial(wrk, shot(path, headers={"Authorization": "Bearer {t}"}, pool=pool))
        )

    def introspection() -> Workload:
        pool = [found["access_token"] for found in tokens(64)]
        headers = {**basic(WEB), **FORM}
        asked = shot(
            "/token/introspection", method="POST", headers=headers, body="token={t}", pool=pool
        )
        return Workload("W1-introspection", partial(wrk, asked))

    def machine(alg: str) -> Workload:
        body = urlencode(
            {
                "grant_type": "client_credentials",
                "scope": "api",
                "resource": f"https://rs.example/{alg}",
            }
        )
        asked = shot("/token", method="POST", headers={**basic(MACHINE), **FORM}, body=body)
        return Workload(f"W2-{alg.lower()}", partial(wrk, asked))

    def refresh() -> Workload:
        def run(seconds: float) -> Result:
            pool = [found["refresh_token"] for found in tokens(2 * CONNECTIONS)]
            body = "grant_type=refresh_token&refresh_token={t}"
            headers = {**basic(WEB), **FORM}
            return wrk(
                shot(
                    "/token",
                    method="POST",
                    headers=headers,
                    body=body,
                    pool=pool,
                    script="refresh.lua",
                ),
                seconds,
            )

        return Workload("W3", run)

    def document(path: str, name: str) -> Workload:
        return Workload(name, partial(wrk, shot(path)))

    def code_flow() -> Workload:
        def run(seconds: float) -> Result:
            async def clients() -> Result:
                connections = [Connection(port, host) for _ in range(FLOW_CLIENTS)]
                for http in connections:
                    await _flow(http)

                async def flow(number: int) -> None:
                    await _flow(connections[number])

                return await flows(flow, seconds, FLOW_CLIENTS)

            return asyncio.run(clients())

        return Workload("W6-code-flow", run)

    return {
        "W1-userinfo": partial(bearer, "/me", "W1-userinfo"),
        "W1-introspection": introspection,
        "W2-es256": partial(machine, "ES256"),
        "W2-rs256": partial(machine, "RS256"),
        "W3": refresh,
        "W5-discovery": partial(document, "/.well-known/openid-configuration", "W5-discovery"),
        "W5-jwks": partial(document, "/jwks", "W5-jwks"),
        "W6-code-flow": code_flow,
    }


async def _flow(http: Connection) -> dict[str, str]:
    """One code flow; signs in at the host's own form where the browser is not."""
    verifier = secrets.token_urlsafe(32)
    challenge = (
        base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
    )
    query = {
        "client_id": WEB[0],
        "response_type": "code",
        "redirect_uri": CALLBACK,
        "scope": "openid email offline_access",
        "state": "s",
        "nonce": "n",
        "code_challenge": challenge,
        "code_challenge_method": "S256",
    }
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
    form = {
        "grant_type": "authorization_code",
        "code": code,
        "redirect_uri": CALLBACK,
        "code_verifier": verifier,
    }
    cookies, http.cookies = http.cookies, {}
    tokens = await http.post("/token", form, **basic(WEB))
    http.cookies = cookies
    if tokens.status != 200:
        raise RuntimeError(f"peer: {tokens.status} {tokens.body[:300]!r}")
    return dict(json.loads(tokens.body))


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _await(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    until = time.monotonic() + 30
    while time.monotonic() < until and process.poll() is None:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise RuntimeError(f"the peer did not start: {log.read_text()[-2000:]}")
