"""The tenancy service on a real database, with stand-ins for the services it asks."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import asyncpg
import pytest_asyncio
from tests.kit.postgres import Postgres

from common.context import Caller, Context
from common.contracts.applications import CreateApplication, NewApplication
from common.contracts.base import Done, Request
from common.contracts.keys import EnsureKeys
from common.contracts.roles import SeedRoles
from common.crypto import Keys
from common.db import Database
from common.ids import DASHBOARD, new_id
from common.testing import LocalBus, MemoryActivity, MemoryChanges, context, service_deps
from tenancy.deps import Deps
from tenancy.dns import Dns
from tenancy.handlers import HANDLERS
from tenancy.hosts import Hosts
from tenancy.key_usage import KeyUsage

KEYS = Keys.parse("k1:" + "q83vEjRWeJCrze8SNFZ4kKvN7xI0VniQq83vEjRWeJA=")

DEVELOPER = frozenset(
    {"apps:create", "apps:read", "apps:write", "apps:delete", "apps:transfer", "users:read"}
)
OPERATOR = DEVELOPER | {"apps:read:all", "apps:write:all", "platform:manage"}
MEMBER = frozenset({"apps:read", "teams:read", "profile:read", "profile:write"})


class Crash(BaseException):
    """The process died here."""


@dataclass
class Others:
    """rbac and oidc as the chain sees them. `fail` makes a call raise before or after its work."""

    done: list[tuple[str, str, str]] = field(default_factory=list)
    before: dict[str, BaseException] = field(default_factory=dict)
    after: dict[str, BaseException] = field(default_factory=dict)

    async def seed(self, _: Any, ctx: Context, request: SeedRoles) -> Done:
        return self._part("rbac", ctx.app_id, request.template)

    async def ensure_keys(self, _: Any, ctx: Context, request: EnsureKeys) -> Done:
        return self._part("oidc", ctx.app_id, "keys")

    def _part(self, name: str, app_id: str, what: str) -> Done:
        if name in self.before:
            raise self.before.pop(name)
        self.done.append((name, app_id, what))
        if name in self.after:
            raise self.after.pop(name)
        return Done()


@dataclass
class World:
    """Everything a test of this service works with."""

    deps: Deps
    bus: LocalBus
    others: Others
    changes: MemoryChanges
    activity: MemoryActivity
    owner: asyncpg.Connection[asyncpg.Record]
    relay_dsn: str

    def call(self, ctx: Context, request: Request[Any]) -> Any:
        return self.bus.call(ctx, request)

    async def developer(
        self, *teams: str, may: frozenset[str] = DEVELOPER, role: str = "developer"
    ) -> Context:
        """A developer signed in on the Dashboard, in each of the teams with the role."""
        user = new_id()
        await self.owner.execute("INSERT INTO users (app_id, id) VALUES ($1, $2)", DASHBOARD, user)
        for team in teams:
            await self.join(user, team, role)
        caller = Caller("user", user, may, frozenset(teams))
        return context(DASHBOARD, caller, ip="203.0.113.9")

    async def operator(self) -> Context:
        return await self.developer(may=OPERATOR)

    async def join(self, user: str, team: str, role: str) -> None:
        await self.owner.execute(
            "INSERT INTO organization_roles (app_id, id, name) VALUES ($1, $2, $2)"
            " ON CONFLICT DO NOTHING",
            DASHBOARD,
            role,
        )
        await self.owner.execute(
            "INSERT INTO organization_members (app_id, org_id, user_id, role_id)"
            " VALUES ($1, $2, $3, $4)",
            DASHBOARD,
            team,
            user,
            role,
        )

    async def team(self) -> str:
        """A developer team: an organization of the Dashboard."""
        team = new_id()
        await self.owner.execute(
            "INSERT INTO organizations (app_id, id, slug, name) VALUES ($1, $2, $3, $3)",
            DASHBOARD,
            team,
            f"team-{team[-8:]}",
        )
        return team

    async def application(self, team: str | None = None, name: str = "Shop") -> NewApplication:
        """An application made by a developer of the team."""
        team = team or await self.team()
        made: NewApplication = await self.call(
            await self.developer(team), CreateApplication(name=name, owner_org_id=team)
        )
        return made

    async def events(self, app_id: str) -> list[str]:
        rows = await self.owner.fetch(
            "SELECT event_type FROM audit_logs WHERE app_id = $1 ORDER BY created_at, id", app_id
        )
        return [row["event_type"] for row in rows]


def secret_key_of(app_id: str) -> Context:
    return context(app_id, Caller("secret_key", new_id(), frozenset({"*"})))


Start = Callable[..., Awaitable[World]]


@pytest_asyncio.fixture(scope="session")
async def tenancy_database(postgres: Postgres) -> AsyncIterator[dict[str, str]]:
    """One database for all tests of this service, swept clean between them: a clone costs more."""
    name = postgres.clone()
    yield postgres.dsns(name)
    postgres.drop(name)


@pytest_asyncio.fixture
async def world(tenancy_database: dict[str, str]) -> AsyncIterator[World]:
    database = tenancy_database
    owner = await asyncpg.connect(database["owner"])
    await _sweep_clean(owner)
    db = await Database.connect(database["tenancy"], name="tenancy", size=8)
    upkeep = await Database.connect(database["upkeep"], name="upkeep", size=2)
    bus, others, changes, activity = LocalBus(), Others(), MemoryChanges(), MemoryActivity()
    deps = Deps(
        **service_deps(db, bus, KEYS, invalidation=changes, activity=activity).shared(),
        upkeep_db=upkeep,
        sweep_db=upkeep,
        hosts=Hosts("http", "localhost:8080"),
        usage=KeyUsage(upkeep),
        dns=Dns(["127.0.0.1:9"]),
    )
    bus.serve(deps, HANDLERS)
    bus.serve(None, {SeedRoles: others.seed, EnsureKeys: others.ensure_keys})
    yield World(deps, bus, others, changes, activity, owner, database["relay"])
    await owner.close()
    await db.close()
    await upkeep.close()


async def _sweep_clean(owner: asyncpg.Connection[asyncpg.Record]) -> None:
    """As the migration left it: the Dashboard alone, in state `creating`."""
    async with owner.transaction():
        await owner.execute("DELETE FROM applications WHERE NOT is_dashboard")
        await owner.execute("SET LOCAL session_replication_role = replica")  # past the triggers
        for table in (
            "deleted_slugs",
            "application_api_keys",
            "custom_domains",
            "organization_members",
            "organizations",
            "users",
            "audit_logs",
            "audit_chain",
            "audit_checkpoints",
            "audit_outbox",
            "data_keys",
        ):
            await owner.execute(f"DELETE FROM {table}")
        await owner.execute(
            """
            UPDATE applications SET state = 'creating', provisioned = '{}', settings = '{}',
                custom_domain = NULL, custom_domain_verified = false, name = 'Dashboard'
            """
        )
