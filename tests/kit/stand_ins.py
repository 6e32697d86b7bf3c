"""Stand-ins for the services that a `World` does not run. Tests set and read their fields."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg

from common.bus import Handler
from common.context import Context
from common.contracts.api_keys import CheckApiKey
from common.contracts.app_settings import AppSettings
from common.contracts.applications import ApplicationNotFound
from common.contracts.assignments import AssignDefaultRole, AssignRole, SetMappedRoles
from common.contracts.audit_log import AuditRecord, AuditRecords, ListAudit
from common.contracts.base import Done, Request
from common.contracts.delegation import CheckDelegation
from common.contracts.keys import EnsureKeys
from common.contracts.members import LastAdmin, LeaveOrganizations
from common.contracts.org_domains import JoinByDomain, Joined
from common.contracts.org_invitations import (
    GetOrganizationOffer,
    OrganizationInvitationNotFound,
    OrganizationOffer,
)
from common.contracts.organizations import EnsurePersonalTeam, Organization
from common.contracts.rights import GetRights, Rights
from common.contracts.roles import GetRole, NotHeld, Role, RoleNotFound, SeedRoles
from common.contracts.sessions import (
    ActivateOrganization,
    EndUnqualifiedSessions,
    Revoked,
    Session,
    SignedInSession,
)
from common.contracts.sso_members import JoinedThroughProvider, JoinThroughProvider
from common.contracts.tenants import GetTenant, ManageApplication, Managed, Tenant
from common.homes import MAIN
from common.ids import DASHBOARD, new_id
from common.problems import Unavailable

Handlers = dict[type[Request[Any]], Handler]


class Crash(BaseException):
    """Ends a handler as the death of its process would."""


@dataclass
class Tenancy:
    """Answers for tenancy: applications and the Dashboard's teams."""

    owner: asyncpg.Connection[asyncpg.Record]
    host: str = "shop.id.example.org"
    dashboard_host: str = "dashboard.id.example.org"
    more_hosts: list[str] = field(default_factory=list)
    """Further hosts of every application, such as a custom domain."""
    settings: dict[str, AppSettings] = field(default_factory=dict)
    """By application."""
    homes: dict[str, str] = field(default_factory=dict)
    """By application; the others live in `main`."""
    teams: list[str] = field(default_factory=list)
    """Users for whom a personal team was requested."""
    joined: list[str] = field(default_factory=list)
    """Users for whom organizations with their domain were looked for."""
    joined_through: list[JoinThroughProvider] = field(default_factory=list)
    """Requests to join the organization of a provider."""
    left: list[tuple[str, str, bool]] = field(default_factory=list)
    """Requests to leave all organizations: application, user, forced."""
    last_admins: set[str] = field(default_factory=set)
    """Users who are the last administrators of an organization."""
    managed: dict[str, list[str]] = field(default_factory=dict)
    """By developer: their permissions in the application that they manage."""
    offers: dict[tuple[str, str], str] = field(default_factory=dict)
    """Addresses invited into an organization, by application and token."""

    def handlers(self) -> Handlers:
        return {
            GetTenant: self._tenant,
            EnsurePersonalTeam: self._team,
            JoinByDomain: self._join,
            JoinThroughProvider: self._join_through,
            LeaveOrganizations: self._leave,
            GetOrganizationOffer: self._offer,
            ListAudit: self._log,
            ManageApplication: self._manage,
            CheckApiKey: self._check_key,
        }

    def reset(self) -> None:
        lists = (self.teams, self.joined, self.joined_through, self.left, self.more_hosts)
        for each in lists:
            each.clear()
        self.last_admins.clear()
        self.offers.clear()
        self.managed.clear()

    async def _check_key(self, _: Any, ctx: Context, request: CheckApiKey) -> Done:
        return Done()

    async def _manage(self, _: Any, ctx: Context, request: ManageApplication) -> Managed:
        if ctx.caller.id not in self.managed:
            raise ApplicationNotFound
        tenant = await self._tenant(_, ctx, GetTenant())
        return Managed(tenant=tenant, permissions=self.managed[ctx.caller.id])

    async def _tenant(self, _: Any, ctx: Context, request: GetTenant) -> Tenant:
        dashboard = ctx.app_id == DASHBOARD
        host = self.dashboard_host if dashboard else self.host
        return Tenant(
            app_id=ctx.app_id,
            slug=host.partition(".")[0],
            name="Blue Shop",
            state="active",
            is_dashboard=dashboard,
            host=host,
            hosts=[host, *self.more_hosts],
            origin=f"https://{host}",
            settings=self.settings.get(ctx.app_id, AppSettings()),
            home=self.homes.get(ctx.app_id, MAIN),
        )

    async def _team(self, _: Any, ctx: Context, request: EnsurePersonalTeam) -> Organization:
        self.teams.append(request.user_id)
        now = datetime.now(UTC)
        return Organization(id=new_id(), slug="team", name="Team", created_at=now, updated_at=now)

    async def _join(self, _: Any, ctx: Context, request: JoinByDomain) -> Joined:
        self.joined.append(request.user_id)
        return Joined(org_ids=[])

    async def _join_through(
        self, _: Any, ctx: Context, request: JoinThroughProvider
    ) -> JoinedThroughProvider:
        self.joined_through.append(request)
        role = request.role or "member"
        if request.email is None:
            return JoinedThroughProvider()
        await self.owner.execute(
            "INSERT INTO organization_roles (app_id, id, name) VALUES ($1, $2, $2)"
            " ON CONFLICT DO NOTHING",
            ctx.app_id,
            role,
        )
        await self.owner.execute(
            "INSERT INTO organization_members (app_id, org_id, user_id, role_id)"
            " VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING",
            ctx.app_id,
            request.org_id,
            request.user_id,
            role,
        )
        return JoinedThroughProvider(role=role)

    async def _leave(self, _: Any, ctx: Context, request: LeaveOrganizations) -> Done:
        if request.user_id in self.last_admins and not request.forced:
            raise LastAdmin("Acme", organizations=[{"id": new_id(), "name": "Acme"}])
        self.left.append((ctx.app_id, request.user_id, request.forced))
        return Done()

    async def _offer(
        self, _: Any, ctx: Context, request: GetOrganizationOffer
    ) -> OrganizationOffer:
        if (ctx.app_id, request.token) not in self.offers:
            raise OrganizationInvitationNotFound
        return OrganizationOffer(
            org_id=new_id(),
            org_name="Acme",
            org_slug="acme",
            email=self.offers[ctx.app_id, request.token],
            role="member",
            expires_at=datetime.now(UTC),
        )

    async def _log(self, _: Any, ctx: Context, request: ListAudit) -> AuditRecords:
        rows = await self.owner.fetch(
            "SELECT id, event_type, event_data::text AS event_data, created_at FROM audit_logs"
            " WHERE app_id = $1 AND user_id = $2 ORDER BY id DESC",
            ctx.app_id,
            request.user_id,
        )
        records = [
            AuditRecord(**{**dict(row), "event_data": json.loads(row["event_data"])})
            for row in rows
        ]
        return AuditRecords(audit_logs=records)


