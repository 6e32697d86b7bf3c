"""Which user has which role, in the whole application or in one organization."""

from __future__ import annotations

import asyncpg

from common import audit
from common.context import Context
from common.contracts.assignments import (
    AssignDefaultRole,
    AssignedRoles,
    AssignRole,
    ListMyRoles,
    ListUserRoles,
    UnassignRole,
)
from common.contracts.base import Done
from common.contracts.roles import LastHolder, RoleNotFound
from common.contracts.users import UserNotFound
from common.db import Db
from common.db_errors import violated_constraint
from common.events.roles import RoleAssigned, RoleUnassigned
from common.ids import DASHBOARD
from common.problems import NotFound
from rbac import delegation, role_templates
from rbac.deps import Deps
from rbac.queries import assignments, roles, users

UNKNOWN_USER = "there is no such user, or he does not belong to the organization"


async def list_(deps: Deps, ctx: Context, request: ListUserRoles) -> AssignedRoles:
    async with deps.db.reading(ctx) as db:
        if not await users.exists(db, app_id=ctx.app_id, user_id=request.user_id):
            raise UserNotFound
    return await _of(deps, ctx, request.user_id)


async def mine(deps: Deps, ctx: Context, _: ListMyRoles) -> AssignedRoles:
    user_id = ctx.caller.user_id
    return AssignedRoles(roles=[]) if user_id is None else await _of(deps, ctx, user_id)


async def _of(deps: Deps, ctx: Context, user_id: str) -> AssignedRoles:
    async with deps.db.reading(ctx) as db:
        found = await assignments.of_user(db, app_id=ctx.app_id, user_id=user_id)
    return AssignedRoles(roles=found)


async def assign_default(deps: Deps, ctx: Context, request: AssignDefaultRole) -> Done:
    """Only a user without any role gets the initial one: what was taken from him stays taken."""
    template = role_templates.of(ctx.app_id)
    role_id, by = (
        (template.chief, "bootstrap") if request.operator else (template.initial, "system")
    )
    try:
        async with deps.db.transaction(ctx) as tx:
            given = await assignments.insert(
                tx,
                app_id=ctx.app_id,
                user_id=request.user_id,
                role_id=role_id,
                org_id=None,
                granted_by=by,
                only_first=not request.operator,
            )
            if given:
                event = RoleAssigned(user_id=request.user_id, role_id=role_id)
                await audit.record(tx, ctx, event, user_id=request.user_id)
    except asyncpg.ForeignKeyViolationError as error:
        raise _missing(error) from None
    if given:
        await deps.invalidation.publish(ctx, "rights", request.user_id)
    return Done()


async def assign(deps: Deps, ctx: Context, request: AssignRole) -> Done:
    """Giving a role twice changes nothing. Raises RoleNotFound, NotFound, NotHeld."""
    try:
        async with deps.db.transaction(ctx) as tx:
            role = await roles.by_id(tx, app_id=ctx.app_id, id=request.role_id)
            if role is None:
                raise RoleNotFound
            await delegation.must_hold(tx, ctx, role.permissions, org_id=request.org_id)
            given = await assignments.insert(
                tx,
                app_id=ctx.app_id,
                user_id=request.user_id,
                role_id=role.id,
                org_id=request.org_id,
                granted_by=ctx.caller.id or ctx.caller.kind,
            )
            if given:
                await audit.record(
                    tx,
                    ctx,
                    RoleAssigned(user_id=request.user_id, role_id=role.id, org_id=request.org_id),
                    user_id=request.user_id,
                )
    except asyncpg.ForeignKeyViolationError as error:
        raise _missing(error) from None
    await deps.invalidation.publish(ctx, "rights", request.user_id)
    return Done()


async def unassign(deps: Deps, ctx: Context, request: UnassignRole) -> Done:
    """Raises RoleNotFound where he does not have it, NotHeld, LastHolder."""
    async with deps.db.transaction(ctx) as tx:
        await roles.lock(tx, app_id=ctx.app_id, id=request.role_id)
        role = await roles.by_id(tx, app_id=ctx.app_id, id=request.role_id)
        if role is None:
            raise RoleNotFound
        await delegation.must_hold(tx, ctx, role.permissions, org_id=request.org_id)
        if not await assignments.delete(
            tx, app_id=ctx.app_id, user_id=request.user_id, role_id=role.id, org_id=request.org_id
        ):
            raise RoleNotFound("he does not have this role")
        if ctx.app_id == DASHBOARD and role.id == role_templates.of(ctx.app_id).chief:
            await _someone_else_has(tx, ctx, role.id)
        await audit.record(
            tx,
            ctx,
            RoleUnassigned(user_id=request.user_id, role_id=role.id, org_id=request.org_id),
            user_id=request.user_id,
        )
    await deps.invalidation.publish(ctx, "rights", request.user_id)
    return Done()


async def _someone_else_has(tx: Db, ctx: Context, role_id: str) -> None:
    """A deployment without an operator could not be run by anyone. The role's row is locked."""
    if not await assignments.anyone(tx, app_id=ctx.app_id, role_id=role_id):
        raise LastHolder


def _missing(error: asyncpg.ForeignKeyViolationError) -> NotFound:
    if violated_constraint(error).endswith("role_id_fkey"):
        return RoleNotFound()
    return NotFound(UNKNOWN_USER)
