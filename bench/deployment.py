"""The deployment under measurement: one of our own on fresh data, or a running one."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import httpx

from bench.processes import memory

READY = 120.0
"""Seconds."""


@dataclass(frozen=True)
class Deployment:
    """Where it answers, whose process tree it is, and its demo application."""

    pid: int
    port: int
    host: str
    url: str
    secret_key: str
    data: Path | None
    started_in: float
    memory_at_rest: dict[str, float]

    def api(self) -> httpx.Client:
        """Calls as the demo application itself."""
        return httpx.Client(
            base_url=f"http://127.0.0.1:{self.port}",
            headers={"Host": self.host, "Authorization": f"Bearer {self.secret_key}"},
            timeout=30,
        )


def described(summary: Path, pid: int, started_in: float, data: Path | None = None) -> Deployment:
    """From the file that `aero2 up --summary-file` writes."""
    demo = json.loads(summary.read_text())["demo"]
    parts = urlsplit(demo["url"])
    return Deployment(
        pid=pid,
        port=parts.port or 80,
        host=parts.netloc,
        url=demo["url"],
        secret_key=demo["secret_key"],
        data=data,
        started_in=started_in,
        memory_at_rest=memory(pid),
    )


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def fresh(port: int) -> Iterator[Deployment]:
    """`aero2 up` on an empty data folder; gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="aero2-bench-") as folder:
        summary = Path(folder) / "summary.json"
        command = [sys.executable, "-m", "aero2", "up", "--port", str(port)]
        command += ["--data-dir", f"{folder}/data", "--summary-file", str(summary)]
        log = (Path(folder) / "up.log").open("w")
        started = time.monotonic()
        # All load comes from one address: its limits would be what is measured.
        environment = {**os.environ, "AERO2_LIMIT_SCALE": "1000"}
        process = subprocess.Popen(
            command, env=environment, stdout=log, stderr=log, start_new_session=True
        )
        try:
            while not summary.exists():
                if process.poll() is not None or time.monotonic() - started > READY:
                    raise RuntimeError(Path(log.name).read_text()[-2000:])
                time.sleep(0.05)
            taken = round(time.monotonic() - started, 1)
            time.sleep(2)
            yield described(summary, process.pid, taken, Path(folder) / "data")
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(15)
            log.close()
