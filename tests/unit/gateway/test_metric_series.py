"""The number of time series depends on the code, and never on what clients send."""

from __future__ import annotations

import re

import httpx
import prometheus_client
import pytest
from prometheus_client.metrics import MetricWrapperBase
from prometheus_client.parser import text_string_to_metric_families
from tests.kit.fake_services import FakeServices

from common import metrics
from gateway.app import GatewayApp

PATHS = 10_000
LABELS = {"method", "route", "status", "subject", "outcome", "limit", "writer", "pool", "state"}
LABELS |= {"cache", "name", "version", "le", "cluster"}
"""Each has a value for each thing that the code names, or the settings: a cluster of databases. None is for a tenant,
user, host or path."""


def series() -> set[str]:
    """Returns every series of this process."""
    lines = prometheus_client.generate_latest().decode().splitlines()
    return {line.rpartition(" ")[0] for line in lines if not line.startswith("#")}


async def send(app: GatewayApp, method: str, path: str, host: str) -> int:
    """Sends a request with any method and any bytes of path, which httpx would refuse."""
    statuses = []
    scope = {
        "type": "http",
        "http_version": "1.1",
        "method": method,
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "root_path": "",
        "scheme": "http",
        "headers": [(b"host", host.encode())],
        "client": (f"192.0.{len(path) % 250}.{hash(path) % 250}", 1),
        "server": ("127.0.0.1", 8080),
    }

    async def receive() -> dict[str, object]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def answer(message: dict[str, object]) -> None:
        if message["type"] == "http.response.start":
            statuses.append(message["status"])

    await app(scope, receive, answer)
    return int(str(statuses[0]))


@pytest.mark.usefixtures("app")
async def test_a_scanner_makes_no_series(gateway_app: GatewayApp) -> None:
    """10,000 paths, with a hundred methods and a hundred hosts, add as many series as the first few:
    one route, `unmatched`, with the statuses of a refusal."""
    methods = ("GET", "POST", "OPTIONS", "PROPFIND", "X" * 30)
    hosts = ("demo.localhost:8080", "nobody.localhost:8080", "localhost:8080", "evil.example", "")
    for number in range(25):  # each kind once
        await send(gateway_app, methods[number % 5], f"/first/{number}", hosts[number // 5])
    before = series()

    for number in range(PATHS):
        path = (f"/scan/{number}", f"/api/{number}/x", f"/api/users/{number}/{number}")[number % 3]
        method = methods[number % 5] if number % 2 else f"M{number % 100}"
        host = hosts[number % 4] if number % 3 else f"h{number % 100}.localhost:8080"
        assert await send(gateway_app, method, path, host) in {400, 401, 404, 405, 429, 503, 504}
    new = series() - before

    routes = {match[1] for each in new if (match := re.search(r'route="([^"]*)"', each))}
    assert routes <= {"unmatched"} | gateway_app.metrics.templates
    assert len(new) < 200, sorted(new)[:20]


@pytest.mark.usefixtures("app")
async def test_every_status_of_a_known_route_has_known_labels(gateway_app: GatewayApp) -> None:
    """Unknown methods of a known path count as `unmatched`, and their names are not kept."""
    host = "demo.localhost:8080"
    for number in range(50):
        await send(gateway_app, f"VERB{number}", "/login", host)
        await send(gateway_app, f"VERB{number}", "/oauth2/token", host)

    assert not [each for each in series() if "VERB" in each]
    labels = 'method="other",route="unmatched",status="405"'
    assert any(labels in each for each in series())


async def test_many_applications_make_no_series(
    http: httpx.AsyncClient, world: FakeServices
) -> None:
    """The hundredth application is counted where the first one is."""
    for number in range(3):
        world.add(f"first{number}")
        await http.get(f"http://first{number}.localhost:8080/.well-known/openid-configuration")
    before = series()
    for number in range(100):
        world.add(f"app{number}")
        await http.get(f"http://app{number}.localhost:8080/.well-known/openid-configuration")

    assert series() == before


def test_labels_name_things_of_the_code() -> None:
    """A new label needs a decision: what bounds its values?"""
    ours = [each for each in vars(metrics).values() if isinstance(each, MetricWrapperBase)]

    assert len(ours) > 30
    for metric in ours:
        assert set(metric._labelnames) <= LABELS, metric


def test_names_follow_the_conventions_of_prometheus() -> None:
    """Base units, `_total` for counters and for nothing else, one prefix."""
    for metric in vars(metrics).values():
        if not isinstance(metric, MetricWrapperBase):
            continue
        (family,) = metric.describe()
        assert re.fullmatch(r"aero2_[a-z0-9]+(_[a-z0-9]+)*", family.name), family.name
        assert not re.search(r"_(ms|milliseconds|minutes|kb|mb|percent)(_|$)", family.name)
        assert not family.name.endswith("_total")  # the client adds it to counters
        if family.type == "histogram":
            assert family.name.endswith("_seconds")
    text = prometheus_client.generate_latest().decode()
    assert list(text_string_to_metric_families(text))
