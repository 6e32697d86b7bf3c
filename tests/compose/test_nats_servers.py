"""deploy/cluster/docker-compose.nats.yml on a real engine: three servers, and the loss of one."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
from collections.abc import Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import nats
import pytest
from nats.aio.client import Client
from tests.kit.compose import ROOT, docker, engine_answers
from tests.kit.nats_server import until

from aero2 import cluster_certificates, nats_access
from aero2.cluster_config import HOSTS
from aero2.compose_env import fresh_secrets, write_secrets
from common.nats_tls import client_context
from common.outbox import ensure_stream

pytestmark = [pytest.mark.docker, pytest.mark.long, pytest.mark.timeout(600)]
SERVER_ACCOUNT = 1000


@dataclass
class Servers:
    """A project for each server, as on three machines. One network stands for the one between these."""

    folder: Path
    name: str
    secrets: dict[str, str]

    def compose(self, host: str, *arguments: str) -> str:
        files = ("--file", "docker-compose.nats.yml", "--file", f"{host}.yml")
        command = ("compose", "--project-name", f"{self.name}-{host}", *files, *arguments)
        environment = os.environ | {"NATS_SERVER_NAME": host}
        return docker(*command, cwd=self.folder, env=environment)

    def container(self, host: str) -> str:
        return self.compose(host, "ps", "--all", "--quiet", "nats").strip()

    def address(self, host: str) -> str:
        networks = json.loads(docker("inspect", self.container(host)))[0]["NetworkSettings"]
        return str(networks["Networks"][self.name]["IPAddress"])

    async def connect(self, host: str, user: str) -> Client:
        """Connects to a server over TLS, as a service does."""
        return await nats.connect(
            f"tls://{self.address(host)}:4222",
            user=user,
            password=self.secrets[f"NATS_{user.upper()}_PASSWORD"],
            tls=client_context(str(self.folder / "certificates" / host / "ca.pem")),
            tls_hostname=host,
            inbox_prefix=nats_access.inbox(user).encode(),
            allow_reconnect=False,
        )


@pytest.fixture
def servers(tmp_path: Path) -> Iterator[Servers]:
    """Prepares the folder as the documentation says, starts the servers, and removes them afterwards."""
    if not engine_answers():
        pytest.skip("no Docker engine answers")
    folder = tmp_path / "cluster"
    shutil.copytree(ROOT / "deploy" / "cluster", folder)
    cluster_certificates.write(folder / "certificates", HOSTS)
    for file in (folder / "certificates").rglob("*"):
        os.chown(file, SERVER_ACCOUNT, SERVER_ACCOUNT)
    secrets = fresh_secrets()
    write_secrets(folder / "secrets", secrets, force=False)
    running = Servers(folder, f"aero2-test-{uuid4().hex[:8]}", secrets)
    docker("network", "create", running.name)
    try:
        for host in HOSTS:
            (folder / f"{host}.yml").write_text(
                f"services: {{nats: {{ports: !reset [], networks: {{default: {{aliases: [{host}]}}}}}}}}\n"
                f"networks: {{default: {{external: true, name: {running.name}}}}}\n"
            )
            # Without --wait: none is healthy before the second one is there.
            running.compose(host, "up", "--detach")
        for host in HOSTS:
            running.compose(host, "up", "--detach", "--wait", "--wait-timeout", "120")
        yield running
    finally:
        for host in HOSTS:
            running.compose(host, "down", "--volumes", "--timeout", "5")
        docker("network", "rm", running.name)


async def test_three_servers_keep_the_stream_when_one_is_killed(servers: Servers) -> None:
    """They find each other over TLS and keep a copy each. After the leader was killed, the others take and have
    everything; it comes back by itself with its copy."""
    async with AsyncExitStack() as stack:

        async def connected(host: str) -> Client:
            nc = await servers.connect(host, "tenancy")
            stack.push_async_callback(nc.close)
            return nc

        js = (await connected(HOSTS[0])).jetstream(timeout=10)
        await ensure_stream(js, replicas=3)
        await js.publish("audit.tenancy.x.kept", b"before")
        cluster = (await js.stream_info("AUDIT")).cluster
        assert cluster is not None
        assert cluster.leader in HOSTS
        assert len(cluster.replicas or []) == 2

        docker("kill", servers.container(cluster.leader))
        other = next(host for host in HOSTS if host != cluster.leader)
        left = (await connected(other)).jetstream(timeout=10)

        async def stored() -> bool:
            try:
                await left.publish("audit.tenancy.x.kept", b"after")
            except (nats.errors.Error, nats.js.errors.Error, TimeoutError):
                return False
            return True

        await until(stored)
        docker("start", servers.container(cluster.leader))
        await asyncio.to_thread(
            servers.compose, cluster.leader, "up", "--detach", "--wait", "--wait-timeout", "120"
        )
        back = (await connected(cluster.leader)).jetstream(timeout=10)
        info = await back.stream_info("AUDIT")
        assert info.state.messages >= 2
        message = await back.get_msg("AUDIT", seq=1)
        assert message.data == b"before"


def test_no_password_can_be_seen_from_outside(servers: Servers) -> None:
    """Neither in the environment of the container nor in its command."""
    for host in HOSTS:
        inspected = docker("inspect", servers.container(host))
        assert not any(secret in inspected for secret in servers.secrets.values())