@dataclass
class Rbac:
    """Answers for rbac. `roles` has what was assigned: application, user, whether as operator."""

    running: bool = True
    rights: dict[str, Rights] = field(default_factory=dict)
    """By user."""
    roles: list[tuple[str, str, bool]] = field(default_factory=list)
    mapped: list[SetMappedRoles] = field(default_factory=list)
    """Roles that providers' claims gave."""
    unknown_roles: set[tuple[str, str]] = field(default_factory=set)
    """Kinds and ids of roles that do not exist."""
    stronger_users: set[str] = field(default_factory=set)
    """Users with permissions that callers of tests do not hold."""

    def handlers(self) -> Handlers:
        return {
            GetRights: self._rights,
            AssignDefaultRole: self._assign_default,
            AssignRole: self._assign,
            SetMappedRoles: self._set_mapped,
            CheckDelegation: self._check_delegation,
            GetRole: self._role,
        }

    def reset(self) -> None:
        self.running = True
        self.roles.clear()
        self.mapped.clear()
        self.unknown_roles.clear()
        self.stronger_users.clear()

    def make_operator(self, user_id: str) -> None:
        self.rights[user_id] = Rights(permissions=["platform:manage"])

    def _require_running(self) -> None:
        if not self.running:
            raise Unavailable("down")

    async def _rights(self, _: Any, ctx: Context, request: GetRights) -> Rights:
        self._require_running()
        return self.rights.get(request.user_id, Rights())

    async def _assign_default(self, _: Any, ctx: Context, request: AssignDefaultRole) -> Done:
        self._require_running()
        self.roles.append((ctx.app_id, request.user_id, request.operator))
        return Done()

    async def _role(self, _: Any, ctx: Context, request: GetRole) -> Role:
        if (request.kind, request.role_id) in self.unknown_roles:
            raise RoleNotFound
        now = datetime.now(UTC)
        return Role(id=request.role_id, name=request.role_id, created_at=now, updated_at=now)

    async def _set_mapped(self, _: Any, ctx: Context, request: SetMappedRoles) -> Done:
        self._require_running()
        self.mapped.append(request)
        return Done()

    async def _assign(self, _: Any, ctx: Context, request: AssignRole) -> Done:
        self.roles.append((ctx.app_id, request.user_id, False))
        return Done()

    async def _check_delegation(self, _: Any, ctx: Context, request: CheckDelegation) -> Done:
        if request.role_ids or request.everything or request.user_id in self.stronger_users:
            raise NotHeld(missing=["roles:write"])
        return Done()


