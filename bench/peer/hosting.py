"""Starts a peer: a small host of ours around a package, with a database of its own."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import hashlib
import json
import os
import secrets
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import asyncpg

from bench.deployment import Deployment, free_port
from bench.workloads import Workload

CALLBACK = "https://rp.example/callback"
Makers = dict[str, Callable[[], Workload]]


@dataclass(frozen=True)
class Peer:
    """A running peer: its process, and its workloads by name."""

    name: str
    pid: int
    workloads: dict[str, Workload]


@dataclass(frozen=True)
class Host:
    """Where a peer runs: the folder of its process and its port."""

    folder: Path
    port: int

    @property
    def authority(self) -> str:
        return f"127.0.0.1:{self.port}"


Install = Callable[[Path], list[str]]
"""Installs a package into a folder, and returns the command that runs the host there."""


def from_npm(source: Path) -> Install:
    """Returns the installation of a host from `package.json` and `host.mjs`. It raises RuntimeError if
    node or npm is missing."""

    def install(folder: Path) -> list[str]:
        if shutil.which("node") is None or shutil.which("npm") is None:
            raise RuntimeError("the peer needs node and npm")
        for file in ("package.json", "host.mjs"):
            shutil.copy(source / file, folder)
        # Peer dependencies that a package marks as optional conflict with each other.
        npm = ["npm", "install", "--silent", "--no-audit", "--no-fund", "--legacy-peer-deps"]
        subprocess.run(npm, cwd=folder, check=True)
        return ["node", "host.mjs"]

    return install


def from_pypi(source: Path, command: list[str]) -> Install:
    """Returns the installation of a host from `requirements.txt`, with the other files of its folder, on
    the interpreter of this environment.
    `command` begins with a program of the packages."""

    def install(folder: Path) -> list[str]:
        for file in source.glob("*.py"):
            if file.name != "__init__.py":
                shutil.copy(file, folder)
        environment = folder / "venv"
        subprocess.run([sys.executable, "-m", "venv", str(environment)], check=True)
        pip = [str(environment / "bin" / "python"), "-m", "pip", "install", "--quiet"]
        pip += ["--disable-pip-version-check", "--only-binary", ":all:"]
        subprocess.run([*pip, "-r", str(source / "requirements.txt")], check=True)
        return [str(environment / "bin" / command[0]), *command[1:]]

    return install


@contextlib.contextmanager
def started(
    name: str,
    install: Install,
    deployment: Deployment,
    prefixes: list[str],
    workloads: Callable[[Host], Makers],
) -> Iterator[Peer]:
    """Starts a peer and stops it at the end. Raises what its installation raises, and RuntimeError if
    the deployment was not started by this run or the peer does not start."""
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="aero2-peer-")))
        command = install(folder)
        port = free_port()
        dsn = asyncio.run(create_database(deployment, name.replace("-", "_")))
        environment = {
            **os.environ,
            "PORT": str(port),
            "DATABASE_URL": dsn,
            "NODE_ENV": "production",
        }
        log = stack.enter_context((folder / "peer.log").open("w"))
        process = subprocess.Popen(command, cwd=folder, env=environment, stdout=log, stderr=log)
        stack.callback(process.wait, 10)
        stack.callback(process.terminate)
        wait_for_port(port, process, folder / "peer.log")
        makers = {
            workload: make
            for workload, make in workloads(Host(folder, port)).items()
            if any(workload.startswith(prefix) for prefix in prefixes)
        }
        yield Peer(name, process.pid, {workload: make() for workload, make in makers.items()})


async def create_database(deployment: Deployment, name: str) -> str:
    """Creates a database on the deployment's server. Returns its DSN. Raises RuntimeError if this run has
    not started the deployment."""
    if deployment.data is None:
        raise RuntimeError("the peer needs a deployment that this run started: leave out --summary")
    stored_secrets = json.loads((deployment.data / "secrets.json").read_text())
    port = (deployment.data / "postgres" / "postmaster.pid").read_text().splitlines()[3]
    server = f"postgresql://postgres:{stored_secrets['superuser']}@127.0.0.1:{port}"
    db = await asyncpg.connect(f"{server}/postgres")
    await db.execute(f'CREATE DATABASE "{name}"')
    await db.close()
    return f"{server}/{name}"


def wait_for_port(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    """Waits until a process listens on the port. Raises RuntimeError with its log if it does not."""
    until = time.monotonic() + 60
    while time.monotonic() < until and process.poll() is None:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise RuntimeError(f"it did not start: {log.read_text()[-2000:]}")


def code_request(client_id: str) -> tuple[str, dict[str, str]]:
    """Returns a PKCE verifier and the parameters of an authorization request (RFC 7636)."""
    verifier = secrets.token_urlsafe(32)
    digest = hashlib.sha256(verifier.encode()).digest()
    return verifier, {
        "client_id": client_id,
        "response_type": "code",
        "redirect_uri": CALLBACK,
        "scope": "openid email offline_access",
        "state": "s",
        "nonce": "n",
        "code_challenge": base64.urlsafe_b64encode(digest).rstrip(b"=").decode(),
        "code_challenge_method": "S256",
    }


def code_form(code: str, verifier: str) -> dict[str, str]:
    """Returns the form that redeems a code."""
    return {
        "grant_type": "authorization_code",
        "code": code,
        "redirect_uri": CALLBACK,
        "code_verifier": verifier,
    }
