"""A developer who is signed in to the Dashboard of a gateway with fake services: one team, one
application."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

import httpx
from tests.kit.fake_services import FakeServices
from tests.kit.usage import usage_of

from common.context import Context
from common.contracts.api_keys import NewApiKey
from common.contracts.applications import (
    Application,
    ApplicationExists,
    ApplicationNotFound,
    Applications,
    CreateApplication,
    ListApplications,
    NewApplication,
)
from common.contracts.audit_log import AuditRecords, ListAudit
from common.contracts.base import Request
from common.contracts.organizations import ListOrganizations, Organization, Organizations
from common.contracts.sessions import Session
from common.contracts.tenants import ManageApplication, Managed, Tenant
from common.contracts.usage import CountUsage, UsageCounts
from common.contracts.users import CountUsers, ListUsers, UserCount, Users
from common.ids import new_id

ORIGIN: Final = "http://dashboard.localhost:8080"
TOKEN: Final = re.compile(r'name="csrf" value="([^"]+)"')
IN_DASHBOARD: Final = ("apps:read", "apps:create", "apps:write", "teams:read")
"""Permissions of a developer in the Dashboard."""
SECRET: Final = "sk_live_shown_once"
NOW: Final = datetime(2026, 1, 2, 3, 4, tzinfo=UTC)


@dataclass
class Developers:
    """Fake services for the Dashboard's pages. `permissions` are those in each managed application,
    and `calls` what the pages asked for, with its Context."""

    world: FakeServices
    session: Session
    managed: dict[str, Tenant] = field(default_factory=dict)
    permissions: list[str] = field(default_factory=lambda: ["audit:read", "users:read"])
    teams: list[Organization] = field(default_factory=list)
    calls: list[tuple[Context, Request[Any]]] = field(default_factory=list)

    def application(self, slug: str) -> Application:
        tenant = self.managed[slug]
        return Application(
            id=tenant.app_id,
            slug=slug,
            name=tenant.name,
            state="active",
            host=tenant.host,
            url=tenant.origin,
            settings=tenant.settings,
            **tenant.branding.model_dump(),
            created_at=NOW,
            updated_at=NOW,
        )


async def _manage(world: Developers, ctx: Context, request: ManageApplication) -> Managed:
    if request.slug not in world.managed:
        raise ApplicationNotFound
    return Managed(tenant=world.managed[request.slug], permissions=world.permissions)


async def _list(world: Developers, ctx: Context, request: ListApplications) -> Applications:
    words = (request.search or "").lower().split()
    listed = [world.application(slug) for slug in world.managed]
    found = [one for one in listed if all(word in one.name.lower() for word in words)]
    return Applications(applications=found[: request.limit])


async def _create(world: Developers, ctx: Context, request: CreateApplication) -> NewApplication:
    earlier = [call.request_id for _, call in world.calls if isinstance(call, CreateApplication)]
    world.calls.append((ctx, request))
    if request.request_id is not None and request.request_id in earlier:
        raise ApplicationExists
    slug = request.name.lower().replace(" ", "-")
    world.managed[slug] = world.world.add(slug).model_copy(update={"name": request.name})
    key = NewApiKey(
        id=new_id(), key_type="secret", key_prefix=SECRET[:12], created_at=NOW, key=SECRET
    )
    return NewApplication(**world.application(slug).model_dump(), api_keys=[key])


async def _teams(world: Developers, ctx: Context, request: ListOrganizations) -> Organizations:
    return Organizations(organizations=world.teams)


async def _audit(world: Developers, ctx: Context, request: ListAudit) -> AuditRecords:
    world.calls.append((ctx, request))
    return AuditRecords(audit_logs=[])


async def _count(world: Developers, ctx: Context, request: CountUsage) -> UsageCounts:
    return usage_of(request.window)


async def _users(world: Developers, ctx: Context, request: ListUsers) -> Users:
    return Users(users=[])


async def _user_count(world: Developers, ctx: Context, request: CountUsers) -> UserCount:
    return UserCount(count=0, relation="exact")


def developers(world: FakeServices, *permissions: str) -> Developers:
    """Registers the fake services, with a developer who is signed in by the cookie `t_dev`."""
    dashboard = world.add("dashboard")
    session = world.session(dashboard, "t_dev", *(permissions or IN_DASHBOARD))
    people = Developers(world, session)
    team = Organization(
        id=new_id(),
        slug="team",
        name="Harbour Studio",
        role="admin",
        created_at=NOW,
        updated_at=NOW,
    )
    people.teams.append(team)
    world.bus.serve(
        people,
        {
            ManageApplication: _manage,
            ListApplications: _list,
            CreateApplication: _create,
            ListOrganizations: _teams,
            ListAudit: _audit,
            CountUsage: _count,
            ListUsers: _users,
            CountUsers: _user_count,
        },
    )
    return people


def sign_in(http: httpx.AsyncClient) -> None:
    """Gives the client the developer's cookie."""
    http.cookies.set("aero2_session", "t_dev", domain="dashboard.localhost")


async def post(http: httpx.AsyncClient, path: str, page: str, **fields: str) -> httpx.Response:
    """Sends a form of the Dashboard like a browser, with the token of its page."""
    shown = await http.get(f"{ORIGIN}{page}")
    found = TOKEN.search(shown.text)
    assert found, f"{page} has no form: {shown.status_code}"
    return await http.post(f"{ORIGIN}{path}", data={"csrf": found[1], **fields})
