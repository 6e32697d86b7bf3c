"""The supervisor, with small programs in place of services."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import psutil
import pytest

from aero2.embedded.folder import Folder
from aero2.embedded.ports import listener
from aero2.embedded.process import Register
from aero2.failures import CommandError
from aero2.log_files import rotate
from aero2.program import Program, heartbeat_ready
from aero2.supervisor import Supervisor

BEATING = """
import pathlib, signal, sys, time
signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
while True:
    pathlib.Path(sys.argv[1]).write_text('ready')
    time.sleep(0.05)
"""
STUBBORN = """
import pathlib, signal, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
pathlib.Path(sys.argv[1]).write_text('ready')
time.sleep(60)
"""
ANSWERING = """
import os, pathlib, socket, sys
listening = socket.socket(fileno=int(os.environ["FD"]))
pathlib.Path(sys.argv[1]).write_text('ready')
while True:
    connection, _ = listening.accept()
    connection.sendall(str(os.getpid()).encode())
    connection.close()
"""
OWNER = """
import asyncio, sys
from pathlib import Path
from aero2.embedded.folder import Folder
from aero2.program import Program, heartbeat_ready
from aero2.supervisor import Supervisor

async def main():
    folder = Folder.at(Path(sys.argv[1]))
    beat = folder.run / "one.heartbeat"
    program = Program("one", [sys.executable, "-c", sys.argv[2], str(beat)], {}, ready=heartbeat_ready(beat))
    await Supervisor(folder, print).start(program)
    print("ready", flush=True)
    await asyncio.sleep(60)

asyncio.run(main())
"""


def program(folder: Folder, code: str, name: str = "one", **more: Any) -> Program:
    beat = folder.run / f"{name}.heartbeat"
    command = [sys.executable, "-c", code, str(beat)]
    return Program(
        name, command, dict(os.environ), ready=heartbeat_ready(beat), heartbeat=beat, **more
    )


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder.at(tmp_path / "data")


async def until(condition: object, within: float = 10.0) -> None:
    ends = time.monotonic() + within
    while not condition():  # type: ignore[operator]
        assert time.monotonic() < ends, "it did not happen in time"
        await asyncio.sleep(0.02)


async def test_what_dies_is_started_again(folder: Folder) -> None:
    """A killed process is started again with another pid, and the end of its log is reported."""
    told: list[str] = []
    supervisor = Supervisor(folder, lambda sentence, log: told.append(sentence))
    await supervisor.start(program(folder, BEATING))
    first = supervisor.pids()["one"]
    os.kill(first, signal.SIGKILL)

    await until(lambda: supervisor.pids().get("one", first) != first)
    await supervisor.stop()

    assert told == ["one ended (killed by SIGKILL); starting it again in 0.25 s."]


async def test_a_restart_refuses_no_connection(folder: Folder) -> None:
    """A port that the supervisor holds stays open, and the next process answers the waiting
    clients."""
    with listener("127.0.0.1", 0) as held:
        one = program(folder, ANSWERING, sockets=(held,))
        one.env["FD"] = str(held.fileno())
        supervisor = Supervisor(folder, lambda *_: None)
        await supervisor.start(one)
        first = supervisor.pids()["one"]
        os.kill(first, signal.SIGKILL)
        await until(lambda: not runs(first))

        reader, writer = await asyncio.open_connection(*held.getsockname())
        answer = await asyncio.wait_for(reader.read(), 20)
        writer.close()
        assert int(answer) == supervisor.pids()["one"] != first
        await supervisor.stop(within=1.0)


async def test_a_reload_is_no_death(folder: Folder) -> None:
    """After a reload the process runs with another pid at once, and nothing is reported."""
    reports: list[str] = []
    supervisor = Supervisor(folder, lambda sentence, log: reports.append(sentence))
    await supervisor.start(program(folder, BEATING))
    first = supervisor.pids()["one"]

    await supervisor.reload("one")
    await until(lambda: supervisor.pids().get("one", first) != first)
    await supervisor.stop()

    assert reports == []


async def test_a_reload_ends_the_pause_after_a_death(
    folder: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Repaired code runs at once, however often the process has died."""
    monkeypatch.setattr("aero2.supervisor.FIRST_PAUSE", 1000.0)
    monkeypatch.setattr("aero2.supervisor.LONGEST_PAUSE", 1000.0)
    reports: list[str] = []
    supervisor = Supervisor(folder, lambda sentence, log: reports.append(sentence))
    await supervisor.start(program(folder, BEATING))
    first = supervisor.pids()["one"]
    os.kill(first, signal.SIGKILL)
    await until(lambda: reports)

    await supervisor.reload("one")
    await until(lambda: supervisor.pids().get("one", first) != first)
    await supervisor.stop()


