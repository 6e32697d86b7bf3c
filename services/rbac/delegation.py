"""Answers other services that act on users, invitations and keys for a caller."""

from __future__ import annotations

from common.context import Context
from common.contracts.base import Done
from common.contracts.delegation import CheckDelegation
from common.contracts.roles import RoleNotFound
from common.db import Db
from rbac import grants, role_templates
from rbac.deps import Deps
from rbac.queries import rights, roles


async def check(deps: Deps, ctx: Context, request: CheckDelegation) -> Done:
    async with deps.db.reading(ctx) as db:
        permissions = set(request.permissions)
        if request.user_id is not None:
            held = await rights.of(db, app_id=ctx.app_id, user_id=request.user_id)
            permissions.update(held.permissions)
        permissions |= await _of_roles(db, ctx, _role_ids(ctx, request))
        await grants.must_hold(db, ctx, permissions)
    return Done()


def _role_ids(ctx: Context, request: CheckDelegation) -> list[str]:
    if request.everything:
        return [*request.role_ids, role_templates.of(ctx.app_id).chief]
    return request.role_ids


async def _of_roles(db: Db, ctx: Context, role_ids: list[str]) -> set[str]:
    permissions: set[str] = set()
    for role_id in role_ids:
        role = await roles.by_id(db, app_id=ctx.app_id, id=role_id)
        if role is None:
            raise RoleNotFound
        permissions.update(role.permissions)
    return permissions
