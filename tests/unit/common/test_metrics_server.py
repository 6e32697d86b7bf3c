"""Metrics need a token, and a process exports only its own."""

from __future__ import annotations

import base64
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
import pytest
from pydantic import SecretStr

from common.metrics_server import _Server, authorized, serve_metrics, socket_in
from common.settings import Settings

TOKEN = "a-token-of-the-operator"


def settings(**more: Any) -> Settings:
    return Settings(master_key=SecretStr("k1:" + base64.b64encode(os.urandom(32)).decode()), **more)


def answer(read: Settings | None, head: str) -> bytes:
    return _Server(read)._response(head.encode()).partition(b"\r\n")[0]


@pytest.mark.parametrize("header", ["", "Bearer", "Bearer other", f"Basic {TOKEN}", TOKEN])
def test_a_wrong_token_is_refused(header: str) -> None:
    guarded = settings(metrics_token=SecretStr(TOKEN))
    head = f"GET /metrics HTTP/1.1\r\nHost: x\r\nAuthorization: {header}\r\n\r\n"

    assert answer(guarded, head) == b"HTTP/1.1 401 Unauthorized"
    assert not authorized(guarded, header.encode())


def test_the_token_opens() -> None:
    guarded = settings(metrics_token=SecretStr(TOKEN))
    head = f"GET /metrics HTTP/1.1\r\nauthorization: Bearer {TOKEN}\r\n\r\n"

    assert answer(guarded, head) == b"HTTP/1.1 200 OK"


@pytest.mark.parametrize("token", [None, SecretStr("")])
def test_no_token_is_no_guard(token: SecretStr | None) -> None:
    """An empty token counts as none, because Compose passes an empty variable."""
    assert answer(settings(metrics_token=token), "GET /metrics HTTP/1.1\r\n\r\n").endswith(b"OK")


@pytest.mark.parametrize("line", ["GET /", "GET /metrics/", "POST /metrics", "", "\0"])
def test_nothing_else_is_there(line: str) -> None:
    assert answer(settings(), f"{line} HTTP/1.1\r\n\r\n") == b"HTTP/1.1 404 Not Found"


async def test_a_socket_serves_and_a_successor_takes_it_over(tmp_path: Path) -> None:
    """The socket of a killed process does not stop the next one."""
    shared = settings(metrics_folder=str(tmp_path), replica="7")
    path = socket_in(str(tmp_path), "oidc", "7")
    path.touch()
    server = await serve_metrics(shared, "oidc")

    transport = httpx.AsyncHTTPTransport(uds=str(path))
    async with httpx.AsyncClient(transport=transport, base_url="http://x") as http:
        got = await http.get("/metrics")

    assert got.status_code == 200
    assert "python_info" in got.text
    assert server is not None
    server.close()


@pytest.mark.parametrize("module", ["gateway.api.fastapi_app", "identity.deps", "common.service"])
def test_importing_exports_no_metric_of_ours(module: str) -> None:
    """A metric that a process never counts is not exported, since its 0 would look like good news."""
    code = f"import {module}, prometheus_client as p; print(p.generate_latest().decode())"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    exported = {line.split()[2] for line in done.stdout.splitlines() if line.startswith("# HELP")}
    ours = {name for name in exported if name.startswith("aero2_")}
    assert ours <= {"aero2_cache_total", "aero2_cache_entries"}
