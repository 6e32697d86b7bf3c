"""The life of a process: waiting for its servers, its heartbeat, its end."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import signal
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeVar

import asyncpg
import nats.errors

from common import logs
from common.connections import Connections
from common.db import Database
from common.db_errors import FAILURES
from common.periodic import stop

log = logs.get(__name__)

HEARTBEAT: Final = 2.0
"""Seconds between touches of the heartbeat file."""
STOPS: Final = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2)
"""Signals that would end a process by default: each drains it first."""
GENERATIONS: Final = (25_000, 20, 50)
"""For the garbage collector: objects made between two looks at the youngest generation, and its rounds
between two looks at each older one."""

T = TypeVar("T")


@dataclass
class ServiceLife:
    """A process at work. `drain` takes no more work and finishes what has begun."""

    links: Connections
    drain: Callable[[], Awaitable[None]]
    deps: Any = None


async def run_until_stopped(start: Coroutine[Any, Any, ServiceLife]) -> None:
    """Runs a process until one of STOPS, or until one of its tasks dies. A second signal changes
    nothing, since draining has time limits of its own. Exits with 1 if a task died."""
    stopping = asyncio.create_task(_stop_signal(asyncio.get_running_loop()))
    starting = asyncio.create_task(start)
    await asyncio.wait({starting, stopping}, return_when=asyncio.FIRST_COMPLETED)
    if not starting.done():
        starting.cancel()
        return
    service = starting.result()
    _freeze_memory()
    dead = await _wait_for_end(stopping, service.links)
    await service.drain()
    await _close(service.links)
    if dead is not None:
        log.error("task died", task=dead.get_name(), error=repr(dead.exception()))
        raise SystemExit(1)


async def _stop_signal(loop: asyncio.AbstractEventLoop) -> None:
    """Returns at the first signal to stop."""
    stop = asyncio.Event()
    for number in STOPS:
        loop.add_signal_handler(number, stop.set)
    await stop.wait()


def _freeze_memory() -> None:
    """Hides what start-up made (modules, models, routes) from the garbage collector. It lives as long
    as the process, and walking it again and again cost a quarter of the gateway's CPU time."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(*GENERATIONS)


async def _wait_for_end(
    stopping: asyncio.Task[Any], links: Connections
) -> asyncio.Task[None] | None:
    """Waits for a signal to stop, or for the death of a task that should live for ever. Returns the
    dead task."""
    done, _ = await asyncio.wait({stopping, *links.tasks}, return_when=asyncio.FIRST_COMPLETED)
    return next(iter(done - {stopping}), None)


async def _close(links: Connections) -> None:
    """Closes everything, in the order that loses nothing."""
    await stop(links.tasks)
    await asyncio.gather(*(database.close() for database in links.databases))
    with contextlib.suppress(nats.errors.Error, TimeoutError, OSError):
        async with asyncio.timeout(2):
            if links.nc.is_connected:
                await links.nc.flush(timeout=1)
            await links.nc.close()


async def retry_until_done(attempt: Callable[[], Awaitable[T]], what: str) -> T:
    """Returns the result of the first attempt that succeeds. A server that we need may start after
    us, so this goes on for as long as it takes, and logs it."""
    pause = 0.2
    while True:
        try:
            return await attempt()
        except (OSError, nats.errors.Error, asyncpg.CannotConnectNowError, TimeoutError) as error:
            log.warning("waiting", for_=what, error=f"{type(error).__name__}: {error}"[:200])
        await asyncio.sleep(pause)
        pause = min(pause * 1.5, 3.0)


async def keep_heartbeat(file: Path, links: Connections, deps: Any) -> None:
    """Touches the file while NATS is connected and Postgres answers."""
    database = getattr(deps, "db", None)
    while True:
        if await is_healthy(links, database):
            file.touch()  # noqa: ASYNC240 - one system call on a local file
        await asyncio.sleep(HEARTBEAT)


async def is_healthy(links: Connections, database: Database | None) -> bool:
    """Returns whether NATS is connected and Postgres takes writes."""
    if not links.nc.is_connected:
        return False
    if database is None:
        return True
    try:
        async with asyncio.timeout(2), database.pool.acquire() as db:
            # A standby answers, but nobody can sign in there.
            return bool(await db.fetchval("SHOW transaction_read_only") == "off")
    except FAILURES:
        return False
