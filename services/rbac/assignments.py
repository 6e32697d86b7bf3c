"""Handles role assignments: which user has which role, in the application or an organization."""

from __future__ import annotations

import asyncpg

from common import audit, freshness
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
from common.contracts.roles import LastHolder, Role, RoleNotFound
from common.contracts.users import UserNotFound
from common.db import Db
from common.db_errors import violated_constraint
from common.events.roles import RoleAssigned, RoleUnassigned
from common.ids import DASHBOARD
from common.operator_rules import LOCK, ROLE
from common.problems import NotFound
from rbac import delegation_check, role_templates
from rbac.deps import Deps
from rbac.queries import assignments, roles, users

UNKNOWN_USER = "the user does not exist, or is not a member of the organization"


async def list_(deps: Deps, ctx: Context, request: ListUserRoles) -> AssignedRoles:
    """Returns the roles of a user. Raises UserNotFound."""
    async with deps.db.reader(ctx) as db:
        if not await users.exists(db, app_id=ctx.app_id, user_id=request.user_id):
            raise UserNotFound
    return await _roles_of(deps, ctx, request.user_id)


async def list_mine(deps: Deps, ctx: Context, _: ListMyRoles) -> AssignedRoles:
    """Returns the caller's roles; none if the caller is not a user."""
    user_id = ctx.caller.user_id
    return AssignedRoles(roles=[]) if user_id is None else await _roles_of(deps, ctx, user_id)


async def _roles_of(deps: Deps, ctx: Context, user_id: str) -> AssignedRoles:
    async with deps.db.reader(ctx) as db:
        rows = await assignments.of_user(db, app_id=ctx.app_id, user_id=user_id)
    return AssignedRoles(roles=rows)


async def create_default(deps: Deps, ctx: Context, request: AssignDefaultRole) -> Done:
    """Gives a new user the default role, or the role of an operator.

    A user with any role does not get the default role again: a role that somebody took from them
    stays taken. Raises RoleNotFound, NotFound.
    """
    template = role_templates.template_of(ctx.app_id)
    role_id, granted_by = (
        (template.full_role, "bootstrap") if request.operator else (template.default_role, "system")
    )
    try:
        async with deps.db.transaction(ctx) as tx:
            is_new = await assignments.insert(
                tx,
                app_id=ctx.app_id,
                user_id=request.user_id,
                role_id=role_id,
                org_id=None,
                granted_by=granted_by,
                only_first=not request.operator,
            )
            if is_new:
                event = RoleAssigned(user_id=request.user_id, role_id=role_id)
                await audit.record(tx, ctx, event, user_id=request.user_id)
    except asyncpg.ForeignKeyViolationError as error:
        raise _not_found(error) from None
    if is_new:
        await deps.invalidation.publish(ctx, "rights", request.user_id)
    return Done()


async def create(deps: Deps, ctx: Context, request: AssignRole) -> Done:
    """Gives a user a role. A role that they have already changes nothing.

    Raises RoleNotFound, NotFound, NotHeld, FreshSignInNeeded.
    """
    user_id, org_id = request.user_id, request.org_id
    try:
        async with deps.db.transaction(ctx) as tx:
            role = await _role(tx, ctx, request.role_id)
            freshness.check_operators(ctx, role.permissions)
            await delegation_check.must_hold(tx, ctx, role.permissions, org_id=org_id)
            is_new = await assignments.insert(
                tx,
                app_id=ctx.app_id,
                user_id=user_id,
                role_id=role.id,
                org_id=org_id,
                granted_by=ctx.caller.id or ctx.caller.kind,
            )
            if is_new:
                event = RoleAssigned(user_id=user_id, role_id=role.id, org_id=org_id)
                await audit.record(tx, ctx, event, user_id=user_id)
    except asyncpg.ForeignKeyViolationError as error:
        raise _not_found(error) from None
    await deps.invalidation.publish(ctx, "rights", user_id)
    return Done()


async def delete(deps: Deps, ctx: Context, request: UnassignRole) -> Done:
    """Takes a role from a user.

    Raises RoleNotFound if they do not have it, NotHeld, FreshSignInNeeded, and LastHolder for the last
    operator.
    """
    async with deps.db.transaction(ctx) as tx:
        await roles.lock(tx, "application", app_id=ctx.app_id, id=request.role_id)
        role = await _role(tx, ctx, request.role_id)
        freshness.check_operators(ctx, role.permissions)
        await delegation_check.must_hold(tx, ctx, role.permissions, org_id=request.org_id)
        is_operator_role = ctx.app_id == DASHBOARD and role.id == ROLE
        if is_operator_role:  # identity takes the same lock before it disables or deletes somebody
            await assignments.lock_operators(tx, key=LOCK)
        if not await assignments.delete(
            tx, app_id=ctx.app_id, user_id=request.user_id, role_id=role.id, org_id=request.org_id
        ):
            raise RoleNotFound("the user does not have this role")
        if is_operator_role:
            await _keep_a_holder(tx, ctx, role.id)
        await audit.record(
            tx,
            ctx,
            RoleUnassigned(user_id=request.user_id, role_id=role.id, org_id=request.org_id),
            user_id=request.user_id,
        )
    await deps.invalidation.publish(ctx, "rights", request.user_id)
    return Done()


async def _role(tx: Db, ctx: Context, id: str) -> Role:
    role = await roles.by_id(tx, "application", app_id=ctx.app_id, id=id)
    if role is None:
        raise RoleNotFound
    return role


async def _keep_a_holder(tx: Db, ctx: Context, role_id: str) -> None:
    """Raises LastHolder if no enabled user has the role any more; the role's row is locked.

    Without an operator, nobody could manage the deployment.
    """
    if not await assignments.has_holder(tx, app_id=ctx.app_id, role_id=role_id):
        raise LastHolder


def _not_found(error: asyncpg.ForeignKeyViolationError) -> NotFound:
    """Returns the Problem for the row that the assignment refers to and that does not exist."""
    if violated_constraint(error).endswith("role_id_fkey"):
        return RoleNotFound()
    return NotFound(UNKNOWN_USER)
