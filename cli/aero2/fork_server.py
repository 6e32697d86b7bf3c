"""Starts services by a fork of a process that has imported their code: an import for all of them instead of
one for each, and memory that they share."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
from collections import deque
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from aero2.embedded.process import dies_with_us
from aero2.fork_server_main import HEADER
from aero2.nats_access import SERVICES
from aero2.program import Process, Program

PREFIXES: Final = ("AERO2_", "OTEL_")
"""Variables of the platform and of tracing. The fork server gets none of them, since some are secrets."""


class ForkServerEnded(Exception):
    """The fork server has ended, so it starts no process."""


@dataclass(eq=False)
class ForkedProcess:
    """A process that the fork server has started. It looks like a subprocess of asyncio."""

    pid: int
    ended: asyncio.Event = field(default_factory=asyncio.Event)
    returncode: int | None = None

    async def wait(self) -> int:
        """Returns the exit code once the process has ended; the negative number of a signal."""
        await self.ended.wait()
        assert self.returncode is not None
        return self.returncode

    def send_signal(self, number: int) -> None:
        """Sends a signal to the process, unless it has ended."""
        if self.returncode is None:
            os.kill(self.pid, number)

    def end(self, returncode: int) -> None:
        """Notes the end of the process."""
        if self.returncode is None:
            self.returncode = returncode
            self.ended.set()


@dataclass(eq=False)
class ForkServer:
    """The fork server of this process. With `single` it becomes the first process that it starts, and no
    process has to share memory with it."""

    services: tuple[str, ...]
    single: bool = False
    _server: asyncio.subprocess.Process | None = None
    _channel: socket.socket | None = None
    _asked: deque[asyncio.Future[int]] = field(default_factory=deque)
    _running: dict[int, ForkedProcess] = field(default_factory=dict)
    _reading: asyncio.Task[None] | None = None
    _sending: asyncio.Lock = field(default_factory=asyncio.Lock)

    @staticmethod
    def is_supported() -> bool:
        """Whether processes can be started in this way here: other systems than Linux have libraries that
        do not survive a fork, and no signal for the death of the parent."""
        return sys.platform == "linux"

    @classmethod
    def for_services(cls, workers: int, together: bool, changing: bool) -> ForkServer | None:
        """Returns the server of all services, or None where there can be none. `together` says that each
        of the workers runs all of them, `changing` that their code changes while they run."""
        if changing or not cls.is_supported():
            return None
        return cls(SERVICES, single=together and workers == 1)

    async def open(self) -> None:
        """Starts the server. It imports services while the caller does other work."""
        ours, theirs = socket.socketpair()
        with theirs:
            self._server = await asyncio.create_subprocess_exec(
                *dies_with_us(signal.SIGTERM),
                *(sys.executable, "-m", "aero2.fork_server_main", str(theirs.fileno())),
                *self.services,
                env=_without_secrets(),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                start_new_session=True,
                pass_fds=[theirs.fileno()],
            )
        ours.setblocking(False)
        self._channel = ours
        self._reading = asyncio.create_task(self._read(ours), name="fork server")

    @property
    def is_open(self) -> bool:
        """Whether it can start a process."""
        return self._channel is not None

    async def start(self, program: Program, log: Path, folder: Path) -> Process:
        """Starts a process. Raises ForkServerEnded if the server has ended, or ends before that."""
        output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            async with self._sending:  # a request is one piece, and answers come in the same order
                await self._send(self._request(program, folder), [output, *_numbers(program)])
                if self.single:  # it becomes the process, and answers nothing
                    assert self._server is not None
                    self._channel = None
                    return self._server
                pid: asyncio.Future[int] = asyncio.get_running_loop().create_future()
                self._asked.append(pid)
        finally:
            os.close(output)
        return self._running[await pid]

    def _request(self, program: Program, folder: Path) -> bytes:
        request = {
            "name": program.name,
            "services": program.services,
            "env": program.env,
            "folder": str(folder),
            "numbers": _numbers(program),
            "fork": not self.single,
        }
        return json.dumps(request).encode()

    async def _send(self, request: bytes, files: list[int]) -> None:
        """Sends a request with its files."""
        if self._channel is None:
            raise ForkServerEnded
        try:
            socket.send_fds(self._channel, [HEADER.pack(len(request))], files)
            await asyncio.get_running_loop().sock_sendall(self._channel, request)
        except OSError:
            raise ForkServerEnded from None

    async def _read(self, channel: socket.socket) -> None:
        """Reads what the server reports, until it ends."""
        loop, rest = asyncio.get_running_loop(), b""
        with channel, contextlib.suppress(OSError):
            while data := await loop.sock_recv(channel, 4096):
                *lines, rest = (rest + data).split(b"\n")
                for line in lines:
                    self._note(json.loads(line))
        self._channel = None
        for answer in self._asked:
            if not answer.done():
                answer.set_exception(ForkServerEnded())
        for process in self._running.values():
            _follow(process)

    def _note(self, report: dict[str, int]) -> None:
        pid = report["pid"]
        if "ended" in report:
            self._running.pop(pid).end(report["ended"])
            return
        self._running[pid] = ForkedProcess(pid)
        answer = self._asked.popleft()
        if not answer.done():
            answer.set_result(pid)

    async def close(self) -> None:
        """Ends the server, after the processes that it has started."""
        if self._channel is not None and self._server is not None:
            self._channel = None
            self._server.kill()
            await self._server.wait()


def _without_secrets() -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(PREFIXES)}
    return kept | {"PYTHONUNBUFFERED": "1"}


def _numbers(program: Program) -> list[int]:
    return [each.fileno() for each in program.sockets]


def _follow(process: ForkedProcess) -> None:
    """Notes the end of a process whose server has ended. The kernel has told it to end, too."""
    loop = asyncio.get_running_loop()
    try:
        number = os.pidfd_open(process.pid)
    except ProcessLookupError:
        process.end(-signal.SIGTERM)
        return

    def ended() -> None:
        loop.remove_reader(number)
        os.close(number)
        process.end(-signal.SIGTERM)

    loop.add_reader(number, ended)
