"""Calls to this deployment's own hosts go to the gateway, and nothing else does."""

from __future__ import annotations

import asyncio
from base64 import b64encode
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from ssl import SSLContext

import pytest
from pydantic import ValidationError
from tests.kit.certificates import certified

from common import pinned_http
from common.deployment_hosts import DeploymentHosts, Endpoint
from common.egress import Egress
from common.outgoing_http import OutgoingHttp, Unreachable
from common.settings import EgressSettings

MASTER_KEY = "k1:" + b64encode(bytes(range(32))).decode()
PLATFORM = Endpoint("https", "id.example.com", 443)


@asynccontextmanager
async def gateway(tls: SSLContext | None = None) -> AsyncIterator[tuple[int, list[str]]]:
    """Runs a gateway on this machine. Yields its port and the heads of the received requests."""
    heads: list[str] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heads.append((await reader.readuntil(b"\r\n\r\n")).decode())
        writer.write(b"HTTP/1.1 200 X\r\ncontent-length: 2\r\n\r\n{}")
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0, ssl=tls) as server:
        yield server.sockets[0].getsockname()[1], heads


def client(port: int, platform: Endpoint = PLATFORM, *, scheme: str = "http") -> OutgoingHttp:
    """Returns the client of a deployment whose gateway is on this machine."""
    hosts = DeploymentHosts(platform, Endpoint(scheme, "127.0.0.1", port))
    return OutgoingHttp(Egress(deployment=hosts))


async def test_an_application_of_the_deployment_is_reached_at_the_gateway() -> None:
    """The gateway gets the request with the application's host, though its address is private, the
    host has no address at all, and the gateway has no TLS."""
    async with gateway() as (port, heads):
        answer = await client(port).request("GET", "https://acme.id.example.com/oauth2/jwks.json")

    assert (answer.status, answer.json()) == (200, {})
    assert heads[0].startswith("GET /oauth2/jwks.json HTTP/1.1\r\n")
    assert "host: acme.id.example.com\r\n" in heads[0].lower()


async def test_the_port_of_the_platform_stays_in_the_host() -> None:
    """A deployment on another port than 443 is found by its own origin."""
    platform = Endpoint("http", "localhost", 8080)
    async with gateway() as (port, heads):
        url = "http://acme.localhost:8080/.well-known/openid-configuration"
        await client(port, platform).request("GET", url)

    assert "host: acme.localhost:8080\r\n" in heads[0].lower()


async def test_a_gateway_with_tls_is_asked_for_the_applications_certificate(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With an `https` address the certificate has to be the host's own: no other one is accepted."""
    pem, tls = certified(tmp_path)  # for localhost
    monkeypatch.setenv("SSL_CERT_FILE", str(pem))
    pinned_http.authorities.cache_clear()
    async with gateway(tls) as (port, heads):
        with pytest.raises(Unreachable, match=r"acme\.id\.example\.com: .*CERTIFICATE_VERIFY"):
            await client(port, scheme="https").request(
                "GET", "https://acme.id.example.com/oauth2/jwks.json"
            )
    monkeypatch.undo()
    pinned_http.authorities.cache_clear()

    assert heads == []


@pytest.mark.parametrize(
    "url",
    [
        "https://acme.id.example.com:9464/oauth2/jwks.json",  # the internal listener's port
        "https://acme.id.example.com:5432/oauth2/jwks.json",
        "http://acme.id.example.com/oauth2/jwks.json",
        "http://acme.id.example.com:443/oauth2/jwks.json",
        "https://id.example.com/oauth2/jwks.json",
        "https://a.b.id.example.com/oauth2/jwks.json",
        "https://.id.example.com/oauth2/jwks.json",
        "https://xid.example.com/oauth2/jwks.json",
        "https://acme.id.example.com.evil.invalid/oauth2/jwks.json",
        "https://acme.id.example.com@evil.invalid/oauth2/jwks.json",
        "https://evil.invalid/oauth2/jwks.json#.id.example.com",
        "https://127.0.0.1/oauth2/jwks.json",
        "https://gateway/oauth2/jwks.json",
        "https://acme.id.example.com/health",
        "https://acme.id.example.com/metrics",
        "https://acme.id.example.com/internal/domains/allowed?domain=x",
        "https://acme.id.example.com/oauth2",
        "https://acme.id.example.com/api/users",
        "https://acme.id.example.com/oauth2/../metrics",
        "https://acme.id.example.com/oauth2/%2e%2e/metrics",
        "https://acme.id.example.com/rp/./../health",
    ],
)
async def test_nothing_else_reaches_the_gateway(url: str) -> None:
    """Another port, scheme, host or path gains nothing from the gateway's address."""
    async with gateway() as (port, heads):
        with pytest.raises(Unreachable):
            await client(port).request("GET", url, deadline=2)

    assert heads == []


async def test_the_gateways_own_name_is_not_shown() -> None:
    """A developer reads of an unreachable gateway without learning its inner name."""
    hosts = DeploymentHosts(PLATFORM, Endpoint("http", "gateway.invalid", 8080))
    http = OutgoingHttp(Egress(deployment=hosts))
    with pytest.raises(Unreachable) as error:
        await http.request("GET", "https://acme.id.example.com/oauth2/jwks.json")

    assert "gateway.invalid" not in str(error.value)


@pytest.mark.parametrize(
    ("text", "endpoint"),
    [
        ("gateway:8080", Endpoint("http", "gateway", 8080)),
        ("http://gateway:8080/", Endpoint("http", "gateway", 8080)),
        ("https://gateway", Endpoint("https", "gateway", 443)),
        ("[::1]:8080", Endpoint("http", "::1", 8080)),
    ],
)
def test_addresses_of_a_gateway(
    monkeypatch: pytest.MonkeyPatch, text: str, endpoint: Endpoint
) -> None:
    """AERO2_GATEWAY_ADDRESS is a host with a port, or an origin."""
    monkeypatch.setenv("AERO2_MASTER_KEY", MASTER_KEY)
    monkeypatch.setenv("AERO2_PUBLIC_URL", "https://ID.example.com")
    monkeypatch.setenv("AERO2_GATEWAY_ADDRESS", text)

    hosts = EgressSettings().egress.deployment  # from the environment

    assert hosts == DeploymentHosts(PLATFORM, endpoint)


@pytest.mark.parametrize("text", ["ftp://gateway", "gateway:99999", "https://", "http://a/b", "/x"])
def test_an_address_that_is_none_is_refused(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    """A misspelt address stops the start."""
    monkeypatch.setenv("AERO2_MASTER_KEY", MASTER_KEY)
    monkeypatch.setenv("AERO2_GATEWAY_ADDRESS", text)

    with pytest.raises(ValidationError, match="gateway_address"):
        EgressSettings()  # from the environment
