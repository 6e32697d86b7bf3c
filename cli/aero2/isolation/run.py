"""Runs `aero2 doctor isolation`."""

from __future__ import annotations

import secrets
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any

from aero2.dashboard import address
from aero2.failures import CommandError
from aero2.isolation.attempts import Across, OwnerRefused
from aero2.isolation.canary import Canary, Dashboard, make_canary, remove_canaries
from aero2.isolation.controls import Controls, changes, rank
from aero2.isolation.filling import fill
from aero2.isolation.operations import operations_of
from aero2.isolation.report import Report, Tried
from aero2.isolation.wire import Credential, Parts, Wire


@dataclass(frozen=True)
class Options:
    """What to look at, and how."""

    url: str
    """The origin of the Dashboard."""
    key: str
    """A secret key of the Dashboard."""
    ca: Path | None = None
    rate: float = 50.0
    """Requests in a second, at most."""
    homes: tuple[str | None, str | None] = (None, None)
    """The database clusters of the canaries. None is that of new applications."""


def options(folder: Path | None, homes: list[str], rate: float) -> Options:
    """Returns the options for a data folder, or for the Dashboard that the environment names. Raises
    CommandError."""
    url, key, ca = address(folder)
    if len(homes) > 2:
        raise CommandError("There are two applications: name --home at most twice.")
    first = homes[0] if homes else None
    return Options(url, key, ca, rate, (first, homes[-1] if homes else None))


Progress = Callable[[str, int, int], None]
"""Called with the step, how many operations are done, and how many there are."""


def examine(options: Options, progress: Progress) -> Report:
    """Makes two applications, tries everything across, and removes them, also after Ctrl-C or SIGTERM. Raises
    CommandError."""
    wire = Wire(options.rate, options.ca)
    key = Credential("the Dashboard's key", bearer=options.key)
    dashboard = Dashboard(wire, options.url.rstrip("/"), key)
    try:
        with _ended_by_sigterm(), _canaries(dashboard, options) as (a, b):
            return _examine(dashboard, a, b, progress)
    finally:
        wire.close()


def _examine(dashboard: Dashboard, a: Canary, b: Canary, progress: Progress) -> Report:
    wire = dashboard.wire
    progress("fill", 0, 0)
    for canary in (a, b):
        fill(wire, canary)
    operations = operations_of(
        _document(wire, a.origin, a.key), _document(wire, dashboard.origin, dashboard.key)
    )
    tried = {each.name: Tried(each.name) for each in operations}
    controls = Controls(wire, b, dashboard.origin)
    before = controls.read(operations)
    across = Across(wire, a, b, dashboard.origin)
    try:
        for number, operation in enumerate(sorted(operations, key=rank)):
            progress("try across", number, len(operations))
            across.attempt(operation, tried[operation.name])
    except OwnerRefused:
        return _report(across, tried)
    progress("compare", 0, 0)
    across.crossings.extend(changes(before, controls.read(operations), b))
    progress("show that owners can", 0, 0)
    controls.run(operations, tried)
    return _report(across, tried)


def _report(across: Across, tried: dict[str, Tried]) -> Report:
    homes, sent = (across.a.home, across.b.home), across.wire.sent
    return Report(homes, list(tried.values()), across.crossings, sent)


def _document(wire: Wire, origin: str, key: Credential) -> dict[str, Any]:
    answer = wire.send(origin, Parts("GET", "/openapi.json"), key)
    if not answer.ok:
        raise CommandError(f"{origin} has no OpenAPI document: it answered {answer.status}.")
    document: dict[str, Any] = answer.json()
    return document


@contextmanager
def _canaries(dashboard: Dashboard, options: Options) -> Iterator[tuple[Canary, Canary]]:
    """Removes what an earlier run left, and at the end what this one has made."""
    remove_canaries(dashboard)
    run = secrets.token_hex(4)
    try:
        a, b = (
            make_canary(dashboard, name, run, home)
            for name, home in zip("AB", options.homes, strict=True)
        )
        yield a, b
    finally:
        remove_canaries(dashboard)


@contextmanager
def _ended_by_sigterm() -> Iterator[None]:
    """Lets SIGTERM end the command as Ctrl-C does, so that the canaries are removed."""

    def interrupt(_: int, __: FrameType | None) -> None:
        raise KeyboardInterrupt

    earlier = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, earlier)
