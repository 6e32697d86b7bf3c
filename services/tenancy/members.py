"""Handles the members of organizations.

An organization with members always has an admin. Each change of a role or removal of a member locks
the organization's row: of two admins who demote each other at once, the second one is refused.
"""

from __future__ import annotations

import asyncpg

from common import audit
from common.context import Context
from common.contracts.base import Done
from common.contracts.members import (
    AddMember,
    AlreadyMember,
    ChangeMemberRole,
    LastAdmin,
    ListMembers,
    Member,
    MemberNotFound,
    Members,
    RemoveMember,
)
from common.contracts.org_domains import JoinByDomain, Joined
from common.contracts.roles import RoleNotFound
from common.contracts.users import UserNotFound
from common.db import Db
from common.db_errors import violated_constraint
from common.events.organizations import MemberAdded, MemberRemoved, MemberRoleChanged
from common.problems import Problem
from tenancy import organization_access
from tenancy.deps import Deps
from tenancy.queries import members, memberships, organizations


async def list_(deps: Deps, ctx: Context, request: ListMembers) -> Members:
    """Returns a page of members, in the order in which they joined.

    Raises OrganizationNotFound, Forbidden.
    """
    of = f"members {request.org_id}"
    created_at, user_id = deps.cursors.read(ctx.app_id, of, request.cursor, 2)
    async with deps.db.reader(ctx) as db:
        await organization_access.visible(db, ctx, request.org_id)
        rows = await members.page(
            db,
            app_id=ctx.app_id,
            org_id=request.org_id,
            after=(created_at, user_id),
            limit=request.limit + 1,
        )
    page, next = deps.cursors.page(
        ctx.app_id, of, rows, request.limit, key=lambda member: (member.created_at, member.user_id)
    )
    return Members(members=page, next=next)


async def create(deps: Deps, ctx: Context, request: AddMember) -> Member:
    """Adds a user to the organization.

    Raises OrganizationNotFound, Forbidden, AlreadyMember, UserNotFound, RoleNotFound.
    """
    user_id, role = request.user_id, request.role
    try:
        async with deps.db.transaction(ctx) as tx:
            org = await organization_access.managed(tx, ctx, request.org_id)
            if not await members.insert(
                tx, app_id=ctx.app_id, org_id=org.id, user_id=user_id, role=role
            ):
                raise AlreadyMember
            event = MemberAdded(org_id=org.id, user_id=user_id, role=role, by="administrator")
            await audit.record(tx, ctx, event, user_id=user_id)
            member = await _member(tx, ctx, org.id, user_id)
    except asyncpg.ForeignKeyViolationError as error:
        raise unknown_reference(error) from None
    await deps.invalidation.publish(ctx, "rights", user_id)
    return member


async def update(deps: Deps, ctx: Context, request: ChangeMemberRole) -> Member:
    """Changes a member's role.

    Raises OrganizationNotFound, Forbidden, MemberNotFound, LastAdmin, RoleNotFound.
    """
    try:
        async with deps.db.transaction(ctx) as tx:
            org = await organization_access.managed(tx, ctx, request.org_id)
            member = await _member(tx, ctx, org.id, request.user_id)
            if request.role != member.role:
                if request.role != organization_access.ADMIN:
                    await _keep_an_admin(tx, ctx, org.id, member)
                await members.update(
                    tx, app_id=ctx.app_id, org_id=org.id, user_id=member.user_id, role=request.role
                )
                event = MemberRoleChanged(
                    org_id=org.id, user_id=member.user_id, role=request.role, before=member.role
                )
                await audit.record(tx, ctx, event, user_id=member.user_id)
    except asyncpg.ForeignKeyViolationError as error:
        raise unknown_reference(error) from None
    await deps.invalidation.publish(ctx, "rights", request.user_id)
    return member.model_copy(update={"role": request.role})


async def delete(deps: Deps, ctx: Context, request: RemoveMember) -> Done:
    """Removes a member. Members may leave by themselves; for others it takes an admin.

    Raises OrganizationNotFound, Forbidden, MemberNotFound, LastAdmin.
    """
    async with deps.db.transaction(ctx) as tx:
        if request.user_id == ctx.caller.user_id:
            await organizations.lock(tx, app_id=ctx.app_id, id=request.org_id)
            org = await organization_access.visible(tx, ctx, request.org_id)
        else:
            org = await organization_access.managed(tx, ctx, request.org_id)
        member = await _member(tx, ctx, org.id, request.user_id)
        await _keep_an_admin(tx, ctx, org.id, member)
        await members.delete(tx, app_id=ctx.app_id, org_id=org.id, user_id=member.user_id)
        event = MemberRemoved(org_id=org.id, user_id=member.user_id)
        await audit.record(tx, ctx, event, user_id=member.user_id)
    await deps.invalidation.publish(ctx, "rights", request.user_id)
    return Done()


async def create_by_domain(deps: Deps, ctx: Context, request: JoinByDomain) -> Joined:
    """Adds a user to the organizations that their verified address opens to them."""
    async with deps.db.transaction(ctx) as tx:
        joined = await memberships.insert_by_domain(tx, app_id=ctx.app_id, user_id=request.user_id)
        for each in joined:
            event = MemberAdded(
                org_id=each.org_id, user_id=request.user_id, role=each.role, by="domain"
            )
            await audit.record(tx, ctx, event, user_id=request.user_id)
    if joined:
        await deps.invalidation.publish(ctx, "rights", request.user_id)
    return Joined(org_ids=[each.org_id for each in joined])


async def _member(tx: Db, ctx: Context, org_id: str, user_id: str) -> Member:
    member = await members.by_id(tx, app_id=ctx.app_id, org_id=org_id, user_id=user_id)
    if member is None:
        raise MemberNotFound
    return member


async def _keep_an_admin(tx: Db, ctx: Context, org_id: str, member: Member) -> None:
    """Raises LastAdmin if the member is the only admin; the organization's row is locked."""
    if member.role == organization_access.ADMIN and not await members.has_another_admin(
        tx, app_id=ctx.app_id, org_id=org_id, user_id=member.user_id
    ):
        raise LastAdmin


def unknown_reference(error: asyncpg.ForeignKeyViolationError) -> Problem:
    """Returns the Problem for the user or role that does not exist."""
    if violated_constraint(error).endswith("role_id_fkey"):
        return RoleNotFound()
    return UserNotFound()
