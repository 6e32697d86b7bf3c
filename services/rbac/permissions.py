"""Permissions of an application: built-in ones to read, its own to make and unmake."""

from __future__ import annotations

import asyncpg

from common import audit
from common.context import Context
from common.contracts.base import Done
from common.contracts.permissions import (
    CreatePermission,
    DeletePermission,
    GetPermission,
    ListPermissions,
    Permission,
    PermissionNotFound,
    Permissions,
    PermissionTaken,
    UpdatePermission,
)
from common.contracts.roles import SystemRole
from common.db import Db
from common.events.roles import PermissionCreated, PermissionDeleted, PermissionUpdated
from rbac import delegation, role_templates
from rbac.deps import Deps
from rbac.queries import permissions, roles

LIST = "permissions"


async def list_(deps: Deps, ctx: Context, request: ListPermissions) -> Permissions:
    (after,) = deps.cursors.read(ctx.app_id, LIST, request.cursor, 1)
    async with deps.db.reading(ctx) as db:
        found = await permissions.page(db, app_id=ctx.app_id, after=after, limit=request.limit + 1)
    shown, next = deps.cursors.page(
        ctx.app_id, LIST, found, request.limit, key=lambda row: (row.id,)
    )
    return Permissions(permissions=shown, next=next)


async def get(deps: Deps, ctx: Context, request: GetPermission) -> Permission:
    async with deps.db.reading(ctx) as db:
        found = await permissions.by_id(db, app_id=ctx.app_id, id=request.permission_id)
    if found is None:
        raise PermissionNotFound
    return found


async def create(deps: Deps, ctx: Context, new: CreatePermission) -> Permission:
    chief = role_templates.of(ctx.app_id).chief
    try:
        async with deps.db.transaction(ctx) as tx:
            made = await permissions.insert(
                tx, app_id=ctx.app_id, name=new.name, description=new.description
            )
            await roles.add(tx, app_id=ctx.app_id, id=chief, permissions=[made.id])
            await audit.record(tx, ctx, PermissionCreated(permission_id=made.id))
    except asyncpg.UniqueViolationError:
        raise PermissionTaken(f"{new.name} is there already") from None
    await deps.invalidation.publish(ctx, "rights")
    return made


async def update(deps: Deps, ctx: Context, request: UpdatePermission) -> Permission:
    async with deps.db.transaction(ctx) as tx:
        before = await _own(tx, ctx, request.permission_id)
        if before.description == request.description:
            return before
        changed = await permissions.describe(
            tx, app_id=ctx.app_id, id=request.permission_id, description=request.description
        )
        if changed is None:
            raise PermissionNotFound
        await audit.record(tx, ctx, PermissionUpdated(permission_id=changed.id))
    return changed


async def delete(deps: Deps, ctx: Context, request: DeletePermission) -> Done:
    async with deps.db.transaction(ctx) as tx:
        await _own(tx, ctx, request.permission_id)
        await delegation.must_hold(tx, ctx, [request.permission_id])
        if not await permissions.delete(tx, app_id=ctx.app_id, id=request.permission_id):
            raise PermissionNotFound
        await audit.record(tx, ctx, PermissionDeleted(permission_id=request.permission_id))
    await deps.invalidation.publish(ctx, "rights")
    return Done()


async def _own(tx: Db, ctx: Context, id: str) -> Permission:
    """Returns the application's own permission. Raises PermissionNotFound, or SystemRole for a built-in one."""
    found = await permissions.by_id(tx, app_id=ctx.app_id, id=id)
    if found is None:
        raise PermissionNotFound
    if found.is_system:
        raise SystemRole(f"{id} is built in")
    return found
