"""The services as processes of this machine, with Postgres and NATS in containers.

Images, commands, configuration and environment come from docker-compose.yml, so that a test in
this shape is a test of that file. `testcontainers` starts the containers and removes them.
"""

from __future__ import annotations

import json
import re
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from testcontainers.core.config import testcontainers_config
from testcontainers.core.container import DockerContainer
from tests.kit.compose import ROOT, docker, engine_answers
from tests.kit.deployments import Ability, Deployment, Shape
from tests.kit.instance import environment, free_port
from tests.kit.service_processes import ServiceProcesses, until

from aero2 import compose_env, nats_access
from aero2.compose_env import fresh_secrets, write_secrets
from aero2.embedded.ports import bound
from aero2.nats_file_passwords import LoginFiles
from aero2.password_files import PasswordFile

SERVICES = ("tenancy", "identity", "oidc", "rbac", "gateway")
SECRETS = "/run/secrets"
testcontainers_config.ryuk_disabled = True  # `end` removes them; the reaper needs one more image


class ComposeFile:
    """docker-compose.yml with the values of an .env file."""

    def __init__(self, values: dict[str, str]) -> None:
        self.values = values
        content = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
        self._services: dict[str, dict[str, Any]] = content["services"]

    def image(self, service: str) -> str:
        return str(self._services[service]["image"])

    def command(self, service: str) -> list[str]:
        return [str(word) for word in self._services[service]["command"]]

    def environment(self, service: str) -> dict[str, str]:
        given = self._services[service].get("environment", {})
        return {name: self._filled(str(value)) for name, value in given.items()}

    def _filled(self, text: str) -> str:
        """Puts values in place of `${NAME}`, `${NAME:-default}` and `${NAME:?message}`."""

        def value(match: re.Match[str]) -> str:
            default = match["default"] or ""
            return self.values.get(match["name"]) or default

        return re.sub(r"\$\{(?P<name>\w+)(?::-(?P<default>[^}]*)|:\?[^}]*)?\}", value, text)


