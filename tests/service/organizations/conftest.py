"""tenancy and rbac, each as its own role, on one real database; a name server for proofs."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

import asyncpg
import pytest
from tests.kit.dns_server import Zone
from tests.kit.mails import waiting
from tests.kit.postgres import Postgres

from common.addresses import address_key
from common.context import SYSTEM_CALLER, Caller, Context
from common.contracts.base import Contract, Request
from common.contracts.organizations import CreateOrganization, Organization
from common.contracts.rights import GetRights, Rights
from common.contracts.roles import SeedRoles
from common.contracts.sessions import ActivateOrganization, Session, SignedInSession
from common.crypto import Keys
from common.db import Database
from common.ids import DASHBOARD, new_id
from common.testing import LocalBus, MemoryChanges, context, service_deps
from rbac.deps import Deps as RbacDeps
from rbac.handlers import HANDLERS as RBAC
from tenancy.deps import Deps
from tenancy.dns import Dns
from tenancy.handlers import HANDLERS
from tenancy.hosts import Hosts
from tenancy.key_usage import KeyUsage

R = TypeVar("R", bound=Contract)
KEYS = Keys.parse("k1:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=")
SECRET_KEY = Caller("secret_key", "01900000-0000-7000-8000-000000000001", frozenset({"*"}))


@dataclass
class Switched:
    """identity's side of switching: what it was asked."""

    asked: list[tuple[str, ActivateOrganization]] = field(default_factory=list)

    async def __call__(
        self, _: Any, ctx: Context, request: ActivateOrganization
    ) -> SignedInSession:
        self.asked.append((ctx.app_id, request))
        now = datetime.now(UTC)
        session = Session(
            id=new_id(),
            user_id=ctx.caller.id or "",
            auth_time=now,
            active_org_id=request.org_id,
            created_at=now,
            expires_at=now + timedelta(days=1),
        )
        return SignedInSession(token="fresh", session=session)


@dataclass
class World:
    bus: LocalBus
    changes: MemoryChanges
    owner: asyncpg.Connection[asyncpg.Record]
    deps: Deps
    zone: Zone
    switched: Switched
    sweep_db: Database
    a: str = ""
    b: str = ""
    dashboard: str = DASHBOARD

    async def application(self, **settings: object) -> str:
        id = new_id()
        await self.owner.execute(
            "INSERT INTO applications (id, slug, name, state, settings)"
            " VALUES ($1, $2, 'Shop', 'active', $3::text::jsonb)",
            id,
            f"app-{id}",
            json.dumps(settings),
        )
        await self.call(SeedRoles(template="application"), SYSTEM_CALLER, id)
        return id

    async def user(self, email: str | None = None, app_id: str | None = None) -> Caller:
        """A user with a session, and what he may do as the gateway would find it."""
        id = new_id()
        await self.owner.execute(
            "INSERT INTO users (app_id, id, email, email_verified, name, email_normalized)"
            " VALUES ($1, $2, $3, $4, 'Ada', $5)",
            app_id or self.a,
            id,
            email,
            email is not None,
            None if email is None else address_key(email),
        )
        return Caller("user", id, session_id=new_id())

    async def developer(self, role: str = "developer", email: str | None = None) -> Caller:
        made = await self.user(email, self.dashboard)
        await self.owner.execute(
            "INSERT INTO user_roles (app_id, user_id, role_id) VALUES ($1, $2, $3)",
            self.dashboard,
            made.id,
            role,
        )
        return await self.refreshed(made, self.dashboard)

    async def refreshed(self, who: Caller, app_id: str | None = None) -> Caller:
        rights = await self.rights(who, app_id)
        return Caller(
            "user",
            who.id,
            frozenset(rights.permissions),
            frozenset(rights.teams),
            session_id=who.session_id,
        )

    async def rights(
        self, who: Caller, app_id: str | None = None, org_id: str | None = None
    ) -> Rights:
        request = GetRights(user_id=who.id or "", org_id=org_id)
        return await self.call(request, SYSTEM_CALLER, app_id)

    async def call(self, request: Request[R], who: Caller, app_id: str | None = None) -> R:
        return await self.bus.call(context(app_id or self.a, who), request)

    async def organization(self, admin: Caller, name: str = "Acme") -> Organization:
        return await self.call(CreateOrganization(name=name), admin)

    async def join(self, org_id: str, who: Caller, role: str = "member") -> None:
        await self.owner.execute(
            "INSERT INTO organization_members (app_id, org_id, user_id, role_id)"
            " VALUES ($1, $2, $3, $4)",
            self.a,
            org_id,
            who.id,
            role,
        )

    async def mails(self, app_id: str | None = None) -> list[dict[str, Any]]:
        """Every mail waiting for the application, opened."""
        found = await waiting(self.owner, self.deps.db, self.deps.sealer, app_id or self.a)
        return [vars(mail) for mail in found]

    async def token(self) -> str:
        """The token in the link of the latest mail."""
        return str((await self.mails())[-1]["data"]["link"].partition("token=")[2])

    async def events(self, app_id: str | None = None) -> list[str]:
        rows = await self.owner.fetch(
            "SELECT event_type FROM audit_logs WHERE app_id = $1 ORDER BY id", app_id or self.a
        )
        return [row["event_type"] for row in rows]


@pytest.fixture(scope="session")
async def organizations_stage(postgres: Postgres) -> AsyncIterator[World]:
    """One database for all tests here; each test gets applications of its own."""
    name = postgres.clone()
    dsns = postgres.dsns(name)
    owner = await asyncpg.connect(dsns["owner"])
    await owner.set_type_codec("uuid", schema="pg_catalog", encoder=str, decoder=str, format="text")
    db = await Database.connect(dsns["tenancy"], name="tenancy", size=12)
    rbac_db = await Database.connect(dsns["rbac"], name="rbac", size=4)
    sweep_db = await Database.connect(dsns["sweep"], name="sweep", size=1)
    upkeep = await Database.connect(dsns["upkeep"], name="upkeep", size=1)
    zone = await Zone.start()
    bus, changes, switched = LocalBus(), MemoryChanges(), Switched()
    deps = Deps(
        **service_deps(db, bus, KEYS, invalidation=changes).shared(),
        upkeep_db=upkeep,
        sweep_db=sweep_db,
        hosts=Hosts("https", "id.example.com"),
        usage=KeyUsage(upkeep),
        dns=Dns([zone.address]),
    )
    bus.serve(deps, HANDLERS)
    bus.serve(RbacDeps(**service_deps(rbac_db, bus, KEYS, invalidation=changes).shared()), RBAC)
    bus.serve(None, {ActivateOrganization: switched})
    made = World(bus, changes, owner, deps, zone, switched, sweep_db)
    await made.call(SeedRoles(template="dashboard"), SYSTEM_CALLER, DASHBOARD)
    await owner.execute("UPDATE applications SET state = 'active' WHERE is_dashboard")
    yield made
    zone.stop()
    for each in (db, rbac_db, upkeep, sweep_db):
        await each.close()
    await owner.close()
    postgres.drop(name)


@pytest.fixture
async def world(organizations_stage: World) -> World:
    made = organizations_stage
    made.a, made.b = await made.application(), await made.application()
    made.changes.heard.clear()
    made.switched.asked.clear()
    return made
