"""The host of a request names the application."""

from __future__ import annotations

import base64
import hashlib
import re

import httpx
import pytest
from tests.kit.fake_services import FakeServices, settings

from common.contracts.tenants import UnknownHost
from gateway.auth.tenant import canonical
from gateway.http.proxies import client_ip


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
    """Capitals, a trailing dot and the default port name the same host."""
    assert canonical(host, "http") == expected


@pytest.mark.parametrize(
    "host", ["", "dëmo.localhost", "a b", "evil/", "[::1]", "a_b.c", "-a.b", "a:b:c"]
)
def test_what_can_be_no_host_is_refused(host: str) -> None:
    """A homograph, a path, spaces or brackets are refused before the look-up."""
    with pytest.raises(UnknownHost):
        canonical(host, "http")


async def test_an_unknown_host_is_404(http: httpx.AsyncClient, world: FakeServices) -> None:
    """An unknown host gets a problem, and no default application."""
    world.add("demo")

    answer = await http.get("http://other.localhost:8080/openapi.json")

    assert (answer.status_code, answer.json()["code"]) == (404, "unknown_host")


@pytest.mark.parametrize(
    ("spoken", "heading"), [("de", "Hier ist keine Anwendung"), ("fr", "No application")]
)
async def test_a_person_on_an_unknown_host_gets_a_page(
    http: httpx.AsyncClient, world: FakeServices, spoken: str, heading: str
) -> None:
    """The page has no name, no colours and loads nothing. It is in the visitor's language, and its
    policy allows only its own style."""
    world.add("demo")
    headers = {"accept": "text/html,*/*;q=0.8", "accept-language": spoken}
    page = await http.get("http://other.localhost:8080/login", headers=headers)
    data = await http.get("http://other.localhost:8080/api/users", headers=headers)

    assert (page.status_code, page.headers["content-type"]) == (404, "text/html; charset=utf-8")
    assert f"<h1>{heading}" in page.text
    assert not re.search("demo|aero2|src=|href=|url\\(", page.text, re.IGNORECASE)
    (style,) = re.findall(r"<style>(.*?)</style>", page.text, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    policy = page.headers["content-security-policy"]
    assert policy.startswith(f"default-src 'none'; style-src 'sha256-{digest}';")
    assert "unsafe" not in policy
    for name in ("x-content-type-options", "x-frame-options", "referrer-policy"):
        assert name in page.headers
    assert (data.status_code, data.json()["code"]) == (404, "unknown_host")


async def test_a_host_that_cannot_be_read_is_a_page_too(http: httpx.AsyncClient) -> None:
    """An invalid host gets a page too, as do early refusals. The API's host never sends one."""
    html = {"accept": "text/html"}
    strange = await http.get("/", headers=html | {"host": "a_b.c"})
    huge = await http.get("/", headers=html | {"x-much": "x" * 40_000})
    api = await http.get("http://api.localhost:8080/", headers=html)

    assert (strange.status_code, "<h1>" in strange.text) == (404, True)
    assert (huge.status_code, "<h1>" in huge.text) == (413, True)
    assert api.headers["content-type"] == "application/problem+json"


async def test_forwarded_host_is_never_believed(
    http: httpx.AsyncClient, world: FakeServices
) -> None:
    """X-Forwarded-Host and Forwarded do not change the application."""
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
        ("10.0.0.1", "198.51.100.1:5678", "198.51.100.1"),
        ("10.0.0.1", "198.51.100.1,", "198.51.100.1"),
        ("10.0.0.1", "[2001:db8::7]:443, 10.0.0.2:80", "2001:db8::7"),
        ("::ffff:10.0.0.1", "::ffff:198.51.100.1", "198.51.100.1"),
    ],
)
def test_only_trusted_proxies_name_the_client(peer: str, forwarded: str, expected: str) -> None:
    """The client is the last address that is not a trusted proxy's. Invalid values are ignored."""
    assert expected == client_ip(peer, forwarded, TRUSTED)
