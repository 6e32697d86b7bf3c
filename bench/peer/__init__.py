"""The peer: oidc-provider from npm, on the PostgreSQL server of the deployment, in the same run."""

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
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from urllib.parse import parse_qsl, urlencode, urlsplit

import asyncpg

from bench.deployment import Deployment, free_port
from bench.http import Connection
from bench.load import LoadRequest
from bench.workloads import FORM, Workload, basic, fixed, rotating, signed_in

HERE = Path(__file__).parent
CALLBACK = "https://rp.example/callback"
WEB = ("web", "secret-secret-secret-secret")
MACHINE = ("machine", "secret-secret-secret-secret")


@dataclass(frozen=True)
class Peer:
    """The process of the running peer, and its workloads."""

    pid: int
    workloads: dict[str, Workload]


@contextlib.contextmanager
def started(deployment: Deployment, names: list[str]) -> Iterator[Peer]:
    """Starts the peer and stops it at the end. Raises RuntimeError if node or npm is missing, or if
    the deployment was not started by this run."""
    if shutil.which("node") is None or shutil.which("npm") is None:
        raise RuntimeError("the peer needs node and npm")
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="aero2-peer-")))
        for name in ("package.json", "host.mjs"):
            shutil.copy(HERE / name, folder)
        install = ["npm", "install", "--silent", "--no-audit", "--no-fund"]
        subprocess.run(install, cwd=folder, check=True)
        port = free_port()
        dsn = asyncio.run(_database(deployment))
        environment = {**os.environ, "PORT": str(port), "DATABASE_URL": dsn}
        log = stack.enter_context((folder / "peer.log").open("w"))
        node = subprocess.Popen(
            ["node", "host.mjs"], cwd=folder, env=environment, stdout=log, stderr=log
        )
        stack.callback(node.wait, 10)
        stack.callback(node.terminate)
        _wait_for_port(port, node, folder / "peer.log")
        selected = {
            name: make
            for name, make in _workloads(port).items()
            if any(name.startswith(prefix) for prefix in names)
        }
        yield Peer(node.pid, {name: make() for name, make in selected.items()})


async def _database(deployment: Deployment) -> str:
    """Creates a database for the peer on the deployment's server. Returns its DSN."""
    if deployment.data is None:
        raise RuntimeError("the peer needs a deployment that this run started: leave out --summary")
    stored_secrets = json.loads((deployment.data / "secrets.json").read_text())
    port = (deployment.data / "postgres" / "postmaster.pid").read_text().splitlines()[3]
    server = f"postgresql://postgres:{stored_secrets['superuser']}@127.0.0.1:{port}"
    db = await asyncpg.connect(f"{server}/postgres")
    await db.execute("CREATE DATABASE peer")
    await db.close()
    return f"{server}/peer"


def _workloads(port: int) -> dict[str, Callable[[], Workload]]:
    host = f"127.0.0.1:{port}"
    load_request = partial(LoadRequest, f"http://{host}")
    client = {**basic(WEB), **FORM}

    def tokens(count: int) -> list[dict[str, str]]:
        async def mint() -> list[dict[str, str]]:
            http = Connection(port, host)
            return [await _flow(http) for _ in range(count)]

        return asyncio.run(mint())

    def with_tokens(name: str, request: LoadRequest) -> Workload:
        return fixed(
            name, replace(request, pool=[response["access_token"] for response in tokens(64)])
        )

    def machine(alg: str) -> Workload:
        fields = {"grant_type": "client_credentials", "scope": "api"}
        body = urlencode({**fields, "resource": f"https://rs.example/{alg}"})
        headers = {**basic(MACHINE), **FORM}
        return fixed(f"W2-{alg.lower()}", load_request("/token", "POST", headers, body))

    me = load_request("/me", headers={"Authorization": "Bearer {t}"})
    introspection = load_request("/token/introspection", "POST", client, "token={t}")
    refresh = load_request("/token", "POST", client, "grant_type=refresh_token&refresh_token={t}")
    discovery = load_request("/.well-stored_secrets/openid-configuration")
    return {
        "W1-userinfo": partial(with_tokens, "W1-userinfo", me),
        "W1-introspection": partial(with_tokens, "W1-introspection", introspection),
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


def _wait_for_port(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    until = time.monotonic() + 30
    while time.monotonic() < until and process.poll() is None:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise RuntimeError(f"the peer did not start: {log.read_text()[-2000:]}")
