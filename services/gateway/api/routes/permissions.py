"""Permissions: built-in ones, which govern this API, and the application's own."""

from __future__ import annotations

from typing import Annotated

from fastapi import Query

from common.contracts.base import Done
from common.contracts.permissions import (
    CreatePermission,
    DeletePermission,
    GetPermission,
    ListPermissions,
    Permission,
    PermissionChanges,
    PermissionName,
    Permissions,
    UpdatePermission,
)
from gateway.api.deps import Acting, TheBus
from gateway.api.noun_router import NounRouter
from gateway.routing import RouteSet

router = NounRouter(prefix="/permissions", tags=["permissions"])


@router.get("", summary="List permissions")
async def list_(page: Annotated[ListPermissions, Query()], ctx: Acting, bus: TheBus) -> Permissions:
    """Lists built-in permissions and your own, by name. Needs `roles:read`."""
    return await bus.call(ctx, page)


@router.post("", status_code=201, summary="Create a permission")
async def create(new: CreatePermission, ctx: Acting, bus: TheBus) -> Permission:
    """Creates a permission for your own API to check. Its name has the form `resource:action`. The
    role that holds all permissions gets it, too. Needs `roles:write`."""
    return await bus.call(ctx, new)


@router.get("/{permission_id}", summary="Get a permission")
async def get(permission_id: PermissionName, ctx: Acting, bus: TheBus) -> Permission:
    """Returns one permission. Needs `roles:read`."""
    return await bus.call(ctx, GetPermission(permission_id=permission_id))


@router.patch("/{permission_id}", summary="Update a permission")
async def update(
    permission_id: PermissionName, changes: PermissionChanges, ctx: Acting, bus: TheBus
) -> Permission:
    """Changes the description. Built-in permissions cannot be changed. Needs `roles:write`."""
    request = UpdatePermission(permission_id=permission_id, description=changes.description)
    return await bus.call(ctx, request)


@router.delete("/{permission_id}", summary="Delete a permission")
async def delete(permission_id: PermissionName, ctx: Acting, bus: TheBus) -> Done:
    """Deletes the permission and removes it from every role. Built-in permissions cannot be
    deleted. Needs `roles:write`, and you must hold the permission yourself."""
    return await bus.call(ctx, DeletePermission(permission_id=permission_id))


routes = RouteSet(router=router, in_applications=True)
