"""CPU and memory of a deployment: of all its processes, Postgres and NATS included."""

from __future__ import annotations

import contextlib
import hashlib
import time
from dataclasses import dataclass
from typing import Final

import psutil

FORKED: Final = "aero2.fork_server_main"
"""The command line that a forked service has from its parent."""


@dataclass(frozen=True)
class Cpu:
    """CPU seconds by kind of process."""

    services: float
    postgres: float
    nats: float

    @property
    def total(self) -> float:
        return self.services + self.postgres + self.nats

    def __sub__(self, other: Cpu) -> Cpu:
        return Cpu(
            self.services - other.services,
            self.postgres - other.postgres,
            self.nats - other.nats,
        )


def process_tree(root: int) -> list[psutil.Process]:
    """Returns a process and all its descendants."""
    process = psutil.Process(root)
    return [process, *process.children(recursive=True)]


def cpu(root: int) -> Cpu:
    """Returns the CPU that a process tree has used so far. For Postgres, this includes backends that
    have ended."""
    used = {"services": 0.0, "postgres": 0.0, "nats": 0.0}
    for process in process_tree(root):
        with contextlib.suppress(psutil.Error):
            times, name = process.cpu_times(), process.name()
            kind = "postgres" if "postgres" in name else "nats" if "nats" in name else "services"
            own = times.user + times.system
            waited = times.children_user + times.children_system if kind == "postgres" else 0.0
            used[kind] += own + waited
    return Cpu(**used)


def memory(root: int) -> dict[str, float]:
    """Returns the memory of each process in MiB, as proportional set size."""
    sizes: dict[str, float] = {}
    for process in process_tree(root):
        with contextlib.suppress(psutil.Error):
            line = process.cmdline()
            name = next((part for part in line[1:] if not part.startswith("-")), process.name())
            if name == FORKED:
                name = process.name()  # of the service, or of the process that it is forked from
            key = "postgres" if "postgres" in process.name() else name.rsplit("/", 1)[-1]
            sizes[key] = sizes.get(key, 0.0) + process.memory_full_info().pss / 2**20
    return {name: round(size, 1) for name, size in sorted(sizes.items())}


def machine_speed() -> float:
    """Returns how fast the machine is now: CPU ms of a fixed loop and a fixed hash, the best of twelve.
    The speed of a machine varies with time, so each report contains it."""
    times = []
    for _ in range(12):
        started = time.process_time()
        total = 0
        for number in range(300_000):
            total += number * number & 7
        hashlib.sha256(b"x" * 8_000_000).digest()
        times.append(time.process_time() - started)
    return round(min(times) * 1000, 1)