async def test_what_never_starts_is_refused_with_its_log(folder: Folder) -> None:
    """After three deaths before it was ready the start fails with the end of the log."""
    code = "import sys; print('AERO2_X: Field required'); sys.exit(1)"
    supervisor = Supervisor(folder, lambda *_: None)

    with pytest.raises(CommandError) as refused:
        await supervisor.start(program(folder, code))
    await supervisor.stop()

    assert "one does not start" in str(refused.value)
    assert "one | AERO2_X: Field required" in refused.value.detail


async def test_what_stands_still_is_refused(folder: Folder) -> None:
    """A process without progress is not waited for longer than the limit."""
    supervisor = Supervisor(folder, lambda *_: None)

    with pytest.raises(CommandError, match=r"one made no progress for 2 s \(--start-limit\)"):
        await supervisor.start(program(folder, "import time; time.sleep(60)"), within=2)
    await supervisor.stop(within=1.0)


async def test_processes_that_start_together_wait_for_each_other(
    folder: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A process without progress is kept while another one works, because it may need that one. The
    reports say what is waited for."""
    monkeypatch.setattr("aero2.start_wait.WAIT_REPORT", 0.5)
    slow = (
        "import pathlib, sys, time\n"
        "for _ in range(30):\n"
        "    print('working', flush=True)\n"
        "    time.sleep(0.1)\n"
        "pathlib.Path(sys.argv[1]).write_text('ready')\n"
        "time.sleep(60)"
    )
    ready = folder.run / "slow.heartbeat"
    waiting = (
        "import pathlib, sys, time\n"
        f"while not pathlib.Path({str(ready)!r}).exists(): time.sleep(0.5)\n"
        "pathlib.Path(sys.argv[1]).write_text('ready')\n"
        "time.sleep(60)"
    )
    reports: list[str] = []
    supervisor = Supervisor(folder, lambda sentence, log: reports.append(sentence))
    await supervisor.start(
        program(folder, slow, "slow"), program(folder, waiting, "waiting"), within=2
    )
    await supervisor.stop(within=1.0)

    assert reports[0].startswith("Waiting for slow, waiting (")


async def test_stop_ends_even_what_ignores_sigterm(folder: Folder) -> None:
    """All processes end within the time limit, the gateway first."""
    supervisor = Supervisor(folder, lambda *_: None)
    await supervisor.start(
        program(folder, STUBBORN, "back"), program(folder, BEATING, "front", stage=1)
    )
    pids = supervisor.pids()
    began = time.monotonic()
    await supervisor.stop(within=1.0)

    assert time.monotonic() - began < 30.0  # the program would stay for a minute
    assert not [pid for pid in pids.values() if psutil.pid_exists(pid)]


async def test_a_process_without_heartbeat_is_replaced(
    folder: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A process that hangs is killed and started again."""
    monkeypatch.setattr("aero2.supervisor.HUNG", 1.0)
    told: list[str] = []
    supervisor = Supervisor(folder, lambda sentence, log: told.append(sentence))
    await supervisor.start(program(folder, STUBBORN))

    await until(lambda: told)
    await supervisor.stop(within=1.0)

    assert told[0].startswith("one ended (no heartbeat)")


@pytest.mark.parametrize("watched", [True, False], ids=["kernel", "next-start"])
async def test_a_killed_supervisor_leaves_nothing(folder: Folder, watched: bool) -> None:
    """After kill -9 the children end too. If the kernel cannot do that, the next start ends them."""
    blind = "import aero2.embedded.process as p; p.dies_with_us = lambda how: []\n"
    code = OWNER if watched else blind + OWNER
    owner = subprocess.Popen(
        [sys.executable, "-c", code, str(folder.root), BEATING],
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert owner.stdout is not None
    assert owner.stdout.readline() == "ready\n"
    left = folder.read("run/children.json")["one"]["pid"]
    owner.kill()
    owner.wait()

    if watched:
        await until(lambda: not runs(left))
    else:
        await asyncio.sleep(0.3)
        assert runs(left)
    Register(folder).stop_orphans()

    assert not runs(left)


async def test_another_process_with_the_number_is_left_alone(folder: Folder) -> None:
    """A stored pid that now belongs to another process is not killed."""
    stranger = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(30)"])
    folder.inside("run")
    folder.write("run/children.json", {"one": {"pid": stranger.pid, "started": 1.0}})

    Register(folder).stop_orphans()

    assert stranger.poll() is None
    stranger.kill()
    stranger.wait()


def test_a_log_does_not_grow_for_ever(folder: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    """Above the limit the log is moved aside, and the process writes to an empty one."""
    monkeypatch.setattr("aero2.log_files.LOG_LIMIT", 1000)
    log = folder.logs / "one.log"
    with log.open("ab", buffering=0) as process:
        process.write(b"a" * 1001)
        rotate(log)
        process.write(b"b")

    assert log.read_bytes() == b"b"
    assert log.with_suffix(".log.1").read_bytes() == b"a" * 1001


def runs(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
