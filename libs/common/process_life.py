"""The life of a process: waiting for its servers, its heartbeat, its end."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import signal
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from contextvars import Context, copy_context
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, TypeVar

import asyncpg
import nats.errors

from common import logs, metrics, tracing
from common.clock_guard import check_clock
from common.connections import Connections
from common.db import Database
from common.free_memory import release_free_memory, use_one_arena
from common.health import READY, STOPPING
from common.heartbeat import Heartbeat
from common.nats_client import NatsClient
from common.periodic import stop

log = logs.get(__name__)

CHECK_EVERY: Final = 2.0
"""Seconds between looks at the servers that a process needs."""
STOPS: Final = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2)
"""Signals that would end a process by default: each drains it first."""
HURRIED: Final = signal.SIGINT
"""With this signal, the whole platform stops, and nobody takes the place of the process. So it does not
wait for clients that may send something soon. Ctrl-C is the same."""
GENERATIONS: Final = (25_000, 20, 50)
"""For the garbage collector: objects made between two looks at the youngest generation, and its rounds
between two looks at each older one."""

NOT_YET: Final = (
    OSError,
    asyncpg.CannotConnectNowError,
    asyncpg.TargetServerAttributeNotMatched,
)
"""Errors of a database that is about to start, or to be promoted."""

T = TypeVar("T")


@dataclass
class ServiceLife:
    """A service at work. `drain` takes no more work and finishes what has begun; its argument is whether
    to hurry. `front` says that it takes requests from outside the bus: it drains before the services that
    it calls."""

    links: Connections
    drain: Callable[[bool], Coroutine[Any, Any, None]]
    deps: Any = None
    front: bool = False
    context: Context = field(default_factory=copy_context)
    """Where its work runs: lines of its end carry its name, like all others."""

    def work(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Starts work of this service."""
        return asyncio.create_task(work, context=self.context.copy())


Lives = Sequence[ServiceLife]
"""The services of one process."""


async def run_until_stopped(
    start: Coroutine[Any, Any, Lives], heartbeat: str | None = None
) -> None:
    """Runs a process until one of STOPS, or until one of its tasks dies. A second signal changes
    nothing, since draining has time limits of its own. `heartbeat` names the file that says what the
    process does. Exits with 1 if a task died."""
    use_one_arena()
    beat = Heartbeat(Path(heartbeat) if heartbeat else None)
    beating = asyncio.create_task(beat.keep(), name="heartbeat")
    stopping = asyncio.create_task(stop_signal(asyncio.get_running_loop()))
    starting = asyncio.create_task(start)
    await asyncio.wait({starting, stopping}, return_when=asyncio.FIRST_COMPLETED)
    if not starting.done():
        starting.cancel()
        return
    lives = starting.result()
    beat.enter(READY)
    _freeze_memory()
    dead = await _wait_for_end(stopping, lives)
    beat.enter(STOPPING)
    hurry = dead is not None or stopping.result() is HURRIED
    for front in (True, False):
        fronts = [each for each in lives if each.front is front]
        await asyncio.gather(*(each.work(each.drain(hurry)) for each in fronts))
    await _close(lives)
    beating.cancel()
    if dead is not None:
        raise SystemExit(1)


async def stop_signal(loop: asyncio.AbstractEventLoop) -> signal.Signals:
    """Returns the first signal to stop."""
    first: asyncio.Future[signal.Signals] = loop.create_future()

    def note(number: signal.Signals) -> None:
        if not first.done():
            first.set_result(number)

    for number in STOPS:
        loop.add_signal_handler(number, note, number)
    return await first


def _freeze_memory() -> None:
    """Hides what start-up made (modules, models, routes) from the garbage collector. It lives as long
    as the process, and walking it again and again cost a quarter of the gateway's CPU time."""
    gc.collect()
    gc.freeze()
    release_free_memory()
    gc.set_threshold(*GENERATIONS)


async def _wait_for_end(stopping: asyncio.Task[Any], lives: Lives) -> asyncio.Task[None] | None:
    """Waits for a signal to stop, or for the death of a task that should live for ever. Returns the
    dead task, after it has logged it."""
    owners = {task: each.links.name for each in lives for task in each.links.tasks}
    done, _ = await asyncio.wait({stopping, *owners}, return_when=asyncio.FIRST_COMPLETED)
    dead = next(iter(done - {stopping}), None)
    if dead is not None:
        error = None if dead.cancelled() else dead.exception()
        log.error("task died", service=owners[dead], task=dead.get_name(), error=repr(error))
    return dead


async def _close(lives: Lives) -> None:
    """Closes everything, in the order that loses nothing."""
    await stop([task for each in lives for task in each.links.tasks])
    sending = asyncio.create_task(tracing.stop(), name="last spans")
    databases = [(each, database) for each in lives for database in each.links.databases]
    await asyncio.gather(*(each.work(database.close()) for each, database in databases))
    await asyncio.gather(*(each.work(_disconnect(each.links.nc)) for each in lives))
    await sending


async def _disconnect(nc: NatsClient) -> None:
    with contextlib.suppress(nats.errors.Error, TimeoutError, OSError):
        async with asyncio.timeout(2):
            if nc.is_connected:
                await nc.flush(timeout=1)
            await nc.close()


async def retry_until_done(attempt: Callable[[], Awaitable[T]], what: str) -> T:
    """Returns the result of the first attempt that succeeds. A server that we need may start after
    us, so this goes on for as long as it takes, and logs it."""
    pause = 0.2
    while True:
        try:
            return await attempt()
        except (*NOT_YET, nats.errors.Error) as error:
            log.warning("waiting", for_=what, error=f"{type(error).__name__}: {error}"[:200])
        await asyncio.sleep(pause)
        pause = min(pause * 1.5, 3.0)


async def watch_servers(lives: Lives) -> None:
    """Looks at NATS and the database of each service, and logs when one of them is lost or back. A database
    that has become a standby is left. Its timer also shows how busy the event loop is, and how many tasks it has."""
    metrics.maintain(metrics.HEALTHY, metrics.LOOP_LAG, metrics.LOOP_TASKS)
    if any(getattr(each.deps, "db", None) for each in lives):
        metrics.maintain(metrics.CLOCK_AHEAD)
    loop = asyncio.get_running_loop()
    healthy = dict.fromkeys((each.links.name for each in lives), True)
    while True:
        for each in lives:
            name, database = each.links.name, getattr(each.deps, "db", None)
            now = await is_healthy(each.links, database)
            if now is not healthy[name]:
                healthy[name] = now
                log.warning("servers are back" if now else "servers do not answer", of=name)
        metrics.HEALTHY.set(all(healthy.values()))
        metrics.LOOP_TASKS.set(len(asyncio.all_tasks()))
        due = loop.time() + CHECK_EVERY
        await asyncio.sleep(CHECK_EVERY)
        metrics.LOOP_LAG.observe(max(0.0, loop.time() - due))


async def is_healthy(links: Connections, database: Database | None) -> bool:
    """Returns whether NATS is connected and lets us hear everything, Postgres takes writes, and our clock is
    right. A service with a wrong clock refuses requests."""
    if not links.nc.is_connected or links.refused_subjects:
        return False
    if database is None:
        return True
    try:
        async with asyncio.timeout(2):
            state = await database.state()
    except TimeoutError:
        return False
    if state is None:
        return False
    clock_is_right = check_clock(links.server, state.clock_ahead)
    return state.takes_writes and clock_is_right
