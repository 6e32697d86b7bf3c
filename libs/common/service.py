"""Runs a service: connects, serves its contracts, and drains on a signal to stop."""

from __future__ import annotations

import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, TypeVar

import uvloop
from pydantic import ValidationError

from common import logs
from common.bus import Handlers
from common.bus_server import BusServer
from common.connections import Connections, connect
from common.master_keys import MasterKeyMissing
from common.metrics_server import serve_metrics
from common.process_life import (
    ServiceLife,
    keep_heartbeat,
    retry_until_done,
    run_until_stopped,
)
from common.settings import Settings
from common.version import VERSION

log = logs.get(__name__)

S = TypeVar("S", bound=Settings)
Start = Callable[[S, Connections], Awaitable[tuple[Any, Handlers]]]
"""Builds a service's Deps and names its handlers."""


def run(name: str, settings_class: type[S], start: Start[S]) -> None:
    """Runs a service process from its start to its end. If it cannot start, prints one sentence and
    exits with 1."""
    try:
        settings = settings_class()
    except ValidationError as error:
        print_setting_errors(name, error)
        raise SystemExit(1) from None
    logs.configure(name, settings.log_level)
    try:
        uvloop.run(run_until_stopped(_serve(name, settings, start)))
    except MasterKeyMissing as error:
        print(f"{name}: {error}", file=sys.stderr)  # noqa: T201
        raise SystemExit(1) from None


def print_setting_errors(name: str, error: ValidationError) -> None:
    """Prints to stderr which settings are missing or wrong, but never their values."""
    for problem in error.errors(include_url=False, include_input=False):
        variable = "AERO2_" + "_".join(str(part) for part in problem["loc"]).upper()
        print(f"{name}: {variable}: {problem['msg']}", file=sys.stderr)  # noqa: T201


async def _serve(name: str, settings: S, start: Start[S]) -> ServiceLife:
    links = await retry_until_done(lambda: connect(settings, name), "nats")
    deps, handlers = await retry_until_done(lambda: start(settings, links), "start")
    server = await BusServer.start(
        links.nc,
        name,
        VERSION,
        deps,
        concurrency=settings.concurrency,
        queue=settings.queue,
        replica=settings.replica,
    )
    for contract, handler in handlers.items():
        await server.add(contract, handler)
    await links.nc.flush()  # ready means that the server knows every subscription
    links.metrics = await serve_metrics(settings, name)
    if settings.heartbeat:
        links.spawn(keep_heartbeat(Path(settings.heartbeat), links, deps), "heartbeat")
    log.info("ready", contracts=len(handlers))
    return ServiceLife(links, server.drain, deps)
