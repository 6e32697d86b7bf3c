"""The identity service on real Postgres as its own role: the dashboard and two applications."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, TypeVar

import asyncpg
import pytest
from tests.kit.mails import Waiting, waiting
from tests.kit.postgres import Postgres

from common.context import Caller, Context
from common.contracts.app_settings import AppSettings
from common.contracts.assignments import AssignDefaultRole, AssignRole
from common.contracts.audit_log import AuditRecord, AuditRecords, ListAudit
from common.contracts.base import Contract, Done, Request
from common.contracts.delegation import CheckDelegation
from common.contracts.members import LastAdmin, LeaveOrganizations
from common.contracts.org_domains import JoinByDomain, Joined
from common.contracts.org_invitations import (
    GetOrganizationOffer,
    OrganizationInvitationNotFound,
    OrganizationOffer,
)
from common.contracts.organizations import EnsurePersonalTeam, Organization
from common.contracts.passwords import SignInWithPassword
from common.contracts.profiles import User
from common.contracts.rights import GetRights, Rights
from common.contracts.roles import NotHeld
from common.contracts.sessions import CheckSession, Session, SignedInSession
from common.contracts.sign_in import Flow
from common.contracts.tenants import GetTenant, Tenant
from common.contracts.users import CreateUser
from common.crypto import Keys
from common.db import Database
from common.egress import Egress
from common.hash_pool import FairPool
from common.ids import DASHBOARD, new_id
from common.outgoing_http import OutgoingHttp
from common.problems import Problem, Unavailable
from common.testing import LocalBus, MemoryChanges, context, service_deps
from identity.deps import Deps
from identity.handlers import HANDLERS
from identity.hashing import Hashing
from identity.last_active import LastActive
from identity.limits import Limits

R = TypeVar("R", bound=Contract)
KEYS = Keys.parse("k1:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=")
FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
SAFARI = (
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 "
    "(KHTML, like Gecko) Version/18.0 Mobile/15E148 Safari/604.1"
)
PASSWORD = "correct horse battery staple"
ADMIN = Caller(
    kind="secret_key", id="01900000-0000-7000-8000-000000000001", permissions=frozenset({"*"})
)


class Letter(Waiting):
    @property
    def code(self) -> str:
        return str(self.data["code"])

    @property
    def token(self) -> str:
        found = re.search(r"token=([\w-]+)", str(self.data["link"]))
        assert found, self.data
        return found[1]


@dataclass
class World:
    """Calls go over the bus; `sql` looks and prepares, unbound by row level security."""

    deps: Deps
    bus: LocalBus
    changes: MemoryChanges
    sql: asyncpg.Connection[asyncpg.Record]
    mail_db: Database
    sweep_db: Database
    a: str = ""
    b: str = ""
    settings: dict[str, AppSettings] = field(default_factory=dict)
    roles: list[tuple[str, str, bool]] = field(default_factory=list)
    teams: list[str] = field(default_factory=list)
    joined: list[str] = field(default_factory=list)
    left: list[tuple[str, str, bool]] = field(default_factory=list)
    """Who was to leave his organizations: application, user, whether he had to."""
    needed: set[str] = field(default_factory=set)
    """Users that an organization would miss."""
    offers: dict[tuple[str, str], str] = field(default_factory=dict)
    """Addresses invited into an organization, by application and token."""
    mighty: set[str] = field(default_factory=set)
    """Users who hold more than any caller without every permission."""
    rbac_up: bool = True
    operators: set[str] = field(default_factory=set)
    _mails_seen: int = 0

    async def application(self, **settings: Any) -> str:
        id = new_id()
        await self.sql.execute(
            "INSERT INTO applications (id, slug, name, state) VALUES ($1, $2, $2, 'active')",
            id,
            f"app-{id}",
        )
        self.set(id, **settings)
        return id

    def set(self, app_id: str, **settings: Any) -> None:
        self.settings[app_id] = AppSettings(**settings)
        self.deps.tenants.cache.clear()

    async def call(
        self,
        request: Request[R],
        app_id: str | None = None,
        who: Caller | None = None,
        ip: str | None = "203.0.113.7",
        agent: str | None = FIREFOX,
    ) -> R:
        ctx = context(app_id or self.a, who, within=15, ip=ip, agent=agent, origin="https://evil")
        return await self.bus.call(ctx, request)

    async def refused(self, request: Request[Any], *args: Any, **more: Any) -> Problem:
        """The problem that the call ends in."""
        with pytest.raises(Problem) as caught:
            await self.call(request, *args, **more)
        return caught.value

    async def user(self, email: str | None = None, app_id: str | None = None, **more: Any) -> User:
        """With a verified address and PASSWORD, unless told otherwise."""
        more = {"email_verified": True, "password": PASSWORD, **more}
        if email is None:
            email = f"{new_id()[-12:]}@example.com"
        return await self.call(CreateUser(email=email, **more), app_id, ADMIN)

    async def sign_in(
        self, user: User, app_id: str | None = None, *, agent: str = FIREFOX, **more: Any
    ) -> SignedInSession:
        assert user.email
        request = SignInWithPassword(email=user.email, **{"password": PASSWORD, **more})
        return await self.call(request, app_id, agent=agent)

    async def live(self, token: str, app_id: str | None = None) -> Session | None:
        try:
            return await self.call(CheckSession(token=token), app_id)
        except Problem:
            return None

    async def mails(self, app_id: str | None = None) -> list[Letter]:
        """Every mail of the application, in order."""
        found = await waiting(self.sql, self.deps.db, self.deps.sealer, app_id or self.a)
        return [Letter(**vars(mail)) for mail in found]

    async def mail(self, app_id: str | None = None) -> Letter:
        """The latest."""
        return (await self.mails(app_id))[-1]

    async def events(self, app_id: str | None = None) -> list[tuple[str, dict[str, Any]]]:
        rows = await self.sql.fetch(
            "SELECT event_type, event_data::text AS data FROM audit_logs WHERE app_id = $1"
            " ORDER BY id",
            app_id or self.a,
        )
        return [(row["event_type"], json.loads(row["data"])) for row in rows]


def as_user(signed: SignedInSession, **more: Any) -> Caller:
    """The caller that the gateway makes of a session."""
    return Caller(kind="user", id=signed.session.user_id, session_id=signed.session.id, **more)


def wrong(flow: Flow, right: str) -> str:
    """A code that is not it."""
    digits = right.replace(" ", "")
    return f"{(int(digits) + 1) % 1_000_000:06}"


@pytest.fixture(scope="session")
async def stage(postgres: Postgres) -> AsyncIterator[World]:
    """One database for all tests of the service; each test gets applications of its own."""
    name = postgres.clone()
    dsns = postgres.dsns(name)
    sql = await asyncpg.connect(dsns["owner"])
    await sql.set_type_codec("uuid", schema="pg_catalog", encoder=str, decoder=str, format="text")
    db = await Database.connect(dsns["identity"], name="identity", size=20)
    mail_db = await Database.connect(dsns["mail"], name="mail", size=4)
    sweep_db = await Database.connect(dsns["sweep"], name="sweep", size=2)
    relay_db = await Database.connect(dsns["relay"], name="relay", size=2)
    bus, changes = LocalBus(), MemoryChanges()
    common = service_deps(db, bus, KEYS, invalidation=changes)
    deps = Deps(
        **replace(common, relay_db=relay_db).shared(),
        mail_db=mail_db,
        sweep_db=sweep_db,
        hashing=Hashing(FairPool(per_app=200, total=1000)),
        last_active=LastActive(db),
        limits=Limits(db, KEYS),
        http=OutgoingHttp(Egress(private=True)),
        operator_email="boss@example.com",
    )
    world = World(deps, bus, changes, sql, mail_db, sweep_db)

    async def tenant(_: World, ctx: Context, request: GetTenant) -> Tenant:
        slug = "dashboard" if ctx.app_id == DASHBOARD else "shop"
        host = f"{slug}.id.example.org"
        return Tenant(
            app_id=ctx.app_id,
            slug=slug,
            name="Blue Shop",
            state="active",
            is_dashboard=ctx.app_id == DASHBOARD,
            host=host,
            hosts=[host],
            origin=f"https://{host}",
            settings=world.settings.get(ctx.app_id, AppSettings()),
        )

    async def default(_: World, ctx: Context, request: AssignDefaultRole) -> Done:
        if not world.rbac_up:
            raise Unavailable("down")
        world.roles.append((ctx.app_id, request.user_id, request.operator))
        return Done()

    async def rights(_: World, ctx: Context, request: GetRights) -> Rights:
        if not world.rbac_up:
            raise Unavailable("down")
        return Rights(permissions=["platform:manage"] if request.user_id in world.operators else [])

    async def role(_: World, ctx: Context, request: AssignRole) -> Done:
        world.roles.append((ctx.app_id, request.user_id, False))
        return Done()

    async def delegation(_: World, ctx: Context, request: CheckDelegation) -> Done:
        if request.role_ids or request.everything or request.user_id in world.mighty:
            raise NotHeld(missing=["roles:write"])
        return Done()

    async def team(_: World, ctx: Context, request: EnsurePersonalTeam) -> Organization:
        world.teams.append(request.user_id)
        now = datetime.now(UTC)
        return Organization(id=new_id(), slug="team", name="Team", created_at=now, updated_at=now)

    async def join(_: World, ctx: Context, request: JoinByDomain) -> Joined:
        world.joined.append(request.user_id)
        return Joined(org_ids=[])

    async def leave(_: World, ctx: Context, request: LeaveOrganizations) -> Done:
        if request.user_id in world.needed and not request.forced:
            raise LastAdmin("Acme", organizations=[{"id": new_id(), "name": "Acme"}])
        world.left.append((ctx.app_id, request.user_id, request.forced))
        return Done()

    async def offer(_: World, ctx: Context, request: GetOrganizationOffer) -> OrganizationOffer:
        if (ctx.app_id, request.token) not in world.offers:
            raise OrganizationInvitationNotFound
        return OrganizationOffer(
            org_id=new_id(),
            org_name="Acme",
            org_slug="acme",
            email=world.offers[ctx.app_id, request.token],
            role="member",
            expires_at=datetime.now(UTC),
        )

    async def log(_: World, ctx: Context, request: ListAudit) -> AuditRecords:
        rows = await sql.fetch(
            "SELECT id, event_type, event_data::text AS event_data, created_at FROM audit_logs"
            " WHERE app_id = $1 AND user_id = $2 ORDER BY id DESC",
            ctx.app_id,
            request.user_id,
        )
        found = [
            AuditRecord(**{**dict(row), "event_data": json.loads(row["event_data"])})
            for row in rows
        ]
        return AuditRecords(audit_logs=found)

    bus.serve(deps, HANDLERS)
    bus.serve(
        world,
        {
            GetTenant: tenant,
            AssignDefaultRole: default,
            GetRights: rights,
            AssignRole: role,
            CheckDelegation: delegation,
            EnsurePersonalTeam: team,
            ListAudit: log,
            JoinByDomain: join,
            LeaveOrganizations: leave,
            GetOrganizationOffer: offer,
        },
    )
    yield world
    await db.close()
    await mail_db.close()
    await sweep_db.close()
    await relay_db.close()
    await sql.close()
    postgres.drop(name)


@pytest.fixture
async def world(stage: World) -> World:
    stage.a, stage.b = await stage.application(), await stage.application()
    stage.set(DASHBOARD)
    stage.rbac_up = True
    stage.roles.clear()
    stage.teams.clear()
    stage.joined.clear()
    stage.left.clear()
    stage.needed.clear()
    stage.mighty.clear()
    stage.offers.clear()
    stage.changes.heard.clear()
    stage.bus.calls.clear()
    return stage
