"""Two PostgreSQL nodes under Patroni, with etcd, on loopback: deploy/cluster/patroni.yml with shorter times.

pair = PatroniPair.start()              # with an etcd cluster of its own
west = PatroniPair.start(pair.etcd, scope="west")
pair.dsn("identity")                    # both servers, for a service
pair.leader                             # the name of the primary
pair.kill(pair.leader)                  # Patroni and PostgreSQL at once, as a machine without power
pair.freeze("a")                        # both stand still, until pair.thaw("a")
pair.switch_over()
pair.configure(synchronous_mode_strict=True)
pair.stop()
"""

from __future__ import annotations

import os
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import httpx
import psutil
import yaml
from tests.kit.compose import ROOT
from tests.kit.etcd import EtcdCluster
from tests.kit.instance import environment
from tests.kit.postgres import ROLES, fast_folder

from aero2.embedded.ports import bound
from aero2.embedded.postgres import binaries
from aero2.embedded.process import Account, dies_with_us

PROGRAM: Final = ROOT / ".venv/patroni/bin/patroni"
NAMES: Final = ("a", "b")
QUICK: Final = {"ttl": 20, "loop_wait": 2, "retry_timeout": 5}
"""The shortest `ttl` that Patroni takes."""
DATABASE: Final = "aero2"
API_USER: Final = "patroni"
WAIT: Final = 120.0
"""Seconds for a node to be what it must be. Only a broken cluster takes as long."""


@dataclass
class Node:
    """A machine with Patroni and PostgreSQL."""

    name: str
    postgres: int
    api: int
    folder: Path
    reserved: tuple[socket.socket, ...] = field(default=(), repr=False)
    """Keep both ports, which nobody else is given between two runs."""
    process: subprocess.Popen[bytes] | None = field(default=None, repr=False)

    @property
    def data(self) -> Path:
        return self.folder / "data"


