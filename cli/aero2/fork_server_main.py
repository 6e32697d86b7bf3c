"""`python -m aero2.fork_server_main`: imports the code of all services once, and forks services from it.

It holds no secret, no socket of the platform and no thread. A service gets its environment, its log and
its sockets with the request that starts it, so one service has nothing that belongs to another.
"""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import gc
import json
import os
import select
import signal
import socket
import struct
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import Any, Final

HEADER: Final = struct.Struct(">I")
"""The length of a request, which its files travel with."""
NAME: Final = "aero2 forks"
MAX_FILES: Final = 16
LOWEST_FREE: Final = 64
"""Descriptors above this one are free while a process gets its files."""
PR_SET_PDEATHSIG: Final = 1
PR_SET_NAME: Final = 15


@dataclass(frozen=True)
class ProcessDescription:
    """A process that is to be started. `files` are its log and its sockets; the sockets get the descriptors
    of `numbers`. With `fork` unset, the server itself becomes the process."""

    name: str
    services: list[str]
    env: dict[str, str]
    folder: str
    numbers: list[int]
    fork: bool
    files: list[int]


def main() -> None:
    """Runs the fork server until the other side closes the channel, or a service in its new process."""
    channel = socket.socket(fileno=int(sys.argv[1]))
    _name_process(NAME)
    preload(sys.argv[2:])
    server = os.getpid()
    request = serve_requests(channel)
    if request is not None:
        become(request, server)
        from aero2.serve import serve
        from common import crash_lines, logs

        logs.configure(request.name)
        crash_lines.install()
        serve(request.services)


def preload(services: Sequence[str]) -> None:
    """Imports services. One that cannot be imported fails again in its own process, with its own log. The
    garbage collector leaves these objects alone, here and in every service, so that pages stay shared."""
    gc.disable()
    import_module("aero2.serve")
    for service in services:
        with contextlib.suppress(Exception):
            import_module(f"{service}.__main__").SERVICE.warm_up()
    gc.collect()
    gc.freeze()


def serve_requests(channel: socket.socket) -> ProcessDescription | None:
    """Forks a process for each request, and reports its pid and its end. Returns the request in the new
    process, and None in this process once the channel is closed."""
    running: dict[int, int] = {}
    poll = select.poll()
    poll.register(channel, select.POLLIN)
    while True:
        for number, _ in poll.poll():
            if number in running:
                poll.unregister(number)
                os.close(number)
                pid, status = os.waitpid(running.pop(number), 0)
                _report(channel, {"pid": pid, "ended": os.waitstatus_to_exitcode(status)})
                continue
            request = receive(channel)
            if request is None or not request.fork or (pid := os.fork()) == 0:
                return request
            for file in request.files:
                os.close(file)
            running[end := os.pidfd_open(pid)] = pid
            poll.register(end, select.POLLIN)
            _report(channel, {"pid": pid})


def receive(channel: socket.socket) -> ProcessDescription | None:
    """Returns the next request, or None if the channel is closed."""
    header, files, _, _ = socket.recv_fds(channel, HEADER.size, MAX_FILES)
    if len(header) < HEADER.size:
        return None
    (size,) = HEADER.unpack(header)
    content = channel.recv(size, socket.MSG_WAITALL)
    if len(content) < size:
        return None
    return ProcessDescription(**json.loads(content), files=files)


def _report(channel: socket.socket, report: dict[str, Any]) -> None:
    with contextlib.suppress(OSError):  # the channel is closed, which the next poll shows
        channel.sendall(json.dumps(report).encode() + b"\n")


def become(request: ProcessDescription, server: int) -> None:
    """Makes this process the one that was asked for: with its files and no others, its environment, its
    folder and a session of its own. `server` is the fork server, with which a forked process ends."""
    _take_files(request)
    if request.fork:
        os.setsid()
        _prctl(PR_SET_PDEATHSIG, signal.SIGINT)  # the whole platform stops
        if os.getppid() != server:  # it has ended before that
            raise SystemExit(1)
    _name_process(request.name)
    os.environ.clear()
    os.environ.update(request.env)
    os.chdir(request.folder)
    gc.enable()


def _take_files(request: ProcessDescription) -> None:
    """Gives the files the descriptors that the process expects, and closes all others."""
    lowest = max([LOWEST_FREE, *request.numbers])
    log, *sockets = [fcntl.fcntl(file, fcntl.F_DUPFD_CLOEXEC, lowest + 1) for file in request.files]
    null = fcntl.fcntl(os.open(os.devnull, os.O_RDONLY), fcntl.F_DUPFD_CLOEXEC, lowest + 1)
    os.closerange(3, lowest + 1)
    for file, number in zip((null, log, log, *sockets), (0, 1, 2, *request.numbers), strict=True):
        os.dup2(file, number)
    os.closerange(lowest + 1, max([null, log, *sockets]) + 1)


def _name_process(name: str) -> None:
    """Sets the name that `ps` and `top` show for the program."""
    _prctl(PR_SET_NAME, ctypes.create_string_buffer(name.encode()))


def _prctl(option: int, value: Any) -> None:
    ctypes.CDLL(None).prctl(option, value, 0, 0, 0)


if __name__ == "__main__":
    main()
