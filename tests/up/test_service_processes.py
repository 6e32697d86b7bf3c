"""Successors and further processes of services, with small programs in place of services."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from pathlib import Path

import psutil
import pytest
from tests.kit.nats_server import until

from aero2.control_client import command
from aero2.control_server import ControlServer
from aero2.control_socket import LONGEST, NAME
from aero2.embedded.folder import Folder
from aero2.failures import CommandError
from aero2.program import Program, heartbeat_ready
from aero2.service_processes import ServiceProcesses
from aero2.supervisor import Supervisor

SERVICE = """
import os, pathlib, signal, sys, time
file = pathlib.Path(os.environ["AERO2_HEARTBEAT"])
orders = pathlib.Path(sys.argv[1])
if orders.exists():
    sys.exit("AERO2_X: this is wrong")
print("replica", os.environ["AERO2_REPLICA"], flush=True)
def end(number, frame):
    print("asked by", signal.Signals(number).name, flush=True)
    sys.exit(0)
signal.signal(signal.SIGTERM, end)
signal.signal(signal.SIGINT, end)
while True:
    file.write_text("ready")
    time.sleep(0.05)
"""


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder.at(tmp_path / "data")


def service(folder: Folder, name: str = "identity") -> Program:
    beat = folder.run / f"{name}.heartbeat"
    return Program(
        name,
        [sys.executable, "-c", SERVICE, str(folder.root / "fail")],
        os.environ | {"AERO2_HEARTBEAT": str(beat), "AERO2_REPLICA": "0"},
        ready=heartbeat_ready(beat),
        heartbeat=beat,
        stop_with=signal.SIGINT,
        services=(name,),
    )


async def test_a_successor_is_ready_before_the_process_is_asked_to_end(folder: Folder) -> None:
    """Each process of three generations is asked by SIGTERM, and nobody reports a death. With the platform
    the last one ends by SIGINT."""
    said: list[str] = []
    supervisor = Supervisor(folder, lambda sentence, _: said.append(sentence))
    await supervisor.start(service(folder))
    processes, pids = ServiceProcesses(supervisor), [supervisor.pids()["identity"]]
    for _ in range(2):
        await processes.replace("identity", 30)
        pids.append(supervisor.pids()["identity"])
        assert [psutil.pid_exists(pid) for pid in pids] == [False] * (len(pids) - 1) + [True]
    await supervisor.stop()

    log = supervisor.log("identity").read_text().split("\n")
    assert len(set(pids)) == 3
    assert said == []
    assert log == [
        *("replica 0", "replica 0", "asked by SIGTERM"),
        *("replica 0", "asked by SIGTERM", "asked by SIGINT", ""),
    ]


async def test_a_successor_that_does_not_start_takes_no_place(folder: Folder) -> None:
    """The process stays, and is kept running as before. The reason is the end of the log."""
    supervisor = Supervisor(folder, lambda *_: None)
    await supervisor.start(service(folder))
    first = supervisor.pids()["identity"]
    (folder.root / "fail").touch()

    with pytest.raises(CommandError) as refused:
        await ServiceProcesses(supervisor).replace("identity", 30)

    assert "identity does not start" in str(refused.value)
    assert "AERO2_X: this is wrong" in refused.value.detail
    assert supervisor.pids()["identity"] == first
    assert supervisor.passing == []
    (folder.root / "fail").unlink()
    os.kill(first, signal.SIGKILL)
    await until(lambda: supervisor.pids().get("identity", first) != first)
    await supervisor.stop()


def children() -> set[int]:
    """Returns the processes that this one has started, such as the servers of other tests."""
    return {child.pid for child in psutil.Process().children()}


async def test_a_stop_ends_a_successor_that_starts(folder: Folder) -> None:
    """A platform that stops during a replacement leaves neither process."""
    others = children()
    supervisor = Supervisor(folder, lambda *_: None)
    await supervisor.start(service(folder))
    first = children() - others
    replacing = asyncio.create_task(ServiceProcesses(supervisor).replace("identity", 30))
    await until(lambda: children() - others - first)
    both = children() - others
    await supervisor.stop()
    replacing.cancel()
    await asyncio.wait({replacing})

    assert len(both) >= 2
    assert not [pid for pid in both if psutil.pid_exists(pid)]


async def test_commands_over_the_socket(tmp_path: Path) -> None:
    """Progress is shown as it happens, also in a folder whose path is too long for a socket. Only the
    folder's account may use the socket."""
    folder = Folder.at(tmp_path / ("long" * 30))
    assert len(str(folder.run / NAME)) > LONGEST
    supervisor = Supervisor(folder, lambda *_: None)
    await supervisor.start(service(folder), service(folder, "rbac"))
    serving = asyncio.create_task(ControlServer(supervisor, folder, 30).run())
    await until((folder.run / NAME).exists)
    shown: list[str] = []

    def restart(*names: str) -> None:
        command(folder.root, shown.append, command="restart", names=list(names))

    before = supervisor.pids()
    await asyncio.to_thread(_in_thread, restart)
    after = supervisor.pids()

    assert not {*before.values()} & {*after.values()}
    assert shown[:2] == [
        "identity: starting its successor …",
        f"identity: process {after['identity']} has taken the place of {before['identity']}.",
    ]
    assert len(shown) == 4
    assert (folder.run / NAME).stat().st_mode & 0o777 == 0o600
    with pytest.raises(CommandError, match="nats is no process of a service"):
        await asyncio.to_thread(_in_thread, restart, "nats")
    serving.cancel()
    await asyncio.wait({serving})
    assert not (folder.run / NAME).exists()
    with pytest.raises(CommandError, match="No aero2 up runs"):
        await asyncio.to_thread(_in_thread, restart)
    await supervisor.stop()


def _in_thread(act: object, *names: str) -> None:
    act(*names)  # type: ignore[operator]
