"""deploy/tls.Caddyfile with a real Caddy: it gets certificates only for hosts that the gateway
allows.

Caddy's own authority stands in for a public one.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import os
import socket
import ssl
import subprocess
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest_asyncio
import uvicorn
from tests.kit.callers import secret_key_of
from tests.kit.dns_server import Zone
from tests.kit.world import World
from tests.service.tenancy.test_domains import NAME, claimed, publish
from tests.service.tenancy.test_routes import Dropping

from common.contracts.applications import DeleteApplication
from common.contracts.domains import RemoveCustomDomain, VerifyCustomDomain
from gateway.build import build, build_internal
from gateway.settings import GatewaySettings
from gateway.state import Gateway
from tenancy import provisioning
from tenancy.dns_lookup import Dns
from tenancy.hosts import Hosts

CADDYFILE = Path(__file__).parents[3] / "deploy" / "tls.Caddyfile"
CADDY = Path(sys.executable).with_name("caddy")
DOMAIN = "id.example.com"


@dataclass
class Front:
    """Caddy, in front of a gateway and the service."""

    world: World
    zone: Zone
    port: int
    trust: ssl.SSLContext

    async def get(self, host: str, path: str = "/api/settings") -> httpx.Response:
        """Sends a request like a browser that resolves every name to this machine. Raises
        httpx.ConnectError if there is no certificate for the host."""
        async with httpx.AsyncClient(verify=self.trust, timeout=20) as http:
            request = http.build_request(
                "GET",
                f"https://127.0.0.1:{self.port}{path}",
                headers={"host": f"{host}:{self.port}"},
                extensions={"sni_hostname": host},
            )
            try:
                return await http.send(request)
            except httpx.ConnectError as error:
                if "not yet valid" not in str(error):
                    raise
            # OpenSSL reads a coarser clock than Caddy, whose certificate is milliseconds old.
            await asyncio.sleep(1)
            return await http.send(request)

    async def refused(self, host: str) -> bool:
        try:
            await self.get(host)
        except httpx.ConnectError as error:
            return "tlsv1 alert internal error" in str(error).lower().replace("_", " ")
        return False


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextlib.asynccontextmanager
async def serving(app: object, port: int = 0) -> AsyncIterator[int]:
    """Serves the application over HTTP, on the given port or a free one."""
    server = uvicorn.Server(
        uvicorn.Config(
            app,  # type: ignore[arg-type]
            port=port,
            lifespan="off",
            log_config=None,
            proxy_headers=False,
        )
    )
    server.capture_signals = contextlib.nullcontext  # type: ignore[method-assign,assignment]
    running = asyncio.create_task(server.serve())
    while not server.started:
        await asyncio.sleep(0.01)
    yield server.servers[0].sockets[0].getsockname()[1]
    server.should_exit = True
    await running


@contextlib.asynccontextmanager
async def _caddy(
    folder: Path, gateway: int, internal: int, port: int
) -> AsyncIterator[ssl.SSLContext]:
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(folder),
        "XDG_DATA_HOME": str(folder),
        "XDG_CONFIG_HOME": str(folder),
        "AERO2_GATEWAY": f"127.0.0.1:{gateway}",
        "AERO2_INTERNAL": f"127.0.0.1:{internal}",
        "AERO2_HTTP_PORT": str(_free_port()),
        "AERO2_HTTPS_PORT": str(port),
        "AERO2_TLS_ISSUER": "internal",
    }
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [CADDY, "run", "--adapter", "caddyfile", "--config", CADDYFILE],
            env=environment,
            stdout=log,
            stderr=log,
        )
    root = folder / "caddy" / "pki" / "authorities" / "local" / "root.crt"
    try:
        for _ in range(200):
            assert process.poll() is None, (folder / "log").read_text()
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 0.2):
                if root.exists():
                    break
            await asyncio.sleep(0.1)
        yield ssl.create_default_context(cafile=str(root))
    finally:
        process.terminate()
        await asyncio.to_thread(process.wait, 10)


@pytest_asyncio.fixture
async def front(world: World, tmp_path: Path) -> AsyncIterator[Front]:
    zone, port = await Zone.start(), _free_port()
    settings = GatewaySettings(
        master_key="k1:" + base64.b64encode(os.urandom(32)).decode(),
        public_url=f"https://{DOMAIN}:{port}",
        trusted_proxies="127.0.0.1/32",
    )
    gateway = Gateway(settings, world.bus)
    world.replace_deps(
        "tenancy",
        dns=Dns([zone.address]),
        hosts=Hosts("https", f"{DOMAIN}:{port}"),
        invalidation=Dropping(gateway),
    )
    await provisioning.repair(world.tenancy)
    async with (
        serving(build(gateway)) as behind,
        serving(build_internal(gateway)) as internal,
        _caddy(tmp_path, behind, internal, port) as trust,
    ):
        yield Front(world, zone, port, trust)
    zone.stop()


async def test_certificates_come_with_the_proof_and_not_before(front: Front) -> None:
    """The platform's hosts and proven domains get a certificate. Claimed domains, invented names
    and deleted applications get none. Internal paths stay internal."""
    world = front.world
    app = await world.create_application()
    ctx = secret_key_of(app.id)
    slug_host = f"{app.slug}.{DOMAIN}"
    domain = await claimed(world, app)

    own = await front.get(slug_host)
    apex = await front.get(DOMAIN, "/health/live")
    claimed_only = await front.refused(NAME)
    made_up = await front.refused(f"nobody.{DOMAIN}")
    publish(front.zone, domain)
    verified = await world.call(VerifyCustomDomain(id=domain.id), ctx)
    proven = await front.get(NAME)
    inside = [
        await front.get(slug_host, path)
        for path in (f"/internal/domains/allowed?domain={NAME}", "/metrics")
    ]

    assert (own.status_code, own.json()["code"]) == (401, "unauthenticated")
    assert own.headers["strict-transport-security"]
    assert apex.status_code == 200
    assert claimed_only
    assert made_up
    assert verified.verified
    assert (proven.status_code, proven.json()["code"]) == (401, "unauthenticated")
    assert [answer.status_code for answer in inside] == [404, 404]

    # Caddy still has the certificate, but behind it nobody answers any more.
    await world.call(RemoveCustomDomain(id=domain.id), ctx)
    removed = await front.get(NAME)
    await world.call(DeleteApplication(slug=app.slug, confirm=app.slug), await world.operator())
    gone = await front.get(slug_host)
    assert [(answer.status_code, answer.json()["code"]) for answer in (removed, gone)] == [
        (404, "unknown_host"),
        (404, "unknown_host"),
    ]
