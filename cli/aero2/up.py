"""`aero2 up`: runs the whole platform on this machine until Ctrl-C."""

from __future__ import annotations

import asyncio
import os
import re
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any, Final

from rich.console import Console

from aero2 import database_update, nats_access
from aero2.control_server import ControlServer
from aero2.embedded import ports
from aero2.embedded.folder import Folder
from aero2.embedded.process import Register
from aero2.embedded.secrets import Secrets
from aero2.environment import public_url, unused_variables
from aero2.failures import CommandError, report_failures
from aero2.fork_server import ForkServer
from aero2.platform import Platform
from aero2.start_wait import Report
from aero2.stop_signals import StopSignals
from aero2.stream_watchdog import StreamWatchdog, free_bytes
from aero2.summary_file import write_json
from aero2.supervisor import Supervisor
from aero2.together_programs import process_names

METRICS: Final = frozenset({"AERO2_METRICS_HOST", "AERO2_METRICS_PORT"})
"""With one of these the operator says where metrics are served."""

DOMAIN: Final = re.compile(
    r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)*"
)


@dataclass(frozen=True)
class Options:
    """The options of the command line."""

    port: int
    host: str
    data_dir: Path
    domain: str
    summary_file: Path | None
    tls: bool = False
    start_limit: float = 60.0
    """Seconds without progress after which the start of a process fails."""
    reload: bool = False
    """Start a service again when a file of its code changes."""
    idps: tuple[str, ...] = ()
    """Identity providers of the Dashboard: `preset:client_id:secret_file`."""
    together: bool = False
    """Run all services in one process."""
    workers: int = 1
    """How many such processes there are."""
    backup: bool = True
    """Save the database before it is updated."""


def up(options: Options) -> None:
    """Runs the platform and returns after Ctrl-C. If it cannot run, ends the command with one
    sentence."""
    with report_failures():
        asyncio.run(_up(options, Console(stderr=True)))


async def _up(options: Options, console: Console) -> None:
    stop = StopSignals()
    for sentence in unused_variables():
        console.print(sentence, style="yellow", markup=False, highlight=False)
    if options.workers > 1 and not options.together:
        raise CommandError("--workers needs --together.")
    idps, (folder, public) = _dashboard_idps(options), _taken(options)
    try:
        platform = _platform(options, folder, public, idps)
        report = _reporter(console)
        forks = ForkServer.for_services(options.workers, options.together, options.reload)
        supervisor = Supervisor(folder, report, forks)
        stop.supervisor = supervisor
        try:
            if await stop.before(_start(platform, supervisor, options, console)):
                written = asyncio.create_task(platform.postgres.checkpoint())
                watching = [asyncio.create_task(_stuck_stream(platform, supervisor).watch())]
                watching.append(asyncio.create_task(_control(supervisor, folder, options)))
                if options.reload:
                    watching.append(asyncio.create_task(_reload(supervisor, report, options)))
                await stop.asked.wait()
                for task in (*watching, written):
                    task.cancel()
                await asyncio.wait(watching)
        finally:
            console.print("Stopping …", style="dim")
            public.close()  # the gateway still has it, and closes it when it drains
            written = asyncio.create_task(platform.postgres.checkpoint())
            await supervisor.stop()
            written.cancel()
    finally:
        folder.release()
    console.print(f"Stopped. The data is in {folder.root}.", style="dim", highlight=False)


def _platform(options: Options, folder: Folder, public: socket.socket, idps: str) -> Platform:
    has_metrics = METRICS.isdisjoint(os.environ)
    return Platform(
        folder,
        Secrets.load(folder),
        ports.choose(folder, public_port=options.port, metrics=has_metrics),
        options.port,
        options.host,
        options.domain,
        options.tls,
        None if options.tls else public,
        idps,
        options.together,
        options.workers,
    )


