"""docker-compose.yml as a project of its own, with ports and secrets of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any
from uuid import uuid4

from tests.kit.instance import free_port

ROOT = Path(__file__).parents[2]


def docker(*arguments: str, check: bool = True, **more: Any) -> str:
    """Returns what the command printed. Fails with its output, unless `check` is off."""
    ran: subprocess.CompletedProcess[str] = subprocess.run(
        ["docker", *arguments], capture_output=True, text=True, **more
    )
    if check:
        assert ran.returncode == 0, ran.stdout[-4000:] + ran.stderr[-4000:]
    return ran.stdout


def engine_answers() -> bool:
    """Returns whether a Docker engine answers."""
    command = ["docker", "version", "--format", "{{.Server.Version}}"]
    try:
        return subprocess.run(command, capture_output=True, timeout=20).returncode == 0
    except (OSError, subprocess.TimeoutExpired):
        return False


class Project:
    """One project of the compose file. `settings` are added to its .env."""

    def __init__(self, folder: Path, **settings: str) -> None:
        self.name = f"aero2-test-{uuid4().hex[:8]}"
        self.port, self.mail_port = free_port(), free_port()
        self.env = folder / ".env"
        command = [sys.executable, "-m", "aero2", "compose-env", "--file", str(self.env)]
        subprocess.run([*command, "--public-url", f"http://localhost:{self.port}"], check=True)
        self.set(AERO2_MAIL_PORT=str(self.mail_port), AERO2_IMAGE=self.name, **settings)

    def set(self, **settings: str) -> None:
        """Adds settings to the .env file, for the next `up`."""
        with self.env.open("a") as file:
            file.writelines(f"{name}='{value}'\n" for name, value in settings.items())

    def compose(self, *arguments: str, check: bool = True) -> str:
        own = ["compose", "--project-name", self.name, "--env-file", str(self.env)]
        clean = {k: v for k, v in os.environ.items() if not k.startswith(("AERO2_", "NATS_"))}
        return docker(*own, *arguments, check=check, cwd=ROOT, env=clean)

    def build(self) -> None:
        self.compose("build", "--quiet")

    def up(self, *scale: str) -> None:
        self.compose("up", "--detach", "--no-build", "--wait", "--wait-timeout", "180", *scale)

    def down(self) -> None:
        """Removes containers, volumes and the image."""
        self.compose("down", "--volumes", "--timeout", "5", check=False)
        docker("image", "rm", "--force", self.name, check=False)

    def containers(self) -> list[dict[str, Any]]:
        lines = self.compose("ps", "--all", "--format", "json").splitlines()
        return [json.loads(line) for line in lines]

    def address(self, service: str) -> str:
        """Returns the IP address of a service's container, which this machine reaches on Linux."""
        container = self.compose("ps", "--quiet", service).strip()
        networks = json.loads(docker("inspect", container))[0]["NetworkSettings"]["Networks"]
        return str(next(iter(networks.values()))["IPAddress"])

    def secret(self, name: str) -> str:
        """Returns a secret: the first line of its file."""
        return self.secret_file(name).read_text().splitlines()[0]

    def secret_file(self, name: str) -> Path:
        """Returns the file of a secret."""
        return self.env.with_name("secrets") / name
