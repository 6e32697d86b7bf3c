"""The deployment to measure: a new one on an empty data folder, or one that is running."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import httpx

from bench.processes import memory

START_LIMIT = 120.0
"""Seconds until a new deployment must have started."""


@dataclass(frozen=True)
class Deployment:
    """A running deployment: its address, its process tree and its demo application."""

    pid: int
    port: int
    host: str
    url: str
    secret_key: str
    data: Path | None
    started_in: float
    memory_at_rest: dict[str, float]

    def api(self) -> httpx.Client:
        """Returns an HTTP client that calls the API with the secret key of the demo application."""
        return httpx.Client(
            base_url=f"http://127.0.0.1:{self.port}",
            headers={"Host": self.host, "Authorization": f"Bearer {self.secret_key}"},
            timeout=30,
        )


def read_summary(
    summary: Path, pid: int, started_in: float, data: Path | None = None
) -> Deployment:
    """Returns the deployment that a file of `aero2 up --summary-file` describes."""
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
    """Returns a port that no process listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def started_deployment(
    port: int, *options: str, variables: Mapping[str, str] | None = None
) -> Iterator[Deployment]:
    """Runs `aero2 up` with more options and variables on an empty data folder, and stops it at the end. Raises RuntimeError with the
    end of its log if it does not start."""
    with tempfile.TemporaryDirectory(prefix="aero2-bench-") as folder:
        summary = Path(folder) / "summary.json"
        command = [sys.executable, "-m", "aero2", "up", "--port", str(port)]
        command += ["--data-dir", f"{folder}/data", "--summary-file", str(summary), *options]
        log = (Path(folder) / "up.log").open("w")
        started = time.monotonic()
        # All load comes from one address. Without this, the limits of an address would be measured.
        environment = {**os.environ, "AERO2_LIMIT_SCALE": "1000", **(variables or {})}
        process = subprocess.Popen(
            command, env=environment, stdout=log, stderr=log, start_new_session=True
        )
        try:
            while not summary.exists():
                if process.poll() is not None or time.monotonic() - started > START_LIMIT:
                    raise RuntimeError(Path(log.name).read_text()[-2000:])
                time.sleep(0.05)
            seconds = round(time.monotonic() - started, 1)
            time.sleep(2)
            yield read_summary(summary, process.pid, seconds, Path(folder) / "data")
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(15)
            log.close()
