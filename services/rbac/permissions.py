"""Handles permissions: reads all of them, and changes the application's own."""

from __future__ import annotations

import asyncpg

from common import audit, conditions
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
from rbac import delegation_check, role_templates
from rbac.deps import Deps
from rbac.queries import permissions, roles

LIST = "permissions"


async def list_(deps: Deps, ctx: Context, request: ListPermissions) -> Permissions:
    """Returns a page of permissions, by id."""
    (after,) = deps.cursors.read(ctx.app_id, LIST, request.cursor, 1)
    async with deps.db.reader(ctx) as db:
        rows = await permissions.page(db, app_id=ctx.app_id, after=after, limit=request.limit + 1)
    page, next = deps.cursors.page(ctx.app_id, LIST, rows, request.limit, key=lambda row: (row.id,))
    return Permissions(permissions=page, next=next)


async def get(deps: Deps, ctx: Context, request: GetPermission) -> Permission:
    """Returns the permission. Raises PermissionNotFound."""
    async with deps.db.reader(ctx) as db:
        permission = await permissions.by_id(db, app_id=ctx.app_id, id=request.permission_id)
    if permission is None:
        raise PermissionNotFound
    return permission


async def create(deps: Deps, ctx: Context, request: CreatePermission) -> Permission:
    """Creates a permission and adds it to the role that holds everything.

    Raises PermissionTaken.
    """
    full_role = role_templates.template_of(ctx.app_id).full_role
    try:
        async with deps.db.transaction(ctx) as tx:
            permission = await permissions.insert(
                tx, app_id=ctx.app_id, name=request.name, description=request.description
            )
            await roles.add_permissions(
                tx, "application", app_id=ctx.app_id, id=full_role, permissions=[permission.id]
            )
            await audit.record(tx, ctx, PermissionCreated(permission_id=permission.id))
    except asyncpg.UniqueViolationError:
        raise PermissionTaken(f"{request.name} exists already") from None
    await deps.invalidation.publish(ctx, "rights")
    return permission


async def update(deps: Deps, ctx: Context, request: UpdatePermission) -> Permission:
    """Changes the description. Raises PermissionNotFound, SystemRole for a built-in permission."""
    async with deps.db.transaction(ctx) as tx:
        before = await _own(tx, ctx, request.permission_id)
        if before.description == request.description:
            return before
        after = await permissions.update(
            tx, app_id=ctx.app_id, id=request.permission_id, description=request.description
        )
        if after is None:
            raise PermissionNotFound
        await audit.record(tx, ctx, PermissionUpdated(permission_id=after.id))
    return after


async def delete(deps: Deps, ctx: Context, request: DeletePermission) -> Done:
    """Deletes the permission and takes it from all roles.

    Raises PermissionNotFound, SystemRole for a built-in permission, NotHeld.
    """
    async with deps.db.transaction(ctx) as tx:
        await _own(tx, ctx, request.permission_id)
        await delegation_check.must_hold(tx, ctx, [request.permission_id])
        if not await permissions.delete(tx, app_id=ctx.app_id, id=request.permission_id):
            raise PermissionNotFound
        await audit.record(tx, ctx, PermissionDeleted(permission_id=request.permission_id))
    await deps.invalidation.publish(ctx, "rights")
    return Done()


async def _own(tx: Db, ctx: Context, id: str) -> Permission:
    """Locks a permission until the transaction ends and returns it. Raises PermissionNotFound,
    ChangedMeanwhile, and SystemRole for a built-in one."""
    permission = await permissions.lock(tx, app_id=ctx.app_id, id=id)
    if permission is None:
        raise PermissionNotFound
    conditions.check(permission)
    if permission.is_system:
        raise SystemRole(f"{id} is built in")
    return permission
