"""Handles members whom the provider of an organization vouches for."""

from __future__ import annotations

import asyncpg

from common import audit, logs
from common.address_keys import address_key
from common.context import Context
from common.contracts.organizations import OrganizationNotFound
from common.contracts.sso_members import JoinedThroughProvider, JoinThroughProvider
from common.db import Db
from common.events.organizations import MemberAdded, MemberRoleChanged
from tenancy import organization_access
from tenancy.deps import Deps
from tenancy.queries import members, memberships, organizations

log = logs.get(__name__)


async def join(deps: Deps, ctx: Context, request: JoinThroughProvider) -> JoinedThroughProvider:
    """Adds the user, or sets the role that a rule gives them. A rule for a role that does not exist
    gives none. Raises OrganizationNotFound."""
    try:
        role, changed = await _join(deps, ctx, request)
    except asyncpg.ForeignKeyViolationError:
        log.warning("a rule names an unknown role", role=request.role, org_id=request.org_id)
        request = request.model_copy(update={"role": None})
        role, changed = await _join(deps, ctx, request)
    if changed:
        await deps.invalidation.publish(ctx, "rights", request.user_id)
    return JoinedThroughProvider(role=role)


async def _join(deps: Deps, ctx: Context, request: JoinThroughProvider) -> tuple[str | None, bool]:
    """Returns the role of the user then, and whether it was changed. The organization's row is locked,
    so that it keeps an admin."""
    async with deps.db.transaction(ctx) as tx:
        if not await organizations.lock(tx, app_id=ctx.app_id, id=request.org_id):
            raise OrganizationNotFound
        member = await members.by_id(
            tx, app_id=ctx.app_id, org_id=request.org_id, user_id=request.user_id
        )
        if member is None:
            role = await _added(tx, ctx, request)
            return role, role is not None
        role = await _changed(tx, ctx, request, before=member.role)
        return role, role != member.role


async def _added(tx: Db, ctx: Context, request: JoinThroughProvider) -> str | None:
    """Adds the user. Returns None if the organization has not verified the domain of the address."""
    domain_role = await _role_of_domain(tx, ctx, request)
    if domain_role is None:
        return None
    org_id, user_id, role = request.org_id, request.user_id, request.role or domain_role
    if not await memberships.insert_enabled(
        tx, app_id=ctx.app_id, org_id=org_id, user_id=user_id, role=role
    ):
        return None
    event = MemberAdded(org_id=org_id, user_id=user_id, role=role, by="provider")
    await audit.record(tx, ctx, event, user_id=user_id)
    return role


async def _changed(tx: Db, ctx: Context, request: JoinThroughProvider, *, before: str) -> str:
    """Sets the member's role as the rules say. Returns the role that they have then."""
    org_id, user_id, role = request.org_id, request.user_id, request.role
    if role is None and before in request.mapped_roles:
        role = await _role_of_domain(tx, ctx, request) or organization_access.MEMBER
    if role is None or role == before:
        return before
    if before == organization_access.ADMIN and not await members.has_another_admin(
        tx, app_id=ctx.app_id, org_id=org_id, user_id=user_id
    ):
        return before
    await members.update(tx, app_id=ctx.app_id, org_id=org_id, user_id=user_id, role=role)
    event = MemberRoleChanged(org_id=org_id, user_id=user_id, role=role, before=before)
    await audit.record(tx, ctx, event, user_id=user_id)
    return role


async def _role_of_domain(tx: Db, ctx: Context, request: JoinThroughProvider) -> str | None:
    """Returns the role of users who join by the domain of the asserted address, or None if the
    organization has not verified it."""
    domain = address_key(request.email or "").rpartition("@")[2]
    if not domain:
        return None
    return await memberships.role_of_domain(
        tx, app_id=ctx.app_id, org_id=request.org_id, domain=domain
    )
