"""Who belongs to an organization. One admin always remains: whoever changes or removes a member
holds the organization's row, so of two admins who demote each other one comes too late."""

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
from tenancy.queries import members, organizations


async def list_(deps: Deps, ctx: Context, request: ListMembers) -> Members:
    of = f"members {request.org_id}"
    created_at, user_id = deps.cursors.read(ctx.app_id, of, request.cursor, 2)
    async with deps.db.reading(ctx) as db:
        await organization_access.seen(db, ctx, request.org_id)
        rows = await members.page(
            db,
            app_id=ctx.app_id,
            org_id=request.org_id,
            after=(created_at, user_id),
            limit=request.limit + 1,
        )
    page, next = deps.cursors.page(
        ctx.app_id, of, rows, request.limit, lambda member: (member.created_at, member.user_id)
    )
    return Members(members=page, next=next)


async def add(deps: Deps, ctx: Context, new: AddMember) -> Member:
    try:
        async with deps.db.transaction(ctx) as tx:
            org = await organization_access.managed(tx, ctx, new.org_id)
            if not await members.insert(
                tx, app_id=ctx.app_id, org_id=org.id, user_id=new.user_id, role=new.role
            ):
                raise AlreadyMember
            event = MemberAdded(
                org_id=org.id, user_id=new.user_id, role=new.role, by="administrator"
            )
            await audit.record(tx, ctx, event, user_id=new.user_id)
            added = await _member(tx, ctx, org.id, new.user_id)
    except asyncpg.ForeignKeyViolationError as error:
        raise missing(error) from None
    await deps.invalidation.publish(ctx, "rights", new.user_id)
    return added


async def change_role(deps: Deps, ctx: Context, request: ChangeMemberRole) -> Member:
    try:
        async with deps.db.transaction(ctx) as tx:
            org = await organization_access.managed(tx, ctx, request.org_id)
            member = await _member(tx, ctx, org.id, request.user_id)
            if request.role != member.role:
                if request.role != organization_access.ADMIN:
                    await _keep_an_admin(tx, ctx, org.id, member)
                await members.change_role(
                    tx, app_id=ctx.app_id, org_id=org.id, user_id=member.user_id, role=request.role
                )
                event = MemberRoleChanged(
                    org_id=org.id, user_id=member.user_id, role=request.role, before=member.role
                )
                await audit.record(tx, ctx, event, user_id=member.user_id)
    except asyncpg.ForeignKeyViolationError as error:
        raise missing(error) from None
    await deps.invalidation.publish(ctx, "rights", request.user_id)
    return member.model_copy(update={"role": request.role})


async def remove(deps: Deps, ctx: Context, request: RemoveMember) -> Done:
    async with deps.db.transaction(ctx) as tx:
        if request.user_id == ctx.caller.user_id:  # he leaves: his own business
            await organizations.lock(tx, app_id=ctx.app_id, id=request.org_id)
            org = await organization_access.seen(tx, ctx, request.org_id)
        else:
            org = await organization_access.managed(tx, ctx, request.org_id)
        member = await _member(tx, ctx, org.id, request.user_id)
        await _keep_an_admin(tx, ctx, org.id, member)
        await members.delete(tx, app_id=ctx.app_id, org_id=org.id, user_id=member.user_id)
        event = MemberRemoved(org_id=org.id, user_id=member.user_id)
        await audit.record(tx, ctx, event, user_id=member.user_id)
    await deps.invalidation.publish(ctx, "rights", request.user_id)
    return Done()


async def join_by_domain(deps: Deps, ctx: Context, request: JoinByDomain) -> Joined:
    async with deps.db.transaction(ctx) as tx:
        joined = await members.join_by_domain(tx, app_id=ctx.app_id, user_id=request.user_id)
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
    """Raises LastAdmin where nobody but him manages the organization, whose row is locked."""
    if member.role == organization_access.ADMIN and not await members.another_admin(
        tx, app_id=ctx.app_id, org_id=org_id, than=member.user_id
    ):
        raise LastAdmin


def missing(error: asyncpg.ForeignKeyViolationError) -> Problem:
    """What a new or changed row of an organization refers to and is not there."""
    if violated_constraint(error).endswith("role_id_fkey"):
        return RoleNotFound()
    return UserNotFound()
