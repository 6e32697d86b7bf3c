"""Processes are replaced while people sign in, and none of them notices."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

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
    async with rolling.backend() as api:
        answer = await api.get("/api/users", params={"limit": 1})
        assert answer.status_code == 200
    port = (rolling.deployment.folder / "ports.json").read_text()
    assert port
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
