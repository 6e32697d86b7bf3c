"""PostgreSQL on a data folder whose platform does not run, for as long as a command needs it."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from aero2.embedded.folder import Folder
from aero2.embedded.ports import bound
from aero2.embedded.postgres import Postgres
from aero2.embedded.process import Register, spawn
from aero2.failures import CommandError

START: Final = 600.0
"""Seconds until it answers: recovery may have much to read."""
STOP: Final = 300.0


@asynccontextmanager
async def temporary_server(
    folder: Folder, superuser: str, settings: tuple[str, ...] = ()
) -> AsyncIterator[Postgres]:
    """Yields the running server of a folder that this process holds. Makes its data if there are none.
    `settings` are more of its options. Raises CommandError if it does not start."""
    await asyncio.to_thread(Register(folder).stop_orphans)
    with bound("127.0.0.1", 0) as reserved:  # a free port; the server may still open it
        postgres = Postgres(folder, reserved.getsockname()[1], superuser)
        await asyncio.to_thread(postgres.prepare)
        process = await spawn(
            [*postgres.command(), *(word for each in settings for word in ("-c", each))],
            under=postgres.under_account(),
            env=dict(os.environ),
            log=folder.logs / "postgres.log",
            cwd=folder.root,
            stop_with=signal.SIGINT,
        )
        Register(folder).note("postgres", process.pid)
        try:
            await _until_ready(postgres, process)
            yield postgres
        finally:
            await _stop(process)
            Register(folder).clear()


async def _until_ready(postgres: Postgres, process: asyncio.subprocess.Process) -> None:
    deadline = time.monotonic() + START
    while not await postgres.ready():
        if process.returncode is not None or time.monotonic() > deadline:
            log = (postgres.folder.logs / "postgres.log").read_text(errors="replace")
            raise CommandError("PostgreSQL did not start.", detail=log[-2000:])
        await asyncio.sleep(0.1)


async def _stop(process: asyncio.subprocess.Process) -> None:
    """Ends it by a fast shutdown, which writes everything."""
    with contextlib.suppress(ProcessLookupError):
        process.send_signal(signal.SIGINT)
    try:
        await asyncio.wait_for(process.wait(), STOP)
    except TimeoutError:
        process.kill()
        await process.wait()
