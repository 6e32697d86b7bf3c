"""`aero2 serve`: several services in one process, each with its own user on NATS and in Postgres."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import asyncpg
import httpx
import orjson
import psutil
import pytest
from tests.kit.instance import environment, free_port
from tests.kit.nats_server import PATIENCE, NatsServer, until

from aero2 import nats_access
from aero2.environment import JOBS
from common.shared_settings import prefix_of

pytestmark = pytest.mark.timeout(300)
KEY = "k1:q83vEjRWeJCrze8SNFZ4kKvN7xI0VniQq83vEjRWeJA="
ALL = nats_access.SERVICES


def configure(server: NatsServer) -> None:
    """Writes the product's configuration: the password of each user is its name."""
    passwords = {user: f'"{user}"' for user in (*ALL, nats_access.CLI)}
    listen = (
        f'listen: "127.0.0.1:{server.port}"\n'
        f'jetstream {{ store_dir: "{server.folder / "jetstream"}", max_file_store: 100MB }}'
    )
    server.config.write_text(nats_access.configuration(passwords, server=listen))


@pytest.fixture
def guarded(tmp_path: Path) -> Iterator[NatsServer]:
    """A nats-server with the rights of the product, and without the usual account."""
    server = NatsServer(tmp_path, free_port(), tmp_path / "nats.conf")
    configure(server)
    server.launch()
    yield server
    server.stop()


class Served:
    """A process of `aero2 serve`, and what it wrote."""

    def __init__(self, folder: Path, names: tuple[str, ...], settings: dict[str, str]) -> None:
        self.port = int(settings["AERO2_PORT"])
        self._log = folder / "serve.log"
        with self._log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "aero2", "serve", *names],
                env=environment() | settings,
                stdout=log,
                stderr=log,
            )

    @property
    def text(self) -> str:
        return self._log.read_text()

    def lines(self, event: str) -> list[dict[str, Any]]:
        found = [orjson.loads(line) for line in self.text.splitlines() if line.startswith("{")]
        return [line for line in found if line["event"] == event]

    async def ended(self) -> int:
        return await asyncio.to_thread(self.process.wait, PATIENCE)

    async def ready(self) -> None:
        def is_ready() -> bool:
            assert self.process.poll() is None, self.text
            return any(line["service"] == "together" for line in self.lines("ready"))

        await until(is_ready)

    async def get(self, host: str, path: str = "/") -> httpx.Response:
        """Asks on a connection of its own."""
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{self.port}") as http:
            return await http.get(path, headers={"host": host}, timeout=PATIENCE)


@contextmanager
def serving(
    folder: Path, nats: NatsServer, database: dict[str, str], *names: str, **more: str
) -> Iterator[Served]:
    """Runs services in one process. `more` are further variables, or other values."""
    settings = {
        "AERO2_NATS_URL": nats.url,
        "AERO2_MASTER_KEY": KEY,
        "AERO2_PORT": str(free_port()),
        "AERO2_METRICS_PORT": "0",
        "AERO2_EGRESS_PRIVATE": "true",
        "AERO2_BOOTSTRAP_KEYS_FILE": str(folder / "keys.json"),
    }
    for name in (each for each in names if each in ALL):
        own = {"nats_user": name, "nats_password": name}
        if name in JOBS:
            own["database_url"] = database[name]
            settings |= {f"AERO2_{job.upper()}_DATABASE_URL": database[job] for job in JOBS[name]}
        settings |= {f"{prefix_of(name)}{key.upper()}": value for key, value in own.items()}
    served = Served(folder, names, settings | more)
    try:
        yield served
    finally:
        served.process.kill()
        served.process.wait()


async def test_each_service_keeps_its_name_and_its_users(
    tmp_path: Path, guarded: NatsServer, database: dict[str, str]
) -> None:
    """All services answer from one process. Each has its own connection to NATS, as its own user, its
    own database role, and its own name in the log."""
    with serving(tmp_path, guarded, database, *ALL) as served:
        await served.ready()
        health = await served.get("localhost:8080", "/health")
        roles = await _roles(database["owner"])
        unknown = await served.get("nobody.localhost:8080")
        await until(lambda: len(served.lines("http")) == 2)
        subjects = {line["contract"]: line["service"] for line in served.lines("served")}
        ready = {line["service"] for line in served.lines("ready")}

    assert health.status_code == 200, health.text
    assert unknown.status_code == 404
    assert ready == {*ALL, "together"}
    assert {f"aero2_{name}" for name in ALL if name != "gateway"} <= roles
    assert set(subjects.values()) >= {"tenancy", "identity", "oidc", "rbac"}
    assert all(subject.startswith(service) for subject, service in subjects.items())
    assert {line["service"] for line in served.lines("http")} == {"gateway"}


async def _roles(owner: str) -> set[str]:
    """Returns the roles that are connected to the database."""
    db = await asyncpg.connect(owner)
    try:
        rows = await db.fetch(
            "SELECT DISTINCT usename FROM pg_stat_activity WHERE datname = current_database()"
        )
    finally:
        await db.close()
    return {row["usename"] for row in rows}