class Containers(Deployment):
    """Two containers, a process for each service, and one that catches mail."""

    shape = Shape.CONTAINERS
    lacks = frozenset({Ability.DATA_FOLDER})

    def __init__(self, folder: Path, settings: dict[str, str]) -> None:
        if not engine_answers():
            pytest.skip("the shape containers cannot start: no Docker engine answers")
        folder.mkdir(parents=True)
        self._folder = folder
        # Kept until the end, so that nobody else is given a port while the containers start.
        self._reserved = [bound("127.0.0.1", 0) for _ in range(3)]
        self._port, self._mail_port, self._smtp_port = [
            reserved.getsockname()[1] for reserved in self._reserved
        ]
        self._processes = ServiceProcesses(folder, self._port)
        self._secrets = folder / "secrets"
        self._written_secrets = fresh_secrets()
        write_secrets(self._secrets, self._written_secrets, force=False)
        values = _values(compose_env.settings(f"http://localhost:{self._port}", str(self._secrets)))
        self._file = ComposeFile(values | settings)
        self._postgres = self._container("postgres", 5432).with_volume_mapping(
            str(self._secrets / "POSTGRES_PASSWORD"), f"{SECRETS}/POSTGRES_PASSWORD", "ro"
        )
        self._nats = self._container("nats", 4222).with_volume_mapping(
            str(self._nats_configuration()), "/etc/nats/aero2.conf", "ro"
        )
        try:
            self._start_containers()
            self._migrate()
            self._start_services()
            self.summary = {
                "domain": f"localhost:{self._port}",
                "dashboard_url": f"http://dashboard.localhost:{self._port}",
                "mail_url": f"http://127.0.0.1:{self._mail_port}",
                "demo": json.loads(self._printed("demo")),
                "owner_link": self._printed("owner-link").strip(),
            }
        except BaseException:
            self.end()
            raise

    def _container(self, service: str, port: int) -> DockerContainer:
        container = DockerContainer(self._file.image(service))
        command = self._file.command(service)
        if service == "postgres":
            command += ["-c", "fsync=off"]  # the data ends with the container
        container.with_command(command).with_bind_ports(port, free_port())
        for name, value in self._file.environment(service).items():
            container.with_env(name, value)
        return container

    def _nats_configuration(self) -> Path:
        """Writes the configuration of NATS, as the service `nats-volume` does."""
        place = self._folder / "nats.conf"
        users = (*nats_access.SERVICES, nats_access.CLI)
        names = {user: f"NATS_{user.upper()}_PASSWORD" for user in users}
        files = {user: PasswordFile(self._secrets / name, name) for user, name in names.items()}
        LoginFiles(place, files).write_configuration()
        return place

    def _start_containers(self) -> None:
        for container in (self._postgres, self._nats):
            container.start()
        until(self._postgres_answers)
        until(self._nats_answers)

    def _postgres_answers(self) -> bool:
        # Over TCP: while the image prepares its data, it listens on a socket only.
        command = ["pg_isready", "--quiet", "--host=127.0.0.1", "--username=postgres"]
        return self._postgres.exec(command).exit_code == 0

    def _nats_answers(self) -> bool:
        try:
            with socket.create_connection(_address(self._nats, 4222), timeout=1) as link:
                return link.recv(4) == b"INFO"
        except OSError:
            return False

    def _migrate(self) -> None:
        ran = subprocess.run(
            [sys.executable, "-m", "aero2", "migrate"],
            env=environment() | self._environment("migrate"),
            capture_output=True,
            text=True,
            check=False,
        )
        assert ran.returncode == 0, ran.stdout + ran.stderr

    def _environment(self, service: str) -> dict[str, str]:
        """Returns the service's environment of the compose file, with this machine's addresses."""
        postgres = "{}:{}".format(*_address(self._postgres, 5432))
        nats = "nats://{}:{}".format(*_address(self._nats, 4222))
        given = {
            name: value.replace("@postgres/", f"@{postgres}/")
            .replace("nats://nats:4222", nats)
            .replace(SECRETS, str(self._secrets))
            for name, value in self._file.environment(service).items()
        }
        given.pop("AERO2_SMTP_URL_FILE", None)
        return given | {
            "AERO2_HOST": "127.0.0.1",
            "AERO2_PORT": str(self._port),
            "AERO2_HEARTBEAT": str(self._folder / f"{service}.heartbeat"),
            "AERO2_METRICS_HOST": "127.0.0.1",
            "AERO2_METRICS_PORT": "0",
            "AERO2_SMTP_URL": f"smtp://127.0.0.1:{self._smtp_port}?tls=none",
            "AERO2_EGRESS_PRIVATE": "true",
        }

    def _start_services(self) -> None:
        self._processes.add_mail(self._mail_port, self._smtp_port)
        for service in SERVICES:
            self._processes.add(service, self._environment(service))
        self._processes.start()
        self._processes.wait()

    def _printed(self, *arguments: str) -> str:
        ran = self.command(*arguments)
        assert ran.returncode == 0, ran.stderr
        return ran.stdout

    @property
    def folder(self) -> Path:
        self.require(Ability.DATA_FOLDER)
        raise AssertionError("unreachable")

    def nats(self) -> tuple[str, str]:
        password = self._written_secrets[f"NATS_{nats_access.CLI.upper()}_PASSWORD"]
        return "nats://{}:{}".format(*_address(self._nats, 4222)), password

    def owner_dsn(self) -> str:
        url = self._environment("migrate")["AERO2_OWNER_DATABASE_URL"]
        return url.replace(
            "postgres@", f"postgres:{self._written_secrets['POSTGRES_PASSWORD']}@", 1
        )

    def kill(self, service: str, how: signal.Signals = signal.SIGKILL) -> None:
        """Signals a service and starts it again, as a supervisor does."""
        if service in ("postgres", "nats"):
            container = {"postgres": self._postgres, "nats": self._nats}[service]
            docker("kill", "--signal", how.name, container.get_container_id())
            docker("start", container.get_container_id())
            return
        self._processes.replace(service, how)

    def kill_everything(self) -> None:
        self._processes.kill()
        for container in (self._postgres, self._nats):
            docker("kill", container.get_container_id())

    def processes(self) -> dict[str, int]:
        return self._processes.alive()

    def pause(self) -> None:
        self._processes.end()
        for container in (self._postgres, self._nats):
            docker("stop", container.get_container_id())

    def resume(self) -> None:
        for container in (self._postgres, self._nats):
            docker("start", container.get_container_id())
            container.reload()
        until(self._postgres_answers)
        until(self._nats_answers)
        self._start_services()

    def end(self) -> None:
        self._processes.end()
        for container in (self._postgres, self._nats):
            container.stop()
        for reserved in self._reserved:
            reserved.close()


def _values(env: str) -> dict[str, str]:
    lines = (line.partition("=") for line in env.splitlines() if not line.startswith("#"))
    return {name: value.strip("'") for name, _, value in lines if name}


def _address(container: DockerContainer, port: int) -> tuple[str, int]:
    published = container.get_exposed_port(port)
    assert published is not None
    return container.get_container_host_ip(), int(published)
