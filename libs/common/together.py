"""Runs several services in one process (ADR 18). Each keeps its settings, database role, pool and NATS
user; what they ask each other is answered in memory."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Sequence
from contextvars import copy_context
from dataclasses import dataclass
from typing import Final

import uvloop

from common import crash_lines, logs
from common.cluster_settings import ClusterMistake
from common.connection_poolers import PoolerFound
from common.environment_settings import read_configuration
from common.in_process_bus import SharedProcess
from common.known_variables import warn_of_unknown
from common.master_keys import MasterKeyMissing
from common.process_life import Lives, ServiceLife, run_until_stopped
from common.service import Open, Program, attend, start_tracing
from common.settings import Settings

log = logs.get(__name__)

NAME: Final = "together"
"""The name of the process in its own log lines and metrics."""


class StartFailed(Exception):
    """A service could not start. The text names it."""


@dataclass(frozen=True)
class _Prepared:
    program: Program
    settings: Settings
    open: Open


def run_together(programs: Sequence[Program]) -> None:
    """Runs services in this process from their start to their end. If one cannot start, prints one
    sentence that names it, and exits with 1. If a task of one dies, all drain, and the process exits
    with 1."""
    logs.configure(NAME)
    crash_lines.install()
    settings = read_configuration([(each.name, each.settings_class) for each in programs])
    logs.configure(NAME, settings[0].log_level, settings[0].replica)
    warn_of_unknown(os.environ)
    start_tracing(NAME, settings[0].replica)
    prepared = [
        _Prepared(program, own, program.prepare(own))
        for program, own in zip(programs, settings, strict=True)
    ]
    try:
        uvloop.run(run_until_stopped(_open_all(prepared), settings[0].heartbeat))
    except StartFailed as failed:
        print(failed, file=sys.stderr)  # noqa: T201
        raise SystemExit(1) from None


async def _open_all(prepared: Sequence[_Prepared]) -> Lives:
    """Opens the services side by side, and those with a listener for clients last: the others then
    answer in memory."""
    process, lives = SharedProcess(), list[ServiceLife]()
    for last in (False, True):
        opening = [
            _opening(each, process) for each in prepared if each.program.has_listener is last
        ]
        if opening:
            lives += await _all_of(opening)
    # The gateway serves the metrics of the process, unless the gateway of another process joins them.
    process_settings = prepared[0].settings
    listens = any(each.program.has_listener for each in prepared)
    joined = process_settings.metrics_folder is not None
    await attend(lives, process_settings, NAME if joined or not listens else "")
    log.info("ready", services=[each.program.name for each in prepared])
    return lives


def _opening(each: _Prepared, process: SharedProcess) -> asyncio.Task[ServiceLife]:
    """Opens a service in a context of its own: lines of all its tasks carry its name."""
    context = copy_context()
    context.run(logs.service.set, each.program.name)
    return asyncio.create_task(each.open(process), name=each.program.name, context=context)


async def _all_of(opening: list[asyncio.Task[ServiceLife]]) -> list[ServiceLife]:
    """Returns the services once all of them are open. Raises StartFailed for the first that fails."""
    done, others = await asyncio.wait(opening, return_when=asyncio.FIRST_EXCEPTION)
    for task in done:
        if error := task.exception():
            for other in others:
                other.cancel()
            await asyncio.gather(*others, return_exceptions=True)
            if not isinstance(error, (MasterKeyMissing, PoolerFound, ClusterMistake)):
                log.error("start failed", service=task.get_name(), exc_info=error)
            raise StartFailed(f"{task.get_name()}: {error or type(error).__name__}") from error
    return [task.result() for task in opening]
