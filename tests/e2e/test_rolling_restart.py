"""Processes are replaced while people sign in, and none of them notices."""

from __future__ import annotations

import asyncio
import json
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import httpx
import psutil
import pytest
from tests.kit.deployments import SeparateServices, Shape, Together
from tests.kit.instance import environment
from tests.kit.nats_server import until
from tests.kit.rolling_load import Load, rolling_load
from tests.kit.system import System

pytestmark = pytest.mark.timeout(600)
ALL = ["gateway", "identity", "oidc", "rbac", "tenancy"]
OPTIONS = {"AERO2_LIMIT_SCALE": "0"}


class Workers(Together):
    """Two processes with all services, which share the port."""

    options = ["--together", "--workers", "2"]


@pytest.fixture(scope="module")
async def rolling(shape: Shape, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[System]:
    """A deployment of this module's own."""
    if shape not in (Shape.SEPARATE, Shape.TOGETHER):
        pytest.skip("aero2 restart is a command of aero2 up")
    kind = SeparateServices if shape is Shape.SEPARATE else Together
    system = System(kind(tmp_path_factory.mktemp("rolling") / "data", OPTIONS))
    yield system
    system.stop()


async def aero2(system: System, *arguments: str) -> tuple[int | None, str]:
    """Runs a command on the data folder. Returns its exit code and what it printed."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "aero2", *arguments, "--data-dir", str(system.deployment.folder)),
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    output, _ = await process.communicate()
    return process.returncode, output.decode()


def children(system: System) -> dict[str, int]:
    assert isinstance(system.deployment, SeparateServices)
    return system.deployment.instance.children()


async def replaced(system: System, load: Load, *names: str) -> None:
    """Replaces processes. Waits for some requests before and after."""
    before, sent = children(system), load.tally.sent
    await until(lambda: load.tally.sent > sent + 20)
    code, output = await aero2(system, "restart", *names)
    assert code == 0, output
    sent = load.tally.sent
    await until(lambda: load.tally.sent > sent + 50)
    after = children(system)
    wanted = set(names) or {name for name in before if name in ALL or name.startswith("together")}
    assert {name for name in before if before[name] != after[name]} == wanted, output
    assert not [name for name in wanted if psutil.pid_exists(before[name])]


async def written(system: System) -> int:
    """Returns how many users the load has made, by the database."""
    db = await asyncpg.connect(system.deployment.owner_dsn())
    try:
        query = "SELECT count(*) FROM users WHERE email LIKE 'rolling%'"
        return int(await db.fetchval(query))
    finally:
        await db.close()


@pytest.mark.fault("F23")
async def test_nobody_notices_a_replacement(rolling: System) -> None:
    """Sign-ins, refreshes, reads and writes go on while the gateway and a service are replaced: no
    request fails, whether its connection is kept, seldom used or new. Every user that was acknowledged
    exists."""
    names = ["gateway", "identity"] if rolling.deployment.shape is Shape.SEPARATE else []
    async with rolling_load(rolling) as load:
        await replaced(rolling, load, *names)

    assert load.tally.failures == []
    kinds = {kind for kind, _ in load.tally.statuses}
    assert kinds == {"sign-in", "write", "read", "refresh"}
    assert await written(rolling) >= load.created > 0
    print(f"sent {load.tally.sent}: {dict(load.tally.statuses)}")  # noqa: T201


async def test_what_cannot_be_replaced_is_refused(rolling: System, tmp_path: Path) -> None:
    """The servers, unknown names, and a folder on which nothing runs: each gets one sentence."""
    code, output = await aero2(rolling, "restart", "postgres")
    assert (code, "postgres is no process of a service" in output) == (1, True)
    nothing = subprocess.run(
        [sys.executable, "-m", "aero2", "restart", "--data-dir", str(tmp_path)],
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert nothing.returncode == 1
    assert "No aero2 up runs on the data folder" in nothing.stderr.replace("\n", " ")
    assert (rolling.deployment.folder / "run/control.sock").stat().st_mode & 0o777 == 0o600


async def metrics(system: System) -> str:
    port = json.loads((system.deployment.folder / "ports.json").read_text())["metrics"]
    async with httpx.AsyncClient(timeout=30) as http:
        text: str = (await http.get(f"http://127.0.0.1:{port}/metrics")).text
        return text


async def begun(system: System, service: str) -> asyncio.subprocess.Process:
    """Starts `aero2 replica`, and returns it once the replica works."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "aero2", "replica", service),
        *("--data-dir", str(system.deployment.folder)),
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    assert process.stdout is not None
    lines = [await process.stdout.readline(), await process.stdout.readline()]
    assert b"Ctrl-C ends it" in lines[-1], lines
    return process


async def test_replicas_come_and_go(rolling: System) -> None:
    """`aero2 replica` runs a further gateway and a further service beside the others. Both have a log, and
    figures of their own, and take requests. Ctrl-C ends them, and no request fails."""
    separate = rolling.deployment.shape is Shape.SEPARATE
    names = ["gateway", "identity"] if separate else ["together"]
    async with rolling_load(rolling) as load:
        further = [await begun(rolling, name) for name in names]
        pids = {f"{name}-1": children(rolling)[f"{name}-1"] for name in names}
        wanted, ends = {f'{{service="{name}",replica="1"' for name in names}, time.monotonic() + 60
        while wanted - {each for each in wanted if each in await metrics(rolling)}:
            assert time.monotonic() < ends
        for name in names:
            served = "http" if name != "identity" else "served"
            await until(lambda name=name, served=served: served in log_of(rolling, f"{name}-1"))
            code, output = await aero2(rolling, "logs", name, "--lines", "100000")
            assert (code, f"{name}-1" in output) == (0, True)
        for process in further:
            process.send_signal(signal.SIGINT)
        outputs = [(await process.communicate())[0].decode() for process in further]
        sent = load.tally.sent
        await until(lambda: load.tally.sent > sent + 20)

    assert load.tally.failures == []
    assert [process.returncode for process in further] == [0] * len(names)
    assert all("-1: ended." in output for output in outputs), outputs
    assert not [pid for pid in pids.values() if psutil.pid_exists(pid)]


def log_of(system: System, process: str) -> str:
    return (system.deployment.folder / "logs" / f"{process}.log").read_text()


async def test_a_replica_ends_with_the_platform(tmp_path: Path) -> None:
    """When `aero2 up` stops, its replicas end, and their commands say why."""
    system = System(SeparateServices(tmp_path / "data", OPTIONS))
    try:
        replica = await begun(system, "rbac")
        pid = children(system)["rbac-1"]
    finally:
        await asyncio.to_thread(system.stop)
    output, _ = await replica.communicate()

    assert replica.returncode == 1
    assert b"aero2 up is stopping" in output
    assert not psutil.pid_exists(pid)


@pytest.mark.long
@pytest.mark.parametrize("kind", [SeparateServices, Together, Workers])
async def test_every_process_is_replaced_again_and_again(
    tmp_path: Path, kind: type[SeparateServices]
) -> None:
    """Three rounds over all processes, in each shape: no request fails. A process that became the fork
    server at first is replaced, too."""
    system = System(kind(tmp_path / "data", OPTIONS))
    try:
        async with rolling_load(system, parties=4) as load:
            for _ in range(3):
                await replaced(system, load)
        assert load.tally.failures == []
        print(f"sent {load.tally.sent}: {dict(load.tally.statuses)}")  # noqa: T201
    finally:
        system.stop()
