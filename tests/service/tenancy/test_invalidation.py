"""Two gateways see a change of an application within 100 ms, over a real nats-server."""

from __future__ import annotations

import asyncio
import base64
import os
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest_asyncio
from tests.kit.callers import secret_key_of
from tests.kit.nats_server import PATIENCE, start
from tests.kit.world import World

from common.bus import NatsBus
from common.bus_server import BusServer
from common.contracts.api_keys import RevokeApiKey
from common.contracts.applications import ApplicationPatch, DeleteApplication, UpdateApplication
from common.contracts.settings_change import SettingsChange, UpdateSettings
from common.invalidation import NatsInvalidation
from gateway.build import build
from gateway.settings import GatewaySettings
from gateway.state import Gateway
from tenancy.handlers import HANDLERS

LIMIT = 5.0
"""Seconds, less than the lifetime of a cache entry. Only the message can end an entry so soon."""
SITE = {"origin": "https://shop.example"}


@dataclass
class Fleet:
    """Two gateways, each with its own connection and caches."""

    world: World
    gateways: list[httpx.AsyncClient]

    async def see(self, url: str, headers: dict[str, str]) -> list[httpx.Response]:
        return [await gateway.get(url, headers=headers) for gateway in self.gateways]

    async def soon(
        self, url: str, headers: dict[str, str], true: Callable[[httpx.Response], bool]
    ) -> float:
        """Returns how late the last request with an old answer was sent, in seconds. It is 0.0 if
        there was none. The duration of a response does not count, because the machine may be busy.
        """
        started, stale = time.monotonic(), 0.0
        for gateway in self.gateways:
            while True:
                asked = time.monotonic()
                if true(await gateway.get(url, headers=headers)):
                    break
                stale = max(stale, asked - started)
                assert stale < PATIENCE, "never"
                await asyncio.sleep(0.002)
        return stale


@pytest_asyncio.fixture
async def fleet(world: World, tmp_path: Path) -> AsyncIterator[Fleet]:
    nats = start(tmp_path)
    serving = await nats.connect(inbox_prefix="_INBOX_tenancy")
    world.replace_deps("tenancy", invalidation=NatsInvalidation(serving))
    server = await BusServer.start(serving, "tenancy", "0.1.0", world.tenancy)
    for contract, handler in HANDLERS.items():
        await server.add(contract, handler)
    await serving.flush()
    links, clients = [], []
    for number in range(2):
        link = await nats.connect(inbox_prefix=f"_INBOX_gateway{number}")
        settings = GatewaySettings(master_key="k1:" + base64.b64encode(os.urandom(32)).decode())
        gateway, invalidation = Gateway(settings, NatsBus(link)), NatsInvalidation(link)
        invalidation.listeners.append(gateway.invalidate)
        await invalidation.listen()
        await link.flush()
        transport = httpx.ASGITransport(app=build(gateway))  # type: ignore[arg-type]
        links.append(link)
        clients.append(httpx.AsyncClient(transport=transport))
    yield Fleet(world, clients)
    for client in clients:
        await client.aclose()
    await server.drain()
    for link in (*links, serving):
        await link.close()
    nats.stop()


async def _warm(fleet: Fleet, url: str, headers: dict[str, str], status: int) -> None:
    """Fills the caches, so that an invalidation has to drop the entries."""
    for answer in [*await fleet.see(url, headers), *await fleet.see(url, headers)]:
        assert answer.status_code == status, answer.text


def _allowed(answer: httpx.Response) -> bool:
    return bool(answer.headers.get("access-control-allow-origin") == SITE["origin"])


def _is(status: int) -> Callable[[httpx.Response], bool]:
    return lambda answer: answer.status_code == status


async def test_an_allowed_origin_everywhere(fleet: Fleet) -> None:
    """Every gateway reads a setting at once."""

    async def once() -> float:
        app = await fleet.world.create_application()
        url = f"{app.url}/api/settings"
        await _warm(fleet, url, SITE, 401)
        change = UpdateSettings(changes=SettingsChange(allowed_origins=[SITE["origin"]]))
        await fleet.world.call(change, secret_key_of(app.id))
        return await fleet.soon(url, SITE, _allowed)

    assert await once() < LIMIT


async def test_a_revoked_key_everywhere(fleet: Fleet) -> None:
    """No gateway accepts a revoked key that it had cached."""

    async def once() -> float:
        app = await fleet.world.create_application()
        url, key = f"{app.url}/api/settings", app.api_keys[1]
        bearer = {"authorization": f"Bearer {key.key}"}
        await _warm(fleet, url, bearer, 200)
        await fleet.world.call(RevokeApiKey(id=key.id), secret_key_of(app.id))
        return await fleet.soon(url, bearer, _is(401))

    assert await once() < LIMIT


async def test_a_deleted_application_everywhere(fleet: Fleet) -> None:
    """No gateway finds the host or accepts the key."""

    async def once() -> float:
        app = await fleet.world.create_application()
        url = f"{app.url}/api/settings"
        by_key = url.replace(app.slug, "api")
        bearer = {"authorization": f"Bearer {app.api_keys[1].key}"}
        await _warm(fleet, url, bearer, 200)
        await _warm(fleet, by_key, bearer, 200)
        operator = await fleet.world.operator()
        await fleet.world.call(DeleteApplication(slug=app.slug, confirm=app.slug), operator)
        took = await fleet.soon(url, bearer, _is(404))
        return took + await fleet.soon(by_key, bearer, _is(401))

    assert await once() < LIMIT


async def test_a_change_is_there_before_its_answer(fleet: Fleet) -> None:
    """After the reply every gateway has the new state."""
    team = await fleet.world.team()
    app = await fleet.world.create_application(team)
    url = f"{app.url}/api/settings"
    bearer = {"authorization": f"Bearer {app.api_keys[1].key}"}
    late = []
    for number in range(20):
        ctx = await fleet.world.developer(team)
        origin = f"https://shop{number}.example"
        patch = ApplicationPatch.model_validate({"settings": {"allowed_origins": [origin]}})
        await fleet.see(url, bearer)
        await fleet.world.call(UpdateApplication(slug=app.slug, changes=patch), ctx)
        took = await fleet.soon(
            url,
            {**bearer, "origin": origin},
            lambda answer, origin=origin: (
                answer.headers.get("access-control-allow-origin") == origin
            ),  # type: ignore[misc]
        )
        late.append(took)

    assert max(late) < LIMIT, late
