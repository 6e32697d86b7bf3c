"""What a process says of itself, and the check of its servers, which survives every error."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import asyncpg
import pytest

from common import health, heartbeat
from common.db import Database
from common.health import READY, STARTING, STOPPING
from common.heartbeat import Heartbeat
from common.process_life import STOPS, ServiceLife, is_healthy, run_until_stopped


class Dying:
    """A pool that lends no connection."""

    def __init__(self, error: Exception) -> None:
        self.error = error

    async def acquire(self, within: float) -> Any:
        raise self.error


@pytest.mark.parametrize(
    "error",
    [
        asyncpg.InternalClientError("got result for unknown protocol state 3"),
        asyncpg.InterfaceError("connection is closed"),
        asyncpg.CannotConnectNowError("the database system is starting up"),
        ConnectionRefusedError(),
    ],
)
async def test_a_dying_database_is_not_well_and_ends_nothing(error: Exception) -> None:
    """The check returns False. An exception would end the process, although it could recover."""
    links: Any = SimpleNamespace(nc=SimpleNamespace(is_connected=True), refused_subjects=set())
    pool: Any = Dying(error)

    assert not await is_healthy(links, Database(pool))


def exit_codes(file: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[int, int]:
    """Returns the exit codes of both probes: whether it is alive, and whether it is ready."""
    monkeypatch.setenv("AERO2_HEARTBEAT", str(file))
    return health.main(["live"]), health.main([])


@pytest.mark.parametrize(
    ("state", "codes"), [(STARTING, (0, 1)), (READY, (0, 0)), (STOPPING, (0, 1))]
)
async def test_a_process_is_alive_before_and_after_it_is_ready(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, state: str, codes: tuple[int, int]
) -> None:
    """A process that waits for its database, or finishes its work, must not be killed."""
    file = tmp_path / "heartbeat"
    assert exit_codes(file, monkeypatch) == (1, 1)

    Heartbeat(file).enter(state)
    assert exit_codes(file, monkeypatch) == codes

    old = time.time() - health.FRESH - 1
    os.utime(file, (old, old))
    assert exit_codes(file, monkeypatch) == (1, 1)


async def test_a_heartbeat_that_cannot_be_written_ends_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A folder that is gone, or a full disk, leaves the process running."""
    monkeypatch.setattr(heartbeat, "INTERVAL", 0.01)
    beating = asyncio.create_task(Heartbeat(tmp_path / "gone" / "heartbeat").keep())
    await asyncio.sleep(0.05)

    assert not beating.done()
    beating.cancel()


async def test_the_file_follows_the_life_of_a_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It says `starting` until all services have started, `stopping` while they drain, and is touched all
    the time. SIGINT asks them to hurry."""
    monkeypatch.setattr(heartbeat, "INTERVAL", 0.01)
    monkeypatch.setattr("common.process_life._freeze_memory", lambda: None)
    file, seen = tmp_path / "heartbeat", list[str]()

    async def look() -> None:
        await asyncio.sleep(0.02)
        before = file.stat().st_mtime_ns
        await asyncio.sleep(0.05)
        seen.append(file.read_text() if file.stat().st_mtime_ns > before else "silent")

    async def drain(hurry: bool) -> None:
        await look()
        seen.append(f"hurry: {hurry}")

    async def work() -> None:
        await look()
        os.kill(os.getpid(), signal.SIGINT)
        await asyncio.Event().wait()

    async def start() -> list[ServiceLife]:
        await look()
        nc = SimpleNamespace(is_connected=False, close=lambda: asyncio.sleep(0))
        tasks = [asyncio.create_task(work())]
        links: Any = SimpleNamespace(name="probe", tasks=tasks, databases=[], nc=nc)
        return [ServiceLife(links, drain)]

    try:
        await run_until_stopped(start(), str(file))
    finally:
        for number in STOPS:
            asyncio.get_running_loop().remove_signal_handler(number)

    assert seen == [STARTING, READY, STOPPING, "hurry: True"]
