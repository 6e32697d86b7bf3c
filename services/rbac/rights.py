"""Answers what a user may do. The gateway asks at every request that its cache cannot answer."""

from __future__ import annotations

from common.context import Context
from common.contracts.rights import GetMyRights, GetRights, GetUserRights, Rights
from common.contracts.users import UserNotFound
from common.ids import DASHBOARD
from rbac.deps import Deps
from rbac.queries import rights, users


async def get(deps: Deps, ctx: Context, request: GetRights) -> Rights:
    """Returns the rights of a user; those of an unknown user are empty."""
    return await _effective(deps, ctx, request.user_id, request.org_id)


async def get_of_user(deps: Deps, ctx: Context, request: GetUserRights) -> Rights:
    """Returns the rights of a user. Raises UserNotFound."""
    async with deps.db.reader(ctx) as db:
        if not await users.exists(db, app_id=ctx.app_id, user_id=request.user_id):
            raise UserNotFound
    return await _effective(deps, ctx, request.user_id, request.org_id)


async def get_mine(deps: Deps, ctx: Context, request: GetMyRights) -> Rights:
    """Returns the caller's rights, in the active organization unless the request names another."""
    caller = ctx.caller
    if caller.user_id is None:  # a developer is no user here: their rights come from the Dashboard
        return Rights(permissions=sorted(caller.permissions))
    return await _effective(deps, ctx, caller.user_id, request.org_id or caller.org_id)


async def _effective(deps: Deps, ctx: Context, user_id: str, org_id: str | None) -> Rights:
    async with deps.db.reader(ctx) as db:
        row = await rights.effective(
            db,
            app_id=ctx.app_id,
            user_id=user_id,
            org_id=org_id,
            teams=ctx.app_id == DASHBOARD,
        )
    return Rights(
        roles=row.roles,
        permissions=sorted({*row.permissions, *row.org_permissions}),
        teams=row.teams,
        org_id=None if row.org_role is None else org_id,
        org_role=row.org_role,
        org_permissions=row.org_permissions,
    )
