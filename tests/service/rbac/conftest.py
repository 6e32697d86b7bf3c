"""The rbac service on real Postgres as its own role, two applications and the dashboard in it."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import TypeVar

import asyncpg
import pytest
from tests.kit.postgres import Postgres

from common.context import SYSTEM_CALLER, Caller
from common.contracts.assignments import AssignRole
from common.contracts.base import Contract, Request
from common.contracts.rights import GetRights, Rights
from common.contracts.roles import SeedRoles
from common.crypto import Keys
from common.db import Database
from common.ids import DASHBOARD, new_id
from common.testing import LocalBus, MemoryChanges, context, service_deps
from rbac.deps import Deps
from rbac.handlers import HANDLERS

R = TypeVar("R", bound=Contract)
KEYS = Keys.parse("k1:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=")


@dataclass
class World:
    """Calls go over the bus; `owner` looks and prepares, unbound by row level security."""

    bus: LocalBus
    changes: MemoryChanges
    owner: asyncpg.Connection[asyncpg.Record]
    a: str = ""
    b: str = ""
    dashboard: str = DASHBOARD

    async def application(self) -> str:
        id = new_id()
        await self.owner.execute(
            "INSERT INTO applications (id, slug, name, state) VALUES ($1, $2, $2, 'active')",
            id,
            f"app-{id}",
        )
        await self.call(SeedRoles(template="application"), id)
        return id

    async def user(self, app_id: str) -> str:
        id = new_id()
        await self.owner.execute("INSERT INTO users (app_id, id) VALUES ($1, $2)", app_id, id)
        return id

    async def organization(self, app_id: str, **members: str) -> str:
        """`members` are organization roles by user id."""
        id = new_id()
        await self.owner.execute(
            "INSERT INTO organizations (app_id, id, slug, name) VALUES ($1, $2, $3, 'Org')",
            app_id,
            id,
            f"o{id}",
        )
        for user_id, role_id in members.items():
            await self.owner.execute(
                "INSERT INTO organization_members (app_id, org_id, user_id, role_id)"
                " VALUES ($1, $2, $3, $4)",
                app_id,
                id,
                user_id,
                role_id,
            )
        return id

    async def call(
        self, request: Request[R], app_id: str | None = None, who: Caller = SYSTEM_CALLER
    ) -> R:
        return await self.bus.call(context(app_id or self.a, who), request)

    async def give(self, user_id: str, role_id: str, app_id: str | None = None) -> None:
        await self.call(AssignRole(user_id=user_id, role_id=role_id), app_id)

    async def rights(
        self, user_id: str, app_id: str | None = None, org_id: str | None = None
    ) -> Rights:
        return await self.call(GetRights(user_id=user_id, org_id=org_id), app_id)

    async def signed_in(self, user_id: str, app_id: str | None = None) -> Caller:
        """The caller the gateway makes of a session of this user."""
        rights = await self.rights(user_id, app_id)
        return Caller(
            kind="user",
            id=user_id,
            permissions=frozenset(rights.permissions),
            teams=frozenset(rights.teams),
        )

    async def events(
        self, app_id: str | None = None, user_id: str | None = None
    ) -> list[tuple[str, dict[str, object]]]:
        """The audit log, in order; with `user_id` what concerns him."""
        rows = await self.owner.fetch(
            "SELECT event_type, event_data::text AS data FROM audit_logs WHERE app_id = $1"
            " AND ($2::uuid IS NULL OR user_id = $2) ORDER BY id",
            app_id or self.a,
            user_id,
        )
        return [(row["event_type"], json.loads(row["data"])) for row in rows]


SECRET_KEY = Caller(
    kind="secret_key", id="01900000-0000-7000-8000-000000000001", permissions=frozenset({"*"})
)


@pytest.fixture(scope="session")
async def stage(postgres: Postgres) -> AsyncIterator[World]:
    """One database for all tests of the service; each test gets applications of its own."""
    name = postgres.clone()
    dsns = postgres.dsns(name)
    owner = await asyncpg.connect(dsns["owner"])
    await owner.set_type_codec("uuid", schema="pg_catalog", encoder=str, decoder=str, format="text")
    db = await Database.connect(dsns["rbac"], name="rbac", size=8)
    bus, changes = LocalBus(), MemoryChanges()
    bus.serve(Deps(**service_deps(db, bus, KEYS, invalidation=changes).shared()), HANDLERS)
    made = World(bus, changes, owner)
    await made.call(SeedRoles(template="dashboard"), DASHBOARD)
    yield made
    await db.close()
    await owner.close()
    postgres.drop(name)


@pytest.fixture
async def world(stage: World) -> World:
    stage.a, stage.b = await stage.application(), await stage.application()
    stage.changes.heard.clear()
    return stage
