"""Handles roles that users have because of the claims of an identity provider.

They are marked with the provider in `granted_by`. So a sign-in takes only those away that the same
provider gave.
"""

from __future__ import annotations

import asyncpg

from common import audit
from common.context import Context
from common.contracts.assignments import SetMappedRoles
from common.contracts.base import Done
from common.db import Db
from common.events.roles import RoleAssigned, RoleUnassigned
from common.ids import DASHBOARD
from common.operator_rules import LOCK
from common.problems import NotFound
from rbac import role_templates
from rbac.assignments import UNKNOWN_USER
from rbac.deps import Deps
from rbac.queries import assignments, mapped_roles, roles


async def set_(deps: Deps, ctx: Context, request: SetMappedRoles) -> Done:
    """Adds the roles that are new, and takes those away that are gone. Raises NotFound."""
    try:
        async with deps.db.transaction(ctx) as tx:
            changed = await _set(tx, ctx, request)
    except asyncpg.ForeignKeyViolationError:
        raise NotFound(UNKNOWN_USER) from None
    if changed:
        await deps.invalidation.publish(ctx, "rights", request.user_id)
    return Done()


async def _set(tx: Db, ctx: Context, request: SetMappedRoles) -> bool:
    """Returns whether a role was added or taken away."""
    user_id, granted_by = request.user_id, f"idp:{request.idp_id}"
    kept = [*request.role_ids, *await _last_of_its_kind(tx, ctx, user_id)]
    removed = await mapped_roles.delete_others(
        tx, app_id=ctx.app_id, user_id=user_id, granted_by=granted_by, role_ids=kept
    )
    added = await mapped_roles.insert(
        tx, app_id=ctx.app_id, user_id=user_id, granted_by=granted_by, role_ids=request.role_ids
    )
    for role in removed:
        gone = RoleUnassigned(user_id=user_id, role_id=role.role_id)
        await audit.record(tx, ctx, gone, user_id=user_id)
    for role in added:
        new = RoleAssigned(user_id=user_id, role_id=role.role_id)
        await audit.record(tx, ctx, new, user_id=user_id)
    return bool(removed or added)


async def _last_of_its_kind(tx: Db, ctx: Context, user_id: str) -> list[str]:
    """Returns the role of operators if no other enabled user has it. Its row is locked. Without an operator,
    nobody could manage the deployment."""
    if ctx.app_id != DASHBOARD:
        return []
    role_id = role_templates.template_of(ctx.app_id).full_role
    await roles.lock(tx, "application", app_id=ctx.app_id, id=role_id)
    await assignments.lock_operators(tx, key=LOCK)
    if await mapped_roles.has_other_holder(tx, app_id=ctx.app_id, role_id=role_id, user_id=user_id):
        return []
    return [role_id]
