"""The services as processes of this machine, on three NATS servers and a database of the test."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import httpx
from tests.kit.deployments import Ability, Deployment, Shape
from tests.kit.instance import environment, free_port
from tests.kit.nats_cluster import NatsCluster, password_of

from aero2 import nats_access
from aero2.embedded.secrets import master_key
from aero2.environment import JOBS

STARTS_WITHIN = 120.0
"""Seconds until the gateway must answer. Only a broken start takes as long."""


class ServicesOnCluster(Deployment):
    """A process for each service. No mail is delivered."""

    shape = Shape.SEPARATE
    lacks = frozenset({Ability.DATA_FOLDER})

    def __init__(self, cluster: NatsCluster, database: dict[str, str], folder: Path) -> None:
        self._cluster, self._database, self._folder = cluster, database, folder
        self._public_port = free_port()
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self._common = {
            "AERO2_NATS_URL": cluster.url,
            "AERO2_NATS_CA_FILE": cluster.ca_file,
            "AERO2_STREAM_REPLICAS": "3",
            "AERO2_MASTER_KEY": master_key(),
            "AERO2_PUBLIC_URL": f"http://localhost:{self._public_port}",
            "AERO2_HOST": "127.0.0.1",
            "AERO2_PORT": str(self._public_port),
            "AERO2_METRICS_PORT": "0",
            "AERO2_LIMIT_SCALE": "1000",
            "AERO2_OPERATOR_MFA": "optional",
            "AERO2_SMTP_URL": "smtp://127.0.0.1:1?tls=none",
            "AERO2_EGRESS_PRIVATE": "true",
        }
        try:
            for service in nats_access.SERVICES:
                self._start(service)
            self._wait()
            self.summary = {"domain": f"localhost:{self._public_port}", "demo": self._demo()}
        except BaseException:
            self.end()
            raise

    def _start(self, service: str) -> None:
        own = {"AERO2_NATS_USER": service, "AERO2_NATS_PASSWORD": password_of(service)}
        if service in JOBS:
            own["AERO2_DATABASE_URL"] = self._database[service]
            own |= {
                f"AERO2_{job.upper()}_DATABASE_URL": self._database[job] for job in JOBS[service]
            }
        with (self._folder / f"{service}.log").open("ab") as log:
            self._processes[service] = subprocess.Popen(
                [sys.executable, "-m", service],
                env=environment() | self._common | own,
                stdout=log,
                stderr=log,
            )

    def _wait(self) -> None:
        ends = time.monotonic() + STARTS_WITHIN
        while True:
            for service, process in self._processes.items():
                assert process.poll() is None, self.log(service)[-4000:]
            try:
                answer = httpx.get(f"http://127.0.0.1:{self._public_port}/health", timeout=5)
                if answer.is_success:
                    return
                said = answer.text
            except httpx.TransportError as error:
                said = repr(error)
            assert time.monotonic() < ends, said
            time.sleep(0.1)

    def _demo(self) -> dict[str, str]:
        done = self.command("demo")
        assert done.returncode == 0, done.stderr
        demo: dict[str, str] = json.loads(done.stdout)
        return demo

    def log(self, service: str) -> str:
        return (self._folder / f"{service}.log").read_text()

    def lines(self, event: str) -> list[dict[str, Any]]:
        """Returns the log lines of all services with this event."""
        found = [
            json.loads(line)
            for service in self._processes
            for line in self.log(service).splitlines()
            if line.startswith("{") and f'"{event}"' in line
        ]
        return [line for line in found if line.get("event") == event]

    @property
    def folder(self) -> Path:
        self.require(Ability.DATA_FOLDER)
        raise AssertionError("unreachable")

    def nats(self) -> tuple[str, str]:
        return self._cluster.url, password_of(nats_access.CLI)

    def command(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        bare = {k: v for k, v in os.environ.items() if not k.startswith("AERO2_")}
        url, password = self.nats()
        return subprocess.run(
            [sys.executable, "-m", "aero2", *arguments],
            env=bare
            | {
                "AERO2_NATS_URL": url,
                "AERO2_NATS_PASSWORD": password,
                "AERO2_NATS_CA_FILE": self._cluster.ca_file,
            },
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )

    def owner_dsn(self) -> str:
        return self._database["owner"]

    def kill(self, service: str, how: signal.Signals = signal.SIGKILL) -> None:
        """Signals a service and starts it again, as a supervisor does."""
        self._processes[service].send_signal(how)
        self._processes[service].wait(30)
        self._start(service)

    def processes(self) -> dict[str, int]:
        return {name: int(each.poll() is None) for name, each in self._processes.items()}

    def kill_everything(self) -> None:
        for process in self._processes.values():
            process.kill()
        for process in self._processes.values():
            process.wait(30)

    def pause(self) -> None:
        self.end()

    def resume(self) -> None:
        for service in nats_access.SERVICES:
            self._start(service)
        self._wait()

    def end(self) -> None:
        for process in self._processes.values():
            process.terminate()
        for process in self._processes.values():
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait(10)


async def started(
    cluster: NatsCluster, database: dict[str, str], folder: Path
) -> ServicesOnCluster:
    """Starts the services while the event loop of the test goes on."""
    return await asyncio.to_thread(ServicesOnCluster, cluster, database, folder)