def _dashboard_idps(options: Options) -> str:
    """Returns the options' providers as AERO2_DASHBOARD_IDPS has them. Raises CommandError."""
    if not options.idps:
        return ""
    from common.configured_providers import parse_list  # most starts can do without this import

    try:
        parse_list(",".join(options.idps))
    except ValueError as error:
        raise CommandError(f"--idp: {error}.") from None
    parts = [idp.split(":", 2) for idp in options.idps]  # services run in the data folder
    return ",".join(f"{name}:{client}:{Path(file).absolute()}" for name, client, file in parts)


def _taken(options: Options) -> tuple[Folder, socket.socket]:
    """The data folder, ours alone, with nothing of a predecessor running, and the open public
    port (closed again with --tls, since the proxy opens it). Raises CommandError."""
    if not DOMAIN.fullmatch(options.domain):
        raise CommandError(f"{options.domain!r} is not a domain name.")
    folder = Folder.at(options.data_dir)
    folder.hold({"url": public_url(options.domain, options.port, tls=options.tls)})
    Register(folder).stop_orphans()
    try:
        public = ports.listener(options.host, options.port)
    except PermissionError:
        raise CommandError(f"Port {options.port} needs root; pick another with --port.") from None
    except OSError as error:
        raise CommandError(
            f"Port {options.port} on {options.host} cannot be used ({error.strerror}); "
            "pick another with --port."
        ) from None
    if options.tls:
        public.close()
    return folder, public


async def _start(
    platform: Platform, supervisor: Supervisor, options: Options, console: Console
) -> None:
    started = time.monotonic()
    await supervisor.open_forks()  # imports the services while the servers start
    with _step(console, "PostgreSQL and NATS"):
        # Imports for the demo take half a second, so they run while the servers start.
        preparing = asyncio.create_task(asyncio.to_thread(_imported, "aero2.preparation"))
        await supervisor.start(*platform.servers(), within=options.start_limit)
        prepare = (await preparing).prepare
    with _step(console, "Database schema"):
        await _update_database(platform, options, console)
    with _step(console, "Services"):
        await supervisor.start(*platform.services(), within=options.start_limit)
    with _step(console, "Demo application"):
        summary = await prepare(platform, options.start_limit)
    await summary.show(Console(), took=time.monotonic() - started)
    if options.summary_file is not None:
        write_json(options.summary_file, summary.as_json())


def _stuck_stream(platform: Platform, supervisor: Supervisor) -> StreamWatchdog:
    store = platform.folder.inside("nats")  # it may be a disk of its own
    return StreamWatchdog(supervisor, platform.relay_state, lambda: free_bytes(store))


async def _control(supervisor: Supervisor, folder: Folder, options: Options) -> None:
    await ControlServer(supervisor, folder, options.start_limit).run()


async def _reload(supervisor: Supervisor, report: Report, options: Options) -> None:
    from aero2.reload import folders, watch  # only developers pay for this import

    together = process_names(options.workers) if options.together else ()
    await watch(supervisor, report, folders(together))


def _imported(name: str) -> Any:
    with nats_access.IMPORTING:
        return import_module(name)


async def _update_database(platform: Platform, options: Options, console: Console) -> None:
    report = partial(console.print, " ", style="dim", markup=False, highlight=False)
    await database_update.update(
        platform.postgres, platform.secrets.database, backup=options.backup, report=report
    )


def _reporter(console: Console) -> Any:
    def report(sentence: str, log: str) -> None:
        if log:
            console.print(log, style="dim", markup=False, highlight=False)
        console.print(sentence, style="yellow", markup=False, highlight=False)

    return report


@contextmanager
def _step(console: Console, what: str) -> Iterator[None]:
    """Show a step while it runs and how long it took."""
    started = time.monotonic()
    with console.status(f"{what} …"):
        yield
    console.print(f"[green]✓[/] {what} [dim]{time.monotonic() - started:.1f} s[/]", highlight=False)
