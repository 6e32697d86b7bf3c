"""Two PostgreSQL nodes under Patroni, with etcd, on loopback: deploy/cluster/patroni.yml with shorter times.

pair = PatroniPair.start()
pair.dsn("identity")                    # both servers, for a service
pair.leader                             # the name of the primary
pair.kill(pair.leader)                  # Patroni and PostgreSQL at once, as a machine without power
pair.switch_over()
pair.stop()
"""

from __future__ import annotations

import os
import secrets
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import httpx
import psutil
import yaml
from tests.kit.compose import ROOT
from tests.kit.instance import environment, free_port
from tests.kit.postgres import ROLES, fast_folder

from aero2.embedded.postgres import binaries
from aero2.embedded.process import Account, dies_with_us

PROGRAM: Final = ROOT / ".venv/patroni/bin/patroni"
NAMES: Final = ("a", "b")
QUICK: Final = {"ttl": 20, "loop_wait": 2, "retry_timeout": 5}
"""The shortest `ttl` that Patroni takes."""
DATABASE: Final = "aero2"
WAIT: Final = 120.0
"""Seconds for a node to be what it must be. Only a broken cluster takes as long."""


def etcd() -> str | None:
    """Returns the program of Debian's package etcd-server, or None."""
    return shutil.which("etcd")


@dataclass
class Node:
    """A machine with Patroni and PostgreSQL."""

    name: str
    postgres: int
    api: int
    folder: Path
    process: subprocess.Popen[bytes] | None = field(default=None, repr=False)

    @property
    def data(self) -> Path:
        return self.folder / "data"


