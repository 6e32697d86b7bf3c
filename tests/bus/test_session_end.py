"""The end of a session reaches every gateway in time, with identity, Postgres and NATS."""

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

from common.attempt_limits import Limits
from common.bus import NatsBus
from common.context import SYSTEM_CALLER
from common.contracts.sessions import CheckSession, NoSession, RevokeUserSessions, Session
from common.contracts.users import DisableUser, EnableUser
from common.crypto import Keys, token
from common.db import Database
from common.hash_pool import FairPool
from common.ids import new_id
from common.invalidation import NatsInvalidation
from common.testing import context, service_deps
from identity.deps import Deps
from identity.handlers import HANDLERS
from identity.hashing import Hashing
from identity.last_active import LastActive

KEYS = Keys.parse("k1:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=")
LIMIT = 5.0
"""Seconds, far less than the lifetime of a cache entry. Only the message can end an entry so soon.
"""
GATEWAYS = 2


class Gateway(Listening[Session]):
    """A gateway's cache of sessions, with the same keys and a connection of its own."""

    async def check(self, app_id: str, cookie: str) -> Session:
        return await self.cache.fetch(
            (app_id, "session", cookie),
            lambda: self.bus.call(context(app_id), CheckSession(token=cookie)),
            tags=lambda session: [("session", session.id), ("user", session.user_id)],
        )

    async def until_ended(self, app_id: str, cookie: str) -> float:
        while True:
            try:
                await self.check(app_id, cookie)
            except NoSession:
                return time.monotonic()
            await asyncio.sleep(0.001)


@dataclass
class Stage:
    gateways: list[Gateway]
    sql: asyncpg.Connection[asyncpg.Record]
    app_id: str
    user_id: str

    async def session(self) -> str:
        """Returns the cookie of a new session."""
        cookie = token()
        await self.sql.execute(
            "INSERT INTO user_sessions (app_id, id, user_id, token_hash, kind, expires_at)"
            " VALUES ($1, $2, $3, $4, 'full', now() + interval '1 h')",
            self.app_id,
            new_id(),
            self.user_id,
            KEYS.hash("session", cookie),
        )
        return cookie


@pytest.fixture
async def stage(postgres: Postgres, server: NatsServer) -> AsyncIterator[Stage]:
    name = postgres.clone()
    dsns = postgres.dsns(name)
    app_id, user_id = new_id(), new_id()
    sql = await asyncpg.connect(dsns["owner"])
    await sql.execute("INSERT INTO applications (id, slug, name) VALUES ($1, 'app', 'A')", app_id)
    await sql.execute("INSERT INTO users (app_id, id) VALUES ($1, $2)", app_id, user_id)
    db = await Database.connect(dsns["identity"], name="identity")

    def deps(bus: NatsBus, invalidation: NatsInvalidation) -> Deps:
        return Deps(
            **service_deps(db, bus, KEYS, invalidation=invalidation).shared(),
            mail_db=db,
            sweep_db=db,
            search_db=db,
            hashing=Hashing(FairPool(threads=1)),
            last_active=LastActive(db),
            limits=Limits(db, KEYS),
        )

    async with (
        answering(server, "identity", deps, HANDLERS),
        gateways(server, Gateway, GATEWAYS) as listening,
    ):
        yield Stage(listening, sql, app_id, user_id)
    await db.close()
    await sql.close()
    postgres.drop(name)


@pytest.mark.parametrize("how", ["revoked", "disabled"])
async def test_end_reaches_every_gateway_in_time(stage: Stage, how: str) -> None:
    """An administrator ends a session or disables its user. Both gateways refuse it at once, though
    each had cached it for a minute."""
    ctx = context(stage.app_id, SYSTEM_CALLER, within=60)
    worst = 0.0
    for _ in range(10):
        cookie = await stage.session()
        for gateway in stage.gateways:
            assert (await gateway.check(stage.app_id, cookie)).user_id == stage.user_id
        asking = stage.gateways[0].bus
        if how == "revoked":
            await asking.call(ctx, RevokeUserSessions(user_id=stage.user_id))
        else:
            await asking.call(ctx, DisableUser(user_id=stage.user_id))
        answered = time.monotonic()
        seen = await asyncio.gather(
            *(gateway.until_ended(stage.app_id, cookie) for gateway in stage.gateways)
        )
        worst = max(worst, *(at - answered for at in seen))
        if how == "disabled":
            await asking.call(ctx, EnableUser(user_id=stage.user_id))

    assert worst < LIMIT, f"{worst:.1f} s"
