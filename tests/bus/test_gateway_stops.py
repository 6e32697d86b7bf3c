"""`python -m gateway` that is told to stop finishes its requests first."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.kit.nats_server import PATIENCE, NatsServer, free_port, start, until

from common.bus_server import BusServer
from common.context import Context
from common.contracts.tenants import ResolveHost, Tenant, UnknownHost
from common.nats_client import NatsClient

ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.timeout(300)
KEY = "k1:q83vEjRWeJCrze8SNFZ4kKvN7xI0VniQq83vEjRWeJA="


@pytest.fixture
def own(tmp_path: Path) -> Iterator[NatsServer]:
    """A nats-server that a test may pause."""
    running = start(tmp_path / "nats")
    yield running
    running.stop(signal.SIGKILL)


@contextmanager
def gateway(nats_url: str, port: int, lame_duck: float = 0) -> Iterator[subprocess.Popen[bytes]]:
    environment = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": os.pathsep.join(str(ROOT / folder) for folder in ("services", "libs")),
        "AERO2_NATS_URL": nats_url,
        "AERO2_MASTER_KEY": KEY,
        "AERO2_PORT": str(port),
        "AERO2_METRICS_PORT": "0",
        "AERO2_LAME_DUCK": str(lame_duck),
    }
    process = subprocess.Popen(
        [sys.executable, "-m", "gateway"], env=environment, stdout=subprocess.PIPE
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


async def listens(port: int) -> bool:
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        return False
    writer.close()
    return True


async def ended(process: subprocess.Popen[bytes], within: float = PATIENCE) -> int:
    return await asyncio.to_thread(process.wait, within)


async def test_a_request_is_finished_and_further_signals_change_nothing(own: NatsServer) -> None:
    """After SIGTERM a running request is answered whole and no new one is accepted. The process
    ends with 0, even after several signals."""
    asked, answered, port = asyncio.Event(), asyncio.Event(), free_port()

    async def slow(_: Any, ctx: Context, of: ResolveHost) -> Tenant:
        asked.set()
        await answered.wait()
        raise UnknownHost("nobody lives here")

    nc: NatsClient = await own.connect()
    serving = await BusServer.start(nc, "tenancy", "0.1.0", None)
    await serving.add(ResolveHost, slow)
    await nc.flush()
    with gateway(own.url, port) as process:
        await until(lambda: listens(port))
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as browser:
            started = asyncio.create_task(browser.get("/", headers={"Host": "slow.localhost"}))
            await asyncio.wait_for(asked.wait(), PATIENCE)
            process.send_signal(signal.SIGTERM)
            await until(lambda: _not(listens(port)))
            process.send_signal(signal.SIGTERM)
            answered.set()
            answer = await started
        # The bus hangs, so closing it takes a second. A second signal arrives meanwhile.
        assert own.process is not None
        own.process.send_signal(signal.SIGSTOP)
        until_then = time.monotonic() + 0.8
        while time.monotonic() < until_then:
            process.send_signal(signal.SIGTERM)
            await asyncio.sleep(0.02)
        code = await ended(process)

    assert (answer.status_code, answer.json()["detail"]) == (404, "nobody lives here")
    assert code == 0


async def _not(question: Any) -> bool:
    return not await question


async def test_told_to_stop_while_it_waits_for_the_bus() -> None:
    """A gateway that still waits for NATS ends with 0 as well."""
    with gateway(f"nats://127.0.0.1:{free_port()}", free_port()) as process:
        assert process.stdout is not None
        first = await asyncio.to_thread(process.stdout.readline)
        process.send_signal(signal.SIGTERM)

        assert (await ended(process), b"nats.error" in first) == (0, True)


async def test_a_load_balancer_has_time_to_look_elsewhere(own: NatsServer) -> None:
    """After SIGTERM the gateway is not ready, but alive. It accepts and answers, and each answer ends its
    connection. Then it ends with 0."""
    port = free_port()
    with gateway(own.url, port, lame_duck=3) as process:
        await until(lambda: listens(port))
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as balancer:
            before = await balancer.get("/health/ready")
            process.send_signal(signal.SIGTERM)
            while (after := await balancer.get("/health/ready")).status_code == 200:
                await asyncio.sleep(0.01)
            live = await balancer.get("/health/live")
        code = await ended(process)

    assert (before.status_code, after.status_code, live.status_code) == (200, 503, 200)
    assert "connection" not in before.headers
    assert after.headers["connection"] == live.headers["connection"] == "close"
    assert code == 0


async def test_ctrl_c_does_not_wait_for_load_balancers(own: NatsServer) -> None:
    """SIGINT skips the lame duck phase: the whole platform stops."""
    port = free_port()
    with gateway(own.url, port, lame_duck=300) as process:
        await until(lambda: listens(port))
        process.send_signal(signal.SIGINT)

        assert await ended(process) == 0
