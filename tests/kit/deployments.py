"""Starts Aero2 in a given shape, so that any suite can run against any shape.

`pytest --shape compose tests/conformance` chooses; the default is `separate`. A new shape is a
subclass of `Deployment`, a member of `Shape` and an entry of `STARTERS` (or of `start`).

A test that needs what a shape lacks calls `system.deployment.require(Ability.…)`. It is skipped
with a reason that names the shape, and fails the run if AERO2_REQUIRE names the shape.
"""

from __future__ import annotations

import json
import os
import signal
import ssl
import subprocess
import sys
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from enum import StrEnum
from pathlib import Path
from typing import Any, ClassVar

import psutil
import pytest
from tests.kit.compose import Project, docker, engine_answers
from tests.kit.instance import Instance

from aero2 import nats_access


class Shape(StrEnum):
    """How the processes of a deployment are arranged."""

    SEPARATE = "separate"
    """A process for each service on this machine, as `aero2 up` starts them."""
    COMPOSE = "compose"
    """Containers, as docker-compose.yml describes them."""
    TOGETHER = "together"
    """One process for all services on this machine, as `aero2 up --together` starts it."""
    CONTAINERS = "containers"
    """A process for each service on this machine; Postgres and NATS in containers."""
    CLUSTER = "cluster"
    """A process for each service on this machine, on three NATS servers; with `--homes 2`, on two database
    clusters, and new applications live in the second."""


class Ability(StrEnum):
    """What some shapes cannot do. The text completes "cannot"."""

    CALL_THIS_MACHINE = "call a listener on this machine's loopback"
    DATA_FOLDER = "show the data folder of `aero2 up`"
    CALLER_ADDRESS = "see that a caller comes from 127.0.0.1"


