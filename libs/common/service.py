"""Runs a service: connect, serve, and on SIGTERM drain."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import signal
import sys
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import asyncpg
import nats
import nats.errors
import uvloop
from nats.aio.client import Client
from nats.js import JetStreamContext
from pydantic import ValidationError

from common import logs, metrics
from common.audit import Activity
from common.bus import Handlers, NatsBus
from common.bus_server import BusServer
from common.db import Database
from common.db_errors import FAILURES
from common.invalidation import NatsInvalidation
from common.master_keys import MasterKeyMissing
from common.metrics_server import serve_metrics
from common.nats_private import BatchedClient, flush_all
from common.periodic import stop
from common.settings import Settings
from common.tenants import Tenants
from common.version import VERSION

log = logs.get(__name__)

BEAT = 2.0
"""Seconds between touches of the heartbeat file."""
STOPS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2)
"""Signals that would end a process by default: each drains it first."""
GENERATIONS = (25_000, 20, 50)
"""For the garbage collector: objects made between two looks at the youngest, and of its rounds between
two at each older generation."""

S = TypeVar("S", bound=Settings)


@dataclass
class Connections:
    """What every process has once it is connected."""

    name: str
    nc: Client
    js: JetStreamContext
    bus: NatsBus
    changes: NatsInvalidation
    tenants: Tenants
    activity: Activity
    tasks: list[asyncio.Task[None]] = field(default_factory=list)
    databases: list[Database] = field(default_factory=list)
    on_reconnect: list[Callable[[], None]] = field(default_factory=list)
    metrics: asyncio.Server | None = None

    def spawn(self, work: Coroutine[Any, Any, None], name: str) -> asyncio.Task[None]:
        """A task for the life of the process; if it dies, so does the process."""
        task = asyncio.create_task(work, name=name)
        self.tasks.append(task)
        return task


@dataclass
class Serving:
    """A process at work, and how it takes no more and finishes what it has begun."""

    links: Connections
    drain: Callable[[], Awaitable[None]]
    deps: Any = None


async def connect(settings: Settings, name: str) -> Connections:
    """Connect to NATS; keep trying for as long as it takes, saying so."""
    dropped: list[Callable[[], None]] = []

    async def lost() -> None:
        log.warning("nats.disconnected")
        for drop in dropped:
            drop()

    async def back() -> None:
        log.info("nats.reconnected")
        for drop in dropped:
            drop()

    closed = asyncio.Event()

    async def ended() -> None:
        closed.set()

    password = settings.nats_password
    nc = BatchedClient()
    bus = NatsBus(nc)
    metrics.maintain(metrics.NATS)
    metrics.NATS.set_function(lambda: nc.is_connected)

    async def leaving() -> None:
        # Not awaited: nats.py calls this where it reads, and the answers must be read meanwhile.
        leave.append(asyncio.create_task(bus.lame_duck.announced(), name="lame duck"))

    leave: list[asyncio.Task[None]] = []
    await nc.connect(
        settings.nats_servers,
        name=f"aero2-{name}",
        user=settings.nats_user,
        password=password.get_secret_value() if password else None,
        inbox_prefix=f"_INBOX_{name}",
        max_reconnect_attempts=-1,
        reconnect_time_wait=0.25,  # type: ignore[arg-type] # seconds, whole or not
        ping_interval=5,
        max_outstanding_pings=2,
        connect_timeout=2,
        allow_reconnect=True,
        disconnected_cb=lost,
        reconnected_cb=back,
        closed_cb=ended,
        lame_duck_mode_cb=leaving,
        error_cb=_nats_error,
        pending_size=4 * 1024 * 1024,
        skip_subject_validation=True,  # all are made of contracts' names and ids
    )
    changes = NatsInvalidation(nc)
    tenants = Tenants(bus)
    changes.listeners.append(tenants.heard)
    dropped.append(tenants.cache.clear)
    await changes.listen()
    js = nc.jetstream(timeout=3)
    links = Connections(
        name, nc, js, bus, changes, tenants, Activity(nc, name), on_reconnect=dropped
    )
    links.spawn(links.activity.run(), "activity")
    links.spawn(_end_with(closed), "nats")
    return links


async def _end_with(closed: asyncio.Event) -> None:
    """End the process once nats.py has given up (a password that has changed, say): a new process
    reads its settings anew and tries again."""
    await closed.wait()
    raise ConnectionError("the connection to NATS was closed for good")


async def _nats_error(error: Exception) -> None:
    log.warning("nats.error", error=type(error).__name__, detail=str(error)[:200])


Start = Callable[[S, Connections], Awaitable[tuple[Any, Handlers]]]
"""Builds the service's Deps and names its handlers."""


