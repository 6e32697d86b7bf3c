"""Checks delegation: nobody gives or takes a permission that they do not hold.

rbac applies the rule to roles and permissions. Services that act on users, invitations and keys
for a caller ask for it with CheckDelegation.
"""

from __future__ import annotations

from collections.abc import Collection

from common import freshness
from common.context import Context
from common.contracts.base import Done
from common.contracts.delegation import CheckDelegation
from common.contracts.roles import NotHeld, RoleNotFound
from common.db import Db
from rbac import role_templates
from rbac.deps import Deps
from rbac.queries import rights, roles


async def must_hold(
    tx: Db, ctx: Context, permissions: Collection[str], *, org_id: str | None = None
) -> None:
    """Checks that the caller holds what they give or take. Raises NotHeld naming what they lack.

    The application's secret key, an operator or developer with full rights, and the system hold
    everything. A user holds what their credential carries and they still have at this moment: the
    credential may be narrower than their rights, and their rights may have shrunk since.
    """
    caller = ctx.caller
    if "*" in caller.permissions:
        return
    effective = caller.permissions
    if caller.user_id is not None:
        row = await rights.effective(tx, app_id=ctx.app_id, user_id=caller.user_id, org_id=org_id)
        effective = effective.intersection((*row.permissions, *row.org_permissions))
    missing = sorted(set(permissions) - effective)
    if missing:
        raise NotHeld(f"you do not hold {', '.join(missing)}", missing=missing)


async def must_hold_everything(tx: Db, ctx: Context) -> None:
    """Checks that the caller holds what the role with all permissions holds. Raises NotHeld."""
    full_role = role_templates.template_of(ctx.app_id).full_role
    await must_hold(tx, ctx, await _permissions_of_roles(tx, ctx, [full_role]))


async def check(deps: Deps, ctx: Context, request: CheckDelegation) -> Done:
    """Checks the rule for permissions, for roles, and for all that a user has.

    Raises NotHeld, RoleNotFound, and FreshSignInNeeded or FreshTokenNeeded if one of `role_ids` makes
    operators and the caller signed in too long ago.
    """
    async with deps.db.reader(ctx) as db:
        permissions = set(request.permissions)
        if request.user_id is not None:
            row = await rights.effective(db, app_id=ctx.app_id, user_id=request.user_id)
            permissions.update(row.permissions)
        of_roles = await _permissions_of_roles(db, ctx, request.role_ids)
        freshness.check_operators(ctx, of_roles)
        if request.everything:
            full_role = role_templates.template_of(ctx.app_id).full_role
            permissions |= await _permissions_of_roles(db, ctx, [full_role])
        await must_hold(db, ctx, permissions | of_roles)
    return Done()


async def _permissions_of_roles(db: Db, ctx: Context, role_ids: list[str]) -> set[str]:
    permissions: set[str] = set()
    for role_id in role_ids:
        role = await roles.by_id(db, "application", app_id=ctx.app_id, id=role_id)
        if role is None:
            raise RoleNotFound
        permissions.update(role.permissions)
    return permissions