@dataclass
class Provisioning:
    """Answers for rbac and oidc while tenancy makes an application.

    `before` and `after` name a service whose call raises once, before or after its work.
    """

    done: list[tuple[str, str, str]] = field(default_factory=list)
    """Service, application and what was made."""
    before: dict[str, BaseException] = field(default_factory=dict)
    after: dict[str, BaseException] = field(default_factory=dict)

    def handlers(self) -> Handlers:
        return {SeedRoles: self.seed, EnsureKeys: self.ensure_keys}

    async def seed(self, _: Any, ctx: Context, request: SeedRoles) -> Done:
        return self._step("rbac", ctx.app_id, request.template)

    async def ensure_keys(self, _: Any, ctx: Context, request: EnsureKeys) -> Done:
        return self._step("oidc", ctx.app_id, "keys")

    def _step(self, service: str, app_id: str, product: str) -> Done:
        if service in self.before:
            raise self.before.pop(service)
        self.done.append((service, app_id, product))
        if service in self.after:
            raise self.after.pop(service)
        return Done()


@dataclass
class Identity:
    """Answers for identity when a session changes its organization."""

    activations: list[tuple[str, ActivateOrganization]] = field(default_factory=list)
    """Application and request."""
    ended: list[str] = field(default_factory=list)
    """Organizations whose members lost their sessions by other ways."""

    def handlers(self) -> Handlers:
        return {ActivateOrganization: self._activate, EndUnqualifiedSessions: self._end}

    async def _end(self, _: Any, ctx: Context, request: EndUnqualifiedSessions) -> Revoked:
        self.ended.append(request.org_id)
        return Revoked(revoked_count=0)

    async def _activate(
        self, _: Any, ctx: Context, request: ActivateOrganization
    ) -> SignedInSession:
        self.activations.append((ctx.app_id, request))
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
class StandIns:
    """One stand-in for each service, and one for what tenancy asks while it makes an application."""

    tenancy: Tenancy
    rbac: Rbac = field(default_factory=Rbac)
    provisioning: Provisioning = field(default_factory=Provisioning)
    identity: Identity = field(default_factory=Identity)

    def handlers(self, name: str) -> Handlers:
        """Returns what the stand-in of this name answers."""
        return {
            "tenancy": self.tenancy.handlers,
            "rbac": self.rbac.handlers,
            "provisioning": self.provisioning.handlers,
            "identity": self.identity.handlers,
        }[name]()

    def reset(self) -> None:
        """Forgets what earlier tests left."""
        self.tenancy.reset()
        self.rbac.reset()
        self.identity.activations.clear()
        self.identity.ended.clear()