@dataclass
class PatroniPair:
    """A primary and its synchronous standby."""

    folder: Path
    passwords: dict[str, str]
    scope: str
    etcd: EtcdCluster
    owns_etcd: bool
    local: dict[str, Any] = field(default_factory=dict)
    """What is added to the section `postgresql` of each node's file."""
    nodes: dict[str, Node] = field(default_factory=dict)
    _frozen: dict[str, list[psutil.Process]] = field(default_factory=dict, repr=False)

    @classmethod
    def start(
        cls,
        etcd: EtcdCluster | None = None,
        *,
        scope: str = "aero2",
        local: dict[str, Any] | None = None,
    ) -> PatroniPair:
        """Starts both nodes, and makes an empty database. Starts three etcd servers if it is given none."""
        folder = Path(tempfile.mkdtemp(prefix="aero2-patroni-", dir=fast_folder()))
        folder.chmod(0o755)
        passwords = {role: secrets.token_hex(16) for role in ROLES}
        own = etcd or EtcdCluster.start(folder / "etcd")
        pair = cls(folder, passwords, scope, own, etcd is None, local or {})
        try:
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

    def dsn_of(self, node: str, role: str = "owner", database: str = DATABASE) -> str:
        """Returns the DSN of one node alone."""
        both = self.dsn(role, database)
        return both.replace(self.hosts, f"127.0.0.1:{self.nodes[node].postgres}")

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
            return httpx.get(self._url(name, state), timeout=2).is_success
        except httpx.HTTPError:
            return False

    def status(self, name: str) -> dict[str, Any]:
        """Returns what Patroni says of a node: `role`, `timeline`, `dcs_last_seen`."""
        found: dict[str, Any] = httpx.get(self._url(name, "patroni"), timeout=10).json()
        return found

    def log(self, name: str) -> str:
        return (self.nodes[name].folder / "patroni.log").read_text()

    def _url(self, name: str, path: str) -> str:
        return f"http://127.0.0.1:{self.nodes[name].api}/{path}"

    def configure(self, **changes: Any) -> None:
        """Changes the configuration of both nodes in etcd, as `patronictl edit-config` does."""
        login = (API_USER, self.passwords["owner"])
        url = self._url(str(self.leader), "config")
        answer = httpx.patch(url, json=changes, auth=login, timeout=60)
        assert answer.status_code == 200, answer.text

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
        family = self._frozen.pop(name, None) or self._suspended(name)
        for one in family:
            with suppress(psutil.NoSuchProcess):
                one.kill()
        psutil.wait_procs(family, timeout=10)
        process.wait(10)

    def restart_patroni(self, name: str) -> None:
        """Kills Patroni alone and starts it again. PostgreSQL goes on meanwhile."""
        process = self.nodes[name].process
        assert process is not None
        process.kill()
        process.wait(10)
        self.launch(name)

    def freeze(self, name: str) -> None:
        """Stops Patroni and PostgreSQL of a node, as a machine that hangs: connections stay open."""
        self._frozen[name] = self._suspended(name)

    def thaw(self, name: str) -> None:
        """Lets a node go on where it was."""
        for one in self._frozen.pop(name):
            with suppress(psutil.NoSuchProcess):
                one.resume()

    def restore(self) -> None:
        """Starts and thaws what a test has left stopped, and waits for a primary and its standby."""
        self.etcd.restore()
        for name in list(self._frozen):
            self.thaw(name)
        for name, node in self.nodes.items():
            if node.process is None or node.process.poll() is not None:
                self.launch(name)
        self.wait_for(lambda: self.leader is not None and self.synchronous_standby is not None)

    def _suspended(self, name: str) -> list[psutil.Process]:
        """Stops all processes of a node, and returns them."""
        process = self.nodes[name].process
        assert process is not None
        patroni = psutil.Process(process.pid)
        patroni.suspend()
        family = [patroni]
        while more := set(patroni.children(recursive=True) + self._servers(name)) - set(family):
            for one in more:  # a process that was not stopped yet may have started another one
                with suppress(psutil.NoSuchProcess):
                    one.suspend()
                family.append(one)
        return family

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
            self._url(str(leader), "switchover"),
            json={"leader": leader, "candidate": standby},
            auth=(API_USER, self.passwords["owner"]),
            timeout=60,
        )
        assert answer.status_code == 200, answer.text
        self.wait_for(lambda: self.leader == standby)

    def wait_for(self, condition: Callable[[], bool]) -> None:
        ends = time.monotonic() + WAIT
        while not condition():
            for node in self.nodes.values():
                assert time.monotonic() < ends, f"{node.name}: {self.log(node.name)[-3000:]}"
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
            for reserved in node.reserved:
                reserved.close()
        if self.owns_etcd:
            self.etcd.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _make(self, name: str) -> None:
        reserved = (bound("127.0.0.1", 0), bound("127.0.0.1", 0))
        postgres, api = (int(each.getsockname()[1]) for each in reserved)
        node = Node(name, postgres, api, self.folder / name, reserved)
        node.folder.mkdir(mode=0o700)
        content: dict[str, Any] = yaml.safe_load((ROOT / "deploy/cluster/patroni.yml").read_text())
        content["bootstrap"]["dcs"] |= QUICK
        content["scope"] = self.scope
        content["postgresql"] |= {"parameters": {"unix_socket_directories": "."}, **self.local}
        (node.folder / "patroni.yml").write_text(yaml.safe_dump(content))
        shutil.copytree(self.etcd.certificates, node.folder / "etcd")
        if os.geteuid() == 0:
            account = Account.for_postgres(self.folder / "missing")
            assert account is not None
            for path in (node.folder, *node.folder.rglob("*")):
                os.chown(path, account.uid, account.gid)
        self.nodes[name] = node

    def _environment(self, node: Node) -> dict[str, str]:
        return {
            "PATRONI_NAME": node.name,
            "PATRONI_ETCD3_HOSTS": self.etcd.hosts,
            "PATRONI_ETCD3_PROTOCOL": "https",
            "PATRONI_ETCD3_CACERT": str(node.folder / "etcd/ca.pem"),
            "PATRONI_ETCD3_CERT": str(node.folder / "etcd/certificate.pem"),
            "PATRONI_ETCD3_KEY": str(node.folder / "etcd/key.pem"),
            "PATRONI_RESTAPI_USERNAME": API_USER,
            "PATRONI_RESTAPI_PASSWORD": self.passwords["owner"],
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
