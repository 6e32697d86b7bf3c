"""Host to application: H1 and I6 of the security rows."""

from __future__ import annotations

import httpx
import pytest
from tests.unit.gateway.conftest import World, settings

from common.contracts.tenancy import UnknownHost
from gateway.proxies import client_ip
from gateway.tenant import canonical


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("Demo.Localhost:8080", "demo.localhost:8080"),
        ("demo.localhost.:8080", "demo.localhost:8080"),
        ("demo.example.com:80", "demo.example.com"),
        ("xn--dmo-bma.example.com", "xn--dmo-bma.example.com"),
    ],
)
def test_a_host_has_one_spelling(host: str, expected: str) -> None:
    """Upper case, a trailing dot and the default port name the same host."""
    assert canonical(host, "http") == expected


@pytest.mark.parametrize(
    "host", ["", "dëmo.localhost", "a b", "evil/", "[::1]", "a_b.c", "-a.b", "a:b:c"]
)
def test_what_can_be_no_host_is_refused(host: str) -> None:
    """A homograph, a path, spaces or brackets never reach the look-up."""
    with pytest.raises(UnknownHost):
        canonical(host, "http")


async def test_an_unknown_host_is_404(http: httpx.AsyncClient, world: World) -> None:
    """An unknown host gets a problem, never some default application."""
    world.add("demo")

    answer = await http.get("http://other.localhost:8080/openapi.json")

    assert (answer.status_code, answer.json()["code"]) == (404, "unknown_host")


async def test_forwarded_host_is_never_believed(http: httpx.AsyncClient, world: World) -> None:
    """X-Forwarded-Host and Forwarded change nothing about which application answers."""
    world.add("demo")
    headers = {"x-forwarded-host": "evil.test", "forwarded": "host=evil.test"}

    answer = await http.get("/openapi.json", headers=headers)

    assert answer.status_code == 200
    assert world.bus.calls[0].host == "demo.localhost:8080"  # type: ignore[attr-defined]


TRUSTED = tuple(settings(trusted_proxies="10.0.0.0/8, fd00::/8").trusted_proxies)


@pytest.mark.parametrize(
    ("peer", "forwarded", "expected"),
    [
        ("203.0.113.9", "198.51.100.1", "203.0.113.9"),
        ("10.0.0.1", "198.51.100.1", "198.51.100.1"),
        ("10.0.0.1", "1.2.3.4, 198.51.100.1, 10.0.0.2", "198.51.100.1"),
        ("10.0.0.1", "nonsense", "10.0.0.1"),
        ("10.0.0.1", "1.2.3.4, nonsense", "10.0.0.1"),
        ("10.0.0.1", "", "10.0.0.1"),
    ],
)
def test_only_trusted_proxies_name_the_client(peer: str, forwarded: str, expected: str) -> None:
    """The last address that is not a trusted proxy's is the client; nonsense is not believed (H2)."""
    assert expected == client_ip(peer, forwarded, TRUSTED)
