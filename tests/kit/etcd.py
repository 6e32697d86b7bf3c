"""Three etcd servers on loopback, configured as deploy/cluster/etcd.env is.

etcd = EtcdCluster.start(folder)
etcd.hosts                              # for Patroni, with etcd.certificates
etcd.leader                             # the name of the server that leads, or None
etcd.kill(etcd.leader)
etcd.freeze("etcd-2")                   # stands still, as with a disk that does not answer
etcd.stop()
"""

from __future__ import annotations

import shutil
import signal
import socket
import ssl
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import httpx
from tests.kit.compose import ROOT
from tests.kit.instance import environment

from aero2.cluster_certificates import write
from aero2.embedded.ports import bound
from aero2.embedded.process import dies_with_us

HOST: Final = "127.0.0.1"
NAMES: Final = ("etcd-1", "etcd-2", "etcd-3")
WAIT: Final = 120.0
"""Seconds for the servers to choose a leader. Only a broken cluster takes as long."""


def etcd() -> str | None:
    """Returns the program of Debian's package etcd-server, or None."""
    return shutil.which("etcd")


def settings() -> dict[str, str]:
    """Returns the variables of deploy/cluster/etcd.env."""
    lines = (ROOT / "deploy/cluster/etcd.env").read_text().splitlines()
    return dict(line.split("=", 1) for line in lines if line.partition("=")[0].startswith("ETCD_"))


@dataclass
class EtcdCluster:
    """Three servers. Each keeps its ports over restarts."""

    folder: Path
    ports: dict[str, int] = field(default_factory=dict)
    peers: dict[str, int] = field(default_factory=dict)
    _reserved: list[socket.socket] = field(default_factory=list, repr=False)
    _processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict, repr=False)

    @classmethod
    def start(cls, folder: Path) -> EtcdCluster:
        """Starts the servers in a folder that does not exist yet, and waits until one leads."""
        folder.mkdir(parents=True)
        write(folder / "certificates", (HOST,))
        cluster = cls(folder)
        for ports in (cluster.ports, cluster.peers):
            for name in NAMES:
                reserved = bound(HOST, 0)
                ports[name] = int(reserved.getsockname()[1])
                cluster._reserved.append(reserved)
        try:
            cluster.launch(*NAMES)
            cluster.wait_for_leader()
        except BaseException:
            cluster.stop()
            raise
        return cluster

    @property
    def hosts(self) -> str:
        """Returns the servers, as PATRONI_ETCD3_HOSTS lists them."""
        return ",".join(f"{HOST}:{port}" for port in self.ports.values())

    @property
    def certificates(self) -> Path:
        """Returns a folder with ca.pem, certificate.pem and key.pem, for a server or a client."""
        return self.folder / "certificates" / HOST

    @property
    def leader(self) -> str | None:
        """Returns the name of the server that leads, or None while there is none."""
        for name, process in self._processes.items():
            status = self._status(name) if process.poll() is None else {}
            if status and status.get("leader") == status["header"]["member_id"]:
                return name
        return None

    def wait_for_leader(self) -> str:
        """Waits until a server leads, and a majority knows it. Returns its name."""
        ends = time.monotonic() + WAIT
        while not ((leader := self.leader) and self._healthy(leader)):
            assert time.monotonic() < ends, "\n".join(self._log(name) for name in self.ports)
            time.sleep(0.1)
        return leader

    def launch(self, *names: str) -> None:
        """Starts servers. Does not wait for them."""
        for name in names:
            with (self.folder / f"{name}.log").open("ab") as log:
                self._processes[name] = subprocess.Popen(
                    [*dies_with_us(signal.SIGKILL), str(etcd()), "--unsafe-no-fsync"],
                    env=environment() | self._environment(name),
                    stdout=log,
                    stderr=log,
                )

    def kill(self, *names: str) -> None:
        """Ends servers with SIGKILL."""
        for name in names:
            self._processes[name].kill()
        for name in names:
            self._processes[name].wait(10)

    def freeze(self, *names: str) -> None:
        """Stops servers as machines that hang: their connections stay open."""
        for name in names:
            self._processes[name].send_signal(signal.SIGSTOP)

    def thaw(self, *names: str) -> None:
        """Lets servers go on."""
        for name in names:
            self._processes[name].send_signal(signal.SIGCONT)

    def restore(self) -> None:
        """Starts and thaws what a test has left stopped, and waits for a leader."""
        for name, process in self._processes.items():
            if process.poll() is None:
                process.send_signal(signal.SIGCONT)
            else:
                self.launch(name)
        self.wait_for_leader()

    def stop(self) -> None:
        """Ends all servers. Their folder stays."""
        for process in self._processes.values():
            process.kill()
        for process in self._processes.values():
            process.wait(10)
        for reserved in self._reserved:
            reserved.close()

    def _status(self, name: str) -> dict[str, Any]:
        """Returns what a server says of itself, or nothing. The answer needs no leader."""
        return self._ask(name, "POST", "/v3/maintenance/status", json={})

    def _healthy(self, name: str) -> bool:
        """Whether a server has a leader that can commit."""
        return str(self._ask(name, "GET", "/health").get("health")) == "true"

    def _ask(self, name: str, method: str, path: str, **options: Any) -> dict[str, Any]:
        url = f"https://{HOST}:{self.ports[name]}{path}"
        try:
            answer = httpx.request(method, url, timeout=2, verify=self._context(), **options)
            found: dict[str, Any] = answer.json()
        except (httpx.HTTPError, ValueError):
            return {}
        return found if answer.is_success else {}

    def _context(self) -> ssl.SSLContext:
        context = ssl.create_default_context(cafile=str(self.certificates / "ca.pem"))
        context.load_cert_chain(
            self.certificates / "certificate.pem", self.certificates / "key.pem"
        )
        return context

    def _log(self, name: str) -> str:
        return (self.folder / f"{name}.log").read_text()[-2000:]

    def _environment(self, name: str) -> dict[str, str]:
        client, peer = (f"https://{HOST}:{ports[name]}" for ports in (self.ports, self.peers))
        listed = ",".join(f"{each}=https://{HOST}:{port}" for each, port in self.peers.items())
        deployed = {
            key: value.replace("/etc/etcd/certificates", str(self.certificates))
            for key, value in settings().items()
        }
        return deployed | {
            "ETCD_NAME": name,
            "ETCD_DATA_DIR": str(self.folder / name),
            "ETCD_LISTEN_CLIENT_URLS": client,
            "ETCD_ADVERTISE_CLIENT_URLS": client,
            "ETCD_LISTEN_PEER_URLS": peer,
            "ETCD_INITIAL_ADVERTISE_PEER_URLS": peer,
            "ETCD_INITIAL_CLUSTER": listed,
        }
