"""Starts the floors as sides of a run, each with a NATS server and a database of its own."""

from __future__ import annotations

import asyncio
import contextlib
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Final
from urllib.parse import parse_qsl, urlencode, urlsplit

import asyncpg

from aero2.embedded.nats import server_binary
from bench.deployment import Deployment, free_port
from bench.floor.hashing import hashes
from bench.floor.service import TABLES
from bench.http import Connection
from bench.load import LoadRequest
from bench.peer.hosting import code_form, code_request, create_database, wait_for_port
from bench.processes import Cpu, cpu
from bench.rounds import Side
from bench.windows import FLOOR, FLOOR_TOGETHER, HASH
from bench.workloads import FORM, Workload, basic, fixed, rotating, signed_in

SHAPES: Final = {FLOOR: ("service", "gateway"), FLOOR_TOGETHER: ("both",)}
CLIENT: Final = ("web", "secret-secret-secret-secret")
USERINFO: Final = {"sub": "8f0c5a5e-9d55-4e0f-8a39-8f1d6a0e4c11", "email": "user@example.com"}
NATS: Final = """
listen: "127.0.0.1:{port}"
jetstream {{ store_dir: "{folder}/jetstream", max_file_store: 1GB, sync_interval: always }}
"""
"""As that of the product: an acknowledged record is on the disk."""


@contextlib.contextmanager
def started(deployment: Deployment, prefixes: list[str]) -> Iterator[list[Side]]:
    """Starts the floors and stops them at the end. Their PostgreSQL server is that of `deployment`."""
    with contextlib.ExitStack() as stack:
        documents = _documents(deployment)
        sides = [
            stack.enter_context(_started(name, parts, deployment, documents, prefixes))
            for name, parts in SHAPES.items()
        ]
        if any(
            "W4".startswith(prefix) or "W6-full-login".startswith(prefix) for prefix in prefixes
        ):
            own = Side(
                HASH, {"W4": hashes()}, lambda: Cpu(time.process_time(), 0, 0), (), ages=False
            )
            sides.append(own)
        yield [side for side in sides if side.workloads]


@contextlib.contextmanager
def _started(
    name: str,
    parts: Sequence[str],
    deployment: Deployment,
    documents: dict[str, str],
    prefixes: list[str],
) -> Iterator[Side]:
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="aero2-floor-")))
        port, bus = free_port(), free_port()
        (folder / "nats.conf").write_text(NATS.format(port=bus, folder=folder))
        dsn = asyncio.run(create_database(deployment, name.replace(" ", "_")))
        asyncio.run(_create_tables(dsn))
        settings: dict[str, Any] = {"nats": f"nats://127.0.0.1:{bus}", "dsn": dsn, "port": port}
        (folder / "settings.json").write_text(json.dumps({**settings, "documents": documents}))
        log = stack.enter_context((folder / "log").open("w"))

        def start(command: list[str], listening: int | None) -> int:
            process = subprocess.Popen(command, stdout=log, stderr=log)
            stack.callback(process.wait, 10)
            stack.callback(process.terminate)
            if listening is not None:
                wait_for_port(listening, process, folder / "log")
            return process.pid

        roots = [start([str(server_binary()), "--config", str(folder / "nats.conf")], bus)]
        for part in parts:
            command = [
                sys.executable,
                "-m",
                "bench.floor.host",
                part,
                str(folder / "settings.json"),
            ]
            roots.append(start(command, None if part == "service" else port))
        workloads = {
            key: make
            for key, make in _workloads(port).items()
            if any(key.startswith(prefix) for prefix in prefixes)
        }
        usage = partial(_usage, tuple(roots), deployment.pid)
        yield Side(name, workloads, usage, tuple(roots), ages=False)


def _usage(roots: tuple[int, ...], deployment: int) -> Cpu:
    """Returns the CPU of the processes and of the Postgres server that they share with Aero2."""
    return sum((cpu(root) for root in roots), Cpu(0.0, cpu(deployment).postgres, 0.0))


async def _create_tables(dsn: str) -> None:
    db = await asyncpg.connect(dsn)
    await db.execute(TABLES)
    await db.close()


def _documents(deployment: Deployment) -> dict[str, str]:
    """Returns the bodies that the floor answers without work: those of the product, or as long."""
    with deployment.api() as api:
        keys = api.get("/oauth2/jwks.json").raise_for_status().text
    return {"/oauth2/jwks.json": keys, "/oauth2/userinfo": json.dumps(USERINFO)}


def _workloads(port: int) -> dict[str, Workload]:
    """Returns the workloads, with the requests of the product."""
    request = partial(LoadRequest, f"http://127.0.0.1:{port}")
    token = partial(request, "/oauth2/token", "POST", {**basic(CLIENT), **FORM})
    refresh = token("grant_type=refresh_token&refresh_token={t}")

    def connection() -> Connection:
        return Connection(port, f"127.0.0.1:{port}")

    async def flow(http: Connection, _: int = 0) -> dict[str, str]:
        verifier, query = code_request(CLIENT[0])
        page = await http.get(f"/oauth2/authorize?{urlencode(query)}")
        code = dict(parse_qsl(urlsplit(page.headers["location"]).query))["code"]
        answer = await http.post("/oauth2/token", code_form(code, verifier), **basic(CLIENT))
        return dict(json.loads(answer.body))

    def mint(count: int) -> list[dict[str, str]]:
        async def flows() -> list[dict[str, str]]:
            http = connection()
            return [await flow(http) for _ in range(count)]

        return asyncio.run(flows())

    made = (
        fixed("W1-userinfo", request("/oauth2/userinfo")),
        fixed("W2-es256", token("grant_type=client_credentials")),
        rotating("W3", refresh, mint),
        fixed("W5-jwks", request("/oauth2/jwks.json")),
        signed_in("W6-code-flow", connection, flow),
    )
    return {workload.name: workload for workload in made}
