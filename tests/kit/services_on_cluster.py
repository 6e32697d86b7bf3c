"""The services as processes of this machine, on three NATS servers and one database or two."""

from __future__ import annotations

import asyncio
import json
import signal
import ssl
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from tests.kit.deployments import Ability, Deployment, Shape
from tests.kit.homes import AT_WEST, WEST, TwoClusters, is_double
from tests.kit.instance import free_port
from tests.kit.nats_cluster import NatsCluster, nats_cluster, password_of
from tests.kit.postgres import Postgres
from tests.kit.service_processes import ServiceProcesses

from aero2 import nats_access
from aero2.embedded.secrets import master_key
from aero2.environment import JOBS
from common.homes import MAIN
from common.nats_tls import client_context


class ServicesOnCluster(Deployment):
    """A process for each service, or several, on servers that the caller starts and stops.

    `databases` has the DSN of each role; with those of `west` too, it is two clusters. New applications live
    in `home`.
    """

    shape = Shape.CLUSTER
    lacks = frozenset({Ability.DATA_FOLDER})

    def __init__(
        self,
        cluster: NatsCluster,
        databases: dict[str, str],
        folder: Path,
        *,
        replicas: int = 1,
        home: str = MAIN,
        settings: dict[str, str] | None = None,
    ) -> None:
        self.cluster, self.databases = cluster, databases
        self._keys = folder / "dashboard-keys.json"
        port, mail, smtp = free_port(), free_port(), free_port()
        self.services = ServiceProcesses(folder, port)
        self._common = self._settings(port, smtp) | (settings or {})
        self.services.add_mail(mail, smtp)
        for service in nats_access.SERVICES:
            for replica in range(replicas):
                name = f"{service}-{replica}" if replica else service
                own = self._own(service) | {"AERO2_REPLICA": str(replica)}
                if service == "tenancy":
                    own["AERO2_NEW_APPLICATIONS_HOME"] = home
                if service == "gateway" and replicas > 1:
                    own["AERO2_REUSE_PORT"] = "true"
                self.services.add(name, self._common | own, service)
        try:
            self.services.start()
            self.services.wait()
            self.summary = {
                "domain": f"localhost:{port}",
                "dashboard_url": f"http://dashboard.localhost:{port}",
                "mail_url": f"http://127.0.0.1:{mail}",
                "demo": json.loads(self._printed("demo")),
                "owner_link": self._printed("owner-link").strip(),
            }
            assert self.summary["demo"]["home"] == home
        except BaseException:
            self.services.end()
            raise

    def _settings(self, port: int, smtp: int) -> dict[str, str]:
        return {
            "AERO2_NATS_URL": self.cluster.url,
            "AERO2_NATS_CA_FILE": self.cluster.ca_file,
            "AERO2_STREAM_REPLICAS": "3",
            "AERO2_MASTER_KEY": master_key(),
            "AERO2_PUBLIC_URL": f"http://localhost:{port}",
            "AERO2_HOST": "127.0.0.1",
            "AERO2_PORT": str(port),
            "AERO2_GATEWAY_ADDRESS": f"127.0.0.1:{port}",
            "AERO2_METRICS_PORT": "0",
            "AERO2_LIMIT_SCALE": "1000",
            "AERO2_OPERATOR_MFA": "optional",
            "AERO2_SMTP_URL": f"smtp://127.0.0.1:{smtp}?tls=none",
            "AERO2_EGRESS_PRIVATE": "true",
            "AERO2_BOOTSTRAP_KEYS_FILE": str(self._keys),
        }

    def _own(self, service: str) -> dict[str, str]:
        """Returns the logins of a service: of the bus, and of each database."""
        own = {"AERO2_NATS_USER": service, "AERO2_NATS_PASSWORD": password_of(service)}
        for place in ("", AT_WEST) if is_double(self.databases) else ("",):
            suffix = f"_{place[1:].upper()}" if place else ""
            if service in JOBS:
                own[f"AERO2_DATABASE_URL{suffix}"] = self.databases[f"{service}{place}"]
            for job in JOBS.get(service, ()):
                own[f"AERO2_{job.upper()}_DATABASE_URL{suffix}"] = self.databases[f"{job}{place}"]
        return own

    def _printed(self, *arguments: str) -> str:
        ran = self.command(*arguments)
        assert ran.returncode == 0, ran.stderr
        return ran.stdout

    def lines(self, event: str) -> list[dict[str, Any]]:
        """Returns the log lines of all services with this event."""
        return self.services.lines(event)

    @property
    def folder(self) -> Path:
        self.require(Ability.DATA_FOLDER)
        raise AssertionError("unreachable")

    def nats(self) -> tuple[str, str]:
        return self.cluster.url, password_of(nats_access.CLI)

    def nats_tls(self) -> ssl.SSLContext | None:
        return client_context(self.cluster.ca_file)

    def variables(self) -> dict[str, str]:
        return super().variables() | {"AERO2_NATS_CA_FILE": self.cluster.ca_file}

    def operator_key(self) -> str:
        return str(json.loads(self._keys.read_text())["secret_key"])

    @property
    def master_key(self) -> str:
        """The value of AERO2_MASTER_KEY."""
        return self.services.commands["identity"].environment["AERO2_MASTER_KEY"]

    def owner_dsn(self) -> str:
        return self.databases["owner"]

    def kill(self, service: str, how: signal.Signals = signal.SIGKILL) -> None:
        """Signals a service and starts it again, as a supervisor does."""
        self.services.replace(service, how)

    def processes(self) -> dict[str, int]:
        return self.services.alive()

    def kill_everything(self) -> None:
        self.services.kill()

    def pause(self) -> None:
        self.services.end()

    def resume(self) -> None:
        self.services.start()
        self.services.wait()

    def end(self) -> None:
        self.services.end()


