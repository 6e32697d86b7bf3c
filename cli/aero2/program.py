"""A program that the supervisor keeps running, and how it shows that it is ready and well."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import socket
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final, Protocol

from aero2.failures import CommandError
from common.health import is_ready

Ready = Callable[[], Awaitable[bool]]
SERVERS, SERVICES, GATEWAY, PROXY = 0, 1, 2, 3
"""Stages: stopped from the last to the first."""
NEXT: Final = ".next"
"""Tells the heartbeat files of two processes of one service apart."""
ANSWER_TIME: Final = 10.0
"""Seconds for an answer of a server that is starting; on a busy machine it takes a while."""


class Process(Protocol):
    """A process, as asyncio.subprocess has it."""

    @property
    def pid(self) -> int: ...

    @property
    def returncode(self) -> int | None: ...

    async def wait(self) -> int: ...

    def send_signal(self, signal: int) -> None: ...


async def always_ready() -> bool:
    """Ready as soon as it runs."""
    return True


@dataclass(frozen=True)
class Program:
    """One process. `prepare` runs before each start, in a thread; `under` is the prefix of the command that
    changes the account; `heartbeat` is a file that the process touches while it is well."""

    name: str
    command: list[str]
    env: dict[str, str]
    ready: Ready = always_ready
    prepare: Callable[[], None] | None = None
    under: list[str] = field(default_factory=list)
    heartbeat: Path | None = None
    stop_with: int = signal.SIGTERM
    sockets: tuple[socket.socket, ...] = ()
    """Open in the process under the same numbers."""
    services: tuple[str, ...] = ()
    """The services that the process runs. With these it may be forked (`fork_server.py`) instead of run as
    `command`."""
    stage: int = 0
    """Higher stages are stopped first: a process is stopped before those that it calls."""

    def successor(self) -> Program:
        """Returns the same service for a process that runs beside the present one, and then takes its place:
        with a heartbeat file of its own."""
        assert self.heartbeat is not None
        stem = self.heartbeat.stem
        other = stem.removesuffix(NEXT) if stem.endswith(NEXT) else stem + NEXT
        return self._beating(self.heartbeat.with_stem(other))

    def replica(self, name: str, number: int) -> Program:
        """Returns the same service for a further process, with a name, a log and figures of its own."""
        assert self.heartbeat is not None
        further = replace(self, name=name, env=self.env | {"AERO2_REPLICA": str(number)})
        return further._beating(self.heartbeat.with_stem(name))

    def _beating(self, heartbeat: Path) -> Program:
        env = self.env | {"AERO2_HEARTBEAT": str(heartbeat)}
        return replace(self, env=env, heartbeat=heartbeat, ready=heartbeat_ready(heartbeat))


@dataclass
class RunningProgram:
    """A program and its present process."""

    program: Program
    process: Process | None = None
    started: float = 0.0
    was_ready: bool = False
    deaths: int = 0
    """In a row, without running for long."""
    refused: CommandError | None = None
    """Why it will not be started again."""
    watcher: asyncio.Task[None] | None = None
    reload: asyncio.Event = field(default_factory=asyncio.Event)
    """Set: its next end is intended, and it is started again at once."""

    @property
    def name(self) -> str:
        """The name of the program."""
        return self.program.name

    @property
    def alive(self) -> bool:
        """Whether the process runs."""
        return self.process is not None and self.process.returncode is None

    def abandon(self) -> None:
        """Starts the process not again when it ends."""
        if self.watcher is not None:
            self.watcher.cancel()

    def send_signal(self, number: int) -> None:
        """Sends a signal to the process, if it runs."""
        if self.process is not None and self.process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                self.process.send_signal(number)

    async def end(self, deadline: float, how: int | None = None) -> None:
        """Asks the process to end, and kills it at the deadline (monotonic time)."""
        process = self.process
        if process is None or process.returncode is not None:
            return
        self.send_signal(how or self.program.stop_with)
        try:
            async with asyncio.timeout(max(deadline - time.monotonic(), 0.1)):
                await process.wait()
        except TimeoutError:
            self.send_signal(signal.SIGKILL)
            await process.wait()


@dataclass
class Heartbeat:
    """Measures how long a heartbeat file stands still, by a clock that sleeps when the machine does."""

    file: Path | None
    modified: float = 0.0
    since: float = field(default_factory=time.monotonic)

    def silence(self) -> float:
        """Returns the seconds since the file changed; 0 if there is no heartbeat to watch."""
        if self.file is None:
            return 0.0
        with contextlib.suppress(FileNotFoundError):
            modified = self.file.stat().st_mtime
            if modified != self.modified:
                self.modified, self.since = modified, time.monotonic()
        return time.monotonic() - self.since


def heartbeat_ready(heartbeat: Path) -> Ready:
    """Returns a check: ready if the heartbeat file says so and is fresh. The supervisor removes the file of
    the process before."""

    async def ready() -> bool:
        return is_ready(heartbeat)

    return ready


def describe_exit(code: int) -> str:
    """Returns an exit code, or the signal that ended a process, in words."""
    return f"killed by {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"


async def answers(port: int, path: str, authority: str, host: str = "127.0.0.1") -> bool:
    """Returns whether a server on this machine answers GET `path` with 200."""
    try:
        async with asyncio.timeout(ANSWER_TIME):
            reader, writer = await asyncio.open_connection(host, port)
            try:
                request = f"GET {path} HTTP/1.1\r\nHost: {authority}\r\nConnection: close\r\n\r\n"
                writer.write(request.encode())
                status = await reader.readline()
            finally:
                writer.close()
    except (OSError, TimeoutError):
        return False
    return b" 200 " in status