async def test_no_request_fails_while_it_stops(
    tmp_path: Path, guarded: NatsServer, database: dict[str, str]
) -> None:
    """Clients that are connected at SIGTERM get an answer that needed another service, and later clients
    are refused. The process ends with 0."""
    with serving(tmp_path, guarded, database, *ALL) as served:
        await served.ready()
        statuses: list[int] = []

        async def client(number: int) -> None:
            for attempt in range(100_000):  # each host is asked of tenancy
                try:
                    answer = await served.get(f"host-{number}-{attempt}.localhost:8080")
                except httpx.ConnectError:
                    return
                statuses.append(answer.status_code)

        clients = [asyncio.create_task(client(number)) for number in range(8)]
        await until(lambda: len(statuses) > 50)
        served.process.send_signal(signal.SIGTERM)
        await asyncio.gather(*clients)
        code = await served.ended()

    assert code == 0
    assert set(statuses) == {404}
    assert {line["level"] for line in served.lines("http")} == {"info"}
    assert served.lines("unhandled") == []


async def test_a_service_that_cannot_start_is_named(
    tmp_path: Path, guarded: NatsServer, database: dict[str, str]
) -> None:
    """If one service cannot start, the process ends with 1, and a sentence names the service."""
    wrong = database["oidc"].replace("aero2_oidc:", "aero2_oidc:wrong")
    with serving(tmp_path, guarded, database, *ALL, AERO2_OIDC_DATABASE_URL=wrong) as served:
        code = await served.ended()

    assert code == 1
    assert 'oidc: password authentication failed for user "aero2_oidc"' in served.text.splitlines()
    assert "wrong" not in served.text


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        (
            {"AERO2_DATABASE_URL": "postgresql://everything@localhost/aero2"},
            "AERO2_DATABASE_URL: each service of a process has its own: "
            "AERO2_RBAC_DATABASE_URL, AERO2_TENANCY_DATABASE_URL",
        ),
        (
            {"AERO2_NATS_USER": "gateway"},
            "AERO2_NATS_USER: each service of a process has its own: "
            "AERO2_RBAC_NATS_USER, AERO2_TENANCY_NATS_USER",
        ),
        (
            {"AERO2_RBAC_HEARTBEAT": "/tmp/heartbeat"},
            "AERO2_RBAC_HEARTBEAT: a process has it once: AERO2_HEARTBEAT",
        ),
        (
            {"AERO2_TENANCY_POOL_SIZE": "many"},
            "tenancy: AERO2_TENANCY_POOL_SIZE: Input should be a valid integer, unable to parse string as an "
            "integer",
        ),
    ],
)
async def test_settings_that_contradict_are_refused(
    tmp_path: Path,
    guarded: NatsServer,
    database: dict[str, str],
    settings: dict[str, str],
    sentence: str,
) -> None:
    """A database role or a NATS user for all services is refused, and so is a heartbeat for one."""
    with serving(tmp_path, guarded, database, "rbac", "tenancy", **settings) as served:
        code = await served.ended()

    assert (code, served.text.strip()) == (1, sentence)


async def test_a_name_that_is_no_service_is_refused(
    tmp_path: Path, guarded: NatsServer, database: dict[str, str]
) -> None:
    """Only services can be served, and each once."""
    for names, sentence in {
        ("rbac", "everything"): "everything is no service.",
        ("rbac", "rbac"): "A service is named twice.",
        ("rbac", "--workers", "2"): "--workers needs the gateway",
    }.items():
        with serving(tmp_path, guarded, database, *names) as served:
            assert await served.ended() == 1
        assert sentence in served.text
        (tmp_path / "serve.log").unlink()


async def test_workers_share_the_port_and_are_started_again(
    tmp_path: Path, guarded: NatsServer, database: dict[str, str]
) -> None:
    """Two workers answer on one port, and `/metrics` has the figures of both. One that is killed comes
    back while the other answers. SIGTERM ends all of them, with 0."""
    metrics_port, heartbeat = free_port(), tmp_path / "heartbeat"
    more = {"AERO2_METRICS_PORT": str(metrics_port), "AERO2_HEARTBEAT": str(heartbeat)}
    with serving(tmp_path, guarded, database, *ALL, "--workers", "2", **more) as served:
        await until(lambda: len(started(served)) == 2)
        await until(heartbeat.exists)
        for number in range(40):
            assert (await served.get(f"host-{number}.localhost:8080")).status_code == 404
        metrics = httpx.get(f"http://127.0.0.1:{metrics_port}/metrics").text
        replicas = {
            number
            for number in ("0", "1")
            if f'aero2_http_seconds_count{{service="together",replica="{number}"' in metrics
        }
        victim = psutil.Process(served.process.pid).children()[0]
        victim.kill()
        await until(lambda: len(started(served)) == 3)
        after = await served.get("nobody.localhost:8080")
        workers = psutil.Process(served.process.pid).children()
        served.process.send_signal(signal.SIGTERM)
        code = await served.ended()

    assert replicas == {"0", "1"}
    assert after.status_code == 404
    assert [line["end"] for line in served.lines("worker ended")] == ["killed by SIGKILL"]
    assert len(workers) == 2
    assert code == 0
    assert not any(worker.is_running() for worker in workers)


def started(served: Served) -> list[dict[str, Any]]:
    """Returns a line for each start of a worker."""
    return [line for line in served.lines("ready") if line["service"] == "together"]


async def test_workers_that_cannot_start_end(
    tmp_path: Path, guarded: NatsServer, database: dict[str, str]
) -> None:
    """Workers that end before they were ready are not started again and again."""
    with serving(
        tmp_path, guarded, database, *ALL, "--workers", "2", AERO2_MASTER_KEY="weak"
    ) as served:
        code = await served.ended()

    assert code == 1
    assert f"{', '.join(ALL)}: AERO2_MASTER_KEY: " in served.text
