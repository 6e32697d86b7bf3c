"""A disabled client's tokens end everywhere in time, and stay ended. Two oidc, two gateways,
Postgres and NATS.
"""

from __future__ import annotations

import asyncio
import base64
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import asyncpg
import pytest
from tests.bus.gateways import Listening, answering, gateways
from tests.kit.nats_server import NatsServer
from tests.kit.postgres import Postgres

from common.attempt_limits import Limits
from common.bus import NatsBus
from common.bus_server import BusServer
from common.context import SYSTEM_CALLER, Context
from common.contracts.clients import CreateClient, UpdateClient
from common.contracts.oauth_errors import InvalidToken
from common.contracts.tenants import GetTenant, Tenant
from common.contracts.tokens import AccessToken, CheckAccessToken, ExchangeToken
from common.crypto import Keys
from common.db import Database
from common.ids import new_id
from common.invalidation import NatsInvalidation
from common.testing import context, service_deps
from gateway.auth.cache import token_tags
from oidc.deps import Deps
from oidc.handlers import HANDLERS
from oidc.settings import Settings as OidcSettings

ORIGIN = "https://a.test"
KEY = "k1:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
LIMIT = 5.0
"""Seconds, far less than the lifetime of a cache entry. Only the message can end a token so soon.
"""


class Gateway(Listening[AccessToken]):
    """A gateway's cache of tokens, with the same keys and a connection of its own."""

    async def check(self, app_id: str, token: str) -> AccessToken:
        return await self.cache.fetch(
            (app_id, "bearer", token),
            lambda: self.bus.call(context(app_id, origin=ORIGIN), CheckAccessToken(token=token)),
            tags=token_tags,
        )

    async def until_ended(self, app_id: str, token: str) -> float:
        while True:
            try:
                await self.check(app_id, token)
            except InvalidToken:
                return time.monotonic()
            await asyncio.sleep(0.001)


async def tenant(_: Any, ctx: Context, request: GetTenant) -> Tenant:
    where = {"host": "a.test", "hosts": ["a.test"], "origin": ORIGIN}
    return Tenant(app_id=ctx.app_id, slug="a", name="A", state="active", **where)


@asynccontextmanager
async def oidc(server: NatsServer, dsns: dict[str, str], number: int) -> AsyncIterator[None]:
    """Runs a replica that receives the invalidations of the others."""
    async with AsyncExitStack() as stack:
        nc = await server.connect(inbox_prefix=f"_INBOX_oidc_{number}")
        stack.push_async_callback(nc.close)
        db = await Database.connect(dsns["oidc"], name="oidc")
        stack.push_async_callback(db.close)
        bus, invalidation = NatsBus(nc), NatsInvalidation(nc)
        deps = Deps(
            **service_deps(db, bus, Keys.parse(KEY), invalidation=invalidation).shared(),
            limits=Limits(db, Keys.parse(KEY)),
            logout_db=db,
            sweep_db=db,
            settings=OidcSettings(
                master_key=KEY,
                database_url=dsns["oidc"],
                relay_database_url=dsns["relay"],
                sweep_database_url=dsns["sweep"],
                logout_database_url=dsns["logout"],
            ),
        )
        stack.callback(deps.pool.close)
        invalidation.listeners.append(deps.caches.drop)
        await invalidation.listen()
        serving = await BusServer.start(nc, "oidc", "0.1.0", deps)
        for contract, handler in HANDLERS.items():
            await serving.add(contract, handler)
        await nc.flush()
        yield
        await serving.drain()


@pytest.fixture
async def stage(postgres: Postgres, server: NatsServer) -> AsyncIterator[tuple[str, list[Gateway]]]:
    name = postgres.clone()
    dsns, app_id = postgres.dsns(name), new_id()
    sql = await asyncpg.connect(dsns["owner"])
    await sql.execute("INSERT INTO applications (id, slug, name) VALUES ($1, 'app', 'A')", app_id)
    await sql.close()
    async with (
        answering(server, "tenancy", lambda *_: None, {GetTenant: tenant}),
        oidc(server, dsns, 1),
        oidc(server, dsns, 2),
        gateways(server, Gateway, 2) as listening,
    ):
        yield app_id, listening
    postgres.drop(name)


@pytest.mark.parametrize("format", ["jwt", "opaque"])
async def test_the_end_of_a_client_reaches_every_gateway_in_time(
    stage: tuple[str, list[Gateway]], format: str
) -> None:
    """All gateways and replicas had cached the token. Within 100 ms of the reply it is invalid, and
    enabling the client again does not make it valid."""
    app_id, listening = stage
    ctx = context(app_id, SYSTEM_CALLER, within=60, origin=ORIGIN)
    bus = listening[0].bus
    made = await bus.call(
        ctx, CreateClient(name="Robot", type="service", access_token_format=format)
    )
    basic = base64.b64encode(f"{made.client_id}:{made.client_secret}".encode()).decode()
    request = ExchangeToken(params=[("grant_type", "client_credentials")], basic=basic)
    worst = 0.0
    for _ in range(5):
        token = (await bus.call(ctx, request)).access_token
        for gateway in listening * 4:
            gateway.cache.clear()
            assert (await gateway.check(app_id, token)).client_id == made.client_id
        await bus.call(ctx, UpdateClient(client=made.id, changes={"enabled": False}))
        answered = time.monotonic()
        seen = await asyncio.gather(*(one.until_ended(app_id, token) for one in listening))
        worst = max(worst, *(at - answered for at in seen))
        await bus.call(ctx, UpdateClient(client=made.id, changes={"enabled": True}))
        for gateway in listening * 4:
            with pytest.raises(InvalidToken):
                await gateway.check(app_id, token)

    assert worst < LIMIT, f"{worst:.1f} s"
