"""A change of rights reaches every gateway in time, with rbac, Postgres and NATS."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass

import asyncpg
import pytest
from tests.bus.gateways import Listening, answering, gateways
from tests.kit.nats_server import NatsServer
from tests.kit.postgres import Postgres

from common.bus import NatsBus
from common.context import SYSTEM_CALLER
from common.contracts.assignments import AssignRole, UnassignRole
from common.contracts.rights import GetRights, Rights
from common.contracts.roles import SeedRoles
from common.crypto import Keys
from common.db import Database
from common.ids import new_id
from common.invalidation import NatsInvalidation
from common.testing import context, service_deps
from rbac.deps import Deps
from rbac.handlers import HANDLERS

KEYS = Keys.parse("k1:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=")
LIMIT = 5.0
"""Seconds, far less than the lifetime of a cache entry. Only the message can end an entry so soon.
"""
GATEWAYS = 3


class Gateway(Listening[Rights]):
    """A gateway's cache of rights, with a connection of its own."""

    async def rights(self, app_id: str, user_id: str) -> Rights:
        return await self.cache.fetch(
            (app_id, "rights", user_id),
            lambda: self.bus.call(context(app_id, SYSTEM_CALLER), GetRights(user_id=user_id)),
            tags=lambda _: [("rights", user_id)],
        )

    async def until(self, app_id: str, user_id: str, roles: list[str]) -> float:
        """Waits until this gateway returns these roles, and returns the time."""
        while (await self.rights(app_id, user_id)).roles != roles:
            await asyncio.sleep(0.001)
        return time.monotonic()


@dataclass
class Stage:
    gateways: list[Gateway]
    app_id: str
    user_id: str


@pytest.fixture
async def stage(postgres: Postgres, server: NatsServer) -> AsyncIterator[Stage]:
    name = postgres.clone()
    dsns = postgres.dsns(name)
    app_id, user_id = new_id(), new_id()
    owner = await asyncpg.connect(dsns["owner"])
    await owner.execute("INSERT INTO applications (id, slug, name) VALUES ($1, 'app', 'A')", app_id)
    await owner.execute("INSERT INTO users (app_id, id) VALUES ($1, $2)", app_id, user_id)
    await owner.close()
    db = await Database.connect(dsns["rbac"], name="rbac")

    def deps(bus: NatsBus, invalidation: NatsInvalidation) -> Deps:
        return Deps(**service_deps(db, bus, KEYS, invalidation=invalidation).shared())

    async with (
        answering(server, "rbac", deps, HANDLERS),
        gateways(server, Gateway, GATEWAYS) as listening,
    ):
        seed = SeedRoles(template="application")
        await listening[0].bus.call(context(app_id, SYSTEM_CALLER), seed)
        yield Stage(listening, app_id, user_id)
    await db.close()
    postgres.drop(name)


async def test_rights_change_everywhere_in_time(stage: Stage) -> None:
    """A role that is assigned or removed takes effect in every gateway, though each had cached the
    rights for a minute."""
    ctx = context(stage.app_id, SYSTEM_CALLER, within=60)
    app_id, user_id = stage.app_id, stage.user_id
    waits: list[float] = []
    for n in range(20):
        given = n % 2 == 0
        request = (AssignRole if given else UnassignRole)(user_id=user_id, role_id="admin")
        expected = ["admin"] if given else []
        for gateway in stage.gateways:
            assert (await gateway.rights(app_id, user_id)).roles == ([] if given else ["admin"])
        await stage.gateways[0].bus.call(ctx, request)
        answered = time.monotonic()
        seen = await asyncio.gather(
            *(gateway.until(app_id, user_id, expected) for gateway in stage.gateways)
        )
        waits.append(max(at - answered for at in seen))

    assert max(waits) < LIMIT, [f"{wait:.1f} s" for wait in waits]
