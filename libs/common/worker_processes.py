"""Work that tenant data drives, in processes that can be killed.

A thread cannot be ended, and a regular expression, a template or a hash that an application stored
may cost more than expected. Such work runs in a few processes that start on first use, have a time
limit for each job, and end after a minute without work. They know no secret, no database and no
network address: only the data of the job.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import struct
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any, Final

import orjson

from common import logs
from common.hash_pool import FairShare
from common.problems import Busy

log = logs.get(__name__)

IDLE: Final = 60.0
"""Seconds until a process without work ends."""
START: Final = 30.0
"""Seconds that a process has to start; imports are slow on a busy machine."""
SECONDS: Final = 5.0
"""Seconds of one job."""
PASSED_ON: Final = ("PATH", "PYTHONPATH", "PYTHONHOME", "LANG", "LC_ALL", "SYSTEMROOT", "TMPDIR")
HEADER: Final = struct.Struct(">I")


class TookTooLong(Busy):
    """The job was ended at its time limit."""

    title = "That took too long."


class WorkerFailed(RuntimeError):
    """The job raised, or its process died."""


@dataclass(eq=False)
class _Worker:
    process: asyncio.subprocess.Process
    idle: asyncio.TimerHandle | None = None

    async def call(self, message: bytes) -> Any:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(HEADER.pack(len(message)) + message)
        await self.process.stdin.drain()
        (size,) = HEADER.unpack(await self.process.stdout.readexactly(HEADER.size))
        return orjson.loads(await self.process.stdout.readexactly(size))

    def kill(self) -> None:
        if self.idle is not None:
            self.idle.cancel()
        with contextlib.suppress(ProcessLookupError):
            self.process.kill()


@dataclass
class WorkerProcesses:
    """Processes that run the jobs of `module`: a dictionary JOBS of functions whose arguments and
    results are JSON."""

    module: str
    workers: int = field(default_factory=lambda: max(2, min(os.cpu_count() or 1, 4)))
    seconds: float = SECONDS
    idle: float = IDLE
    per_app: int = 16
    total: int = 256

    def __post_init__(self) -> None:
        self._share = FairShare(self.workers, self.per_app, self.total)
        self._free: list[_Worker] = []
        self._all: set[_Worker] = set()

    async def run(self, app_id: str, job: str, *arguments: Any) -> Any:
        """Runs a job of the module at the application's turn. Raises Busy if too many wait,
        TookTooLong if the job was ended, and WorkerFailed if it raised."""
        message = orjson.dumps([job, arguments, self.seconds])
        return await self._share.run(
            app_id, lambda: asyncio.ensure_future(self._run(app_id, job, message))
        )

    async def _run(self, app_id: str, job: str, message: bytes) -> Any:
        async with self._worker() as worker:
            try:
                async with asyncio.timeout(self.seconds):
                    answer = await worker.call(message)
            except TimeoutError:
                log.warning("job ended", app_id=app_id, job=job, seconds=self.seconds)
                raise TookTooLong(retry_after=1) from None
            except (asyncio.IncompleteReadError, OSError) as error:
                raise WorkerFailed(f"{job}: the process died") from error
        if "error" in answer:
            raise WorkerFailed(f"{job}: {answer['error']}")
        return answer["result"]

    @contextlib.asynccontextmanager
    async def _worker(self) -> AsyncIterator[_Worker]:
        """A process for one job; it is kept only if the job came to its end."""
        worker = self._free.pop() if self._free else await self._start()
        if worker.idle is not None:
            worker.idle.cancel()
        try:
            yield worker
        except BaseException:
            self._end(worker)
            raise
        worker.idle = asyncio.get_running_loop().call_later(self.idle, self._end, worker)
        self._free.append(worker)

    async def _start(self) -> _Worker:
        env = {name: os.environ[name] for name in PASSED_ON if name in os.environ}
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "common.worker_main", self.module, env=env,
            stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
        )  # fmt: skip
        worker = _Worker(process)
        self._all.add(worker)
        try:
            async with asyncio.timeout(START):
                await worker.call(orjson.dumps(["ready", [], START]))
        except TimeoutError:
            self._end(worker)
            raise Busy("a worker process does not start", retry_after=5) from None
        except BaseException:
            self._end(worker)
            raise
        return worker

    def _end(self, worker: _Worker) -> None:
        if worker in self._free:
            self._free.remove(worker)
        self._all.discard(worker)
        worker.kill()

    @property
    def running(self) -> int:
        """How many processes there are."""
        return len(self._all)

    def close(self) -> None:
        """Kills all processes."""
        for worker in list(self._all):
            self._end(worker)
