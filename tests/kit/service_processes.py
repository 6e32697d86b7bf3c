"""The processes of a deployment on this machine, each with an environment and a log of its own."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
from tests.kit.instance import environment

from aero2 import nats_access

STARTS_WITHIN = 300.0
"""Seconds until a container or a process must answer. Only a broken start takes as long."""
MAIL = "mail"
"""The process that catches mail."""


@dataclass
class Command:
    """What a process runs: `python -m` with these words."""

    words: list[str]
    environment: dict[str, str] = field(repr=False)


@dataclass
class ServiceProcesses:
    """Processes that are started, killed and replaced by their names. The gateway answers on `port`."""

    folder: Path
    port: int
    commands: dict[str, Command] = field(default_factory=dict)
    running: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    def add(self, name: str, own: dict[str, str], *words: str) -> None:
        """Defines a process. Without `words`, the name is that of its module."""
        self.commands[name] = Command(list(words or (name,)), own)

    def add_mail(self, page_port: int, smtp_port: int) -> None:
        """Defines the process that catches mail."""
        ports = {
            "AERO2_MAIL_HOST": "127.0.0.1",
            "AERO2_MAIL_PAGE_PORT": str(page_port),
            "AERO2_MAIL_SMTP_PORT": str(smtp_port),
        }
        self.add(MAIL, ports, "aero2.mailcatcher")

    def start(self, *names: str) -> None:
        """Starts processes, by default all."""
        for name in names or self.commands:
            command = self.commands[name]
            with (self.folder / f"{name}.log").open("ab") as log:
                self.running[name] = subprocess.Popen(
                    [sys.executable, "-m", *command.words],
                    env=environment() | command.environment,
                    stdout=log,
                    stderr=log,
                )

    def wait(self) -> None:
        """Waits until the gateway says that all is well."""
        until(self._answers)

    def _answers(self) -> bool:
        for name, process in self.running.items():
            assert process.poll() is None, f"{name} ended: {self.log(name)[-4000:]}"
        try:
            return httpx.get(f"http://127.0.0.1:{self.port}/health", timeout=5).is_success
        except httpx.TransportError:
            return False

    def stop(self, name: str, how: signal.Signals) -> None:
        """Signals a process and waits for its end."""
        self.running[name].send_signal(how)
        self.running[name].wait(60)

    def replace(self, name: str, how: signal.Signals = signal.SIGKILL) -> None:
        """Signals a process and starts it again, as a supervisor does."""
        self.stop(name, how)
        self.start(name)

    def readies(self, name: str) -> int:
        """Returns how often a process has said that it is ready."""
        return self.log(name).count('"event":"ready"')

    def replace_and_wait(self, name: str, how: signal.Signals = signal.SIGKILL) -> None:
        """Signals a process, starts it again, and waits until it is ready."""
        before = self.readies(name)
        self.replace(name, how)
        self.wait_ready(name, before)

    def wait_ready(self, name: str, before: int) -> None:
        """Waits until a process has said that it is ready, more often than `before`."""
        until(lambda: self.readies(name) > before)

    def of(self, service: str) -> list[str]:
        """Returns the names of the processes of a service."""
        return [name for name in self.commands if name.partition("-")[0] == service]

    def kill(self) -> None:
        """Kills all processes at once."""
        for process in self.running.values():
            process.kill()
        for process in self.running.values():
            process.wait(30)

    def end(self) -> None:
        """Ends all processes in order."""
        for process in self.running.values():
            process.terminate()
        for process in self.running.values():
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait(10)

    def alive(self) -> dict[str, int]:
        """Returns how many processes of each name run: one, or none."""
        return {name: int(each.poll() is None) for name, each in self.running.items()}

    def log(self, name: str) -> str:
        return (self.folder / f"{name}.log").read_text()

    def lines(self, event: str) -> list[dict[str, Any]]:
        """Returns the log lines of all processes with this event."""
        found = [
            json.loads(line)
            for name in self.commands
            for line in self.log(name).splitlines()
            if line.startswith("{") and f'"{event}"' in line
        ]
        return [line for line in found if line.get("event") == event]


def service_of(name: str) -> str:
    """Returns the service of a process: `identity-1` is a replica of identity."""
    service = name.partition("-")[0]
    assert service in nats_access.SERVICES
    return service


def until(condition: Callable[[], bool]) -> None:
    """Waits until the condition is true."""
    ends = time.monotonic() + STARTS_WITHIN
    while not condition():
        assert time.monotonic() < ends, f"not within {STARTS_WITHIN} s: {condition}"
        time.sleep(0.1)
