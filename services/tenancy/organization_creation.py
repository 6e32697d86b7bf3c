"""Handles the creation of organizations: by callers, and of a developer's personal team."""

from __future__ import annotations

import re
import secrets
import unicodedata
from collections.abc import Iterator

import asyncpg

from common import audit
from common.context import Context
from common.contracts.fields import LINK
from common.contracts.organizations import (
    CreateOrganization,
    EnsurePersonalTeam,
    NoOrganizationsHere,
    Organization,
    OrganizationExists,
    OrganizationNotFound,
    OrgSlugTaken,
)
from common.contracts.tenants import GetTenant
from common.contracts.users import UserNotFound
from common.db import Db
from common.events.organizations import MemberAdded, OrgCreated
from common.ids import DASHBOARD, new_id
from common.problems import Conflict, Forbidden
from tenancy import organization_access, tenant_lookup
from tenancy.deps import Deps
from tenancy.organization_access import to_organization
from tenancy.queries import members, organizations
from tenancy.queries.organizations import OrganizationRow
from tenancy.request_keys import request_key

PERSONAL_TEAM = "Personal team"
"""The name of a personal team whose user has no usable name."""


async def create(deps: Deps, ctx: Context, request: CreateOrganization) -> Organization:
    """Creates an organization and makes its first admin a member.

    Raises Forbidden, NoOrganizationsHere, OrgSlugTaken, OrganizationExists, UserNotFound.
    """
    admin = await _first_admin(deps, ctx, request)
    id = new_id()
    try:
        async with deps.db.transaction(ctx) as tx:
            slug = await _insert(tx, ctx, id, request)
            await audit.record(tx, ctx, OrgCreated(org_id=id, slug=slug))
            if admin is not None:
                await _add_admin(tx, ctx, id, admin)
            row = await organizations.by_id(
                tx, app_id=ctx.app_id, id=id, user_id=ctx.caller.user_id
            )
            if row is None:
                raise OrganizationNotFound
    except asyncpg.ForeignKeyViolationError:
        raise UserNotFound from None
    if admin is not None:
        await deps.invalidation.publish(ctx, "rights", admin)
    return to_organization(ctx, row)


async def ensure_personal_team(
    deps: Deps, ctx: Context, request: EnsurePersonalTeam
) -> Organization:
    """Returns the developer's personal team, and creates it if it does not exist.

    Raises Conflict outside the Dashboard, UserNotFound, OrgSlugTaken.
    """
    if ctx.app_id != DASHBOARD:
        raise Conflict("personal teams are for developers, in the Dashboard")
    new = new_id()
    async with deps.db.transaction(ctx) as tx:
        user = await members.named_user(tx, app_id=ctx.app_id, user_id=request.user_id)
        if user is None:
            raise UserNotFound
        name = request.name or user.name
        name = f"{name[:93]}'s team" if name and not LINK.search(name) else PERSONAL_TEAM
        row = await _insert_personal_team(tx, ctx, new, name, user_id=request.user_id)
    if row.id == new:
        await deps.invalidation.publish(ctx, "rights", request.user_id)
    return to_organization(ctx, row)


async def _insert_personal_team(
    tx: Db, ctx: Context, id: str, name: str, *, user_id: str
) -> OrganizationRow:
    """Returns the user's personal team, which has this id if it is new. Raises OrgSlugTaken."""
    for slug in slugs(name, bare=False):
        if await organizations.insert(
            tx,
            app_id=ctx.app_id,
            id=id,
            slug=slug,
            name=name,
            is_personal=True,
            created_by=user_id,
        ):
            event = OrgCreated(org_id=id, slug=slug, is_personal=True)
            await audit.record(tx, ctx, event, user_id=user_id)
            await _add_admin(tx, ctx, id, user_id)
        row = await organizations.personal_team(tx, app_id=ctx.app_id, user_id=user_id)
        if row is not None:
            return row
    raise OrgSlugTaken


async def _first_admin(deps: Deps, ctx: Context, request: CreateOrganization) -> str | None:
    """Returns the user who becomes admin, or None. Raises Forbidden, NoOrganizationsHere."""
    user_id = ctx.caller.user_id
    if organization_access.has_all(ctx, "write"):
        return request.admin_user_id or user_id
    if user_id is None or request.admin_user_id not in (None, user_id) or request.private_metadata:
        raise Forbidden("requires organizations:write", needs="organizations:write")
    organization_access.check_teams(ctx, "write")
    if ctx.app_id != DASHBOARD:
        tenant = await tenant_lookup.get(deps, ctx, GetTenant())
        if not tenant.settings.organizations_by_users:
            raise NoOrganizationsHere
    return user_id


async def _insert(tx: Db, ctx: Context, id: str, request: CreateOrganization) -> str:
    """Inserts the organization. Returns its slug. Raises OrgSlugTaken, OrganizationExists."""
    key = request_key(ctx, request.request_id)
    for slug in slugs(request.name) if request.slug is None else (request.slug,):
        if await organizations.insert(
            tx,
            app_id=ctx.app_id,
            id=id,
            slug=slug,
            name=request.name,
            logo_url=request.logo_url,
            created_by=ctx.caller.user_id,
            public_metadata=request.public_metadata,
            private_metadata=request.private_metadata,
            request_key=key,
        ):
            return slug
        if key is not None:
            existing = await organizations.id_of_request(tx, app_id=ctx.app_id, request_key=key)
            if existing is not None:
                raise OrganizationExists(org_id=existing)
    raise OrgSlugTaken(f"{request.slug} is already in use" if request.slug else "")


async def _add_admin(tx: Db, ctx: Context, org_id: str, user_id: str) -> None:
    role = organization_access.ADMIN
    await members.insert(tx, app_id=ctx.app_id, org_id=org_id, user_id=user_id, role=role)
    event = MemberAdded(org_id=org_id, user_id=user_id, role=role, by="creation")
    await audit.record(tx, ctx, event, user_id=user_id)


def slugs(name: str, *, bare: bool = True) -> Iterator[str]:
    """Yields slugs to try: `ada-co` for `Ada & Co`, then eight like `ada-co-3f9c1e`.

    Without `bare`, each one has random characters at its end.
    """
    ascii_name = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    base = re.sub(r"[^a-z0-9]+", "-", ascii_name).lstrip("-0123456789")[:50].strip("-") or "team"
    if bare and len(base) >= 3:
        yield base
    for _ in range(8):
        yield f"{base}-{secrets.token_hex(3)}"
