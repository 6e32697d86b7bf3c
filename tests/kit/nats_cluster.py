"""Three nats-servers on loopback that form a cluster, configured as deploy/cluster/nats.conf is."""

from __future__ import annotations

import asyncio
import json
import signal
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import nats.errors
from nats.js import JetStreamContext
from nats.js.api import StreamInfo
from nats.js.errors import APIError
from tests.kit.firewall import dropped
from tests.kit.nats_server import NatsServer, until

from aero2 import nats_access
from aero2.cluster_certificates import write
from aero2.cluster_config import OPERATOR, ClusterLayout, cluster_configuration
from aero2.embedded.ports import bound
from common.audit import STREAM
from common.nats_client import NatsClient
from common.nats_tls import client_context

HOST = "127.0.0.1"
NAMES = ("nats-1", "nats-2", "nats-3")
FIRST_GROUP = 20_001
AWAY = (nats.errors.Error, APIError, OSError, TimeoutError)


def password_of(user: str) -> str:
    return f"{user}-pw"


@dataclass
class NatsCluster:
    """The servers by their names. Certificates are for 127.0.0.1."""

    servers: dict[str, NatsServer]
    monitors: dict[str, int]
    ca_file: str
    routes: dict[str, int] = field(default_factory=dict)

    @property
    def urls(self) -> list[str]:
        return [server.url for server in self.servers.values()]

    @property
    def url(self) -> str:
        """The value of AERO2_NATS_URL."""
        return ",".join(self.urls)

    async def connect(
        self, user: str = nats_access.CLI, *, to: Sequence[str] = NAMES, **options: object
    ) -> NatsClient:
        """Returns a client that knows the servers `to`, the first one first."""
        settings: dict[str, object] = {
            "servers": [self.servers[name].url for name in to],
            "dont_randomize": True,
            "user": user,
            "password": password_of(user),
            "inbox_prefix": nats_access.inbox(user),
            "tls": client_context(self.ca_file),
        }
        return await self.servers[to[0]].connect(**(settings | options))

    def start(self, *names: str) -> None:
        for name in names or NAMES:
            self.servers[name].launch()

    def restore(self) -> None:
        """Starts what a test that failed has left stopped, and lets go on what it has paused."""
        for server in self.servers.values():
            if server.process is None or server.process.poll() is not None:
                server.launch()
            else:
                server.signal(signal.SIGCONT)

    def stop(self, *names: str, how: signal.Signals = signal.SIGTERM) -> None:
        for name in names or NAMES:
            self.servers[name].stop(how)

    def end(self) -> None:
        for server in self.servers.values():
            server.stop(signal.SIGKILL)
            if server.reserved is not None:
                server.reserved.close()

    @contextmanager
    def cut_off(self, name: str) -> Iterator[None]:
        """Drops all that a server sends to the others and to clients, without a word to anybody. It must run in a
        group of its own."""
        group = self.servers[name].group
        assert group is not None
        ours = ["-p", "tcp", "-m", "owner", "--gid-owner", str(group)]
        places = [["--dport", str(port)] for port in self.routes.values()]
        places += [["--sport", str(self.routes[name])], ["--sport", str(self.servers[name].port)]]
        with dropped(*([*ours, *place] for place in places)):
            yield

    def monitor(self, name: str, path: str) -> dict[str, Any]:
        """Returns what a server's monitoring answers: `/healthz`, `/jsz?streams=true`."""
        try:
            with urllib.request.urlopen(
                f"http://{HOST}:{self.monitors[name]}{path}", timeout=5
            ) as answer:
                found: dict[str, Any] = json.load(answer)
        except urllib.error.HTTPError as error:  # 503 with the reason in the body
            found = json.load(error)
        return found

    def healthy(self, *names: str) -> bool:
        try:
            return all(self.monitor(n, "/healthz").get("status") == "ok" for n in names or NAMES)
        except (OSError, ValueError):
            return False


@contextmanager
def nats_cluster(folder: Path, *, groups: bool = False) -> Iterator[NatsCluster]:
    """Runs the servers until the context ends. With `groups` (as root), each has a group of its own."""
    write(folder / "certificates", (HOST,))
    taken = {
        (name, kind): bound(HOST, 0) for name in NAMES for kind in ("client", "route", "monitor")
    }
    ports = {key: int(sock.getsockname()[1]) for key, sock in taken.items()}
    users = (*nats_access.SERVICES, nats_access.CLI, *OPERATOR)
    passwords = {user: f'"{password_of(user)}"' for user in users}
    servers = {}
    for name in NAMES:
        place = folder / name
        place.mkdir()
        layout = ClusterLayout(
            routes=tuple(f"{HOST}:{ports[each, 'route']}" for each in NAMES),
            listen=f"{HOST}:{ports[name, 'client']}",
            listen_routes=f"{HOST}:{ports[name, 'route']}",
            monitor=f"{HOST}:{ports[name, 'monitor']}",
            certificates=str(folder / "certificates" / HOST),
            store=str(place / "jetstream"),
            max_file_store="1GB",
        )
        config = place / "nats.conf"
        config.write_text(cluster_configuration(layout, passwords))
        server = NatsServer(place, ports[name, "client"], config, taken[name, "client"])
        server.environment["NATS_SERVER_NAME"] = name
        server.group = FIRST_GROUP + NAMES.index(name) if groups else None
        servers[name] = server
    cluster = NatsCluster(
        servers,
        monitors={name: ports[name, "monitor"] for name in NAMES},
        ca_file=str(folder / "certificates" / "ca.pem"),
        routes={name: ports[name, "route"] for name in NAMES},
    )
    try:
        cluster.start()
        yield cluster
    finally:
        cluster.end()
        for sock in taken.values():
            sock.close()


async def stream_info(js: JetStreamContext) -> StreamInfo | None:
    """Returns the state of the stream, or None while it has no leader."""
    try:
        return await js.stream_info(STREAM)
    except AWAY:
        return None


async def leader_of(js: JetStreamContext) -> str:
    """Waits until the stream has a leader. Returns its name."""
    found: list[str] = []

    async def has_leader() -> bool:
        info = await stream_info(js)
        if info is not None and info.cluster is not None and info.cluster.leader:
            found.append(info.cluster.leader)
        return bool(found)

    await until(has_leader)
    return found[0]


async def all_current(js: JetStreamContext, copies: int = 3) -> None:
    """Waits until the stream has so many copies, and all of them are current."""

    async def current() -> bool:
        info = await stream_info(js)
        cluster = info.cluster if info is not None else None
        if cluster is None or not cluster.leader or cluster.replicas is None:
            return False
        others = cluster.replicas
        return len(others) == copies - 1 and all(r.current and not r.offline for r in others)

    await until(current)


async def jetstream_ready(js: JetStreamContext) -> None:
    """Waits until the servers have chosen a leader for what JetStream knows."""

    async def ready() -> bool:
        try:
            await js.account_info()
        except AWAY:
            return False
        return True

    await until(ready)
    await asyncio.sleep(0)
