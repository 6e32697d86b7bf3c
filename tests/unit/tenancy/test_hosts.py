"""A host names at most one application."""

from __future__ import annotations

import pytest

from tenancy.hosts import Hosts

LOCAL = Hosts("http", "localhost:8080")
PUBLIC = Hosts("https", "id.example.com")


@pytest.mark.parametrize(
    ("hosts", "host", "slug"),
    [
        (LOCAL, "demo.localhost:8080", "demo"),
        (LOCAL, "dashboard.localhost:8080", "dashboard"),
        (LOCAL, "localhost:8080", "dashboard"),
        (LOCAL, "www.localhost:8080", "dashboard"),
        (LOCAL, "demo.localhost", None),
        (LOCAL, "demo.localhost:8081", None),
        (LOCAL, "a.demo.localhost:8080", None),
        (PUBLIC, "demo.id.example.com", "demo"),
        (PUBLIC, "id.example.com", "dashboard"),
        (PUBLIC, "demoid.example.com", None),
        (PUBLIC, "id.example.com.evil.org", None),
        (PUBLIC, "demo.id.example.com.", None),
        (PUBLIC, "", None),
    ],
)
def test_a_slug_is_read_from_our_own_hosts_only(hosts: Hosts, host: str, slug: str | None) -> None:
    """A slug is exactly one label before the platform's domain, with its port."""
    assert hosts.slug(host) == slug


@pytest.mark.parametrize(
    ("hosts", "host", "domain"),
    [
        (PUBLIC, "auth.shop.example", "auth.shop.example"),
        (PUBLIC, "auth.shop.example:8080", None),
        (PUBLIC, "x.id.example.com", None),
        (PUBLIC, "id.example.com", None),
        (LOCAL, "auth.shop.example:8080", "auth.shop.example"),
        (LOCAL, "auth.shop.example", None),
    ],
)
def test_a_custom_domain_is_asked_on_our_port(hosts: Hosts, host: str, domain: str | None) -> None:
    """Another host may be a custom domain if the port is the platform's. The platform's own hosts
    are not."""
    assert hosts.custom(host) == domain


@pytest.mark.parametrize(
    ("name", "ours"),
    [("id.example.com", True), ("x.y.id.example.com", True), ("xid.example.com", False)],
)
def test_our_own_domain_is_recognised(name: str, ours: bool) -> None:
    """A name inside the platform's domain cannot be claimed."""
    assert PUBLIC.is_ours(name) is ours