class Deployment(ABC):
    """One running Aero2. `summary` has its domain, the demo application and the owner link."""

    shape: ClassVar[Shape]
    lacks: ClassVar[frozenset[Ability]] = frozenset()
    summary: dict[str, Any]

    def require(self, ability: Ability) -> None:
        """Skips the test if the shape lacks this."""
        if ability in self.lacks:
            pytest.skip(f"the shape {self.shape} cannot {ability}")

    @property
    def port(self) -> int:
        return int(self.summary["domain"].rpartition(":")[2])

    @property
    @abstractmethod
    def folder(self) -> Path:
        """The data folder of `aero2 up`."""

    @abstractmethod
    def nats(self) -> tuple[str, str]:
        """Returns the URL of NATS and the password of the command line's user."""

    def nats_tls(self) -> ssl.SSLContext | None:
        """Returns how NATS is spoken to, None without TLS."""
        return None

    def variables(self) -> dict[str, str]:
        """Returns the variables by which a command finds this deployment."""
        url, password = self.nats()
        return {"AERO2_NATS_URL": url, "AERO2_NATS_PASSWORD": password}

    @abstractmethod
    def owner_dsn(self) -> str:
        """Returns the address of the database as a superuser."""

    @abstractmethod
    def kill(self, service: str, how: signal.Signals = signal.SIGKILL) -> None:
        """Signals the process of a service, of `postgres` or of `nats`."""

    def serves_clients(self, victim: str) -> bool:
        """Returns whether connections of clients break when this process is killed."""
        return victim == "gateway"

    def processes(self) -> dict[str, int]:
        """Returns how many processes of each name run. Empty if this shape cannot tell."""
        return {}

    @abstractmethod
    def kill_everything(self) -> None:
        """Ends every process at once, as a power cut does. The data stays."""

    @abstractmethod
    def pause(self) -> None:
        """Stops every process in order. The data stays."""

    @abstractmethod
    def resume(self) -> None:
        """Starts again with the same data, and waits until it answers."""

    @abstractmethod
    def end(self) -> None:
        """Stops, and removes what only this deployment used."""

    def operator_key(self) -> str:
        """Returns a secret key of the Dashboard."""
        self.require(Ability.DATA_FOLDER)
        keys = json.loads((self.folder / "dashboard-keys.json").read_text())
        return str(keys["secret_key"])

    def command(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Runs `aero2 …` against this deployment."""
        bare = {k: v for k, v in os.environ.items() if not k.startswith("AERO2_")}
        return subprocess.run(
            [sys.executable, "-m", "aero2", *arguments],
            env=bare | self.variables(),
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )


class SeparateServices(Deployment):
    """`aero2 up` in a folder of its own."""

    shape = Shape.SEPARATE
    options: ClassVar[list[str]] = []
    """Further options of `aero2 up`."""

    def __init__(self, folder: Path, settings: dict[str, str]) -> None:
        self.instance = Instance(folder, settings=settings, more=self.options).start()
        try:
            self.summary = self.instance.ready()
        except BaseException:
            self.end()
            raise

    @property
    def folder(self) -> Path:
        return self.instance.folder

    def _read(self, name: str) -> dict[str, Any]:
        content: dict[str, Any] = json.loads((self.folder / name).read_text())
        return content

    def nats(self) -> tuple[str, str]:
        password = self._read("secrets.json")["nats"][nats_access.CLI]
        return f"nats://127.0.0.1:{self._read('ports.json')['nats']}", password

    def owner_dsn(self) -> str:
        password = self._read("secrets.json")["superuser"]
        port = self._read("ports.json")["postgres"]
        return f"postgresql://postgres:{password}@127.0.0.1:{port}/aero2"

    def kill(self, service: str, how: signal.Signals = signal.SIGKILL) -> None:
        os.kill(self.instance.children()[service], how)

    def processes(self) -> dict[str, int]:
        assert self.instance.process is not None
        count: Counter[str] = Counter()
        for name, pid in self.instance.children().items():
            with suppress(psutil.Error):
                count[name] += psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
        parent = psutil.Process(self.instance.process.pid)
        family = parent.children(recursive=True)
        with suppress(psutil.Error):  # of PostgreSQL, each connection has one
            count["all"] = sum(child.name() != "postgres" for child in family)
        return dict(count)

    def kill_everything(self) -> None:
        assert self.instance.process is not None
        parent = psutil.Process(self.instance.process.pid)
        family = [*parent.children(recursive=True), parent]
        for process in family:
            process.suspend()
        for process in family:
            os.kill(process.pid, signal.SIGKILL)
        self.instance.process.wait(30)
        psutil.wait_procs(family, timeout=30)

    def pause(self) -> None:
        self.instance.stop(signal.SIGTERM)

    def resume(self) -> None:
        self.instance.start().ready()

    def end(self) -> None:
        self.instance.stop(signal.SIGTERM)


class Together(SeparateServices):
    """`aero2 up --together` in a folder of its own."""

    shape = Shape.TOGETHER
    options: ClassVar[list[str]] = ["--together"]

    def serves_clients(self, victim: str) -> bool:
        return victim in nats_access.SERVICES

    def kill(self, service: str, how: signal.Signals = signal.SIGKILL) -> None:
        """Signals the process of a service, and so of all services."""
        super().kill("together" if self.serves_clients(service) else service, how)


class Compose(Deployment):
    """A project of docker-compose.yml."""

    shape = Shape.COMPOSE
    lacks = frozenset(Ability)

    def __init__(self, folder: Path, settings: dict[str, str]) -> None:
        if not engine_answers():
            pytest.skip("the shape compose cannot start: no Docker engine answers")
        folder.mkdir(parents=True)
        self.project = Project(folder, **settings)
        try:
            self.project.build()
            self.project.up()
            self.summary = {
                "domain": f"localhost:{self.project.port}",
                "dashboard_url": f"http://dashboard.localhost:{self.project.port}",
                "mail_url": f"http://127.0.0.1:{self.project.mail_port}",
                "demo": json.loads(self._cli("demo")),
                "owner_link": self._cli("owner-link").strip(),
            }
        except BaseException:
            self.end()
            raise

    def _cli(self, *arguments: str) -> str:
        return self.project.compose("run", "--rm", "-T", "cli", *arguments)

    @property
    def folder(self) -> Path:
        self.require(Ability.DATA_FOLDER)
        raise AssertionError("unreachable")

    def nats(self) -> tuple[str, str]:
        password = self.project.secret(f"NATS_{nats_access.CLI.upper()}_PASSWORD")
        return f"nats://{self.project.address('nats')}:4222", password

    def owner_dsn(self) -> str:
        password = self.project.secret("POSTGRES_PASSWORD")
        return f"postgresql://postgres:{password}@{self.project.address('postgres')}/aero2"

    def kill(self, service: str, how: signal.Signals = signal.SIGKILL) -> None:
        # From inside: the engine starts a container again that died, not one that it killed.
        container = self.project.compose("ps", "--quiet", service).strip()
        process = json.loads(docker("inspect", container))[0]["State"]["Pid"]
        os.kill(process, how)

    def kill_everything(self) -> None:
        self.project.compose("kill")

    def pause(self) -> None:
        self.project.compose("stop")

    def resume(self) -> None:
        self.project.up()

    def end(self) -> None:
        self.project.down()


def _containers(folder: Path, settings: dict[str, str]) -> Deployment:
    from tests.kit.containers import Containers  # with imports that other shapes do not need

    return Containers(folder, settings)


STARTERS: dict[Shape, Callable[[Path, dict[str, str]], Deployment]] = {
    Shape.SEPARATE: SeparateServices,
    Shape.COMPOSE: Compose,
    Shape.TOGETHER: Together,
    Shape.CONTAINERS: _containers,
}


def start(
    shape: Shape,
    folder: Path,
    *,
    limit_scale: str = "1000",
    operator_mfa: str = "optional",
    homes: int = 1,
) -> Deployment:
    """Starts a deployment. Flood limits are wide, because every test comes from one address. Operators
    do without a second factor, unless the test is about it. Only the shape `cluster` knows several homes."""
    settings = {"AERO2_LIMIT_SCALE": limit_scale, "AERO2_OPERATOR_MFA": operator_mfa}
    if shape is Shape.CLUSTER:
        from tests.kit.services_on_cluster import Cluster  # which builds on this file

        return Cluster(folder, settings, homes)
    return STARTERS[shape](folder, settings)