class Cluster(ServicesOnCluster):
    """The same, with servers of its own: three of NATS, and one of Postgres for each home."""

    def __init__(
        self, folder: Path, settings: dict[str, str], homes: int, *, replicas: int = 1
    ) -> None:
        folder.mkdir(parents=True)
        self._servers = ExitStack()
        try:
            cluster = self._servers.enter_context(nats_cluster(folder))
            self._postgres = self._started(*((MAIN, WEST)[:homes]))
            databases = self._databases()
            home = WEST if homes == 2 else MAIN
            super().__init__(
                cluster, databases, folder, replicas=replicas, home=home, settings=settings
            )
        except BaseException:
            self._servers.close()
            raise

    def _started(self, *names: str) -> list[Postgres]:
        """Starts a server for each home. What is acknowledged outlives the process."""
        started = []
        for name in names:
            server = Postgres.start(cluster=name)
            self._servers.callback(server.stop)
            server.query("ALTER SYSTEM SET synchronous_commit = on")
            server.query("SELECT pg_reload_conf()")
            started.append(server)
        return started

    def _databases(self) -> dict[str, str]:
        first, *others = self._postgres
        both = TwoClusters.beside(first, others[0]) if others else first
        return both.dsns(both.clone())

    def kill(self, service: str, how: signal.Signals = signal.SIGKILL) -> None:
        """Signals a service, the first server of NATS, or those of Postgres, and starts it again."""
        if service == "nats":
            first = next(iter(self.cluster.servers))
            self.cluster.stop(first, how=how)
            self.cluster.start(first)
        elif service == "postgres":
            self._crash()
            self._recover()
        else:
            super().kill(service, how)

    def _crash(self) -> None:
        for server in self._postgres:
            server.kill()

    def _recover(self) -> None:
        for server in self._postgres:
            server.restart()

    def kill_everything(self) -> None:
        super().kill_everything()
        self.cluster.stop(how=signal.SIGKILL)
        self._crash()

    def pause(self) -> None:
        super().pause()
        self.cluster.stop()
        self._crash()

    def resume(self) -> None:
        self._recover()
        self.cluster.start()
        super().resume()

    def end(self) -> None:
        super().end()
        self._servers.close()


async def started(
    cluster: NatsCluster, databases: dict[str, str], folder: Path, **options: Any
) -> ServicesOnCluster:
    """Starts the services while the event loop of the test goes on."""

    def start() -> ServicesOnCluster:
        return ServicesOnCluster(cluster, databases, folder, **options)

    return await asyncio.to_thread(start)
