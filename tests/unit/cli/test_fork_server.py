"""The fork server, which services are forked from."""

from __future__ import annotations

import asyncio
import gc
import os
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import psutil
import pytest
from tests.kit.nats_server import PATIENCE

from aero2.embedded.folder import Folder
from aero2.fork_server import ForkedProcess, ForkServer, ForkServerEnded
from aero2.nats_access import SERVICES
from aero2.program import Process, Program
from aero2.supervisor import Supervisor

pytestmark = pytest.mark.skipif(not ForkServer.is_supported(), reason="needs Linux")

SECRET = "k1:c2VjcmV0IG9mIHRoaXMgdGVzdCBhbmQgb2Ygbm8gb3Ro"
WAITING = {
    "AERO2_NATS_URL": "nats://127.0.0.1:1",
    "AERO2_NATS_USER": "rbac",
    "AERO2_NATS_PASSWORD": "of nats",
    "AERO2_MASTER_KEY": SECRET,
    "AERO2_PUBLIC_URL": "http://localhost:8080",
    "AERO2_DATABASE_URL": "postgresql://nobody@127.0.0.1:1/none",
    "AERO2_RELAY_DATABASE_URL": "postgresql://nobody@127.0.0.1:1/none",
}
"""The environment of a service that waits for NATS."""


def rbac(env: dict[str, str], *sockets: socket.socket) -> Program:
    return Program("rbac", ["false"], env, sockets=sockets, services=("rbac",))


async def until_logged(log: Path, text: str) -> None:
    async with asyncio.timeout(PATIENCE):
        while not log.exists() or text not in log.read_text():
            await asyncio.sleep(0.02)


def runs(pid: int) -> bool:
    return psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE


async def end_of(process: Process) -> int:
    async with asyncio.timeout(PATIENCE):
        return await process.wait()


@pytest.fixture
async def server() -> AsyncIterator[ForkServer]:
    """A fork server of one service."""
    forks = ForkServer(("rbac",))
    await forks.open()
    yield forks
    await forks.close()


async def test_a_service_that_cannot_start_says_so_in_its_log(
    server: ForkServer, tmp_path: Path
) -> None:
    """A forked service ends as one that was started by a command: with its code, after its sentence."""
    log = tmp_path / "rbac.log"
    process = await server.start(rbac({}), log, tmp_path)

    assert await end_of(process) == 1
    assert "rbac: AERO2_MASTER_KEY: is not set" in log.read_text()


async def test_a_service_gets_its_own_things_and_no_others(
    server: ForkServer, tmp_path: Path
) -> None:
    """A service has its log, its sockets under the same numbers, and its folder; a session of its own; and
    nothing else of the server. Its process has its name."""
    log = tmp_path / "rbac.log"
    address = ("127.0.0.1", 0)
    # The first one takes the number that the channel has in the server, so that nothing hides it.
    with socket.create_server(address), socket.create_server(address) as listening:
        number, inode = listening.fileno(), os.readlink(f"/proc/self/fd/{listening.fileno()}")
        process = await server.start(rbac(WAITING, listening), log, tmp_path)
        await until_logged(log, "nats.error")
        links = Path(f"/proc/{process.pid}/fd").iterdir()
        files = {int(file.name): os.readlink(file) for file in links}
        parent = psutil.Process(process.pid).parent()
        assert parent is not None
        theirs = {os.readlink(file) for file in Path(f"/proc/{parent.pid}/fd").iterdir()}

    assert [each for each, target in files.items() if target == inode] == [number]
    assert [files[0], files[1], files[2]] == [os.devnull, str(log), str(log)]
    # A loop's epoll and eventfd have no identity of their own: only names like `socket:[123]` are compared.
    assert not {
        target for target in theirs & set(files.values()) if "[" in target and ":[" in target
    }
    assert os.getsid(process.pid) == process.pid
    assert os.readlink(f"/proc/{process.pid}/cwd") == str(tmp_path)
    assert psutil.Process(process.pid).name() == "rbac"
    process.send_signal(signal.SIGTERM)
    assert await end_of(process) == 0


