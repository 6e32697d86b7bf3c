"""Jobs for the test of worker processes."""

from __future__ import annotations

import os


def pid() -> int:
    return os.getpid()


def hang() -> None:
    while True:
        pass


def fail() -> None:
    raise ZeroDivisionError


def die() -> None:
    os._exit(3)


def environment() -> list[str]:
    return list(os.environ)


JOBS = {"pid": pid, "hang": hang, "fail": fail, "die": die, "environment": environment}
