"""`aero2 serve --workers`: several processes with the same services, which share the gateway's port."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from aero2.embedded.process import dies_with_us
from aero2.program import describe_exit
from common import crash_lines, logs
from common.health import READY, has_started, is_ready
from common.heartbeat import INTERVAL, Heartbeat
from common.process_life import stop_signal

log = logs.get(__name__)

PAUSE: Final = 1.0
"""Seconds until a worker that ended is started again."""
SOCKETS: Final = ("AERO2_LISTEN_FD", "AERO2_METRICS_LISTEN_FD")


def run_workers(names: Sequence[str], number: int) -> None:
    """Runs workers until a signal to stop, and starts again one that ends. Exits with 1 if a worker
    ends before it was ready for the first time, or does not end with 0."""
    logs.configure("workers", os.environ.get("AERO2_LOG_LEVEL", "info"))
    crash_lines.install()
    with tempfile.TemporaryDirectory(prefix="aero2-workers-") as folder:
        code = asyncio.run(Workers(list(names), number, Path(folder)).run())
    raise SystemExit(code)


@dataclass
class Workers:
    """The workers of one `aero2 serve`. The folder has their heartbeats and the sockets of their
    metrics."""

    names: list[str]
    number: int
    folder: Path
    _processes: dict[int, asyncio.subprocess.Process] = field(default_factory=dict)
    _stopping: bool = False

    async def run(self) -> int:
        """Runs all workers to their end. Returns the exit code."""
        stop = asyncio.create_task(stop_signal(asyncio.get_running_loop()))
        keepers = {asyncio.create_task(self._keep(number)) for number in range(self.number)}
        beating = asyncio.create_task(self._beat())
        await asyncio.wait({stop, *keepers}, return_when=asyncio.FIRST_COMPLETED)
        failed = not stop.done()
        self._stopping = True
        for process in self._processes.values():
            if process.returncode is None:
                process.send_signal(signal.SIGTERM if failed else stop.result())
        await asyncio.wait(keepers)
        beating.cancel()
        return int(failed or any(process.returncode for process in self._processes.values()))

    async def _keep(self, number: int) -> None:
        """Runs a worker again and again. Returns if it ends before it was ready once, or when all have
        to stop."""
        was_ready = False
        while not self._stopping:
            process = self._processes[number] = await self._spawn(number)
            code = await process.wait()
            was_ready = was_ready or has_started(self._heartbeat(number))
            if self._stopping or not was_ready:
                return
            log.error("worker ended", replica=_replica(number), end=describe_exit(code))
            await asyncio.sleep(PAUSE)

    async def _spawn(self, number: int) -> asyncio.subprocess.Process:
        env = os.environ | {
            "AERO2_REPLICA": _replica(number),
            "AERO2_REUSE_PORT": "true",
            "AERO2_METRICS_FOLDER": str(self.folder),
            "AERO2_HEARTBEAT": str(self._heartbeat(number)),
        }
        return await asyncio.create_subprocess_exec(
            *dies_with_us(signal.SIGTERM),
            *(sys.executable, "-m", "aero2", "serve", *self.names),
            env=env,
            pass_fds=[int(os.environ[name]) for name in SOCKETS if name in os.environ],
        )

    def _heartbeat(self, number: int) -> Path:
        return self.folder / f"{number}.heartbeat"

    async def _beat(self) -> None:
        """Says that we are ready while all workers are."""
        file = os.environ.get("AERO2_HEARTBEAT")
        heartbeat = Heartbeat(Path(file) if file else None)
        while file:
            if all(is_ready(self._heartbeat(number)) for number in range(self.number)):
                heartbeat.enter(READY)
            await asyncio.sleep(INTERVAL)


def _replica(number: int) -> str:
    """Returns the name of a worker: its number, after our own name if we have one."""
    ours = os.environ.get("AERO2_REPLICA")
    return f"{ours}-{number}" if ours else str(number)
