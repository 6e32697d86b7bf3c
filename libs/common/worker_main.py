"""`python -m common.worker_main <module>`: a process that runs jobs for `WorkerProcesses`.

Requests and answers are JSON with their length before them, on stdin and stdout. The process ends
with its parent, and by an alarm of the system if a job outlives even its parent.
"""

from __future__ import annotations

import contextlib
import os
import resource
import signal
import sys
from importlib import import_module
from pathlib import Path
from typing import Any, BinaryIO, Final

import orjson

from common.worker_processes import HEADER

MEMORY: Final = 1024 * 1024 * 1024
"""Bytes of address space that a job may add."""
GRACE: Final = 2


def main(module: str) -> None:
    """Runs the jobs of a module, one after the other, until its parent closes stdin."""
    jobs: dict[str, Any] = import_module(module).JOBS
    requests, answers = sys.stdin.buffer, os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what a library prints must not get between the answers
    _limit_memory()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    while (message := _read(requests)) is not None:
        job, arguments, seconds = orjson.loads(message)
        signal.alarm(int(seconds) + GRACE)  # its default action ends the process, even inside C
        answer = _answer(jobs, job, arguments)
        signal.alarm(0)
        answers.write(HEADER.pack(len(answer)) + answer)
        answers.flush()


def _answer(jobs: dict[str, Any], job: str, arguments: list[Any]) -> bytes:
    if job == "ready":
        return orjson.dumps({"result": True})
    try:
        return orjson.dumps({"result": jobs[job](*arguments)})
    except Exception as error:
        return orjson.dumps({"error": type(error).__name__})


def _read(requests: BinaryIO) -> bytes | None:
    header = requests.read(HEADER.size)
    if len(header) < HEADER.size:
        return None
    return requests.read(HEADER.unpack(header)[0])


def _limit_memory() -> None:
    with contextlib.suppress(OSError, ValueError, IndexError):
        pages = int(Path("/proc/self/statm").read_text().split()[0])
        now = pages * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (now + MEMORY, now + MEMORY))


if __name__ == "__main__":
    main(sys.argv[1])