@dataclass
class PatroniPair:
    """A primary and its synchronous standby."""

    folder: Path
    passwords: dict[str, str]
    nodes: dict[str, Node] = field(default_factory=dict)
    _etcd: subprocess.Popen[bytes] | None = field(default=None, repr=False)
    _etcd_port: int = 0

    @classmethod
    def start(cls) -> PatroniPair:
        """Starts etcd and both nodes, and makes an empty database."""
        folder = Path(tempfile.mkdtemp(prefix="aero2-patroni-", dir=fast_folder()))
        folder.chmod(0o755)
        pair = cls(folder, {role: secrets.token_hex(16) for role in ROLES})
        try:
            pair._start_etcd()
            for name in NAMES:
                pair._make(name)
                pair.launch(name)
                pair.wait_for(lambda: pair.leader is not None)
            pair.wait_for(lambda: pair.synchronous_standby is not None)
            pair._create_database()
        except BaseException:
            pair.stop()
            raise
        return pair

    @property
    def hosts(self) -> str:
        """Returns both servers, as a DSN lists them."""
        return ",".join(f"127.0.0.1:{node.postgres}" for node in self.nodes.values())

    def dsn(self, role: str = "owner", database: str = DATABASE) -> str:
        user = "postgres" if role == "owner" else f"aero2_{role}"
        return f"postgresql://{user}:{self.passwords[role]}@{self.hosts}/{database}"

    @property
    def leader(self) -> str | None:
        """Returns the name of the primary that takes writes, or None."""
        return next((name for name in self.nodes if self._answers(name, "primary")), None)

    @property
    def synchronous_standby(self) -> str | None:
        """Returns the standby that every acknowledged commit has reached, or None."""
        return next((name for name in self.nodes if self._answers(name, "sync")), None)

    def _answers(self, name: str, state: str) -> bool:
        try:
            return httpx.get(
                f"http://127.0.0.1:{self.nodes[name].api}/{state}", timeout=2
            ).is_success
        except httpx.HTTPError:
            return False

    def _create_database(self) -> None:
        node = self.nodes[str(self.leader)]
        address = ["-h", "127.0.0.1", "-p", str(node.postgres), "-U", "postgres"]
        subprocess.run(
            [binaries() / "createdb", *address, DATABASE],
            env=environment() | {"PGPASSWORD": self.passwords["owner"]},
            check=True,
        )

    def kill(self, name: str) -> None:
        """Kills Patroni and PostgreSQL of a node with SIGKILL, as if its machine had no power."""
        process = self.nodes[name].process
        assert process is not None
        patroni = psutil.Process(process.pid)
        family = [patroni, *patroni.children(recursive=True), *self._servers(name)]
        for one in family:
            one.suspend()
        for one in family:
            one.kill()
        psutil.wait_procs(family, timeout=10)
        process.wait(10)

    def _servers(self, name: str) -> list[psutil.Process]:
        """Returns the processes of a node's PostgreSQL, which is no child of Patroni."""
        data = str(self.nodes[name].data)
        return [
            process
            for process in psutil.process_iter(["name", "cwd"])
            if process.info["name"] == "postgres" and process.info["cwd"] == data
        ]

    def switch_over(self) -> None:
        """Asks Patroni to hand over to the standby, and waits until it has."""
        leader, standby = self.leader, self.synchronous_standby
        answer = httpx.post(
            f"http://127.0.0.1:{self.nodes[str(leader)].api}/switchover",
            json={"leader": leader, "candidate": standby},
            timeout=60,
        )
        assert answer.status_code == 200, answer.text
        self.wait_for(lambda: self.leader == standby)

    def wait_for(self, condition: Callable[[], bool]) -> None:
        ends = time.monotonic() + WAIT
        while not condition():
            for node in self.nodes.values():
                log = (node.folder / "patroni.log").read_text()[-3000:]
                assert time.monotonic() < ends, f"{node.name}: {log}"
            time.sleep(0.1)

    def launch(self, name: str) -> None:
        """Starts Patroni, which starts PostgreSQL."""
        node = self.nodes[name]
        account = Account.for_postgres(node.folder)
        before = account.prefix(binaries() / "postgres", PROGRAM) if account else []
        with (node.folder / "patroni.log").open("ab") as log:
            node.process = subprocess.Popen(
                [*before, *dies_with_us(signal.SIGTERM), PROGRAM, node.folder / "patroni.yml"],
                env=environment() | self._environment(node),
                cwd=node.folder,
                stdout=log,
                stderr=log,
            )

    def stop(self) -> None:
        """Stops all, and deletes the data."""
        for name, node in self.nodes.items():
            if node.process is not None and node.process.poll() is None:
                self.kill(name)
        if self._etcd is not None:
            self._etcd.kill()
            self._etcd.wait(10)
        shutil.rmtree(self.folder, ignore_errors=True)

    def _start_etcd(self) -> None:
        self._etcd_port, peers = free_port(), free_port()
        url, peer = f"http://127.0.0.1:{self._etcd_port}", f"http://127.0.0.1:{peers}"
        command = [etcd(), "--data-dir", self.folder / "etcd", "--name", "etcd"]
        command += ["--listen-client-urls", url, "--advertise-client-urls", url]
        command += ["--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer]
        command += ["--initial-cluster", f"etcd={peer}", "--unsafe-no-fsync"]
        with (self.folder / "etcd.log").open("ab") as log:
            self._etcd = subprocess.Popen(
                [*dies_with_us(signal.SIGKILL), *map(str, command)], stdout=log, stderr=log
            )

        def healthy() -> bool:
            try:
                return httpx.get(f"{url}/health", timeout=2).is_success
            except httpx.HTTPError:
                return False

        self.wait_for(healthy)

    def _make(self, name: str) -> None:
        node = Node(name, free_port(), free_port(), self.folder / name)
        node.folder.mkdir(mode=0o700)
        content: dict[str, Any] = yaml.safe_load((ROOT / "deploy/cluster/patroni.yml").read_text())
        content["bootstrap"]["dcs"] |= QUICK
        content["postgresql"]["parameters"] = {"unix_socket_directories": "."}
        (node.folder / "patroni.yml").write_text(yaml.safe_dump(content))
        if os.geteuid() == 0:
            account = Account.for_postgres(self.folder / "missing")
            assert account is not None
            for path in (node.folder, node.folder / "patroni.yml"):
                os.chown(path, account.uid, account.gid)
        self.nodes[name] = node

    def _environment(self, node: Node) -> dict[str, str]:
        return {
            "PATRONI_NAME": node.name,
            "PATRONI_ETCD3_HOSTS": f"127.0.0.1:{self._etcd_port}",
            "PATRONI_RESTAPI_LISTEN": f"127.0.0.1:{node.api}",
            "PATRONI_RESTAPI_CONNECT_ADDRESS": f"127.0.0.1:{node.api}",
            "PATRONI_POSTGRESQL_LISTEN": f"127.0.0.1:{node.postgres}",
            "PATRONI_POSTGRESQL_CONNECT_ADDRESS": f"127.0.0.1:{node.postgres}",
            "PATRONI_POSTGRESQL_DATA_DIR": str(node.data),
            "PATRONI_POSTGRESQL_BIN_DIR": str(binaries()),
            "PATRONI_SUPERUSER_PASSWORD": self.passwords["owner"],
            "PATRONI_REPLICATION_PASSWORD": self.passwords["upkeep"],
            "HOME": str(node.folder),
        }
