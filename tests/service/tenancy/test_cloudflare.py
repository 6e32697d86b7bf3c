"""Cloudflare for SaaS: domains are created, polled and deleted.

The fake answers as the documentation of the API says: 201 and `pending` at first, two statuses that
become active one after the other, 409 with code 1406 for a duplicate, 404 with 1436 for a missing
one, 400 with 1409 for a reserved name.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import pytest_asyncio
from tests.kit.callers import secret_key_of
from tests.kit.dns_server import Zone
from tests.kit.world import World
from tests.service.tenancy.test_domains import claimed, publish, zone

from common.contracts.applications import DeleteApplication
from common.contracts.domains import (
    CustomDomain,
    ListCustomDomains,
    RemoveCustomDomain,
    VerifyCustomDomain,
)
from common.egress import Egress
from common.outgoing_http import OutgoingHttp
from common.problems import Unavailable
from tenancy import domain_recheck
from tenancy.cloudflare import CloudflareHostnames, HostnameRefused

__all__ = ["zone"]

ZONE_ID = "023e105f4ecef8ad9ca31a8372d0c353"
TOKEN = "cf-token"
ERRORS = {
    1406: (409, "Duplicate custom hostname found."),
    1409: (400, "Reserved top domain custom hostnames are not supported."),
    1436: (404, "The custom hostname was not found."),
    10000: (403, "Authentication error"),
}


@dataclass
class Fake:
    """The custom hostnames of one zone."""

    hostnames: dict[str, dict[str, Any]] = field(default_factory=dict)
    asked: list[tuple[str, str]] = field(default_factory=list)
    down: bool = False
    lose_answers: int = 0
    url: str = ""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        method, target, _ = head.split("\r\n", 1)[0].split()
        headers = {
            name.lower(): value.strip()
            for name, _, value in (line.partition(":") for line in head.split("\r\n")[1:] if line)
        }
        body = await reader.readexactly(int(headers.get("content-length", 0)))
        self.asked.append((method, target))
        status, answer = self._answer(method, target, headers, json.loads(body or b"{}"))
        if self.lose_answers:
            self.lose_answers -= 1
        elif self.down:
            writer.write(b"HTTP/1.1 502 Bad Gateway\r\ncontent-length: 3\r\n\r\nbad")
        else:
            data = json.dumps(answer).encode()
            writer.write(
                b"HTTP/1.1 %d x\r\ncontent-length: %d\r\n\r\n" % (status, len(data)) + data
            )
        await writer.drain()
        writer.close()

    def _answer(
        self, method: str, target: str, headers: dict[str, str], body: dict[str, Any]
    ) -> tuple[int, dict[str, Any]]:
        parts = urlsplit(target)
        base = f"/client/v4/zones/{ZONE_ID}/custom_hostnames"
        if headers.get("authorization") != f"Bearer {TOKEN}" or not parts.path.startswith(base):
            return self._error(10000)
        id = parts.path.removeprefix(base).strip("/")
        if method == "POST":
            return self._create(body)
        if method == "GET" and not id:
            name = parse_qs(parts.query)["hostname"][0]
            found = [made for made in self.hostnames.values() if made["hostname"] == name]
            return 200, {"success": True, "errors": [], "messages": [], "result": found}
        if id not in self.hostnames:
            return self._error(1436)
        if method == "DELETE":
            del self.hostnames[id]
            return 200, {"id": id}
        return 200, self._ok(self.hostnames[id])

    def _create(self, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        assert body["ssl"] == {"method": "http", "type": "dv"}
        name = body["hostname"]
        if name.endswith(".invalid"):
            return self._error(1409)
        if any(made["hostname"] == name for made in self.hostnames.values()):
            return self._error(1406)
        id = f"0d89c70d-ad9f-4843-b99f-{len(self.asked):012x}"
        self.hostnames[id] = {
            "id": id,
            "hostname": name,
            "ssl": {"type": "dv", "method": "http", "status": "initializing"},
            "status": "pending",
        }
        return 201, self._ok(self.hostnames[id])

    @staticmethod
    def _ok(result: dict[str, Any]) -> dict[str, Any]:
        return {"success": True, "errors": [], "messages": [], "result": result}

    @staticmethod
    def _error(code: int) -> tuple[int, dict[str, Any]]:
        status, message = ERRORS[code]
        error = {"code": code, "message": message}
        return status, {"success": False, "errors": [error], "messages": [], "result": None}


@pytest_asyncio.fixture
async def fake() -> AsyncIterator[Fake]:
    made = Fake()
    server = await asyncio.start_server(made.serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    made.url = f"http://127.0.0.1:{port}/client/v4"
    yield made
    server.close()


def network(fake: Fake, token: str = TOKEN) -> CloudflareHostnames:
    http = OutgoingHttp(Egress(private=True))
    return CloudflareHostnames(ZONE_ID, token, fake.url, http)


async def test_created_polled_deleted(fake: Fake) -> None:
    """A hostname is active if its name and its certificate are. A second deletion succeeds too."""
    edge = network(fake)

    made = await edge.create("auth.shop.example")
    first = await edge.poll(made.id)
    fake.hostnames[made.id]["status"] = "active"
    second = await edge.poll(made.id)
    fake.hostnames[made.id]["ssl"]["status"] = "active"
    third = await edge.poll(made.id)
    await edge.delete(made.id)
    await edge.delete(made.id)

    statuses = [made.status, *(found and found.status for found in (first, second, third))]
    assert statuses == ["initializing", "initializing", "initializing", "active"]
    assert await edge.poll(made.id) is None
    assert fake.hostnames == {}


async def test_creating_again_finds_the_first(fake: Fake) -> None:
    """If the first answer was lost, the second call finds the hostname."""
    edge = network(fake)
    fake.lose_answers = 1

    with pytest.raises(Unavailable):
        await edge.create("auth.shop.example")
    made = await edge.create("auth.shop.example")

    assert list(fake.hostnames) == [made.id]


async def test_a_network_that_is_down_is_unavailable(fake: Fake) -> None:
    """An invalid answer or a wrong token is an error, not a state. No message contains the token."""
    fake.down = True
    for edge in (network(fake), CloudflareHostnames(ZONE_ID, TOKEN, "http://127.0.0.1:9")):
        for attempt in (edge.create("a.example"), edge.poll("x"), edge.delete("x")):
            with pytest.raises(Unavailable) as refused:
                await attempt
            assert TOKEN not in str(refused.value.to_wire())
    fake.down = False
    with pytest.raises(Unavailable):
        await network(fake, "wrong").create("a.example")
    assert TOKEN not in repr(network(fake))


async def test_a_name_that_is_refused_for_good(fake: Fake) -> None:
    """A refused name has another error than a network that is down."""
    with pytest.raises(HostnameRefused, match="1409"):
        await network(fake).create("shop.invalid")


async def _proven(
    world: World, zone: Zone, fake: Fake, name: str = "auth.shop.example"
) -> tuple[str, CustomDomain]:
    world.replace_deps("tenancy", hostnames=network(fake))
    app = await world.create_application()
    domain = await claimed(world, app, name)
    assert fake.asked == []
    publish(zone, domain)
    await world.call(VerifyCustomDomain(id=domain.id), secret_key_of(app.id))
    return app.id, domain


async def _status(world: World, app_id: str) -> str | None:
    found = await world.call(ListCustomDomains(), secret_key_of(app_id))
    status: str | None = found.domains[0].certificate_status
    return status


async def test_a_proven_domain_is_announced(world: World, zone: Zone, fake: Fake) -> None:
    """A domain is created after its proof, and polled until it is active."""
    app_id, _ = await _proven(world, zone, fake)
    before = await _status(world, app_id)
    for made in fake.hostnames.values():
        made["status"] = made["ssl"]["status"] = "active"

    await domain_recheck.recheck_due(world.tenancy)
    after, asked = await _status(world, app_id), len(fake.asked)
    await domain_recheck.recheck_due(world.tenancy)

    assert (before, after) == ("initializing", "active")
    assert asked == len(fake.asked)


async def test_a_network_that_was_away_is_told_later(world: World, zone: Zone, fake: Fake) -> None:
    """If the network is down, the proof is kept and the domain is created later."""
    fake.down = True
    app_id, _ = await _proven(world, zone, fake)
    fake.down = False
    fake.hostnames.clear()

    await domain_recheck.recheck_due(world.tenancy)

    assert await _status(world, app_id) == "initializing"
    assert len(fake.hostnames) == 1


async def test_a_refused_name_is_shown_and_not_tried_for_ever(
    world: World, zone: Zone, fake: Fake
) -> None:
    """The developer sees the network's code."""
    from tenancy import certificates
    from tenancy.queries import domain_checks

    app_id, domain = await _proven(world, zone, fake)
    fake.hostnames.clear()
    ctx = secret_key_of(app_id)
    await world.owner.execute("UPDATE custom_domains SET domain = 'shop.invalid'")

    await certificates.order(world.tenancy, ctx, domain.id)

    assert await _status(world, app_id) == "refused: 1409"
    async with world.tenancy.db.unbound_transaction() as db:
        assert await domain_checks.without_certificate(db) == []


