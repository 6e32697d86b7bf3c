"""A running deployment, as `aero2 status`, `aero2 top` and `aero2 doctor` see it."""

from __future__ import annotations

import fcntl
import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import httpx
import psutil

from aero2.dashboard import dashboard
from aero2.embedded.folder import Folder
from aero2.embedded.ports import remembered_ports
from aero2.failures import CommandError
from aero2.secret_variables import secret_of

PATIENCE: Final = 10.0
"""Seconds for one answer."""


@dataclass(frozen=True)
class LocalProcess:
    """A process of `aero2 up`."""

    name: str
    pid: int
    uptime: float
    """Seconds."""
    cpu: float
    """CPU seconds since its start."""
    memory: int
    """Bytes in memory."""


@dataclass(frozen=True)
class Deployment:
    """The Dashboard's API of a deployment, with its secret key. `folder` is that of `aero2 up` on this
    machine, if there is one."""

    api: httpx.Client
    folder: Folder | None = None

    @property
    def url(self) -> str:
        """The origin of the Dashboard."""
        host = self.api.headers.get("Host") or self.api.base_url.netloc.decode("ascii")
        return f"{self.api.base_url.scheme}://{host}"

    def get(self, path: str) -> httpx.Response:
        """Returns one answer. Raises CommandError if nothing answers."""
        try:
            return self.api.get(path, timeout=PATIENCE)
        except httpx.TransportError as error:
            reason = str(error) or type(error).__name__
            raise CommandError(f"{self.url} cannot be reached: {reason}.") from None

    def processes(self) -> list[LocalProcess]:
        """Returns the processes of `aero2 up` that run. None of them is listed for a deployment
        elsewhere."""
        if self.folder is None:
            return []
        children = self.folder.read("run/children.json")
        return [
            process
            for name, entry in children.items()
            if isinstance(entry, dict) and (process := _process(name, entry)) is not None
        ]

    def ports(self) -> dict[str, int]:
        """Returns the loopback ports of `aero2 up` by name."""
        return {} if self.folder is None else remembered_ports(self.folder)


def open_deployment(folder: Path | None) -> Deployment:
    """Returns the deployment at AERO2_URL; without that, or with `folder`, the one that runs on a data
    folder. Raises CommandError if nothing runs there."""
    if folder is None and (os.environ.get("AERO2_URL") or secret_of("AERO2_SECRET_KEY")):
        return Deployment(dashboard())
    path = folder or Path(".aero2")
    if not (path / "lock").is_file():
        raise CommandError(
            f"AERO2_URL is not set, and {path} is no data folder of `aero2 up`: which deployment "
            "is meant?"
        )
    if not is_held(path):
        raise CommandError(f"Aero2 does not run on the data folder {path}. Start it: aero2 up.")
    return Deployment(dashboard(path), Folder.at(path))


def is_held(path: Path) -> bool:
    """Returns whether a process holds the lock of a data folder."""
    with (path / "lock").open() as file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


def _process(name: str, entry: dict[str, Any]) -> LocalProcess | None:
    """Returns a process if it still runs, and its pid is not that of another one by now."""
    try:
        process = psutil.Process(int(entry["pid"]))
        if abs(process.create_time() - float(entry["started"])) > 1:
            return None
        times = process.cpu_times()
        return LocalProcess(
            name,
            process.pid,
            max(0.0, time.time() - process.create_time()),
            times.user + times.system,
            process.memory_info().rss,
        )
    except (psutil.Error, KeyError, TypeError, ValueError):
        return None
