"""What somebody may do: asked at every request that no cache answers."""

from __future__ import annotations

from common.context import Context
from common.contracts.rbac import GetRights, Rights
from common.ids import DASHBOARD
from rbac.deps import Deps
from rbac.queries import rights


async def get(deps: Deps, ctx: Context, asked: GetRights) -> Rights:
    async with deps.db.reading(ctx) as db:
        held = await rights.of(
            db,
            app_id=ctx.app_id,
            user_id=asked.user_id,
            org_id=asked.org_id,
            teams=ctx.app_id == DASHBOARD,
        )
    return Rights(
        roles=held.roles,
        permissions=sorted({*held.permissions, *held.org_permissions}),
        teams=held.teams,
        org_id=None if held.org_role is None else asked.org_id,
        org_role=held.org_role,
        org_permissions=held.org_permissions,
    )