async def test_a_removed_domain_is_withdrawn(world: World, zone: Zone, fake: Fake) -> None:
    """The hostname is deleted first, and then the row. While the network is down the row stays."""
    app_id, domain = await _proven(world, zone, fake)
    fake.down = True

    with pytest.raises(Unavailable):
        await world.call(RemoveCustomDomain(id=domain.id), secret_key_of(app_id))
    fake.down = False
    assert len((await world.call(ListCustomDomains(), secret_key_of(app_id))).domains) == 1
    await world.call(RemoveCustomDomain(id=domain.id), secret_key_of(app_id))

    assert fake.hostnames == {}


async def test_a_deleted_application_leaves_no_hostname(
    world: World, zone: Zone, fake: Fake
) -> None:
    """The sweep deletes its hostname later if the network was down."""
    from tenancy import provisioning

    app_id, _ = await _proven(world, zone, fake)
    slug = await world.owner.fetchval("SELECT slug FROM applications WHERE id = $1", app_id)
    fake.down = True
    await world.call(DeleteApplication(slug=slug, confirm=slug), await world.operator())
    left = len(fake.hostnames)
    fake.down = False
    await world.owner.execute("UPDATE applications SET updated_at = now() - interval '1 minute'")

    await provisioning.repair(world.tenancy)

    assert left <= 1
    assert fake.hostnames == {}
    assert (
        await world.owner.fetchval("SELECT count(*) FROM applications WHERE id = $1", app_id) == 0
    )