async def test_the_server_has_no_secret_socket_or_thread(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The process that has imported all services knows nothing of the platform that they make up, also
    after it has started one."""
    monkeypatch.setenv("AERO2_MASTER_KEY", SECRET)
    forks = ForkServer(SERVICES)
    await forks.open()
    try:
        log = tmp_path / "rbac.log"
        with socket.create_server(("127.0.0.1", 0)) as listening:
            process = await forks.start(rbac(WAITING, listening), log, tmp_path)
            await until_logged(log, "nats.error")
            parent = psutil.Process(process.pid).parent()
            assert parent is not None
            files = [os.readlink(file) for file in Path(f"/proc/{parent.pid}/fd").iterdir()]

        assert SECRET.encode() not in Path(f"/proc/{parent.pid}/environ").read_bytes()
        assert parent.num_threads() == 1
        assert sum(target.startswith("socket:") for target in files) == 1  # the channel
        assert str(log) not in files
    finally:
        await forks.close()


async def test_the_end_of_a_service_is_reported(server: ForkServer, tmp_path: Path) -> None:
    log = tmp_path / "rbac.log"
    first, second = [await server.start(rbac(WAITING), log, tmp_path) for _ in range(2)]
    first.send_signal(signal.SIGKILL)

    assert await end_of(first) == -signal.SIGKILL
    assert second.returncode is None
    second.send_signal(signal.SIGKILL)
    assert await end_of(second) == -signal.SIGKILL


async def test_services_end_with_the_server(server: ForkServer, tmp_path: Path) -> None:
    """If the server is killed, its services end too, and the supervisor hears of it."""
    log = tmp_path / "rbac.log"
    process = await server.start(rbac(WAITING), log, tmp_path)
    assert isinstance(process, ForkedProcess)
    await until_logged(log, "nats.error")
    parent = psutil.Process(process.pid).parent()
    assert parent is not None
    parent.kill()

    assert await end_of(process) != 0
    assert not runs(process.pid)
    assert not server.is_open
    with pytest.raises(ForkServerEnded):
        await server.start(rbac(WAITING), log, tmp_path)


async def test_a_single_service_takes_the_place_of_the_server(tmp_path: Path) -> None:
    """There is one process then, and its end is that of the server. Nothing is left that nobody awaits."""
    complaints: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, what: complaints.append(what))
    forks = ForkServer(("rbac",), single=True)
    await forks.open()
    log = tmp_path / "rbac.log"
    before = {child.pid for child in psutil.Process().children()}
    process = await forks.start(rbac(WAITING), log, tmp_path)
    await until_logged(log, "nats.error")

    assert process.pid in before
    assert not psutil.Process(process.pid).children()
    assert not forks.is_open
    process.send_signal(signal.SIGTERM)
    assert await end_of(process) == 0
    await forks.close()
    async with asyncio.timeout(PATIENCE):
        while any(task.get_name() == "fork server" for task in asyncio.all_tasks()):
            await asyncio.sleep(0.02)
    del forks
    gc.collect()
    assert complaints == []


async def test_without_the_server_the_supervisor_runs_the_command(tmp_path: Path) -> None:
    """A service that dies after the fork server has ended is started like any other program."""
    forks = ForkServer(("rbac",))
    await forks.open()
    await forks.close()
    supervisor = Supervisor(Folder.at(tmp_path), lambda *_: None, forks)
    sleeping = [sys.executable, "-c", "import time; time.sleep(60)"]
    try:
        await supervisor.start(Program("rbac", sleeping, {}, services=("rbac",)))
        assert psutil.Process(supervisor.pids()["rbac"]).cmdline() == sleeping
    finally:
        await supervisor.stop()


PRELOADED = """
import gc, sys, threading
from aero2.fork_server_main import preload
from aero2.nats_access import SERVICES
preload(SERVICES)
assert all(f"{service}.handlers" in sys.modules for service in SERVICES if service != "gateway")
from gateway.build import api_paths
assert api_paths.cache_info().currsize == 1, "FastAPI has yet to analyse the functions of the API"
assert gc.get_freeze_count() > 100_000 and not gc.isenabled()
assert threading.active_count() == 1
print(*sorted(sys.modules))
"""
OF_COMMANDS = {"rich", "typer", "httpx", "pygments", "markdown_it"}
"""What only commands need. In services it cost time at each start, and memory for good."""


def test_the_work_of_a_start_is_done_before_the_fork() -> None:
    """A forked service imports nothing and analyses no route. Nothing is imported that no service needs."""
    command = [sys.executable, "-c", PRELOADED]
    ran = subprocess.run(command, capture_output=True, text=True)

    assert ran.returncode == 0, ran.stderr
    assert not OF_COMMANDS & {name.split(".")[0] for name in ran.stdout.split()}
