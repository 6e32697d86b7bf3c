"""The supervisor has one process of a program, whatever the disk says."""

from __future__ import annotations

import asyncio
import errno
import sys
from pathlib import Path

import psutil
import pytest
from tests.kit.nats_server import PATIENCE

from aero2.embedded.folder import Folder
from aero2.embedded.process import Register
from aero2.program import Program
from aero2.supervisor import FIRST_PAUSE, Supervisor


async def test_a_full_disk_leaks_no_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A register that cannot be written is no death of the process that runs."""

    def full(self: Register, name: str, pid: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Register, "note", full)
    said: list[str] = []
    supervisor = Supervisor(Folder(tmp_path), lambda sentence, _: said.append(sentence))
    supervisor.log("sleeper").parent.mkdir(parents=True, exist_ok=True)
    sleeper = [sys.executable, "-c", "import time; time.sleep(60)"]
    before = {child.pid for child in psutil.Process().children()}
    try:
        await supervisor.start(Program("sleeper", sleeper, env={}))
        await asyncio.sleep(2 * FIRST_PAUSE)
        children = {child.pid for child in psutil.Process().children()} - before
        assert children == set(supervisor.pids().values())
        assert said == ["sleeper is not in the register ([Errno 28] No space left on device)."]
    finally:
        await supervisor.stop()


async def test_a_restart_ends_one_process_and_its_keeper_starts_another(tmp_path: Path) -> None:
    supervisor = Supervisor(Folder(tmp_path), lambda sentence, _: None)
    supervisor.log("sleeper").parent.mkdir(parents=True, exist_ok=True)
    sleeper = [sys.executable, "-c", "import time; time.sleep(60)"]
    try:
        await supervisor.start(Program("sleeper", sleeper, env={}), Program("other", sleeper, {}))
        before = supervisor.pids()
        await supervisor.restart("sleeper")
        async with asyncio.timeout(PATIENCE):
            while supervisor.pids().get("sleeper") in (None, before["sleeper"]):
                await asyncio.sleep(0.05)
        assert supervisor.pids()["other"] == before["other"]
    finally:
        await supervisor.stop()
