"""Fake services for the Dashboard's pages about roles: a built-in role and one of the developer, a
built-in permission and one of the developer."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from tests.kit.developers import NOW, Developers

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
from common.contracts.roles import (
    CreateRole,
    DeleteRole,
    GetRole,
    Holder,
    Holders,
    ListHolders,
    ListRoles,
    Role,
    RoleInUse,
    RoleNotFound,
    Roles,
    UpdateRole,
)
from common.ids import new_id


def permission(name: str, *, is_system: bool = False, text: str | None = None) -> Permission:
    """Returns a permission with this name."""
    resource, _, action = name.partition(":")
    return Permission(
        id=name,
        name=name,
        resource=resource,
        action=action,
        description=text,
        is_system=is_system,
        created_at=NOW,
    )


def role(id: str, *permissions: str, name: str | None = None, is_system: bool = False) -> Role:
    """Returns a role with these permissions."""
    return Role(
        id=id,
        name=name or id,
        is_system=is_system,
        permissions=list(permissions),
        created_at=NOW,
        updated_at=NOW,
    )


@dataclass
class RolePages:
    """What the fake services know, and the changes that they accepted."""

    roles: dict[str, Role]
    permissions: dict[str, Permission]
    holder: str = field(default_factory=new_id)
    changes: list[Any] = field(default_factory=list)
    in_use: bool = False


async def _list(world: RolePages, ctx: Context, request: ListRoles) -> Roles:
    return Roles(roles=list(world.roles.values()))


async def _get(world: RolePages, ctx: Context, request: GetRole) -> Role:
    if request.role_id not in world.roles:
        raise RoleNotFound
    return world.roles[request.role_id]


async def _create(world: RolePages, ctx: Context, request: CreateRole) -> Role:
    world.changes.append(request)
    return world.roles["editor"]


async def _update(world: RolePages, ctx: Context, request: UpdateRole) -> Role:
    world.changes.append(request)
    before = world.roles[request.role_id]
    fields = request.changes.model_dump(exclude_unset=True)
    later = before.updated_at + timedelta(seconds=1)
    after = before.model_copy(update={**fields, "updated_at": later})
    world.roles[before.id] = after
    return after


async def _delete(world: RolePages, ctx: Context, request: DeleteRole) -> Done:
    if world.in_use:
        raise RoleInUse
    world.changes.append(request)
    return Done()


async def _holders(world: RolePages, ctx: Context, request: ListHolders) -> Holders:
    if request.role_id not in world.roles:
        raise RoleNotFound
    return Holders(users=[Holder(user_id=world.holder, granted_at=NOW)])


async def _permissions(world: RolePages, ctx: Context, request: ListPermissions) -> Permissions:
    """One page for each two permissions."""
    names = sorted(world.permissions)
    start = int(request.cursor or 0)
    page = names[start : start + 2]
    more = str(start + 2) if start + 2 < len(names) else None
    return Permissions(permissions=[world.permissions[name] for name in page], next=more)


async def _permission(world: RolePages, ctx: Context, request: GetPermission) -> Permission:
    if request.permission_id not in world.permissions:
        raise PermissionNotFound
    return world.permissions[request.permission_id]


async def _create_permission(
    world: RolePages, ctx: Context, request: CreatePermission
) -> Permission:
    if request.name in world.permissions:
        raise PermissionTaken
    world.changes.append(request)
    return permission(request.name)


async def _update_permission(
    world: RolePages, ctx: Context, request: UpdatePermission
) -> Permission:
    world.changes.append(request)
    return world.permissions[request.permission_id]


async def _delete_permission(world: RolePages, ctx: Context, request: DeletePermission) -> Done:
    world.changes.append(request)
    return Done()


HANDLERS: Any = {
    ListRoles: _list,
    GetRole: _get,
    CreateRole: _create,
    UpdateRole: _update,
    DeleteRole: _delete,
    ListHolders: _holders,
    ListPermissions: _permissions,
    GetPermission: _permission,
    CreatePermission: _create_permission,
    UpdatePermission: _update_permission,
    DeletePermission: _delete_permission,
}


def role_pages(people: Developers) -> RolePages:
    """Registers the fake services."""
    names = (permission("users:read", is_system=True), permission("invoices:read"))
    world = RolePages(
        roles={
            "admin": role("admin", "invoices:read", "users:read", is_system=True),
            "editor": role("editor", "invoices:read", name="Editor"),
        },
        permissions={one.id: one for one in names},
    )
    people.world.bus.serve(world, HANDLERS)
    return world