def run(name: str, settings: type[S], start: Start[S]) -> None:
    """The whole life of a service process. Exits 1 with one sentence where it cannot start."""
    try:
        read = settings()
    except ValidationError as error:
        explain(name, error)
        raise SystemExit(1) from None
    logs.configure(name, read.log_level)
    try:
        uvloop.run(live(_serve(name, read, start)))
    except MasterKeyMissing as error:
        print(f"{name}: {error}", file=sys.stderr)  # noqa: T201
        raise SystemExit(1) from None


def explain(name: str, error: ValidationError) -> None:
    """Say on stderr which settings are missing or wrong; never their values."""
    for problem in error.errors(include_url=False, include_input=False):
        variable = "AERO2_" + "_".join(str(part) for part in problem["loc"]).upper()
        print(f"{name}: {variable}: {problem['msg']}", file=sys.stderr)  # noqa: T201


async def _stop_signal(loop: asyncio.AbstractEventLoop) -> None:
    """Returns once the process is told to stop."""
    stop = asyncio.Event()
    for number in STOPS:
        loop.add_signal_handler(number, stop.set)
    await stop.wait()


async def live(start: Coroutine[Any, Any, Serving]) -> None:
    """The life of a process: until one of `STOPS` or the death of one of its tasks. A second
    signal changes nothing, for draining has limits of its own. Exits 1 where a task died."""
    stopping = asyncio.create_task(_stop_signal(asyncio.get_running_loop()))
    starting = asyncio.create_task(start)
    await asyncio.wait({starting, stopping}, return_when=asyncio.FIRST_COMPLETED)
    if not starting.done():
        starting.cancel()
        return
    serving = starting.result()
    _settle_memory()
    dead = await _wait_for_end(stopping, serving.links)
    await serving.drain()
    await _end(serving.links)
    if dead is not None:
        log.error("task died", task=dead.get_name(), error=repr(dead.exception()))
        raise SystemExit(1)


def _settle_memory() -> None:
    """Take what start-up made (modules, models, routes) out of the garbage collector's sight: it
    lives as long as the process, and walking it again and again cost a quarter of the gateway."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(*GENERATIONS)


async def _serve(name: str, settings: S, start: Start[S]) -> Serving:
    links = await patiently(lambda: connect(settings, name), "nats")
    deps, handlers = await patiently(lambda: start(settings, links), "start")
    server = await BusServer.start(
        links.nc, name, VERSION, deps, concurrency=settings.concurrency, queue=settings.queue
    )
    for contract, handler in handlers.items():
        await server.add(contract, handler)
    await flush_all(links.nc)  # "ready" is said once the server knows of every subscription
    links.metrics = await serve_metrics(settings, name)
    if settings.heartbeat:
        links.spawn(beat(Path(settings.heartbeat), links, deps), "heartbeat")
    log.info("ready", contracts=len(handlers))
    return Serving(links, server.drain, deps)


T = TypeVar("T")


async def patiently(attempt: Callable[[], Awaitable[T]], what: str) -> T:
    """A server we need may come up after us: try again for as long as it takes."""
    pause = 0.2
    while True:
        try:
            return await attempt()
        except (OSError, nats.errors.Error, asyncpg.CannotConnectNowError, TimeoutError) as error:
            log.warning("waiting", for_=what, error=f"{type(error).__name__}: {error}"[:200])
        await asyncio.sleep(pause)
        pause = min(pause * 1.5, 3.0)


async def _wait_for_end(
    stopping: asyncio.Task[Any], links: Connections
) -> asyncio.Task[None] | None:
    """Until we are told to stop, or a task that should live for ever has died: that task."""
    done, _ = await asyncio.wait({stopping, *links.tasks}, return_when=asyncio.FIRST_COMPLETED)
    dead = done - {stopping}
    return next(iter(dead), None)


async def _end(links: Connections) -> None:
    """Close everything, in the order that loses nothing."""
    await stop(links.tasks)
    await asyncio.gather(*(database.close() for database in links.databases))
    with contextlib.suppress(nats.errors.Error, TimeoutError, OSError):
        async with asyncio.timeout(2):
            if links.nc.is_connected:
                await flush_all(links.nc, within=1)
            await links.nc.close()


async def beat(file: Path, links: Connections, deps: Any) -> None:
    """Touch the file while NATS is connected and Postgres answers."""
    database = getattr(deps, "db", None)
    while True:
        if await healthy(links, database):
            file.touch()  # noqa: ASYNC240 - one system call on a local file
        await asyncio.sleep(BEAT)


async def healthy(links: Connections, database: Database | None) -> bool:
    if not links.nc.is_connected:
        return False
    if database is None:
        return True
    try:
        async with asyncio.timeout(2), database.pool.acquire() as db:
            # A standby answers, and yet nobody can sign in there.
            return bool(await db.fetchval("SHOW transaction_read_only") == "off")
    except FAILURES:
        return False
