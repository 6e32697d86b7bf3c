"""What somebody may do: asked at every request that no cache answers."""

from __future__ import annotations

from common.context import Context
from common.contracts.rights import GetMyRights, GetRights, GetUserRights, Rights
from common.contracts.users import UserNotFound
from common.ids import DASHBOARD
from rbac.deps import Deps
from rbac.queries import rights, users


async def get(deps: Deps, ctx: Context, request: GetRights) -> Rights:
    return await of(deps, ctx, request.user_id, request.org_id)


async def of_user(deps: Deps, ctx: Context, request: GetUserRights) -> Rights:
    """Raises UserNotFound."""
    async with deps.db.reading(ctx) as db:
        if not await users.exists(db, app_id=ctx.app_id, user_id=request.user_id):
            raise UserNotFound
    return await of(deps, ctx, request.user_id, request.org_id)


async def mine(deps: Deps, ctx: Context, request: GetMyRights) -> Rights:
    who = ctx.caller
    if who.user_id is None:  # a developer: no user here, and his rights come from the Dashboard
        return Rights(permissions=sorted(who.permissions))
    return await of(deps, ctx, who.user_id, request.org_id or who.org_id)


async def of(deps: Deps, ctx: Context, user_id: str, org_id: str | None) -> Rights:
    async with deps.db.reading(ctx) as db:
        held = await rights.of(
            db,
            app_id=ctx.app_id,
            user_id=user_id,
            org_id=org_id,
            teams=ctx.app_id == DASHBOARD,
        )
    return Rights(
        roles=held.roles,
        permissions=sorted({*held.permissions, *held.org_permissions}),
        teams=held.teams,
        org_id=None if held.org_role is None else org_id,
        org_role=held.org_role,
        org_permissions=held.org_permissions,
    )
